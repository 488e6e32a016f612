//! What a channel promises in each of its states. Four Ps.

mod common;

use std::{
    error::Error,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use common::{On, PAIRS, settle, until};
use goroutines::{
    chan::{
        Receiver, RecvError, RecvTimeoutError, SendError, SendTimeoutError, Sender, TryRecvError,
        TrySendError, bounded, unbounded,
    },
    go,
};

const SHORT: Duration = Duration::from_millis(5);

fn start() {
    common::start(4);
}

/// One of each kind; all of them can take at least one message but the first.
fn every_kind<T>() -> [(Sender<T>, Receiver<T>); 4] {
    [bounded(0), bounded(1), bounded(5), unbounded()]
}

#[test]
fn a_message_goes_over_between_any_two() {
    start();
    for (sender, receiver) in PAIRS {
        for (tx, rx) in every_kind() {
            let there = receiver.spawn(move || rx.iter().collect::<Vec<_>>());
            let here = sender.spawn(move || (0..100).for_each(|i| tx.send(i).unwrap()));
            here.join();
            assert_eq!(there.join(), (0..100).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_rendezvous_waits_for_the_other_side() {
    start();
    for (sender, receiver) in PAIRS {
        let (tx, rx) = bounded(0);
        let sent = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&sent);
        let here = sender.spawn(move || {
            tx.send("hello").unwrap();
            flag.store(true, Ordering::SeqCst);
        });
        settle();
        assert!(!sent.load(Ordering::SeqCst), "nobody has received it");
        let there = receiver.spawn(move || rx.recv());
        assert_eq!(there.join(), Ok("hello"));
        here.join();
        assert!(sent.load(Ordering::SeqCst));
    }
}

#[test]
fn a_full_buffer_makes_the_sender_wait_and_keeps_the_order() {
    start();
    for (sender, _) in PAIRS {
        let (tx, rx) = bounded(2);
        let here = sender.spawn(move || (0..4).for_each(|i| tx.send(i).unwrap()));
        until(|| rx.is_full());
        settle();
        assert!(!here.is_finished());
        // Each receive lets the waiting message into the buffer, behind the others.
        assert_eq!(rx.recv(), Ok(0));
        assert_eq!(rx.len(), 2);
        assert_eq!(rx.iter().collect::<Vec<_>>(), [1, 2, 3]);
        here.join();
    }
}

#[test]
fn an_empty_channel_makes_the_receiver_wait() {
    start();
    for (sender, receiver) in PAIRS {
        for (tx, rx) in every_kind() {
            let there = receiver.spawn(move || rx.recv());
            settle();
            assert!(!there.is_finished());
            sender.spawn(move || tx.send(9).unwrap()).join();
            assert_eq!(there.join(), Ok(9));
        }
    }
}

#[test]
fn try_send_in_every_state() {
    start();
    let (tx, rx) = bounded(0);
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    let waiting = go(move || {
        let got = rx.recv();
        (got, rx)
    });
    until(|| tx.try_send(2).is_ok());
    let (got, rx) = waiting.join().unwrap();
    assert_eq!(got, Ok(2));
    assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
    drop(rx);
    assert_eq!(tx.try_send(4), Err(TrySendError::Disconnected(4)));

    let (tx, rx) = bounded(2);
    assert_eq!(tx.try_send(1), Ok(()));
    assert_eq!(tx.try_send(2), Ok(()));
    assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!(rx.recv(), Ok(1));
    assert_eq!(tx.try_send(4), Ok(()));
    drop(rx);
    assert_eq!(tx.try_send(5), Err(TrySendError::Disconnected(5)));

    let (tx, rx) = unbounded();
    assert!((0..1000).all(|i| tx.try_send(i).is_ok()));
    drop(rx);
    assert_eq!(tx.try_send(6), Err(TrySendError::Disconnected(6)));
}

#[test]
fn try_recv_in_every_state() {
    start();
    let (tx, rx) = bounded(0);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    let waiting = go(move || tx.send(1));
    until(|| rx.try_recv() == Ok(1));
    assert_eq!(waiting.join().unwrap(), Ok(()));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));

    for (tx, rx) in [bounded(2), unbounded()] {
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        tx.send(1).unwrap();
        tx.send(2).unwrap();
        assert_eq!(rx.try_recv(), Ok(1));
        drop(tx);
        assert_eq!(
            rx.try_recv(),
            Ok(2),
            "what is buffered outlives the senders"
        );
        assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    }
}

#[test]
fn a_timeout_gives_the_message_back() {
    start();
    for on in [On::Goroutine, On::Thread] {
        for (tx, rx) in [bounded(0), bounded(1)] {
            if tx.capacity() == Some(1) {
                tx.send(0).unwrap();
            }
            let here = on.spawn(move || {
                let begin = Instant::now();
                let late = tx.send_timeout(7, SHORT);
                (late, begin.elapsed() >= SHORT, tx)
            });
            let (late, waited, tx) = here.join();
            assert_eq!(late, Err(SendTimeoutError::Timeout(7)));
            assert!(waited);
            // Its node is gone: no receiver gets a message from it.
            assert_eq!(rx.try_recv().is_ok(), tx.capacity() == Some(1));
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        }
    }
}

#[test]
fn a_receive_times_out_and_leaves_nothing_behind() {
    start();
    for on in [On::Goroutine, On::Thread] {
        for (tx, rx) in every_kind() {
            let there = on.spawn(move || {
                let begin = Instant::now();
                let late = rx.recv_timeout(SHORT);
                (late, begin.elapsed() >= SHORT, rx)
            });
            let (late, waited, rx) = there.join();
            assert_eq!(late, Err(RecvTimeoutError::Timeout));
            assert!(waited);
            // No message may go to the receiver that gave up.
            if tx.capacity() == Some(0) {
                assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
            } else {
                tx.send(3).unwrap();
                assert_eq!(rx.recv_timeout(SHORT), Ok(3));
            }
        }
    }
}

#[test]
fn a_deadline_that_has_passed_still_takes_what_is_there() {
    start();
    let past = Instant::now() - Duration::from_secs(1);
    for (tx, rx) in [bounded(1), unbounded()] {
        assert_eq!(rx.recv_deadline(past), Err(RecvTimeoutError::Timeout));
        assert_eq!(
            rx.recv_timeout(Duration::ZERO),
            Err(RecvTimeoutError::Timeout)
        );
        assert_eq!(tx.send_deadline(1, past), Ok(()));
        assert_eq!(rx.recv_deadline(past), Ok(1));
        assert_eq!(tx.send_timeout(2, Duration::ZERO), Ok(()));
        assert_eq!(rx.recv_timeout(Duration::ZERO), Ok(2));
    }
    let (tx, rx) = bounded(0);
    assert_eq!(tx.send_deadline(1, past), Err(SendTimeoutError::Timeout(1)));
    assert_eq!(
        tx.send_timeout(1, Duration::ZERO),
        Err(SendTimeoutError::Timeout(1))
    );
    let waiting = go(move || tx.send(2));
    until(|| rx.recv_timeout(Duration::ZERO) == Ok(2));
    waiting.join().unwrap().unwrap();
}

#[test]
fn the_longest_timeout_is_for_ever_and_does_not_overflow() {
    start();
    for (sender, receiver) in PAIRS {
        for timeout in [
            Duration::MAX,
            Duration::from_secs(u64::MAX / 4),
            Duration::from_secs(1 << 40),
        ] {
            let (tx, rx) = bounded(0);
            let there = receiver.spawn(move || rx.recv_timeout(timeout));
            settle();
            let here = sender.spawn(move || tx.send_timeout(1, timeout));
            assert_eq!(there.join(), Ok(1));
            assert_eq!(here.join(), Ok(()));
        }
    }
}

#[test]
fn a_wait_with_a_deadline_is_ended_by_its_counterpart() {
    start();
    let long = Duration::from_secs(3600);
    for (sender, receiver) in PAIRS {
        for (tx, rx) in every_kind() {
            let there = receiver.spawn(move || (rx.recv_timeout(long), rx));
            settle();
            sender
                .spawn(move || tx.send_timeout(1, long).unwrap())
                .join();
            let (got, rx) = there.join();
            assert_eq!(got, Ok(1));
            // And by the disconnect.
            assert_eq!(rx.recv_timeout(long), Err(RecvTimeoutError::Disconnected));
        }
        let (tx, rx) = bounded(0);
        let here = sender.spawn(move || tx.send_timeout(1, long));
        settle();
        drop(rx);
        assert_eq!(here.join(), Err(SendTimeoutError::Disconnected(1)));
    }
}

#[test]
fn the_last_sender_wakes_every_receiver() {
    start();
    for (tx, rx) in every_kind::<u8>() {
        let waiting: Vec<_> = (0..10)
            .map(|i| {
                let on = if i % 2 == 0 {
                    On::Goroutine
                } else {
                    On::Thread
                };
                let rx = rx.clone();
                on.spawn(move || match i % 4 {
                    0 | 1 => rx.recv(),
                    _ => rx.recv_timeout(Duration::from_secs(3600)).map_err(|e| {
                        assert!(e.is_disconnected());
                        RecvError
                    }),
                })
            })
            .collect();
        let second = tx.clone();
        settle();
        drop(tx);
        settle();
        assert!(waiting.iter().all(|w| !w.is_finished()), "a sender is left");
        drop(second);
        for one in waiting {
            assert_eq!(one.join(), Err(RecvError));
        }
    }
}

#[test]
fn the_last_receiver_gives_every_sender_its_message_back() {
    start();
    for (tx, rx) in [bounded(0), bounded(2)] {
        for i in 0..tx.capacity().unwrap() {
            tx.send(1000 + i).unwrap();
        }
        let waiting: Vec<_> = (0..10)
            .map(|i| {
                let on = if i % 2 == 0 {
                    On::Goroutine
                } else {
                    On::Thread
                };
                let tx = tx.clone();
                on.spawn(move || match i % 4 {
                    0 | 1 => tx.send(i).unwrap_err().into_inner(),
                    _ => {
                        let error = tx.send_timeout(i, Duration::from_secs(3600)).unwrap_err();
                        assert!(error.is_disconnected());
                        error.into_inner()
                    }
                })
            })
            .collect();
        let second = rx.clone();
        settle();
        drop(rx);
        settle();
        assert!(
            waiting.iter().all(|w| !w.is_finished()),
            "a receiver is left"
        );
        drop(second);
        for (i, one) in waiting.into_iter().enumerate() {
            assert_eq!(one.join(), i);
        }
        assert_eq!(tx.len(), 0);
        assert_eq!(tx.send(5), Err(SendError(5)));
    }
}

#[test]
fn what_is_buffered_outlives_the_senders() {
    start();
    for (tx, rx) in [bounded(500), unbounded()] {
        (0..500).for_each(|i| tx.send(i).unwrap());
        drop(tx);
        assert_eq!(rx.len(), 500);
        assert!(rx.iter().eq(0..500));
        assert_eq!(rx.recv(), Err(RecvError));
        assert_eq!(rx.recv_timeout(SHORT), Err(RecvTimeoutError::Disconnected));
    }
}

#[test]
fn length_and_capacity_tell_the_state() {
    start();
    let (tx, rx) = bounded(0);
    assert_eq!((tx.capacity(), rx.capacity()), (Some(0), Some(0)));
    assert!(tx.is_empty() && tx.is_full() && rx.is_empty() && rx.is_full());
    let waiting = go(move || tx.send(()));
    settle();
    assert_eq!(
        rx.len(),
        0,
        "a waiting sender's message is not in the channel"
    );
    rx.recv().unwrap();
    waiting.join().unwrap().unwrap();

    let (tx, rx) = bounded(2);
    assert!(tx.is_empty() && !tx.is_full());
    tx.send(1).unwrap();
    assert!(!rx.is_empty() && !rx.is_full() && rx.len() == 1);
    tx.send(1).unwrap();
    assert!(rx.is_full() && tx.is_full() && tx.len() == 2);
    drop(rx);
    assert!(tx.is_empty() && !tx.is_full() && tx.capacity() == Some(2));

    let (tx, rx) = unbounded();
    (0..10_000).for_each(|i| tx.send(i).unwrap());
    assert!(!tx.is_full() && rx.len() == 10_000 && rx.capacity().is_none());
    assert_eq!(rx.try_iter().count(), 10_000);
    assert!(rx.is_empty());
}

#[test]
fn iterators_end_where_they_should() {
    start();
    let (tx, rx) = unbounded();
    (0..3).for_each(|i| tx.send(i).unwrap());
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(rx.try_iter().next(), None, "and it does not wait");
    (0..3).for_each(|i| tx.send(i).unwrap());
    drop(tx);
    let mut seen = Vec::new();
    for msg in &rx {
        seen.push(msg);
    }
    assert_eq!(seen, [0, 1, 2]);
    let mut iter = rx.into_iter();
    assert_eq!((iter.next(), iter.next()), (None, None));
}

#[test]
fn clones_are_the_same_channel_and_others_are_not() {
    let (tx, rx) = bounded::<u8>(1);
    let (other_tx, other_rx) = bounded::<u8>(1);
    assert!(tx.same_channel(&tx.clone()) && rx.same_channel(&rx.clone()));
    assert!(!tx.same_channel(&other_tx) && !rx.same_channel(&other_rx));
}

#[test]
fn large_messages_and_messages_without_a_size_go_through_every_kind() {
    start();
    for (tx, rx) in every_kind::<[u64; 1024]>() {
        let here = go(move || (0..50).for_each(|i| tx.send([i; 1024]).unwrap()));
        for i in 0..50 {
            assert_eq!(rx.recv().unwrap(), [i; 1024]);
        }
        here.join().unwrap();
        assert!(rx.recv().is_err());
    }
    for (tx, rx) in every_kind::<()>() {
        let here = go(move || (0..500).for_each(|_| tx.send(()).unwrap()));
        assert_eq!(rx.iter().count(), 500);
        here.join().unwrap();
    }
}

#[test]
fn a_channel_through_a_channel() {
    start();
    let (tx, rx) = unbounded::<Sender<u32>>();
    go(move || rx.iter().for_each(|answer| answer.send(1).unwrap()));
    for _ in 0..100 {
        let (answer, answers) = bounded(0);
        tx.send(answer).unwrap();
        assert_eq!(answers.recv(), Ok(1));
        assert_eq!(answers.recv(), Err(RecvError));
    }
}

#[test]
fn a_goroutine_that_unwinds_can_send_and_receive() {
    start();
    struct Farewell(Sender<u32>, Receiver<u32>);
    impl Drop for Farewell {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            self.0.send(1).unwrap();
            assert_eq!(self.1.recv(), Ok(2));
            assert_eq!(self.1.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
        }
    }
    let (to_here, here) = bounded(0);
    let (to_there, there) = bounded(0);
    let failed = go(move || {
        let _farewell = Farewell(to_here, there);
        panic!("as planned");
    });
    settle();
    assert_eq!(here.recv(), Ok(1));
    settle();
    to_there.send(2).unwrap();
    assert_eq!(
        *failed.join().unwrap_err().downcast::<&str>().unwrap(),
        "as planned"
    );
}

#[test]
fn errors_say_what_crossbeam_says() {
    fn text(error: impl Error) -> String {
        error.to_string()
    }
    assert_eq!(text(SendError(1)), "sending on a disconnected channel");
    assert_eq!(text(TrySendError::Full(1)), "sending on a full channel");
    assert_eq!(
        text(TrySendError::Disconnected(1)),
        "sending on a disconnected channel"
    );
    assert_eq!(
        text(SendTimeoutError::Timeout(1)),
        "timed out waiting on send operation"
    );
    assert_eq!(
        text(SendTimeoutError::Disconnected(1)),
        "sending on a disconnected channel"
    );
    assert_eq!(
        text(RecvError),
        "receiving on an empty and disconnected channel"
    );
    assert_eq!(text(TryRecvError::Empty), "receiving on an empty channel");
    assert_eq!(
        text(TryRecvError::Disconnected),
        "receiving on an empty and disconnected channel"
    );
    assert_eq!(
        text(RecvTimeoutError::Timeout),
        "timed out waiting on receive operation"
    );
    assert_eq!(
        text(RecvTimeoutError::Disconnected),
        "channel is empty and disconnected"
    );
    // Debug does not need the message's.
    struct Mute;
    assert_eq!(format!("{:?}", SendError(Mute)), r#""SendError(..)""#);
    assert_eq!(format!("{:?}", TrySendError::Full(Mute)), r#""Full(..)""#);
    assert_eq!(
        format!("{:?}", TrySendError::Disconnected(Mute)),
        r#""Disconnected(..)""#
    );
    assert_eq!(
        format!("{:?}", SendTimeoutError::Timeout(Mute)),
        r#""SendTimeoutError(..)""#
    );
    let (tx, rx) = unbounded::<Mute>();
    assert_eq!(
        format!("{tx:?} {rx:?}"),
        "Sender { len: 0, capacity: None, .. } Receiver { len: 0, capacity: None, .. }"
    );
    let (tx, rx) = bounded(2);
    tx.send(Mute).unwrap();
    assert_eq!(
        format!("{tx:?} {rx:?}"),
        "Sender { len: 1, capacity: Some(2), .. } Receiver { len: 1, capacity: Some(2), .. }"
    );
    drop(rx);
    assert!(format!("{tx:?}").starts_with("Sender { len: 0"));
    assert!(format!("{:?}", goroutines::chan::never::<Mute>()).starts_with("Receiver { len: 0"));
}

#[test]
fn errors_convert_and_can_be_asked() {
    assert_eq!(
        TrySendError::from(SendError(1)),
        TrySendError::Disconnected(1)
    );
    assert_eq!(
        SendTimeoutError::from(SendError(1)),
        SendTimeoutError::Disconnected(1)
    );
    assert_eq!(TryRecvError::from(RecvError), TryRecvError::Disconnected);
    assert_eq!(
        RecvTimeoutError::from(RecvError),
        RecvTimeoutError::Disconnected
    );
    assert!(TrySendError::Full(1).is_full() && !TrySendError::Full(1).is_disconnected());
    assert!(
        SendTimeoutError::Timeout(1).is_timeout()
            && !SendTimeoutError::Timeout(1).is_disconnected()
    );
    assert!(TryRecvError::Empty.is_empty() && !TryRecvError::Empty.is_disconnected());
    assert!(RecvTimeoutError::Timeout.is_timeout() && !RecvTimeoutError::Timeout.is_disconnected());
    assert_eq!(TrySendError::Full(1).into_inner(), 1);
    assert_eq!(SendTimeoutError::Timeout(1).into_inner(), 1);
}

#[test]
fn handles_are_send_sync_and_unwind_safe() {
    fn check<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
    // A Cell is Send and not Sync: that is enough.
    check::<Sender<std::cell::Cell<u8>>>();
    check::<Receiver<std::cell::Cell<u8>>>();
}
