//! What selects do with messages: none is lost, none is doubled, none is kept. Four Ps.
#![allow(
    unreachable_code,
    clippy::diverging_sub_expression,
    reason = "messages that leave instead of being made"
)]

mod common;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use common::{Census, On, PAIRS, settle};
use goroutines::{
    Builder,
    chan::{Receiver, RecvError, Sender, bounded, never, select, unbounded},
    go,
};

fn start() {
    common::start(4);
}

#[test]
fn every_message_arrives_once_among_a_hundred_selects() {
    start();
    const MESSAGES: u64 = 200;
    for (sides, capacity) in PAIRS.into_iter().flat_map(|p| [(p, 0), (p, 1), (p, 8)]) {
        let channels: Vec<_> = (0..3).map(|_| bounded::<u64>(capacity)).collect();
        let received = Arc::new(AtomicU64::new(0));
        // Threads are dear: a few of them do.
        let count = |on| if on == On::Goroutine { 50 } else { 4 };
        let senders: Vec<_> = (0..count(sides.0))
            .map(|_| {
                let [a, b, c] = [0, 1, 2].map(|i| channels[i].0.clone());
                sides.0.spawn(move || {
                    for n in 1..=MESSAGES {
                        select! {
                            send(a, n) -> res => res.unwrap(),
                            send(b, n) -> res => res.unwrap(),
                            send(c, n) -> res => res.unwrap(),
                        }
                    }
                })
            })
            .collect();
        let receivers: Vec<_> = (0..count(sides.1))
            .map(|_| {
                let [a, b, c] = [0, 1, 2].map(|i| channels[i].1.clone());
                let received = received.clone();
                sides.1.spawn(move || {
                    loop {
                        let msg = select! {
                            recv(a) -> msg => msg,
                            recv(b) -> msg => msg,
                            recv(c) -> msg => msg,
                            default(Duration::from_millis(200)) => Err(RecvError),
                        };
                        // Disconnected in one is disconnected in all, but what is buffered.
                        let Ok(n) = msg else { break };
                        received.fetch_add(n, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        senders.into_iter().for_each(|sender| sender.join());
        let rest = channels.iter().flat_map(|(_, rx)| {
            settle();
            rx.try_iter()
        });
        let rest: u64 = rest.sum();
        drop(channels);
        receivers.into_iter().for_each(|receiver| receiver.join());
        let total = count(sides.0) * MESSAGES * (MESSAGES + 1) / 2;
        assert_eq!(
            received.load(Ordering::Relaxed) + rest,
            total,
            "{sides:?}, {capacity}"
        );
    }
}

#[test]
fn a_select_that_times_out_while_it_is_served_loses_nothing() {
    start();
    for capacity in [0, 1] {
        let (tx, rx) = bounded::<u64>(capacity);
        let (idle, _kept) = bounded::<u64>(0);
        let sender = go(move || {
            let mut sent = 0;
            for n in 0..3000_u64 {
                let patience = Duration::from_micros(n % 40);
                select! {
                    send(tx, n) -> res => { res.unwrap(); sent += n; }
                    send(idle, n) -> _ => unreachable!(),
                    default(patience) => {}
                }
            }
            sent
        });
        let mut received = 0;
        for n in 0.. {
            select! {
                recv(rx) -> msg => match msg {
                    Ok(n) => received += n,
                    Err(_) => break,
                },
                recv(never::<()>()) -> _ => unreachable!(),
                default(Duration::from_micros(n % 37)) => {}
            }
        }
        assert_eq!(received, sender.join().unwrap(), "capacity {capacity}");
    }
}

#[test]
fn messages_are_dropped_exactly_once() {
    start();
    let census = Census::new();
    for (tx, rx) in [bounded(0), bounded(2), unbounded()] {
        let receiver = go(move || {
            for _ in 0..100 {
                select! { recv(rx) -> msg => drop(msg.unwrap()), recv(never::<[u8; 200]>()) -> _ => {} }
            }
        });
        for i in 0..110 {
            select! { send(tx, census.birth(i)) -> res => drop(res), send(tx, census.birth(i)) -> res => drop(res) }
        }
        receiver.join().unwrap();
        drop(tx);
        assert_eq!(census.alive(), 0);
    }
}

#[test]
fn a_message_that_cannot_be_made_loses_no_other() {
    start();
    for capacity in [0, 1] {
        let (tx, rx) = bounded::<i32>(capacity);
        let receiver = go(move || rx.recv());
        settle();
        // The receiver was chosen, and waits on.
        let bad = catch_unwind(AssertUnwindSafe(|| {
            select! { send(tx, panic!("no message")) -> _ => {} }
        }));
        assert!(bad.is_err());
        settle();
        assert!(!receiver.is_finished());
        tx.send(5).unwrap();
        assert_eq!(receiver.join().unwrap(), Ok(5));
    }
    // The same where the select was waiting, and the receiver came second, with a deadline.
    let (tx, rx) = bounded::<i32>(0);
    let sender = go(move || {
        let bad = catch_unwind(AssertUnwindSafe(|| {
            select! { send(tx, panic!("no message")) -> _ => {} }
        }));
        assert!(bad.is_err());
        settle();
        tx.send(6).unwrap();
    });
    settle();
    assert_eq!(rx.recv_timeout(Duration::from_secs(20)), Ok(6));
    sender.join().unwrap();
}

#[test]
fn the_room_that_was_won_is_given_back() {
    start();
    let (tx, rx) = bounded::<i32>(1);
    let leave = |tx: &Sender<i32>| select! { send(tx, return) -> _ => {} };
    for _ in 0..3 {
        leave(&tx);
    }
    // A sender waits for the room meanwhile.
    let (hold, held) = bounded::<()>(0);
    let holder = go({
        let tx = tx.clone();
        move || select! { send(tx, { held.recv().unwrap(); return }) -> _ => {} }
    });
    settle();
    assert!(tx.try_send(7).is_err(), "it is reserved");
    let waiting = go({
        let tx = tx.clone();
        move || select! { send(tx, 8) -> res => res.unwrap(), recv(never::<()>()) -> _ => {} }
    });
    settle();
    hold.send(()).unwrap();
    holder.join().unwrap();
    waiting.join().unwrap();
    assert_eq!(rx.recv(), Ok(8));
    assert!(tx.is_empty() && !tx.is_full());
}

#[test]
fn goroutines_with_copied_stacks_select() {
    start();
    let (tx, rx) = bounded::<[u64; 20]>(0);
    let (done, end) = bounded::<u64>(0);
    let workers: Vec<_> = (0..20)
        .map(|_| {
            let (rx, done) = (rx.clone(), done.clone());
            // SAFETY: nothing on the stack of this goroutine is reached by others while it is parked.
            let builder = unsafe { Builder::new().copy_stack() };
            builder.spawn(move || {
                for _ in 0..50 {
                    let sum = select! {
                        recv(rx) -> msg => msg.unwrap().iter().sum(),
                        recv(never::<()>()) -> _ => unreachable!(),
                    };
                    select! { send(done, sum) -> res => res.unwrap(), recv(never::<()>()) -> _ => {} }
                }
            })
        })
        .collect::<Result<_, _>>()
        .unwrap();
    let source = go(move || {
        for n in 0..1000 {
            select! { send(tx, [n; 20]) -> res => res.unwrap(), default(Duration::MAX) => {} }
        }
    });
    let total: u64 = end.iter().take(1000).sum();
    assert_eq!(total, 20 * 999 * 1000 / 2);
    source.join().unwrap();
    workers
        .into_iter()
        .for_each(|worker| worker.join().unwrap());
}

#[test]
fn a_goroutine_that_unwinds_can_select() {
    start();
    struct AtEnd(Receiver<i32>, Sender<i32>);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            let got =
                select! { recv(self.0) -> msg => msg.unwrap(), recv(never::<()>()) -> _ => 0 };
            select! { send(self.1, got + 1) -> res => res.unwrap(), default(Duration::from_secs(20)) => {} }
        }
    }
    let (tx, rx) = bounded(0);
    let (answer, answers) = bounded(0);
    let one = go(move || {
        let _end = AtEnd(rx, answer);
        panic!("unwinding");
    });
    settle();
    tx.send(1).unwrap();
    assert_eq!(answers.recv(), Ok(2));
    assert!(one.join().is_err());
}
