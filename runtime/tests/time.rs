//! Sleeping: never too short, in order, many at once, and timeouts that are not needed any more.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{On, until};
use goroutines::{
    chan,
    thread::{self, Thread},
    time::{self, Instant},
};

const MS: Duration = Duration::from_millis(1);

fn start() {
    common::start(2);
}

#[test]
fn the_names_of_std_time_are_here() {
    let _: std::time::Duration = time::Duration::from_secs(1);
    let _: std::time::Instant = time::Instant::now();
    assert!(
        time::SystemTime::now()
            .duration_since(time::UNIX_EPOCH)
            .is_ok()
    );
    let _: Option<time::SystemTimeError> = None;
    let _: Option<time::TryFromFloatSecsError> = None;
}

#[test]
fn no_sleeper_wakes_before_its_time_alone_or_among_many() {
    start();
    for count in [1, 15, 16, 17, 3000_u32] {
        let early = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..count)
            .map(|n| {
                let early = Arc::clone(&early);
                goroutines::go(move || {
                    let rest = Duration::from_micros(u64::from(n * 7919 % 5000));
                    let start = Instant::now();
                    time::sleep(rest);
                    if start.elapsed() < rest {
                        early.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(early.load(Ordering::Relaxed), 0, "of {count}");
    }
}

#[test]
fn a_crowd_wakes_although_nothing_else_happens() {
    start();
    // Close together, so that a sleeping thread wakes up for many at once; nothing runs beside them.
    for _ in 0..20 {
        let base = Instant::now() + 2 * MS;
        let all: Vec<_> = (0..200_u32)
            .map(|n| goroutines::go(move || time::sleep_until(base + n * Duration::from_micros(3))))
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        assert!(Instant::now() >= base);
    }
}

#[test]
fn ticks_by_deadline_do_not_drift() {
    start();
    let base = Instant::now();
    for tick in 1..=20 {
        time::sleep_until(base + tick * MS);
        assert!(base.elapsed() >= tick * MS);
    }
}

#[test]
fn deadlines_in_the_past_and_sleeps_of_nothing_return() {
    start();
    for side in [On::Goroutine, On::Thread] {
        side.spawn(|| {
            let now = Instant::now();
            time::sleep_until(now);
            time::sleep_until(now.checked_sub(Duration::from_secs(1)).unwrap_or(now));
            time::sleep(Duration::ZERO);
            thread::park_timeout(Duration::ZERO);
        })
        .join();
    }
}

#[test]
fn timeouts_that_are_not_needed_do_not_pile_up_and_wake_no_thread() {
    start();
    let (to_main, from_sleepers) = chan::bounded::<Thread>(0);
    let all: Vec<_> = (0..10)
        .map(|_| {
            let to_main = to_main.clone();
            goroutines::go(move || {
                let mut unparked = 0;
                for _ in 0..2000 {
                    to_main.send(thread::current()).unwrap();
                    let start = Instant::now();
                    thread::park_timeout(Duration::from_secs(600));
                    assert!(start.elapsed() < Duration::from_secs(500));
                    unparked += 1;
                }
                unparked
            })
        })
        .collect();
    drop(to_main);
    from_sleepers.iter().for_each(|sleeper| sleeper.unpark());
    assert!(all.into_iter().all(|one| one.join().unwrap() == 2000));
}

#[test]
fn sleepers_wake_while_others_compute_and_while_all_sleep() {
    start();
    let stop = Arc::new(AtomicUsize::new(0));
    let yielders: Vec<_> = (0..4)
        .map(|_| {
            let stop = Arc::clone(&stop);
            goroutines::go(move || {
                while stop.load(Ordering::Relaxed) == 0 {
                    thread::yield_now();
                }
            })
        })
        .collect();
    let ticks = Arc::new(AtomicUsize::new(0));
    let ticker = {
        let ticks = Arc::clone(&ticks);
        goroutines::go(move || {
            for _ in 0..20 {
                time::sleep(MS);
                ticks.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    until(|| ticks.load(Ordering::Relaxed) >= 10);
    stop.store(1, Ordering::Relaxed);
    yielders.into_iter().for_each(|one| one.join().unwrap());
    ticker.join().unwrap();
    assert_eq!(ticks.load(Ordering::Relaxed), 20);
}

#[test]
fn copied_stacks_sleep() {
    start();
    let all: Vec<_> = (0..500_u64)
        .map(|n| {
            // SAFETY: the closure lends nothing of its stack.
            let builder = unsafe { goroutines::Builder::new().copy_stack() };
            let sleeps = move || {
                let numbers = [n; 16];
                time::sleep(Duration::from_micros(n * 10));
                numbers.iter().sum::<u64>()
            };
            builder.spawn(sleeps).unwrap()
        })
        .collect();
    for (n, one) in all.into_iter().enumerate() {
        assert_eq!(one.join().unwrap(), n as u64 * 16);
    }
}
