//! What locks promise where only one goroutine runs at a time. One P.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use goroutines::{
    go,
    sync::{Condvar, Mutex, RwLock, Semaphore},
    yield_now,
};

fn start() {
    common::start(1);
}

/// Far longer than any goroutine has to wait.
const FOR_EVER: Duration = Duration::from_secs(20);

/// Runs `turn` until `done`, or, if that does not come, for far too long; says which.
fn until_done(done: &AtomicBool, turn: impl Fn()) -> bool {
    let began = Instant::now();
    while !done.load(Ordering::Relaxed) {
        if began.elapsed() > FOR_EVER {
            return false;
        }
        turn();
    }
    true
}

#[test]
fn a_waiter_that_always_comes_too_late_is_handed_the_mutex() {
    start();
    // The greedy one gives the lock up and takes it again before any other runs, and lets the others
    // run only while it holds it. A woken waiter finds the lock taken.
    let (mutex, done) = (Arc::new(Mutex::new(0)), Arc::new(AtomicBool::new(false)));
    let (same, enough) = (Arc::clone(&mutex), Arc::clone(&done));
    let greedy = go(move || {
        until_done(&enough, || {
            let guard = same.lock().unwrap();
            yield_now();
            drop(guard);
        })
    });
    common::until(|| mutex.try_lock().is_err());
    let waiters: Vec<_> = (0..5)
        .map(|_| {
            let (mutex, done) = (Arc::clone(&mutex), Arc::clone(&done));
            go(move || {
                (0..3).for_each(|_| *mutex.lock().unwrap() += 1);
                if *mutex.lock().unwrap() == 15 {
                    done.store(true, Ordering::Relaxed);
                }
            })
        })
        .collect();
    assert!(greedy.join().unwrap(), "the waiters starve");
    waiters.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(*mutex.try_lock().unwrap(), 15);
}

#[test]
fn a_writer_gets_in_although_there_are_always_readers() {
    start();
    let (lock, done) = (Arc::new(RwLock::new(0)), Arc::new(AtomicBool::new(false)));
    // Two readers that overlap: one goes out only when the other is in, or waits.
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (lock, done) = (Arc::clone(&lock), Arc::clone(&done));
            go(move || {
                until_done(&done, || {
                    let guard = lock.read().unwrap();
                    yield_now();
                    yield_now();
                    drop(guard);
                })
            })
        })
        .collect();
    let same = Arc::clone(&lock);
    let writer = go(move || {
        for _ in 0..100 {
            *same.write().unwrap() += 1;
            yield_now();
        }
        done.store(true, Ordering::Relaxed);
    });
    for reader in readers {
        assert!(reader.join().unwrap(), "the writer starves");
    }
    writer.join().unwrap();
    assert_eq!(*lock.try_read().unwrap(), 100);
}

#[test]
fn a_reader_gets_in_although_there_are_always_writers() {
    start();
    let (lock, done) = (Arc::new(RwLock::new(0)), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..2)
        .map(|_| {
            let (lock, done) = (Arc::clone(&lock), Arc::clone(&done));
            go(move || {
                until_done(&done, || {
                    let guard = lock.write().unwrap();
                    yield_now();
                    drop(guard);
                })
            })
        })
        .collect();
    let same = Arc::clone(&lock);
    let reader = go(move || {
        for _ in 0..100 {
            drop(same.read().unwrap());
            yield_now();
        }
        done.store(true, Ordering::Relaxed);
    });
    for writer in writers {
        assert!(writer.join().unwrap(), "the reader starves");
    }
    reader.join().unwrap();
}

#[test]
fn a_wait_of_no_time_lets_others_run() {
    start();
    let both = Arc::new((Mutex::new(()), Condvar::new(), AtomicBool::new(false)));
    let same = Arc::clone(&both);
    let waiter = go(move || {
        until_done(&same.2, || {
            let guard = same.0.lock().unwrap();
            let waited = same.1.wait_timeout(guard, Duration::ZERO).unwrap();
            assert!(waited.1.timed_out());
        })
    });
    let other = go(move || both.2.store(true, Ordering::Relaxed));
    assert!(waiter.join().unwrap(), "the other does not run");
    other.join().unwrap();
}

#[test]
fn waiters_that_are_notified_one_by_one_run_in_the_order_they_came() {
    start();
    let both = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
    let here = Arc::new(AtomicUsize::new(0));
    let waiting: Vec<_> = (0..10)
        .map(|i| {
            let (both, came) = (Arc::clone(&both), Arc::clone(&here));
            let one = go(move || {
                let guard = both.0.lock().unwrap();
                came.fetch_add(1, Ordering::SeqCst);
                both.1.wait(guard).unwrap().push(i);
            });
            common::until(|| here.load(Ordering::SeqCst) == i + 1);
            one
        })
        .collect();
    for i in 1..=10 {
        drop(both.0.lock().unwrap());
        both.1.notify_one();
        common::until(|| both.0.lock().unwrap().len() == i);
    }
    waiting.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(*both.0.lock().unwrap(), (0..10).collect::<Vec<_>>());
}

/// While what `hold` returns is there, one waits with `wait`. The goroutine that drops it, which wakes that one,
/// takes the lock again with `again`, since the other cannot run before: a sleeping goroutine owns nothing.
fn take_again<H>(
    hold: impl FnOnce() -> H + Send + 'static,
    wait: impl FnOnce() + Send + 'static,
    again: impl FnOnce() -> bool + Send + 'static,
) -> bool {
    go(move || {
        let held = hold();
        let waiter = go(wait);
        (0..3).for_each(|_| yield_now());
        assert!(!waiter.is_finished());
        drop(held);
        let taken = again();
        waiter.join().unwrap();
        taken
    })
    .join()
    .unwrap()
}

#[test]
fn a_goroutine_that_unlocks_may_lock_again_before_the_waiter_that_it_has_woken() {
    start();
    static LOCK: RwLock<u32> = RwLock::new(0);
    static PERMITS: Semaphore = Semaphore::new(2);
    let waits: [fn(); 2] = [
        || drop(LOCK.read().unwrap()),
        || *LOCK.write().unwrap() += 1,
    ];
    for wait in waits {
        let (hold, again) = (|| LOCK.write().unwrap(), || LOCK.try_write().is_ok());
        assert!(take_again(hold, wait, again));
    }
    for (wanted, again) in [(1, 1), (2, 2), (2, 1)] {
        let hold = || PERMITS.acquire_many(2);
        let wait = move || drop(PERMITS.acquire_many(wanted));
        let again = move || PERMITS.try_acquire_many(again).is_ok();
        assert!(take_again(hold, wait, again));
        assert_eq!(PERMITS.available_permits(), 2);
    }
}
