//! What the channels for one value, for the latest value, and for all receivers promise, to goroutines, threads and
//! futures.

mod common;

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use common::{On, until};
use goroutines::{
    block_on,
    chan::{self, RecvError, TryRecvError},
    go,
    sync::{Arc, Mutex, broadcast, oneshot, watch},
};

const BOTH: [On; 2] = [On::Goroutine, On::Thread];

fn start() {
    common::start(4);
}

#[test]
fn one_value_arrives_on_every_way() {
    start();
    for on in BOTH {
        on.spawn(|| {
            let (tx, rx) = oneshot::channel();
            let sends = go(move || tx.send(1));
            assert_eq!(rx.recv(), Ok(1));
            assert_eq!(rx.recv(), Err(RecvError), "there was one");
            assert_eq!(sends.join().unwrap(), Ok(()));

            let (tx, rx) = oneshot::channel();
            let sends = go(move || tx.send(2));
            chan::select! {
                recv(rx) -> value => assert_eq!(value, Ok(2)),
                recv(chan::never::<()>()) -> _ => unreachable!("nothing sends"),
            }
            sends.join().unwrap().unwrap();

            let (tx, rx) = oneshot::channel();
            tx.send(3).unwrap();
            assert_eq!(block_on(rx.recv_async()), Ok(3));
        })
        .join();
    }
}

#[test]
fn a_sender_and_a_receiver_that_are_gone_are_told() {
    start();
    let (tx, rx) = oneshot::channel::<u8>();
    let waits = go(move || rx.recv());
    drop(tx);
    assert_eq!(waits.join().unwrap(), Err(RecvError));

    let (tx, rx) = oneshot::channel();
    assert!(!tx.is_closed());
    drop(rx);
    assert!(tx.is_closed());
    assert_eq!(tx.send("back"), Err("back"));

    // A value that nobody takes is dropped with the receiver.
    let value = Arc::new(());
    let (tx, rx) = oneshot::channel();
    tx.send(Arc::clone(&value)).unwrap();
    assert_eq!(Arc::strong_count(&value), 2);
    drop(rx);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn the_latest_value_is_seen_by_each_receiver() {
    start();
    for on in BOTH {
        on.spawn(|| {
            let (tx, mut rx) = watch::channel(0);
            let mut other = rx.clone();
            assert!(!rx.has_changed());
            for n in 1..=10 {
                tx.send(n).unwrap();
            }
            assert!(rx.has_changed() && other.has_changed());
            assert_eq!(rx.changed(), Ok(()));
            assert_eq!(*rx.borrow(), 10);
            assert!(!rx.has_changed() && other.has_changed());
            assert_eq!(*other.borrow_and_update(), 10);
            assert!(!other.has_changed());
            assert_eq!(tx.send_replace(11), 10);
            assert_eq!(tx.receiver_count(), 2);
            let late = tx.subscribe();
            assert!(!late.has_changed());
            assert_eq!((*late.borrow(), *tx.borrow()), (11, 11));
        })
        .join();
    }
}

#[test]
fn a_receiver_that_waits_is_woken_by_each_kind_of_change_and_by_the_end() {
    start();
    let (tx, rx) = watch::channel(0);
    let (told, tells) = chan::unbounded();
    for on in BOTH {
        let (mut rx, told) = (rx.clone(), told.clone());
        on.spawn(move || {
            while rx.changed().is_ok() {
                told.send(*rx.borrow()).unwrap();
            }
            told.send(-1).unwrap();
        });
    }
    let (mut rx, told) = (rx, told);
    go(move || {
        block_on(async {
            while rx.changed_async().await.is_ok() {
                told.send(*rx.borrow()).unwrap();
            }
        });
        told.send(-1).unwrap();
    });
    let all_have = |n| (0..3).for_each(|_| assert_eq!(tells.recv(), Ok(n)));
    tx.send(1).unwrap();
    all_have(1);
    tx.send_modify(|n| *n += 1);
    all_have(2);
    let panics = catch_unwind(AssertUnwindSafe(|| {
        tx.send_modify(|n| {
            *n = 3;
            panic!("after the change");
        })
    }));
    assert!(panics.is_err());
    all_have(3);
    let second = tx.clone();
    drop(tx);
    second.send(4).unwrap();
    all_have(4);
    drop(second);
    all_have(-1);
}

#[test]
fn a_change_is_a_case_of_a_select_and_a_condition_can_be_waited_for() {
    start();
    let (tx, mut rx) = watch::channel(0);
    let mut second = rx.clone();
    let sends = go(move || {
        for n in 1..=5 {
            goroutines::sleep(Duration::from_millis(1));
            tx.send(n).unwrap();
        }
    });
    let mut last = 0;
    while last < 5 {
        chan::select! {
            recv(rx.changes()) -> _ => last = *rx.borrow_and_update(),
            recv(chan::never::<()>()) -> _ => unreachable!("nothing sends"),
        }
    }
    assert_eq!(second.wait_for(|&n| n == 5).as_deref(), Ok(&5));
    assert!(
        second.wait_for(|&n| n == 6).is_err(),
        "the senders are gone"
    );
    sends.join().unwrap();
}

#[test]
fn a_watch_without_receivers_refuses_a_value_and_keeps_the_old_one() {
    start();
    let (tx, rx) = watch::channel("old");
    drop(rx);
    assert_eq!(tx.send("new").unwrap_err().into_inner(), "new");
    assert_eq!(*tx.borrow(), "old");
    assert_eq!(tx.send_replace("newer"), "old");
    let mut rx = tx.subscribe();
    tx.send("newest").unwrap();
    drop(tx);
    assert_eq!(
        rx.changed(),
        Ok(()),
        "the last value before the end is told"
    );
    assert_eq!(*rx.borrow(), "newest");
    assert_eq!(rx.changed(), Err(RecvError));
    assert_eq!(rx.clone().changed(), Err(RecvError));
}

#[test]
fn no_change_is_lost_under_load() {
    start();
    let (tx, rx) = watch::channel(0_u64);
    let all: Vec<_> = (0..8)
        .map(|i| {
            let mut rx = rx.clone();
            BOTH[i % 2].spawn(move || {
                let mut last = 0;
                while rx.changed().is_ok() {
                    let now = *rx.borrow();
                    assert!(now >= last, "{now} after {last}");
                    last = now;
                }
                last
            })
        })
        .collect();
    drop(rx);
    for n in 1..=20_000 {
        tx.send(n).unwrap();
    }
    drop(tx);
    all.into_iter()
        .for_each(|one| assert_eq!(one.join(), 20_000));
}

#[test]
fn each_receiver_gets_each_message_in_order() {
    start();
    let (tx, rx) = broadcast::channel(1000);
    let all: Vec<_> = (0..4)
        .map(|i| {
            let mut rx = tx.subscribe();
            BOTH[i % 2].spawn(move || {
                let mut got = Vec::new();
                while let Ok(n) = rx.recv() {
                    got.push(n);
                }
                got
            })
        })
        .collect();
    drop(rx);
    for n in 0..1000_u32 {
        assert_eq!(tx.send(n).unwrap(), 4);
    }
    drop(tx);
    let expected: Vec<_> = (0..1000).collect();
    all.into_iter()
        .for_each(|one| assert_eq!(one.join(), expected));
}

#[test]
fn a_receiver_that_lags_is_told_how_many_it_lost_and_others_are_not_held_up() {
    start();
    let (tx, mut slow) = broadcast::channel(4);
    let mut quick = tx.subscribe();
    for n in 0..10 {
        tx.send(n).unwrap();
        assert_eq!(quick.recv(), Ok(n));
    }
    assert_eq!((slow.len(), quick.len(), tx.len()), (4, 0, 4));
    assert_eq!(slow.try_recv(), Err(broadcast::TryRecvError::Lagged(6)));
    for n in 6..10 {
        assert_eq!(slow.try_recv(), Ok(n));
    }
    assert_eq!(slow.try_recv(), Err(broadcast::TryRecvError::Empty));
    assert!(tx.is_empty() && slow.is_empty());
    drop(tx);
    assert_eq!(slow.try_recv(), Err(broadcast::TryRecvError::Closed));
    assert_eq!(slow.recv(), Err(broadcast::RecvError::Closed));
}

#[test]
fn messages_are_freed_when_all_have_received_them_or_are_gone() {
    start();
    let (tx, mut first) = broadcast::channel(8);
    let second = tx.subscribe();
    let value = Arc::new(());
    for _ in 0..3 {
        tx.send(Arc::clone(&value)).unwrap();
    }
    assert_eq!(Arc::strong_count(&value), 4);
    drop(first.recv());
    assert_eq!(Arc::strong_count(&value), 4, "the second has not had it");
    drop(second);
    assert_eq!(Arc::strong_count(&value), 3);
    drop(first);
    assert_eq!(Arc::strong_count(&value), 1);
    assert!(tx.send(value).is_err(), "nobody receives");
    assert_eq!(tx.receiver_count(), 0);
}

#[test]
fn a_broadcast_wakes_goroutines_threads_futures_and_selects() {
    start();
    let (tx, rx) = broadcast::channel(2);
    let (told, tells) = chan::unbounded();
    for on in BOTH {
        let (mut rx, told) = (rx.resubscribe(), told.clone());
        on.spawn(move || told.send(rx.recv()).unwrap());
    }
    let (mut third, mut fourth) = (rx.resubscribe(), rx);
    let asks = told.clone();
    go(move || asks.send(block_on(third.recv_async())).unwrap());
    go(move || {
        let message = loop {
            chan::select! {
                recv(fourth.changes()) -> _ => if let Ok(message) = fourth.try_recv() { break message },
                recv(chan::never::<()>()) -> _ => unreachable!("nothing sends"),
            }
        };
        told.send(Ok(message)).unwrap();
    });
    until(|| tx.receiver_count() == 4);
    tx.send(7).unwrap();
    (0..4).for_each(|_| assert_eq!(tells.recv(), Ok(Ok(7))));
    assert_eq!(tells.recv(), Err(RecvError), "there are four");
}

#[test]
fn receivers_that_come_and_go_lose_nothing_that_was_sent_to_them() {
    start();
    const CAPACITY: usize = 1000;
    let (tx, rx) = broadcast::channel(CAPACITY);
    let all: Vec<_> = (0..4)
        .map(|_| {
            let from = tx.clone();
            go(move || {
                for _ in 0..50 {
                    let mut rx = from.subscribe();
                    let mut last = None;
                    for _ in 0..10 {
                        let n: u32 = rx.recv().unwrap();
                        assert!(last.is_none_or(|last| n == last + 1), "{n} after {last:?}");
                        last = Some(n);
                    }
                }
            })
        })
        .collect();
    drop(rx);
    let mut n = 0;
    while !all.iter().all(|one| one.is_finished()) {
        // Nothing is lost for a receiver that is slower than this loop.
        while tx.len() == CAPACITY {
            goroutines::yield_now();
        }
        // Without a receiver at the moment the number was not sent.
        n += u32::from(tx.send(n).is_ok());
        if n % 64 == 0 {
            goroutines::yield_now();
        }
    }
    all.into_iter().for_each(|one| one.join().unwrap());
    assert!(tx.is_empty(), "{tx:?}");
}

#[test]
fn a_broadcast_that_can_keep_nothing_is_refused() {
    let panics = catch_unwind(|| broadcast::channel::<u8>(0)).unwrap_err();
    let text = panics.downcast_ref::<&str>().unwrap();
    assert!(
        text.contains("broadcast::channel") && text.contains("at least 1"),
        "{text}"
    );
}

#[test]
fn a_clone_of_a_message_is_made_for_all_but_the_last() {
    start();
    let (tx, mut first) = broadcast::channel(1);
    let mut second = tx.subscribe();
    tx.send(vec![1, 2, 3]).unwrap();
    let (a, b) = (first.recv().unwrap(), second.recv().unwrap());
    let places: HashSet<_> = [a.as_ptr(), b.as_ptr()].into();
    assert_eq!((places.len(), a), (2, b));
}

#[test]
fn a_condition_holds_of_the_value_that_is_returned() {
    start();
    let (tx, mut rx) = watch::channel(false);
    let flips = go(move || {
        for n in 0..20_000 {
            tx.send_replace(n % 2 == 1);
        }
    });
    while let Ok(value) = rx.wait_for(|&value| value) {
        assert!(*value);
        if flips.is_finished() {
            break;
        }
    }
    flips.join().unwrap();
}

#[test]
fn what_was_not_seen_is_news_for_a_clone() {
    start();
    let (tx, rx) = watch::channel(0);
    tx.send(1).unwrap();
    let mut clone = rx.clone();
    assert!(clone.has_changed());
    assert_eq!(clone.changes().try_recv(), Ok(()));
    assert_eq!(*clone.borrow_and_update(), 1);
    assert_eq!(clone.changes().try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn there_is_news_as_long_as_there_are_messages() {
    start();
    let (tx, mut rx) = broadcast::channel(3);
    for n in 0..5 {
        tx.send(n).unwrap();
    }
    assert_eq!(rx.changes().try_recv(), Ok(()));
    assert_eq!(rx.try_recv(), Err(broadcast::TryRecvError::Lagged(2)));
    for n in 2..5 {
        assert_eq!(rx.changes().try_recv(), Ok(()), "{n}");
        assert_eq!(rx.recv(), Ok(n));
    }
    assert_eq!(rx.try_recv(), Err(broadcast::TryRecvError::Empty));
    assert_eq!(rx.changes().try_recv(), Err(TryRecvError::Empty));
}

/// A waker that drops a receiver.
struct Drops<T: Send + 'static>(Mutex<Option<T>>);

impl<T: Send + 'static> Wake for Drops<T> {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().unwrap().take());
    }
}

#[test]
fn a_waker_may_use_the_channel_that_wakes_it() {
    start();
    let (tx, mut rx) = watch::channel(0);
    let waker = Waker::from(Arc::new(Drops(Mutex::new(Some(tx.subscribe())))));
    let mut changed = Box::pin(rx.changed_async());
    let mut context = Context::from_waker(&waker);
    assert!(changed.as_mut().poll(&mut context).is_pending());
    assert_eq!(tx.receiver_count(), 2);
    tx.send(1).unwrap();
    assert_eq!(tx.receiver_count(), 1);
    assert_eq!(changed.as_mut().poll(&mut context), Poll::Ready(Ok(())));

    // The end of the channel wakes as well.
    let (tx, mut rx) = broadcast::channel::<u8>(1);
    let waker = Waker::from(Arc::new(Drops(Mutex::new(Some(tx.subscribe())))));
    let mut message = Box::pin(rx.recv_async());
    let mut context = Context::from_waker(&waker);
    assert!(message.as_mut().poll(&mut context).is_pending());
    drop(tx);
    let closed = Err(broadcast::RecvError::Closed);
    assert_eq!(message.as_mut().poll(&mut context), Poll::Ready(closed));
}
