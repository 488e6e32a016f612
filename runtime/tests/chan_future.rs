//! Channels with futures on either end, beside goroutines and threads.

mod common;

use std::{
    collections::HashSet,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use common::{Census, On, settle, until};
use futures::{
    FutureExt, StreamExt,
    executor::{LocalPool, ThreadPool},
    stream::FusedStream,
    task::SpawnExt,
};
use goroutines::{
    block_on,
    chan::{self, Receiver, RecvError, Sender, TryRecvError, TrySendError, bounded, unbounded},
    go, yield_now,
};

fn start() {
    common::start(2);
}

/// Polls once, with a waker that does nothing.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn channels<T>() -> [(Sender<T>, Receiver<T>); 4] {
    [bounded(0), bounded(1), bounded(7), unbounded()]
}

#[test]
fn futures_meet_goroutines_and_threads_and_each_other_on_every_channel() {
    start();
    const COUNT: u32 = 500;
    let pool = ThreadPool::builder().pool_size(2).create().unwrap();
    for (tx, rx) in channels() {
        for receiver_awaits in [true, false] {
            for sender_awaits in [true, false] {
                for on in [On::Goroutine, On::Thread] {
                    let tx = tx.clone();
                    let sends = async move {
                        for n in 0..COUNT {
                            tx.send_async(n).await.unwrap();
                        }
                        tx
                    };
                    let sender = if sender_awaits {
                        pool.spawn(sends.map(drop)).unwrap();
                        None
                    } else {
                        Some(on.spawn(move || block_on(sends)))
                    };
                    for n in 0..COUNT {
                        let got = if receiver_awaits {
                            block_on(rx.recv_async())
                        } else {
                            rx.recv()
                        };
                        assert_eq!(got, Ok(n));
                    }
                    sender.map(|sender| sender.join());
                }
            }
        }
    }
}

#[test]
fn a_message_that_is_there_is_received_at_once_and_a_message_with_room_sent() {
    for (tx, rx) in channels().into_iter().skip(1) {
        assert_eq!(poll_once(&mut tx.send_async(1)), Poll::Ready(Ok(())));
        assert_eq!(poll_once(&mut rx.recv_async()), Poll::Ready(Ok(1)));
        assert!(poll_once(&mut rx.recv_async()).is_pending());
    }
}

#[test]
fn the_end_of_the_other_side_ends_a_future() {
    for (tx, rx) in channels::<u32>() {
        let mut recv = rx.recv_async();
        assert!(poll_once(&mut recv).is_pending());
        drop(tx);
        assert_eq!(poll_once(&mut recv), Poll::Ready(Err(RecvError)));
        assert_eq!(poll_once(&mut rx.recv_async()), Poll::Ready(Err(RecvError)));
    }
    let (tx, rx) = bounded(0);
    let mut send = tx.send_async(5);
    assert!(poll_once(&mut send).is_pending());
    drop(rx);
    let Poll::Ready(Err(error)) = poll_once(&mut send) else {
        panic!("nobody receives");
    };
    assert_eq!(error.into_inner(), 5);
}

#[test]
fn close_ends_futures_on_both_sides() {
    let (tx, rx) = bounded(0);
    let mut send = tx.send_async(5);
    assert!(poll_once(&mut send).is_pending());
    rx.close();
    assert!(matches!(poll_once(&mut send), Poll::Ready(Err(_))));
    let (tx, rx) = bounded::<u32>(0);
    let mut recv = rx.recv_async();
    assert!(poll_once(&mut recv).is_pending());
    tx.close();
    assert!(matches!(poll_once(&mut recv), Poll::Ready(Err(_))));
}

#[test]
fn futures_and_goroutines_are_served_in_the_order_in_which_they_came() {
    start();
    let (tx, rx) = bounded::<u32>(0);
    let (order, served) = unbounded();
    let mut futures = Vec::new();
    for n in 0..6 {
        if n % 2 == 0 {
            let mut recv = rx.recv_async();
            assert!(poll_once(&mut recv).is_pending());
            futures.push(recv);
        } else {
            let (rx, order) = (rx.clone(), order.clone());
            go(move || order.send((n, rx.recv().unwrap())).unwrap());
            settle();
        }
    }
    (0..6).for_each(|n| tx.try_send(n).unwrap());
    assert_eq!(tx.try_send(6), Err(TrySendError::Full(6)));
    // Every receiver gets the oldest message: a future when it is polled.
    let others: HashSet<_> = served.iter().take(3).collect();
    assert_eq!(others, HashSet::from([(1, 0), (3, 1), (5, 2)]));
    for (n, mut recv) in [3, 4, 5].into_iter().zip(futures) {
        assert_eq!(poll_once(&mut recv), Poll::Ready(Ok(n)));
    }
}

#[test]
fn a_message_of_a_dropped_future_comes_before_all_that_were_sent_later() {
    for (tx, rx) in channels() {
        // In both orders.
        for (first, second) in [(0, 1), (1, 0)] {
            let mut waiting = [Some(rx.recv_async()), Some(rx.recv_async())];
            for one in waiting.iter_mut().flatten() {
                assert!(poll_once(one).is_pending());
            }
            tx.try_send(1).unwrap();
            tx.try_send(2).unwrap();
            let room = tx.try_send(3).is_ok();
            assert_eq!(rx.len(), 2 + usize::from(room));
            waiting[first] = None;
            waiting[second] = None;
            assert_eq!(rx.len(), 2 + usize::from(room));
            assert_eq!(rx.try_recv(), Ok(1));
            assert_eq!(poll_once(&mut rx.recv_async()), Poll::Ready(Ok(2)));
            if room {
                assert_eq!(rx.recv(), Ok(3));
            }
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        }
    }
}

#[test]
fn a_message_of_which_a_future_was_told_takes_no_place_in_the_buffer() {
    let (tx, rx) = bounded(2);
    let mut recv = rx.recv_async();
    assert!(poll_once(&mut recv).is_pending());
    (1..=3).for_each(|n| tx.try_send(n).unwrap());
    drop(recv);
    assert_eq!(tx.try_send(4), Err(TrySendError::Full(4)));
    let mut send = tx.send_async(4);
    assert!(poll_once(&mut send).is_pending());
    assert_eq!((rx.len(), rx.is_full()), (3, true));
    assert_eq!(rx.recv(), Ok(1));
    assert!(poll_once(&mut send).is_pending(), "no place became free");
    assert_eq!(rx.recv(), Ok(2));
    assert_eq!(poll_once(&mut send), Poll::Ready(Ok(())));
    drop(tx.clone());
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn a_message_of_a_dropped_future_goes_to_a_waiter() {
    start();
    let (tx, rx) = bounded(0);
    let mut recv = rx.recv_async();
    assert!(poll_once(&mut recv).is_pending());
    let other = rx.clone();
    let waiter = go(move || other.recv());
    settle();
    tx.try_send("once").unwrap();
    settle();
    assert!(!waiter.is_finished(), "the future was first in line");
    drop(recv);
    assert_eq!(waiter.join().unwrap(), Ok("once"));
}

#[test]
fn a_message_of_a_dropped_future_goes_to_the_next_future() {
    for (tx, rx) in channels() {
        let mut all: Vec<_> = (0..5).map(|_| Some(rx.recv_async())).collect();
        for one in all.iter_mut().flatten() {
            assert!(poll_once(one).is_pending());
        }
        tx.try_send(1).unwrap();
        tx.try_send(2).unwrap();
        all[1] = None;
        all[0] = None;
        assert_eq!(poll_once(all[3].as_mut().unwrap()), Poll::Ready(Ok(1)));
        all[4] = None;
        assert_eq!(poll_once(all[2].as_mut().unwrap()), Poll::Ready(Ok(2)));
    }
}

#[test]
fn a_select_receives_what_a_future_was_told_of() {
    start();
    let (tx, rx) = bounded(0);
    let mut recv = rx.recv_async();
    assert!(poll_once(&mut recv).is_pending());
    tx.try_send(1).unwrap();
    let other = rx.clone();
    let chooser = go(move || {
        chan::select! { recv(other) -> n => n }
    });
    assert_eq!(chooser.join().unwrap(), Ok(1));
    assert!(poll_once(&mut recv).is_pending());
    tx.try_send(2).unwrap();
    assert_eq!(poll_once(&mut recv), Poll::Ready(Ok(2)));
}

#[test]
fn what_a_future_was_told_of_outlives_the_senders_and_is_dropped_with_the_channel() {
    let census = Census::new();
    for (tx, rx) in channels() {
        let mut first = rx.recv_async();
        let mut second = rx.recv_async();
        assert!(poll_once(&mut first).is_pending());
        assert!(poll_once(&mut second).is_pending());
        tx.try_send(census.birth(1)).unwrap();
        tx.try_send(census.birth(2)).unwrap();
        drop(tx);
        drop(first);
        assert_eq!(rx.recv().unwrap().id, 1);
        drop(second);
        drop(rx);
        assert_eq!(census.alive(), 0);
    }
}

#[test]
fn a_send_that_is_dropped_sends_nothing_or_has_sent() {
    let census = Census::new();
    let (tx, rx) = bounded(0);
    drop(tx.send_async(census.birth(1))); // never polled
    assert_eq!(census.alive(), 0);
    let mut send = tx.send_async(census.birth(2));
    assert!(poll_once(&mut send).is_pending());
    drop(send);
    assert_eq!(census.alive(), 0);
    assert!(rx.try_recv().is_err());
    let mut send = tx.send_async(census.birth(3));
    assert!(poll_once(&mut send).is_pending());
    let message = rx.try_recv().unwrap();
    drop(send);
    assert_eq!((message.id, census.alive()), (3, 1));
}

#[test]
fn futures_meet_selects() {
    start();
    for round in 0..200 {
        let (tx, rx) = bounded(0);
        let (_keep, other) = bounded::<u32>(0);
        let chooser = go(move || {
            chan::select! {
                send(tx, { if round % 2 == 0 { yield_now() } round }) -> sent => sent.is_ok(),
                recv(other) -> _ => false,
            }
        });
        assert_eq!(block_on(rx.recv_async()), Ok(round));
        assert!(chooser.join().unwrap());
        let (tx, rx) = bounded(0);
        let chooser = go(move || {
            chan::select! { recv(rx) -> n => n }
        });
        block_on(tx.send_async(round)).unwrap();
        assert_eq!(chooser.join().unwrap(), Ok(round));
    }
}

#[test]
fn a_future_dropped_while_a_select_makes_its_message_loses_nothing() {
    start();
    let (tx, rx) = bounded(0);
    let (go_on, wait) = bounded::<()>(0);
    let begun = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&begun);
    let chooser = go(move || {
        chan::select! {
            send(tx, { seen.store(true, Ordering::SeqCst); let _ = wait.recv(); 5 }) -> sent => sent.is_ok(),
        }
    });
    settle();
    let mut recv = rx.recv_async();
    assert!(poll_once(&mut recv).is_pending());
    until(|| begun.load(Ordering::SeqCst));
    assert!(poll_once(&mut recv).is_pending());
    drop(recv);
    drop(go_on);
    assert!(chooser.join().unwrap());
    assert_eq!(rx.recv(), Ok(5));
}

#[test]
fn clocks_wake_futures() {
    start();
    let begin = Instant::now();
    let due = block_on(chan::after(Duration::from_millis(5)).recv_async()).unwrap();
    assert!(due >= begin && Instant::now() >= begin + Duration::from_millis(5));
    let ticks = chan::tick(Duration::from_millis(2));
    let beats: Vec<_> = LocalPool::new().run_until(ticks.stream().take(3).collect());
    assert!(beats.is_sorted() && beats.len() == 3);
    let long = chan::after(Duration::from_secs(3600));
    let mut never = long.recv_async();
    assert!(poll_once(&mut never).is_pending());
    drop(never);
    let mut closed = long.recv_async();
    assert!(poll_once(&mut closed).is_pending());
    long.close();
    assert_eq!(block_on(closed), Err(RecvError));
}

#[test]
fn a_stream_ends_once_and_for_all() {
    start();
    let (tx, rx) = bounded(1);
    go(move || (0..100).for_each(|n| tx.send(n).unwrap()));
    let mut stream = rx.stream();
    let all: Vec<i32> = block_on(stream.by_ref().collect());
    assert_eq!(all, (0..100).collect::<Vec<_>>());
    assert!(stream.is_terminated());
    assert_eq!(block_on(stream.next()), None);
}

/// Receivers that give up at random, on goroutines and on an executor; every message comes exactly once, and in
/// order where there is one receiver.
fn cancelled_at_random(capacity: Option<usize>, receivers: u32) {
    const COUNT: u64 = 20_000;
    start();
    let pool = ThreadPool::builder().pool_size(2).create().unwrap();
    let census = Census::new();
    let (tx, rx) = capacity.map_or_else(unbounded, bounded);
    let (done, results) = unbounded();
    for receiver in 0..receivers {
        let (rx, done) = (rx.clone(), done.clone());
        let receive = async move {
            let mut got: Vec<u64> = Vec::new();
            let mut random = receiver;
            loop {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let mut recv = rx.recv_async();
                if random >> 30 != 0 {
                    let one: Poll<Result<common::Counted, _>> =
                        futures::future::poll_fn(|cx| Poll::Ready(recv.poll_unpin(cx))).await;
                    match one {
                        Poll::Ready(Ok(message)) => got.push(message.id),
                        Poll::Ready(Err(_)) => break,
                        // Given up, perhaps with a message.
                        Poll::Pending => {
                            for _ in 0..random >> 27 & 7 {
                                std::hint::spin_loop();
                            }
                        }
                    }
                    continue;
                }
                match recv.await {
                    Ok(message) => got.push(message.id),
                    Err(_) => break,
                }
            }
            done.send(got).unwrap();
        };
        if receiver % 2 == 0 {
            pool.spawn(receive).unwrap();
        } else {
            go(move || block_on(receive));
        }
    }
    drop((rx, done));
    let births = census.clone();
    let sender = go(move || {
        for id in 0..COUNT {
            let message = births.birth(id);
            match id % 3 {
                0 => tx.send(message).unwrap(),
                1 => block_on(tx.send_async(message)).unwrap(),
                _ => chan::select! { send(tx, message) -> sent => sent.unwrap() },
            }
        }
    });
    sender.join().unwrap();
    let lists: Vec<Vec<u64>> = results.iter().collect();
    assert_eq!(lists.len(), receivers as usize);
    if receivers == 1 {
        assert!(lists[0].is_sorted(), "a message was overtaken");
    }
    let mut all: Vec<u64> = lists.into_iter().flatten().collect();
    all.sort_unstable();
    assert_eq!(all, (0..COUNT).collect::<Vec<_>>(), "each message once");
    assert_eq!(census.alive(), 0);
}

#[test]
fn one_receiver_that_gives_up_at_random_gets_all_in_order() {
    for capacity in [Some(0), Some(1), Some(5), None] {
        cancelled_at_random(capacity, 1);
    }
}

#[test]
fn receivers_that_give_up_at_random_get_each_message_once() {
    for capacity in [Some(0), Some(1), Some(5), None] {
        cancelled_at_random(capacity, 4);
    }
}

#[test]
fn senders_that_give_up_at_random_lose_only_what_they_keep() {
    start();
    let (tx, rx) = bounded(1);
    let census = Census::new();
    let births = census.clone();
    let sender = go(move || {
        for id in 0..20_000 {
            let mut send = tx.send_async(births.birth(id));
            let _ = poll_once(&mut send);
            if id % 5 == 0 {
                yield_now();
            }
        }
    });
    let mut last = None;
    for message in &rx {
        assert!(last < Some(message.id), "twice, or overtaken");
        last = Some(message.id);
    }
    sender.join().unwrap();
    assert_eq!(census.alive(), 0);
    assert_eq!(census.born(), 20_000);
}

#[test]
fn futures_can_be_dropped_while_the_channel_is_closed() {
    start();
    let census = Census::new();
    for round in 0..3000 {
        let (tx, rx) = bounded(0);
        let mut receives: Vec<_> = (0..4).map(|_| rx.recv_async()).collect();
        for one in receives.iter_mut().take(round % 5) {
            assert!(poll_once(one).is_pending());
        }
        let closer = {
            let (tx, message) = (tx.clone(), census.birth(1));
            On::Thread.spawn(move || {
                if round % 2 == 0 {
                    drop(tx.try_send(message));
                }
                tx.close();
            })
        };
        if round % 3 == 0 {
            yield_now();
        }
        drop(receives);
        closer.join();
        assert!(tx.is_closed());
        drop((tx, rx));
        let (tx, rx) = bounded(0);
        let mut sends: Vec<_> = (0..4).map(|n| tx.send_async(census.birth(n))).collect();
        sends
            .iter_mut()
            .for_each(|one| assert!(poll_once(one).is_pending()));
        let closer = On::Thread.spawn(move || {
            drop(rx.try_recv());
            drop(rx);
        });
        if round % 3 == 0 {
            yield_now();
        }
        drop(sends);
        closer.join();
        assert_eq!(census.alive(), 0);
    }
}
