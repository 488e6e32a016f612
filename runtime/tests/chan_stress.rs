//! Many at once: no message is lost, none comes twice, no goroutine sleeps for ever. Four Ps.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use common::{Census, On, settle};
use goroutines::{
    chan::{Receiver, Sender, bounded, unbounded},
    go, yield_now,
};

fn start() {
    common::start(4);
}

fn every_kind<T>() -> [(Sender<T>, Receiver<T>); 5] {
    [
        bounded(0),
        bounded(1),
        bounded(3),
        bounded(100),
        unbounded(),
    ]
}

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

/// Each of `lists` holds messages in the order of their receipt; a message is (producer, number).
fn check_exactly_once_and_fifo(lists: Vec<Vec<(u64, u64)>>, producers: u64, each: u64) {
    for list in &lists {
        let mut next = vec![0; producers as usize];
        for &(producer, number) in list {
            assert!(
                number >= next[producer as usize],
                "messages of one sender overtook"
            );
            next[producer as usize] = number + 1;
        }
    }
    let mut all: Vec<_> = lists.into_iter().flatten().collect();
    all.sort_unstable();
    let expected = (0..producers).flat_map(|p| (0..each).map(move |n| (p, n)));
    assert!(
        all.into_iter().eq(expected),
        "a message was lost or came twice"
    );
}

fn mesh(on: impl Fn(u64) -> On, each: u64) {
    for (tx, rx) in every_kind() {
        let receivers: Vec<_> = (0..4)
            .map(|i| {
                let rx = rx.clone();
                on(i).spawn(move || rx.iter().collect::<Vec<_>>())
            })
            .collect();
        let senders: Vec<_> = (0..4)
            .map(|p| {
                let tx = tx.clone();
                on(p + 1).spawn(move || (0..each).for_each(|n| tx.send((p, n)).unwrap()))
            })
            .collect();
        drop((tx, rx));
        senders.into_iter().for_each(|one| one.join());
        let lists = receivers.into_iter().map(|one| one.join()).collect();
        check_exactly_once_and_fifo(lists, 4, each);
    }
}

#[test]
fn goroutines_get_each_message_once_and_in_order() {
    start();
    mesh(|_| On::Goroutine, 20_000);
}

#[test]
fn goroutines_and_threads_get_each_message_once_and_in_order() {
    start();
    mesh(
        |i| {
            if i % 2 == 0 {
                On::Goroutine
            } else {
                On::Thread
            }
        },
        2_000,
    );
}

#[test]
fn timeouts_that_race_with_messages_lose_none_and_double_none() {
    start();
    for (tx, rx) in every_kind() {
        for on in [On::Goroutine, On::Thread] {
            let (producers, each) = (4, 1_500);
            let expired = Arc::new(AtomicU64::new(0));
            let receivers: Vec<_> = (0..4)
                .map(|i| {
                    let (rx, expired) = (rx.clone(), Arc::clone(&expired));
                    on.spawn(move || {
                        let (mut dice, mut list) = (Dice(i), Vec::new());
                        loop {
                            match rx.recv_timeout(Duration::from_micros(dice.roll(60))) {
                                // The producers' farewell.
                                Ok((_, u64::MAX)) => return list,
                                Ok(msg) => list.push(msg),
                                Err(error) => {
                                    assert!(error.is_timeout());
                                    expired.fetch_add(1, Ordering::Relaxed);
                                }
                            }
                        }
                    })
                })
                .collect();
            let senders: Vec<_> = (0..producers)
                .map(|p| {
                    let (tx, expired) = (tx.clone(), Arc::clone(&expired));
                    on.spawn(move || {
                        let mut dice = Dice(p + 100);
                        for n in 0..each {
                            let mut msg = (p, n);
                            loop {
                                let patience = Duration::from_micros(dice.roll(60));
                                match tx.send_timeout(msg, patience) {
                                    Ok(()) => break,
                                    Err(error) => {
                                        assert!(error.is_timeout());
                                        expired.fetch_add(1, Ordering::Relaxed);
                                        msg = error.into_inner();
                                        assert_eq!(msg, (p, n));
                                    }
                                }
                            }
                            if dice.roll(50) == 0 {
                                goroutines::sleep(Duration::from_micros(dice.roll(200)));
                            }
                        }
                    })
                })
                .collect();
            senders.into_iter().for_each(|one| one.join());
            (0..4).for_each(|_| tx.send((0, u64::MAX)).unwrap());
            let lists = receivers.into_iter().map(|one| one.join()).collect();
            check_exactly_once_and_fifo(lists, producers, each);
            assert!(
                expired.load(Ordering::Relaxed) > 0,
                "the race did not happen"
            );
            assert!(rx.try_recv().is_err());
        }
    }
}

#[test]
fn tries_that_race_with_waits_lose_none() {
    start();
    for (tx, rx) in every_kind() {
        let each = 5_000;
        let receivers: Vec<_> = (0..2)
            .map(|i| {
                let rx = rx.clone();
                go(move || {
                    let mut list = Vec::new();
                    loop {
                        let got = if i == 0 {
                            rx.recv().map_err(|error| error.into())
                        } else {
                            rx.try_recv()
                        };
                        match got {
                            Ok(msg) => list.push(msg),
                            Err(error) if error.is_empty() => yield_now(),
                            Err(_) => return list,
                        }
                    }
                })
            })
            .collect();
        let senders: Vec<_> = (0..2)
            .map(|p| {
                let tx = tx.clone();
                go(move || {
                    for n in 0..each {
                        if p == 0 {
                            tx.send((p, n)).unwrap();
                            continue;
                        }
                        while let Err(error) = tx.try_send((p, n)) {
                            assert!(error.is_full());
                            yield_now();
                        }
                    }
                })
            })
            .collect();
        drop((tx, rx));
        senders.into_iter().for_each(|one| one.join().unwrap());
        let lists = receivers
            .into_iter()
            .map(|one| one.join().unwrap())
            .collect();
        check_exactly_once_and_fifo(lists, 2, each);
    }
}

#[test]
fn receivers_that_leave_in_the_middle_drop_or_return_every_message() {
    start();
    for round in 0..30 {
        for (tx, rx) in every_kind() {
            let census = Census::new();
            let senders: Vec<_> = (0..4)
                .map(|p| {
                    let (tx, census) = (tx.clone(), census.clone());
                    go(move || {
                        let count = (0..).take_while(|n| match tx.send(census.birth(*n)) {
                            Ok(()) => {
                                // An unbounded channel never makes it wait.
                                yield_now();
                                true
                            }
                            Err(error) => {
                                assert_eq!(error.into_inner().id, *n);
                                false
                            }
                        });
                        (p, count.count())
                    })
                })
                .collect();
            drop(tx);
            let receivers: Vec<_> = (0..3)
                .map(|i| {
                    let rx = rx.clone();
                    go(move || rx.iter().take(20 * i + round).count())
                })
                .collect();
            drop(rx);
            let received: usize = receivers.into_iter().map(|one| one.join().unwrap()).sum();
            let sent: usize = senders.into_iter().map(|one| one.join().unwrap().1).sum();
            assert!(sent >= received);
            assert_eq!(census.alive(), 0);
        }
    }
}

#[test]
fn disconnects_that_race_with_waits_wake_all_waiters() {
    start();
    let long = Duration::from_secs(3600);
    for round in 0..200 {
        let (tx, rx) = bounded::<u64>(round % 3);
        let waiting: Vec<_> = (0..8)
            .map(|i| {
                let (tx, rx) = (tx.clone(), rx.clone());
                let on = if i % 4 == 3 {
                    On::Thread
                } else {
                    On::Goroutine
                };
                on.spawn(move || {
                    if round % 2 == 0 {
                        drop(tx);
                        while if i % 2 == 0 {
                            rx.recv().is_ok()
                        } else {
                            rx.recv_timeout(long).is_ok()
                        } {}
                    } else {
                        drop(rx);
                        while if i % 2 == 0 {
                            tx.send(i).is_ok()
                        } else {
                            tx.send_timeout(i, long).is_ok()
                        } {}
                    }
                })
            })
            .collect();
        if round % 5 == 0 {
            settle();
        }
        if round % 2 == 0 {
            drop(rx);
            drop(tx);
        } else {
            drop(tx);
            drop(rx);
        }
        waiting.into_iter().for_each(|one| one.join());
    }
}

#[test]
fn handles_that_come_and_go_keep_the_channel_alive_as_long_as_needed() {
    start();
    for _ in 0..200 {
        let (tx, rx) = bounded(2);
        let census = Census::new();
        let ends: Vec<_> = (0..8)
            .map(|i| {
                let (tx, rx, census) = (tx.clone(), rx.clone(), census.clone());
                go(move || {
                    for _ in 0..20 {
                        let (tx2, rx2) = (tx.clone(), rx.clone());
                        drop(tx2.try_send(census.birth(i)));
                        drop(rx2.try_recv());
                    }
                })
            })
            .collect();
        drop((tx, rx));
        ends.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(census.alive(), 0);
    }
}

#[test]
fn a_ring_of_goroutines_passes_a_token_around() {
    start();
    let (first, mut last) = bounded(0);
    let ring: Vec<_> = (0..1000)
        .map(|_| {
            let (tx, rx) = bounded(0);
            let from = std::mem::replace(&mut last, rx);
            go(move || {
                from.iter()
                    .for_each(|token: u64| tx.send(token + 1).unwrap())
            })
        })
        .collect();
    for lap in 0..20 {
        first.send(lap).unwrap();
        assert_eq!(last.recv(), Ok(lap + 1000));
    }
    drop(first);
    ring.into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn many_timers_that_are_not_needed_do_no_harm() {
    start();
    let (tx, rx) = bounded(0);
    let begin = Instant::now();
    let there = go(move || (0..20_000).all(|n| rx.recv_timeout(Duration::from_secs(600)) == Ok(n)));
    (0..20_000).for_each(|n| tx.send_timeout(n, Duration::from_secs(600)).unwrap());
    assert!(there.join().unwrap());
    assert!(
        begin.elapsed() < Duration::from_secs(300),
        "somebody waited for a timer"
    );
}
