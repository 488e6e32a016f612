//! Blocking calls: others run meanwhile, and the goroutine gets a P again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use goroutines::{blocking, chan, go, sleep, sync::Mutex, yield_now};
use goroutines_tests::start;

#[test]
fn others_run_while_one_blocks_the_only_p() {
    start(1);
    let (to_thread, from_goroutine) = std::sync::mpsc::channel::<()>();
    // Ends only when another goroutine has run meanwhile: on this P there is no other way.
    let blocked = go(move || blocking(|| from_goroutine.recv().is_ok()));
    let other = go(move || {
        sleep(Duration::from_millis(2));
        to_thread.send(()).is_ok()
    });
    assert!(blocked.join().unwrap());
    assert!(other.join().unwrap());
}

#[test]
fn many_block_at_once_and_all_come_back() {
    start(1);
    let running = Arc::new(AtomicU64::new(0));
    let barrier = Arc::new(std::sync::Barrier::new(20));
    let all: Vec<_> = (0..20)
        .map(|i| {
            let (barrier, running) = (Arc::clone(&barrier), Arc::clone(&running));
            go(move || {
                blocking(|| barrier.wait());
                // Relaxed: read after the joins.
                running.fetch_add(i, Ordering::Relaxed);
                yield_now();
                i
            })
        })
        .collect();
    let sum: u64 = all.into_iter().map(|one| one.join().unwrap()).sum();
    assert_eq!(sum, 190);
    // Relaxed: the joins order it.
    assert_eq!(running.load(Ordering::Relaxed), 190);
}

#[test]
fn short_calls_under_load_stay_exact() {
    start(1);
    let stop = Arc::new(AtomicBool::new(false));
    let busy = {
        let stop = Arc::clone(&stop);
        go(move || {
            let mut rounds = 0_u64;
            // Relaxed: only to end.
            while !stop.load(Ordering::Relaxed) {
                rounds += 1;
                yield_now();
            }
            rounds
        })
    };
    let all: Vec<_> = (0..50_u64)
        .map(|i| {
            go(move || {
                (0..200_u64)
                    .map(|n| {
                        blocking(|| {
                            if n % 50 == i % 50 {
                                thread::sleep(Duration::from_micros(100));
                            }
                            n
                        })
                    })
                    .sum::<u64>()
            })
        })
        .collect();
    for one in all {
        assert_eq!(one.join().unwrap(), 199 * 200 / 2);
    }
    // Relaxed: only to end.
    stop.store(true, Ordering::Relaxed);
    assert!(busy.join().unwrap() > 0);
}

#[test]
fn the_runtime_can_be_used_inside() {
    start(1);
    let (tx, rx) = chan::bounded(0);
    let (back, done) = chan::bounded(0);
    let lock = Arc::new(Mutex::new(0));
    let inside = {
        let lock = Arc::clone(&lock);
        go(move || {
            blocking(|| {
                let mut sum = 0;
                for n in rx.iter() {
                    sum += n;
                    *lock.lock().unwrap() += 1;
                    yield_now();
                    sleep(Duration::from_micros(50));
                    // Nested, and a goroutine started and joined from here.
                    sum += blocking(|| go(|| 1_u64).join().unwrap());
                }
                back.send(sum).unwrap();
            });
        })
    };
    let outside = go(move || {
        for n in 0..20_u64 {
            tx.send(n).unwrap();
        }
        drop(tx);
        done.recv().unwrap()
    });
    assert_eq!(outside.join().unwrap(), 190 + 20);
    inside.join().unwrap();
    assert_eq!(*lock.lock().unwrap(), 20);
}

#[test]
fn a_panic_inside_unwinds_through_the_call() {
    start(1);
    for _ in 0..50 {
        let failed = go(|| {
            blocking(|| {
                thread::sleep(Duration::from_micros(300));
                std::panic::resume_unwind(Box::new(7_u8));
            })
        });
        let other = go(|| (0..20).for_each(|_| yield_now()));
        assert_eq!(*failed.join().unwrap_err().downcast::<u8>().unwrap(), 7);
        other.join().unwrap();
    }
    assert_eq!(go(|| 1).join().unwrap(), 1);
}

#[test]
fn on_a_plain_thread_it_is_a_call() {
    assert_eq!(blocking(|| 3), 3);
}

#[test]
fn a_timer_fires_beside_a_goroutine_that_never_comes_back() {
    start(1);
    // With one P only a blocking call gives it away; the sleeper's timer is on that P.
    let (tx, rx) = chan::bounded(0);
    let sleeper = go(move || {
        tx.send(()).unwrap();
        sleep(Duration::from_millis(3));
        5
    });
    let blocker = go(move || {
        rx.recv().unwrap();
        blocking(|| thread::sleep(Duration::from_millis(40)));
        6
    });
    assert_eq!(sleeper.join().unwrap(), 5);
    assert_eq!(blocker.join().unwrap(), 6);
}
