//! Every message is dropped exactly once, whatever way it takes, and a drop that panics breaks nothing.
//! Two Ps.

mod common;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{Census, Counted, PAIRS, settle, until};
use goroutines::{
    chan::{Receiver, Sender, bounded, unbounded},
    go,
};

fn start() {
    common::start(2);
}

fn every_kind<T>() -> [(Sender<T>, Receiver<T>); 4] {
    [bounded(0), bounded(1), bounded(5), unbounded()]
}

#[test]
fn received_messages_belong_to_the_receiver() {
    start();
    for (sender, receiver) in PAIRS {
        for (tx, rx) in every_kind() {
            let census = Census::new();
            let there = receiver.spawn(move || rx.iter().collect::<Vec<Counted>>());
            let births = census.clone();
            sender
                .spawn(move || (0..300).for_each(|i| tx.send(births.birth(i)).unwrap()))
                .join();
            let all = there.join();
            assert_eq!((census.born(), census.alive()), (300, 300));
            assert!(all.iter().map(|one| one.id).eq(0..300));
            drop(all);
            assert_eq!(census.alive(), 0);
        }
    }
}

#[test]
fn what_is_left_in_the_buffer_goes_with_the_last_receiver() {
    for count in [1, 63, 64, 65, 200, 1000] {
        for (tx, rx) in [bounded(1000), unbounded()] {
            let census = Census::new();
            (0..count).for_each(|i| tx.send(census.birth(i)).unwrap());
            // So that the buffer does not start at its first slot.
            for _ in 0..count / 3 {
                rx.recv().unwrap();
                tx.send(census.birth(0)).unwrap();
            }
            assert_eq!(census.alive(), count as usize);
            drop(rx);
            assert_eq!(census.alive(), 0, "at once, and not with the senders");
            drop(tx);
            assert_eq!(census.alive(), 0);
        }
    }
}

#[test]
fn what_is_left_in_the_buffer_goes_with_the_channel() {
    for (tx, rx) in [bounded(1000), unbounded()] {
        let census = Census::new();
        (0..1000).for_each(|i| tx.send(census.birth(i)).unwrap());
        drop(tx);
        assert_eq!(census.alive(), 1000);
        drop(rx);
        assert_eq!(census.alive(), 0);
    }
}

#[test]
fn a_message_that_is_not_sent_comes_back() {
    start();
    for (tx, rx) in every_kind() {
        let census = Census::new();
        drop(rx);
        assert_eq!(tx.send(census.birth(1)).unwrap_err().into_inner().id, 1);
        assert_eq!(tx.try_send(census.birth(2)).unwrap_err().into_inner().id, 2);
        let timeout = Duration::from_millis(1);
        assert_eq!(
            tx.send_timeout(census.birth(3), timeout)
                .unwrap_err()
                .into_inner()
                .id,
            3
        );
        assert_eq!((census.born(), census.alive()), (3, 0));
    }
    let (tx, rx) = bounded(0);
    let census = Census::new();
    let late = tx
        .send_timeout(census.birth(4), Duration::from_millis(1))
        .unwrap_err();
    assert!(late.is_timeout());
    assert_eq!(late.into_inner().id, 4);
    assert_eq!(tx.try_send(census.birth(5)).unwrap_err().into_inner().id, 5);
    assert_eq!((census.born(), census.alive()), (2, 0));
    drop(rx);
}

#[test]
fn waiting_senders_get_their_messages_back() {
    start();
    for (on, _) in PAIRS {
        for (tx, rx) in [bounded(0), bounded(3)] {
            let census = Census::new();
            let waiting: Vec<_> = (0..6)
                .map(|i| {
                    let (tx, msg) = (tx.clone(), census.birth(i));
                    on.spawn(move || tx.send(msg).err().map(|error| error.into_inner().id))
                })
                .collect();
            until(|| rx.is_full());
            settle();
            drop(rx);
            let back = waiting.into_iter().filter_map(|one| one.join()).count();
            assert_eq!(back, 6 - tx.capacity().unwrap());
            assert_eq!((census.born(), census.alive()), (6, 0));
        }
    }
}

/// Panics when it is dropped, if it is the chosen one.
struct Bomb {
    armed: bool,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
        if self.armed {
            panic!("boom");
        }
    }
}

#[test]
fn a_message_that_panics_does_not_keep_the_others_alive() {
    start();
    for armed in [0, 5, 99] {
        for (tx, rx) in [bounded(100), unbounded()] {
            let dropped = Arc::new(AtomicUsize::new(0));
            for i in 0..100 {
                let bomb = Bomb {
                    armed: i == armed,
                    dropped: Arc::clone(&dropped),
                };
                assert!(tx.send(bomb).is_ok());
            }
            let late = go({
                let (tx, dropped) = (tx.clone(), Arc::clone(&dropped));
                move || {
                    let bomb = Bomb {
                        armed: false,
                        dropped,
                    };
                    // Waits in the bounded channel.
                    drop(tx.send(bomb));
                }
            });
            settle();
            assert!(catch_unwind(AssertUnwindSafe(|| drop(rx))).is_err());
            late.join().unwrap();
            assert_eq!(dropped.load(Ordering::SeqCst), 101);
            // The channel is disconnected, and can be used and freed as ever.
            let more = Bomb {
                armed: false,
                dropped: Arc::clone(&dropped),
            };
            assert!(tx.send(more).is_err());
            drop(tx);
            assert_eq!(dropped.load(Ordering::SeqCst), 102);
        }
    }
}

#[test]
fn a_message_may_hold_a_sender_of_its_own_channel() {
    struct Loop {
        _back: Sender<Loop>,
        _counted: Counted,
    }
    for (tx, rx) in [bounded(4), unbounded()] {
        let census = Census::new();
        for i in 0..3 {
            let msg = Loop {
                _back: tx.clone(),
                _counted: census.birth(i),
            };
            assert!(tx.send(msg).is_ok());
        }
        drop(tx);
        drop(rx);
        assert_eq!(census.alive(), 0);
    }
}
