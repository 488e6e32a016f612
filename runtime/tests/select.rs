//! What `select!` and `select_biased!` promise. Four Ps.
#![allow(
    unreachable_code,
    clippy::diverging_sub_expression,
    clippy::unnecessary_literal_unwrap,
    reason = "messages that leave instead of being made; every form"
)]

mod common;

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use common::{On, settle};
use goroutines::{
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
