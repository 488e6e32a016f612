//! The global queue is two: what was spawned does not wait for all that has begun. Counted in rounds, not in time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use goroutines::{JoinHandle, go, yield_now};
use goroutines_sched::rounds;
use goroutines_tests::alone;

/// Many goroutines that yield until they are stopped, at most for 30 seconds: a test that fails ends, too.
struct Storm {
    stop: Arc<AtomicBool>,
    /// How often each of them has had its turn.
    turns: Arc<Vec<AtomicU64>>,
    all: Vec<JoinHandle<()>>,
}

impl Storm {
    /// All have had a turn when this returns.
    fn new(count: usize) -> Storm {
        let mut storm = Storm {
            stop: Arc::default(),
            turns: Arc::new((0..count).map(|_| AtomicU64::new(0)).collect()),
            all: Vec::new(),
        };
        let end = Instant::now() + Duration::from_secs(30);
        for i in 0..count {
            let (stop, turns) = (Arc::clone(&storm.stop), Arc::clone(&storm.turns));
            storm.all.push(go(move || {
                // Relaxed (both): only to end, and a count.
                while !stop.load(Ordering::Relaxed) && Instant::now() < end {
                    turns[i].fetch_add(1, Ordering::Relaxed);
                    yield_now();
                }
            }));
        }
        storm.until_all_had(1);
        storm
    }

    /// Yields until each of them has had `turns` turns.
    fn until_all_had(&self, turns: u64) {
        let end = Instant::now() + Duration::from_secs(20);
        let fewest = || {
            self.turns
                .iter()
                .map(|one| one.load(Ordering::Relaxed))
                .min()
        };
        while fewest() < Some(turns) {
            assert!(
                Instant::now() < end,
                "one of them has had {:?} turns",
                fewest()
            );
            yield_now();
        }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed); // Relaxed: only to end.
        self.all.into_iter().for_each(|one| one.join().unwrap());
    }
}

#[test]
fn one_that_never_ran_does_not_wait_for_all_that_yield() {
    let _alone = alone(1);
    go(|| {
        // More than a ring holds: the others are in the global queue.
        let storm = Storm::new(4000);
        let mut waited: Vec<u32> = (0..20)
            .map(|_| {
                let before = rounds().unwrap();
                let one = go(move || rounds().unwrap().wrapping_sub(before));
                let waited = one.join().unwrap();
                (0..10).for_each(|_| yield_now());
                waited
            })
            .collect();
        storm.stop();
        waited.sort_unstable();
        // A round in which one is taken, and then its place in the ring. Behind all others it would be a hundred thousand.
        assert!(waited[10] <= 5000, "{waited:?} rounds");
    })
    .join()
    .unwrap();
}

#[test]
fn all_of_many_that_yield_have_turns() {
    let _alone = alone(1);
    go(|| {
        let storm = Storm::new(3000);
        storm.until_all_had(5);
        storm.stop();
    })
    .join()
    .unwrap();
}
