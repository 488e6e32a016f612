//! The same random program on our channels and on crossbeam's must see the same results.

use std::{
    fmt::{Debug, Display},
    time::Duration,
};

use crossbeam_channel as oracle;
use goroutines::chan;

/// A cheap source of variety, different for each seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// The result as people see it.
fn text<T: Debug, E: Debug + Display>(result: Result<T, E>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{error}: {error:?}"),
    }
}

/// What a program of one thread can do with a channel without waiting for ever, as text.
macro_rules! run {
    ($chan:ident, $capacity:expr, $seed:expr) => {{
        let (tx, rx) = match $capacity {
            Some(capacity) => $chan::bounded::<u64>(capacity),
            None => $chan::unbounded::<u64>(),
        };
        let mut dice = Dice($seed);
        let (mut senders, mut receivers) = (vec![tx], vec![rx]);
        let mut log = Vec::new();
        for step in 0..400 {
            let (tx, rx) = (senders.last(), receivers.last());
            log.push(match (dice.roll(14), tx, rx) {
                (0..=3, Some(tx), _) => text(tx.try_send(step)),
                (4, Some(tx), _) => text(tx.send_timeout(step, Duration::ZERO)),
                (5, Some(tx), _) if !tx.is_full() || receivers.is_empty() => text(tx.send(step)),
                (6..=8, _, Some(rx)) => text(rx.try_recv()),
                (9, _, Some(rx)) => text(rx.recv_timeout(Duration::ZERO)),
                (10, _, Some(rx)) if dice.roll(4) == 0 => {
                    format!("{:?}", rx.try_iter().take(5).collect::<Vec<_>>())
                }
                // (Without receivers a bounded channel of crossbeam's keeps what is buffered until the
                // senders are gone as well; ours drops it at once, as both do when unbounded.)
                (11, Some(tx), Some(_)) => format!(
                    "{} {} {} {:?}",
                    tx.len(),
                    tx.is_empty(),
                    tx.is_full(),
                    tx.capacity()
                ),
                (11, None, Some(rx)) => format!(
                    "{} {} {} {:?}",
                    rx.len(),
                    rx.is_empty(),
                    rx.is_full(),
                    rx.capacity()
                ),
                (12, Some(tx), Some(rx)) if senders.len() < 4 => {
                    let (tx, rx) = (tx.clone(), rx.clone());
                    senders.push(tx);
                    receivers.push(rx);
                    "clone".to_owned()
                }
                (13, _, _) if dice.roll(6) == 0 => match dice.roll(2) {
                    0 => format!("{:?}", senders.pop().is_some()),
                    _ => format!("{:?}", receivers.pop().is_some()),
                },
                _ => String::new(),
            });
        }
        log
    }};
}

#[test]
fn one_thread_sees_what_it_would_see_with_crossbeam() {
    for capacity in [Some(0), Some(1), Some(2), Some(5), Some(40), None] {
        for seed in 0..300 {
            let ours = run!(chan, capacity, seed);
            let theirs = run!(oracle, capacity, seed);
            for (step, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                assert_eq!(ours, theirs, "{capacity:?}, seed {seed}, step {step}");
            }
        }
    }
}

/// What a program of one thread sees that selects over three channels, biased, so that it is the same
/// each time; as text.
macro_rules! select_run {
    ($chan:ident, $seed:expr) => {{
        let mut dice = Dice($seed);
        let mut channels: Vec<_> = (0..3)
            .map(|_| match dice.roll(4) {
                0 => $chan::bounded::<u64>(0),
                1 => $chan::bounded(1),
                2 => $chan::bounded(3),
                _ => $chan::unbounded(),
            })
            .map(|(tx, rx)| (Some(tx), Some(rx)))
            .collect();
        let (closed, never) = ($chan::bounded(0).0, $chan::never());
        let mut log = Vec::new();
        for step in 0..200 {
            let at = [0; 3].map(|_| dice.roll(3) as usize);
            let rx = at.map(|at| channels[at].1.as_ref().unwrap_or(&never));
            let tx = channels[at[0]].0.as_ref().unwrap_or(&closed);
            log.push(match dice.roll(8) {
                0 | 1 => $chan::select_biased! {
                    recv(rx[0]) -> msg => format!("0 {}", text(msg)),
                    send(tx, step) -> res => format!("1 {}", text(res)),
                    recv(rx[1]) -> msg => format!("2 {}", text(msg)),
                    default => String::from("3"),
                },
                2 => $chan::select_biased! {
                    recv(rx[0]) -> msg => text(msg),
                    recv(rx[1]) -> msg => text(msg),
                    recv(rx[2]) -> msg => text(msg),
                    default(Duration::ZERO) => String::from("late"),
                },
                3 => $chan::select! {
                    send(tx, step) -> res => text(res),
                    default() => String::from("full"),
                },
                4 | 5 => {
                    let mut select = $chan::Select::new_biased();
                    rx.iter().for_each(|rx| assert!(select.recv(rx) < 3));
                    let send = select.send(tx);
                    // (Removed from the middle, crossbeam's last one moves there.)
                    if dice.roll(3) == 0 {
                        select.remove(send);
                    }
                    match select.try_select() {
                        Err(error) => format!("{error} {error:?}"),
                        Ok(chosen) if chosen.index() == send => text(chosen.send(tx, step)),
                        Ok(chosen) => {
                            let index = chosen.index();
                            format!("{index} {}", text(chosen.recv(rx[index])))
                        }
                    }
                }
                6 => {
                    let mut select = $chan::Select::new_biased();
                    rx.iter().for_each(|rx| assert!(select.recv(rx) < 3));
                    format!(
                        "{:?} {:?}",
                        select.try_ready(),
                        select.ready_timeout(Duration::ZERO)
                    )
                }
                _ if dice.roll(12) == 0 => {
                    let channel = &mut channels[at[0]];
                    match dice.roll(2) {
                        0 => format!("{}", channel.0.take().is_some()),
                        _ => format!("{}", channel.1.take().is_some()),
                    }
                }
                _ => text(tx.try_send(step)),
            });
        }
        log
    }};
}

#[test]
fn selects_of_one_thread_choose_what_crossbeams_would() {
    for seed in 0..1500 {
        let ours = select_run!(chan, seed);
        let theirs = select_run!(oracle, seed);
        for (step, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(ours, theirs, "seed {seed}, step {step}");
        }
    }
}
