//! Goroutines that compute without end, or block their thread without saying so, lose their P and nothing
//! else: others run meanwhile, and they themselves stay goroutines.

use std::{
    hint,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use goroutines::{chan, go, sleep, sync::Mutex, yield_now};
use goroutines_tests::start;

/// Goroutines that spin until they are told to stop; each then does something with the runtime.
struct Hogs {
    stop: Arc<AtomicBool>,
    handles: Vec<goroutines::JoinHandle<u64>>,
}

impl Hogs {
    fn new(count: u64) -> Hogs {
        let stop = Arc::new(AtomicBool::new(false));
        let handles = (0..count)
            .map(|i| {
                let stop = Arc::clone(&stop);
                go(move || {
                    // Relaxed: only to end.
                    while !stop.load(Ordering::Relaxed) {
                        hint::spin_loop();
                    }
                    // Its P is gone; the next calls find that out.
                    let child = go(move || i);
                    yield_now();
                    child.join().unwrap()
                })
            })
            .collect();
        Hogs { stop, handles }
    }

    fn stop(self) -> u64 {
        // Relaxed: only to end.
        self.stop.store(true, Ordering::Relaxed);
        self.handles.into_iter().map(|h| h.join().unwrap()).sum()
    }
}

#[test]
fn others_run_beside_more_hogs_than_ps() {
    start(2);
    let hogs = Hogs::new(5);
    let (tx, rx) = chan::bounded(0);
    go(move || {
        for n in 0..100 {
            tx.send(n).unwrap();
        }
    });
    let sum = go(move || rx.iter().sum::<i32>());
    assert_eq!(sum.join().unwrap(), 4950);
    go(|| sleep(Duration::from_millis(3))).join().unwrap();
    assert_eq!(hogs.stop(), 10);
}

#[test]
fn a_std_lock_held_by_a_goroutine_that_waits_its_turn_is_no_deadlock() {
    start(2);
    let lock = Arc::new(std::sync::Mutex::new(0_u64));
    let all: Vec<_> = (0..8)
        .map(|_| {
            let lock = Arc::clone(&lock);
            go(move || {
                for _ in 0..3 {
                    // Held across a park: the next ones block their threads, and with them all Ps.
                    let mut guard = lock.lock().unwrap();
                    yield_now();
                    *guard += 1;
                }
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(*lock.lock().unwrap(), 24);
}

#[test]
fn unannounced_sleeps_do_not_block_others_for_long() {
    start(2);
    let ticks = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let ticker = {
        let (ticks, stop) = (Arc::clone(&ticks), Arc::clone(&stop));
        go(move || {
            // Relaxed: only to end, and a count that the join orders.
            while !stop.load(Ordering::Relaxed) {
                sleep(Duration::from_millis(1));
                ticks.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let sleepers: Vec<_> = (0..4)
        .map(|_| go(|| thread::sleep(Duration::from_millis(300))))
        .collect();
    sleepers.into_iter().for_each(|one| one.join().unwrap());
    // Relaxed: as above.
    let meanwhile = ticks.load(Ordering::Relaxed);
    stop.store(true, Ordering::Relaxed);
    ticker.join().unwrap();
    // Without taking Ps away the ticker would have ticked no more than a few times.
    assert!(meanwhile >= 20, "{meanwhile} ticks in 300 ms");
}

#[test]
fn a_goroutine_without_a_p_can_do_everything() {
    start(2);
    for round in 0..10_u64 {
        let lock = Arc::new(Mutex::new(0));
        let (tx, rx) = chan::unbounded();
        let all: Vec<_> = (0..4_u64)
            .map(|i| {
                let (lock, tx, rx) = (Arc::clone(&lock), tx.clone(), rx.clone());
                go(move || {
                    // Long enough to lose the P now and then.
                    let end = std::time::Instant::now() + Duration::from_millis(4 + round);
                    while std::time::Instant::now() < end {
                        hint::spin_loop();
                    }
                    match i {
                        0 => tx.send(i).unwrap(),
                        1 => *lock.lock().unwrap() += 1,
                        2 => sleep(Duration::from_micros(200)),
                        _ => drop(go(|| ())),
                    }
                    let end = std::time::Instant::now() + Duration::from_millis(7);
                    while std::time::Instant::now() < end {
                        hint::spin_loop();
                    }
                    goroutines::blocking(|| thread::sleep(Duration::from_micros(100)));
                    if i == 3 {
                        assert_eq!(rx.recv().unwrap(), 0);
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(*lock.lock().unwrap(), 1);
    }
}
