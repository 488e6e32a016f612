//! What `sync::mpsc` promises: to do what std's does. The first half is written once and run against both;
//! the second is about goroutines.

mod common;

use std::{
    cell::Cell,
    error::Error,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::Arc,
    time::{Duration, Instant},
};

use common::{Census, Counted, On, PAIRS, settle};
use goroutines::{Builder, sync::mpsc};

const SHORT: Duration = Duration::from_millis(3);

fn start() {
    common::start(4);
}

/// The same tests with std's channels and with ours: only the import differs.
macro_rules! with_both {
    ($($(#[$attribute:meta])* fn $name:ident() $body:block)*) => {
        mod std_ {
            use std::sync::mpsc::{self, *};
            use super::*;
            $(#[test] $(#[$attribute])* fn $name() $body)*
        }
        mod ours {
            use goroutines::sync::mpsc::{self, *};
            use super::*;
            $(#[test] $(#[$attribute])* fn $name() $body)*
        }
    };
}

with_both! {
    fn messages_of_one_sender_come_in_order_and_then_the_end() {
        let (tx, rx) = mpsc::channel();
        for n in 0..100 {
            assert_eq!(tx.send(n), Ok(()));
        }
        assert_eq!(rx.recv(), Ok(0));
        assert_eq!(rx.try_recv(), Ok(1));
        assert_eq!(rx.recv_timeout(Duration::ZERO), Ok(2));
        assert_eq!(rx.recv_timeout(Duration::MAX), Ok(3));
        assert!(rx.try_iter().take(6).eq(4..10));
        assert!(rx.iter().take(10).eq(10..20));
        let mut seen = Vec::new();
        for n in &rx {
            seen.push(n);
            if n == 29 {
                break;
            }
        }
        assert!(seen.into_iter().eq(20..30));
        drop(tx);
        assert!(rx.into_iter().eq(30..100));
    }

    fn an_empty_channel_says_whether_more_can_come() {
        let (tx, rx) = mpsc::channel::<u8>();
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(rx.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        assert_eq!(rx.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
        assert_eq!(rx.try_iter().next(), None);
        let second = tx.clone();
        drop(tx);
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        drop(second);
        assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(rx.recv_timeout(Duration::MAX), Err(RecvTimeoutError::Disconnected));
        assert_eq!(rx.recv(), Err(RecvError));
        assert_eq!(rx.iter().next(), None);
    }

    fn a_send_without_a_receiver_returns_the_message() {
        let (tx, rx) = mpsc::channel();
        drop(rx);
        assert_eq!(tx.send("back"), Err(SendError("back")));
        let (tx, rx) = mpsc::sync_channel(1);
        tx.send("buffered").unwrap();
        drop(rx);
        assert_eq!(tx.send("back"), Err(SendError("back")));
        assert_eq!(tx.try_send("back"), Err(TrySendError::Disconnected("back")));
    }

    fn a_bounded_channel_is_full_at_its_bound() {
        let (tx, rx) = mpsc::sync_channel(2);
        assert_eq!(tx.try_send(1), Ok(()));
        assert_eq!(tx.clone().send(2), Ok(()));
        assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
        assert_eq!(rx.recv(), Ok(1));
        assert_eq!(tx.try_send(3), Ok(()));
        drop(tx);
        assert_eq!(rx.iter().collect::<Vec<_>>(), [2, 3]);
    }

    fn without_a_buffer_sender_and_receiver_meet() {
        let (tx, rx) = mpsc::sync_channel(0);
        assert_eq!(tx.try_send(0), Err(TrySendError::Full(0)));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        let sender = std::thread::spawn(move || (0..100).try_for_each(|n| tx.send(n)));
        assert!(rx.iter().eq(0..100));
        assert_eq!(sender.join().unwrap(), Ok(()));
    }

    fn each_message_is_dropped_once_wherever_it_is() {
        let census = Census::new();
        let (tx, rx) = mpsc::channel();
        (0..50).for_each(|id| tx.send(census.birth(id)).unwrap());
        drop(rx.recv());
        drop(rx);
        assert_eq!(census.alive(), 0, "the receiver's end drops what is buffered");
        let back = tx.send(census.birth(50)).unwrap_err();
        assert_eq!(census.alive(), 1);
        drop(back);
        let (tx, rx) = mpsc::sync_channel::<Counted>(8);
        (0..8).for_each(|id| tx.send(census.birth(id)).unwrap());
        drop(tx);
        assert_eq!(census.alive(), 8);
        drop(rx);
        assert_eq!(census.born(), census.dead());
    }

    fn threads_that_wait_are_told_of_the_end() {
        let (tx, rx) = mpsc::channel::<u8>();
        let receiver = std::thread::spawn(move || rx.recv());
        std::thread::sleep(SHORT);
        drop(tx);
        assert_eq!(receiver.join().unwrap(), Err(RecvError));
        let (tx, rx) = mpsc::sync_channel(0);
        let sender = std::thread::spawn(move || tx.send(1));
        std::thread::sleep(SHORT);
        drop(rx);
        assert_eq!(sender.join().unwrap(), Err(SendError(1)));
    }

    fn zero_sized_and_large_messages_pass() {
        let (tx, rx) = mpsc::channel();
        (0..1000).for_each(|_| tx.send(()).unwrap());
        drop(tx);
        assert_eq!(rx.iter().count(), 1000);
        let (tx, rx) = mpsc::sync_channel(2);
        tx.send([7_u64; 512]).unwrap();
        assert_eq!(rx.recv(), Ok([7; 512]));
    }

    fn traits_are_there() {
        fn sender<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
        fn receiver<T: Send + UnwindSafe + RefUnwindSafe>() {}
        fn error<T: Error + Clone + PartialEq + Copy>() {}
        sender::<Sender<Cell<u8>>>();
        sender::<SyncSender<Cell<u8>>>();
        receiver::<Receiver<Cell<u8>>>();
        receiver::<IntoIter<Cell<u8>>>();
        error::<SendError<u8>>();
        error::<TrySendError<u8>>();
        error::<RecvError>();
        assert_eq!(TryRecvError::from(RecvError), TryRecvError::Disconnected);
        assert_eq!(RecvTimeoutError::from(RecvError), RecvTimeoutError::Disconnected);
        assert_eq!(TrySendError::from(SendError(1)), TrySendError::Disconnected(1));
    }

    fn debug_texts_are_these() {
        let (tx, rx) = mpsc::channel::<u8>();
        assert_eq!(format!("{tx:?} {tx:#?} {rx:?}"), "Sender { .. } Sender { .. } Receiver { .. }");
        let texts = format!("{:?} {:?}", rx.iter(), rx.try_iter());
        assert_eq!(texts, "Iter { rx: Receiver { .. } } TryIter { rx: Receiver { .. } }");
        assert_eq!(format!("{:?}", rx.into_iter()), "IntoIter { rx: Receiver { .. } }");
        let (tx, _rx) = mpsc::sync_channel::<u8>(1);
        assert_eq!(format!("{tx:?}"), "SyncSender { .. }");
        assert_eq!(format!("{:?}", tx.send(1)), "Ok(())");
        assert_eq!(tx.try_send(1).unwrap_err().to_string(), "sending on a full channel");
    }
}

#[test]
fn the_errors_are_those_of_std() {
    // So that a `From` for them that a program has is still right.
    let (tx, rx) = mpsc::channel::<u8>();
    drop(tx);
    let error: std::sync::mpsc::RecvError = rx.recv().unwrap_err();
    assert_eq!(error.to_string(), "receiving on a closed channel");
}

#[test]
fn goroutines_and_threads_send_to_each_other() {
    start();
    for (sending, receiving) in PAIRS {
        for bound in [Some(0), Some(1), Some(16), None] {
            let total = match bound {
                None => {
                    let (tx, rx) = mpsc::channel();
                    for n in 0..8 {
                        let tx = tx.clone();
                        sending.spawn(move || (0..100).for_each(|i| tx.send(n * 100 + i).unwrap()));
                    }
                    receiving.spawn(move || rx.iter().sum::<u64>())
                }
                Some(bound) => {
                    let (tx, rx) = mpsc::sync_channel(bound);
                    for n in 0..8 {
                        let tx = tx.clone();
                        sending.spawn(move || (0..100).for_each(|i| tx.send(n * 100 + i).unwrap()));
                    }
                    receiving.spawn(move || rx.iter().sum::<u64>())
                }
            };
            assert_eq!(total.join(), (0..800).sum());
        }
    }
}

#[test]
fn a_receive_that_waits_parks_and_is_told_of_the_end() {
    start();
    for on in [On::Goroutine, On::Thread] {
        let (tx, rx) = mpsc::channel::<u8>();
        let receiver = on.spawn(move || rx.recv());
        settle();
        assert!(!receiver.is_finished());
        drop(tx);
        assert_eq!(receiver.join(), Err(mpsc::RecvError));
        let (tx, rx) = mpsc::sync_channel(1);
        tx.send(1).unwrap();
        let sender = on.spawn(move || tx.send(2));
        settle();
        assert!(!sender.is_finished());
        drop(rx);
        assert_eq!(sender.join(), Err(mpsc::SendError(2)));
    }
}

#[test]
fn a_receive_that_times_out_has_waited() {
    start();
    for on in [On::Goroutine, On::Thread] {
        let (tx, rx) = mpsc::channel::<u8>();
        on.spawn(move || {
            let began = Instant::now();
            assert_eq!(rx.recv_timeout(SHORT), Err(mpsc::RecvTimeoutError::Timeout));
            assert!(began.elapsed() >= SHORT);
        })
        .join();
        assert_eq!(tx.send(1), Err(mpsc::SendError(1)));
    }
}

#[test]
fn a_receiver_moves_between_goroutines() {
    start();
    let (tx, rx) = mpsc::channel();
    let rx = goroutines::go(move || {
        assert_eq!(rx.recv(), Ok(1));
        rx
    });
    tx.send(1).unwrap();
    let rx = rx.join().unwrap();
    tx.send(2).unwrap();
    assert_eq!(rx.recv(), Ok(2));
}

#[test]
fn goroutines_with_copied_stacks_send_and_receive() {
    start();
    let (tx, rx) = mpsc::sync_channel(0);
    let text = Arc::new("shared".to_owned());
    let senders: Vec<_> = (0..20)
        .map(|_| {
            let (tx, text) = (tx.clone(), Arc::clone(&text));
            // SAFETY: the closure lends nothing of its stack to others.
            let builder = unsafe { Builder::new().copy_stack() };
            builder
                .spawn(move || (0..10).for_each(|_| tx.send(Arc::clone(&text)).unwrap()))
                .unwrap()
        })
        .collect();
    drop(tx);
    // SAFETY: as above.
    let builder = unsafe { Builder::new().copy_stack() };
    let receiver = builder
        .spawn(move || rx.iter().filter(|text| **text == "shared").count())
        .unwrap();
    senders.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(receiver.join().unwrap(), 200);
    assert_eq!(Arc::strong_count(&text), 1);
}
