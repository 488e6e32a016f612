//! What many receivers that wait for one clock promise: each message goes to one of them, and wakes few. Two Ps.

mod common;

use std::{
    collections::HashSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use common::On;
use goroutines::{
    chan::{Receiver, RecvTimeoutError, after, at, never, select, tick, unbounded},
    go, metrics,
};

const MANY: usize = 1000;
const LONG: Duration = Duration::from_secs(30);

/// The counters are of the process: one test at a time.
fn start() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    common::start(2);
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until nothing runs any more.
fn settled_runs() -> u64 {
    let mut before = metrics().runs;
    loop {
        thread::sleep(Duration::from_millis(100));
        let now = metrics().runs;
        // A thread that looks for work counts until it has found none.
        if now.saturating_sub(before) < 10 {
            return now;
        }
        before = now;
    }
}

#[test]
fn one_of_a_thousand_gets_an_after_and_the_others_are_not_woken() {
    let _alone = start();
    let rx = after(Duration::from_secs(3));
    let served = &*Box::leak(Box::new(AtomicUsize::new(0)));
    let all: Vec<_> = (0..MANY)
        .map(|_| {
            let rx = rx.clone();
            go(move || {
                let got = rx.recv().is_ok();
                served.fetch_add(got.into(), Ordering::Relaxed);
                got
            })
        })
        .collect();
    let before = settled_runs();
    assert_eq!(served.load(Ordering::Relaxed), 0, "it is not due yet");
    let limit = Instant::now() + LONG;
    while served.load(Ordering::Relaxed) == 0 && Instant::now() < limit {
        thread::sleep(Duration::from_millis(10));
    }
    let runs = settled_runs() - before;
    assert_eq!(served.load(Ordering::Relaxed), 1);
    println!("{runs} runs for one message");
    assert!(runs < MANY as u64 / 4, "{runs} runs for one message");
    assert!(rx.close());
    let got = all.into_iter().map(|g| g.join().unwrap());
    assert_eq!(got.filter(|got| *got).count(), 1);
}

#[test]
fn each_tick_goes_to_one_of_a_thousand_and_wakes_few() {
    const TICKS: usize = 100;
    let _alone = start();
    let rx = tick(Duration::from_millis(5));
    let (tx, got) = unbounded();
    let all: Vec<_> = (0..MANY)
        .map(|_| {
            let (rx, tx) = (rx.clone(), tx.clone());
            go(move || rx.iter().for_each(|due| tx.send(due).unwrap()))
        })
        .collect();
    thread::sleep(Duration::from_millis(300));
    while got.try_recv().is_ok() {}
    let before = metrics().runs;
    let dues: Vec<_> = (0..TICKS)
        .map(|_| got.recv_timeout(LONG).unwrap())
        .collect();
    let runs = metrics().runs - before;
    assert_eq!(
        dues.iter().collect::<HashSet<_>>().len(),
        TICKS,
        "a tick twice"
    );
    println!("{runs} runs for {TICKS} messages");
    assert!(runs < 20 * TICKS as u64, "{runs} runs for {TICKS} messages");
    rx.close();
    all.into_iter().for_each(|g| g.join().unwrap());
}

#[test]
fn a_waiter_whose_own_time_is_up_passes_the_timekeeping_on() {
    let _alone = start();
    for on in [On::Goroutine, On::Thread] {
        on.spawn(move || {
            let when = Instant::now() + Duration::from_millis(300);
            let rx = at(when);
            let late: Vec<_> = (1..20)
                .map(|n| {
                    let rx = rx.clone();
                    go(move || rx.recv_timeout(Duration::from_millis(n * 5)))
                })
                .collect();
            goroutines::time::sleep(Duration::from_millis(2));
            assert_eq!(rx.recv_timeout(LONG), Ok(when));
            assert!(when.elapsed() < LONG / 2, "nobody kept the time");
            for g in late {
                assert_eq!(g.join().unwrap(), Err(RecvTimeoutError::Timeout));
            }
        })
        .join();
    }
}

#[test]
fn no_receiver_misses_a_tick_whichever_takes_the_others() {
    let _alone = start();
    let rx = tick(Duration::from_micros(500));
    let plain = |rx: &Receiver<Instant>| {
        let start = Instant::now();
        rx.recv_timeout(LONG).is_ok() && start.elapsed() < LONG / 2
    };
    let brief = |rx: &Receiver<Instant>| {
        let _ = rx.recv_timeout(Duration::from_micros(300));
        true
    };
    let selects = |rx: &Receiver<Instant>| {
        let other = never::<()>();
        select! {
            recv(rx) -> due => due.is_ok(),
            recv(other) -> _ => false,
        }
    };
    let looks = |rx: &Receiver<Instant>| {
        let _ = rx.try_recv();
        goroutines::time::sleep(Duration::from_micros(700));
        true
    };
    let kinds: [fn(&Receiver<Instant>) -> bool; 5] = [plain, brief, selects, looks, plain];
    let all: Vec<_> = (0..40)
        .map(|n| {
            let (rx, kind) = (rx.clone(), kinds[n % kinds.len()]);
            let on = if n % 8 == 7 {
                On::Thread
            } else {
                On::Goroutine
            };
            on.spawn(move || assert!((0..30).all(|_| kind(&rx)), "a lost wake-up"))
        })
        .collect();
    all.into_iter().for_each(|one| one.join());
}
