//! What `select!` and `select_biased!` promise. Four Ps.
#![allow(unreachable_code, reason = "messages that leave instead of being made")]

mod common;

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use common::{Census, On, PAIRS, settle};
use goroutines::{
    Builder,
    chan::{
        self, Receiver, RecvError, SendError, Sender, bounded, never, select, select_biased,
        unbounded,
    },
    go,
};

const SHORT: Duration = Duration::from_millis(5);

fn start() {
    common::start(4);
}

#[test]
fn every_form_is_accepted() {
    start();
    let (tx, rx) = bounded::<i32>(1);
    // Blocks with and without commas, a comma at the end, expressions.
    select! {
        send(tx, 1) -> res => { assert_eq!(res, Ok(())) }
        recv(never::<u8>()) -> _ => {},
        default => unreachable!(),
    }
    let got = select! {
        recv(rx) -> msg => msg.unwrap(),
        default(SHORT) => 0
    };
    assert_eq!(got, 1);
    chan::select! { recv(rx,) -> _ => unreachable!(), default() => {} }
    select! { send(&&tx, 2,) -> _ => () }
    select! { recv(Some(&rx).unwrap_or(&never())) -> _ => () }
    select_biased! { default => {} recv(rx) -> _ => unreachable!() }
    let boxed = Box::new(rx);
    select! { recv(*boxed) -> mut msg => { msg = msg.or(Ok(3)); assert_eq!(msg, Ok(3)) } default => {} }
    assert_eq!(select! { default => 7 }, 7);
    select! { default(Duration::ZERO) => {} }
}

#[test]
fn receivers_and_senders_are_evaluated_once_and_messages_only_if_chosen() {
    start();
    let (tx, rx) = bounded::<String>(1);
    let count = Cell::new(0);
    let counted = |by: u32| count.set(count.get() + by);
    let message = String::from("moved by both arms");
    select_biased! {
        send({ counted(1); &tx }, message) -> res => res.unwrap(),
        send({ counted(10); &tx }, { counted(100); message }) -> _ => unreachable!(),
        recv({ counted(1000); &rx }) -> _ => unreachable!(),
    }
    assert_eq!(count.get(), 1011);
    assert_eq!(rx.recv().unwrap(), "moved by both arms");
}

#[test]
fn an_arm_may_leave_the_scope_around_it() {
    start();
    let (tx, rx) = unbounded();
    (0..5).for_each(|i| tx.send(i).unwrap());
    let mut sum = 0;
    let last = 'outer: loop {
        loop {
            select! {
                recv(rx) -> msg => match msg.unwrap() {
                    1 => continue 'outer,
                    3 => break 'outer 3,
                    n => sum += n,
                },
            }
        }
    };
    assert_eq!((sum, last), (2, 3));
    let through = || -> Result<i32, RecvError> {
        select! { recv(rx) -> msg => Ok(msg? * 2) }
    };
    assert_eq!(through(), Ok(8));
    // Out of a send that was chosen already: it is undone.
    let (tx, rx) = bounded::<i32>(1);
    let leave = || {
        select! { send(tx, return 5) -> _ => 6 }
    };
    assert_eq!(leave(), 5);
    tx.try_send(1).unwrap();
    assert_eq!(rx.recv(), Ok(1));
}

#[test]
fn arms_have_types_of_their_own() {
    start();
    let (words, more) = unbounded::<String>();
    let (_units, nothing) = unbounded::<()>();
    let (big, large) = unbounded::<[u64; 64]>();
    let seen = |step: u32| {
        select! {
            recv(more) -> word => word.unwrap(),
            recv(nothing) -> _ => unreachable!("step {step}"),
            recv(large) -> block => format!("{}", block.unwrap().iter().sum::<u64>()),
            default => String::from("none"),
        }
    };
    assert_eq!(seen(0), "none");
    words.send("word".into()).unwrap();
    assert_eq!(seen(1), "word");
    big.send([2; 64]).unwrap();
    assert_eq!(seen(2), "128");
}

/// How often each of four cases is chosen in 4000 rounds.
fn hits(mut round: impl FnMut() -> usize) -> [usize; 4] {
    let mut hits = [0; 4];
    (0..4000).for_each(|_| hits[round()] += 1);
    hits
}

#[test]
fn cases_that_are_ready_are_chosen_equally_often() {
    start();
    let channels: [_; 4] = std::array::from_fn(|_| unbounded());
    for (tx, _) in &channels {
        (0..4000).for_each(|i| tx.send(i).unwrap());
    }
    let [(_, a), (_, b), (_, c), (_, d)] = &channels;
    let fair = hits(|| {
        select! {
            recv(a) -> _ => 0,
            recv(b) -> _ => 1,
            recv(c) -> _ => 2,
            recv(d) -> _ => 3,
        }
    });
    // Chances of a thousand each; their standard deviation is 27.
    assert!(fair.iter().all(|n| (800..1200).contains(n)), "{fair:?}");
    let biased = hits(|| {
        select_biased! {
            recv(never::<()>()) -> _ => 0,
            recv(b) -> msg => if msg.is_ok() { 1 } else { 2 },
            recv(c) -> _ => 3,
            default => 3,
        }
    });
    let left = 4000 - fair[1];
    assert_eq!(
        biased,
        [0, left, 0, 4000 - left],
        "in the order of the arms"
    );
}

#[test]
fn cases_of_one_channel_that_wait_are_served_equally_often() {
    start();
    let (tx, rx) = bounded(0);
    let receiver = go(move || rx.iter().take(2000).sum::<usize>());
    for _ in 0..2000 {
        select! {
            send(tx, 0) -> _ => {}
            send(tx, 1) -> _ => {}
        }
    }
    let ones = receiver.join().unwrap();
    assert!((700..1300).contains(&ones), "{ones} of 2000");
}

#[test]
fn disconnected_is_ready() {
    start();
    let (tx, rx) = bounded::<i32>(0);
    let (open, _kept) = bounded::<i32>(0);
    drop(rx);
    select! {
        send(tx, 5) -> res => assert_eq!(res, Err(SendError(5))),
        send(open, 1) -> _ => unreachable!(),
        default => unreachable!("a send that fails need not wait"),
    }
    let (tx, rx) = unbounded();
    tx.send(1).unwrap();
    drop(tx);
    for expected in [Ok(1), Err(RecvError), Err(RecvError)] {
        select! { recv(rx) -> msg => assert_eq!(msg, expected), recv(never::<()>()) -> _ => {} }
    }
    // While it waits.
    for close in [true, false] {
        let (tx, rx) = bounded::<i32>(0);
        let (other, full) = bounded(1);
        other.send(0).unwrap();
        let waiting = go({
            let other = other.clone();
            move || select! { recv(rx) -> msg => msg.is_err(), send(other, 9) -> res => res == Err(SendError(9)) }
        });
        settle();
        if close {
            drop(tx);
        } else {
            drop(full);
        }
        assert!(waiting.join().unwrap());
    }
}

#[test]
fn a_default_waits_as_long_as_it_says() {
    start();
    let (_tx, rx) = bounded::<i32>(0);
    let (full, _kept) = bounded(0);
    for on in [On::Goroutine, On::Thread] {
        let (rx, full) = (rx.clone(), full.clone());
        let waited = on.spawn(move || {
            let begin = Instant::now();
            select! {
                recv(rx) -> _ => unreachable!(),
                send(full, 1) -> _ => unreachable!(),
                default(SHORT) => begin.elapsed(),
            }
        });
        assert!(waited.join() >= SHORT);
    }
    // For ever, and a message ends it.
    let (tx, rx) = bounded(0);
    go(move || {
        settle();
        tx.send(1).unwrap();
    });
    select! {
        recv(rx) -> msg => assert_eq!(msg, Ok(1)),
        recv(never::<()>()) -> _ => unreachable!(),
        default(Duration::MAX) => unreachable!("that is never"),
    }
}

#[test]
fn a_select_is_not_its_own_counterpart() {
    start();
    let (tx, rx) = bounded::<i32>(0);
    for _ in 0..100 {
        select! {
            recv(rx) -> _ => unreachable!(),
            send(tx, 1) -> _ => unreachable!(),
            default(Duration::from_micros(50)) => {}
        }
    }
    // But two are each other's.
    let both = |tx: Sender<i32>, rx: Receiver<i32>| {
        move || {
            select! {
                recv(rx) -> msg => msg.unwrap(),
                send(tx, 1) -> res => { res.unwrap(); 0 }
            }
        }
    };
    for _ in 0..500 {
        let pair = [
            go(both(tx.clone(), rx.clone())),
            go(both(tx.clone(), rx.clone())),
        ];
        let sum: i32 = pair.into_iter().map(|one| one.join().unwrap()).sum();
        assert_eq!(sum, 1, "one has sent what the other received");
    }
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
fn a_message_that_cannot_be_made_is_nobodys_loss() {
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
    // Somebody waits for the room meanwhile.
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
