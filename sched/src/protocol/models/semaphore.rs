//! The semaphore: no permit is given twice or lost, and no waiter is left asleep while there are enough.
//!
//! As for the locks, this is the source that runs: see [`locks`](super::locks).

use std::sync::{Arc, atomic::AtomicBool as StdAtomicBool};

use loom::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use super::{
    explore,
    locks::{door::lose_patience, later, raw::rawsem::RawSemaphore},
};

const PREEMPTIONS: usize = 2;

/// A semaphore, and how many permits its users hold.
struct Counted {
    semaphore: RawSemaphore,
    held: AtomicU64,
    limit: u64,
}

impl Counted {
    fn got(&self, n: u64) {
        // Relaxed: with any order the last thread sees it if there are too many.
        assert!(self.held.fetch_add(n, Ordering::Relaxed) + n <= self.limit);
    }

    fn give_back(&self, n: u64) {
        // Relaxed: as in `got`; before the release, after which another thread may count.
        self.held.fetch_sub(n, Ordering::Relaxed);
        assert!(self.semaphore.release(n));
    }

    fn use_some(&self, n: u64) {
        assert!(self.semaphore.acquire(n, None));
        self.got(n);
        self.give_back(n);
    }

    fn use_some_in_time(&self, n: u64) {
        if self.semaphore.acquire(n, Some(&later())) {
            self.got(n);
            self.give_back(n);
        }
    }

    fn use_some_if_free(&self, n: u64) {
        if self.semaphore.try_acquire(n) {
            self.got(n);
            self.give_back(n);
        }
    }
}

/// Runs each of `programs` on a thread of its own over a semaphore with `permits`, the first here. A waiter that is
/// never woken is a deadlock, which loom reports; afterwards all permits must be there.
fn together(permits: u64, programs: &'static [fn(&Counted)]) {
    together_with(PREEMPTIONS, permits, programs);
}

fn together_with(preemptions: usize, permits: u64, programs: &'static [fn(&Counted)]) {
    explore(Some(preemptions), move || {
        let counted = Arc::new(Counted {
            semaphore: RawSemaphore::new(permits),
            held: AtomicU64::new(0),
            limit: permits,
        });
        let others: Vec<_> = programs[1..]
            .iter()
            .map(|program| {
                let counted = Arc::clone(&counted);
                thread::spawn(move || program(&counted))
            })
            .collect();
        programs[0](&counted);
        others.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(counted.semaphore.free(), permits);
        assert!(counted.semaphore.nobody_waits());
    });
}

fn one(counted: &Counted) {
    counted.use_some(1);
}

fn two(counted: &Counted) {
    counted.use_some(2);
}

fn one_twice(counted: &Counted) {
    one(counted);
    one(counted);
}

fn one_impatiently(counted: &Counted) {
    lose_patience();
    one(counted);
}

fn two_impatiently(counted: &Counted) {
    lose_patience();
    two(counted);
}

#[test]
fn with_one_permit_it_is_a_lock() {
    together(1, &[one, one, one]);
}

#[test]
fn who_wants_many_and_who_want_few_all_get_theirs() {
    together(2, &[two, one, one]);
    together(2, &[one, two, two]);
}

#[test]
fn one_that_starves_is_served_before_those_who_come() {
    together(1, &[one_twice, one_impatiently, one_impatiently]);
    // The waiter is not woken while there are not enough, so another thread finds that it starves.
    together(2, &[one_twice, two_impatiently, one]);
}

#[test]
fn permits_that_come_together_wake_all_for_whom_they_are_enough() {
    explore(Some(PREEMPTIONS), || {
        let semaphore = Arc::new(RawSemaphore::new(0));
        let takers = [1, 1].map(|n| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || assert!(semaphore.acquire(n, None)))
        });
        assert!(semaphore.release(2));
        takers.into_iter().for_each(|one| one.join().unwrap());
        assert!(semaphore.free() == 0 && semaphore.nobody_waits());
    });
}

/// The waiter is woken when the first permit comes, and has not taken it when those for the other come.
#[test]
fn one_that_was_woken_sees_to_what_it_leaves() {
    explore(Some(PREEMPTIONS), || {
        let semaphore = Arc::new(RawSemaphore::new(0));
        let take = |n| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || assert!(semaphore.acquire(n, None)))
        };
        let one = take(1);
        while !semaphore.has_waiters() {
            thread::yield_now();
        }
        let two = take(2);
        assert!(semaphore.release(1));
        assert!(semaphore.release(2));
        [one, two].into_iter().for_each(|one| one.join().unwrap());
        assert!(semaphore.free() == 0 && semaphore.nobody_waits());
    });
}

#[test]
fn permits_that_are_kept_are_given_to_those_who_wait_and_taken_by_nobody() {
    let programs: [[fn(&Counted); 2]; 4] = [
        [two, one],
        [one, one_impatiently],
        [two_impatiently, |counted| counted.use_some_if_free(1)],
        [two, |counted| counted.use_some_in_time(2)],
    ];
    for [first, second] in programs {
        explore(Some(PREEMPTIONS), move || {
            let counted = Arc::new(Counted {
                semaphore: RawSemaphore::new(2),
                held: AtomicU64::new(0),
                limit: 2,
            });
            assert!(counted.semaphore.acquire(2, None));
            let run = |program: fn(&Counted)| {
                let counted = Arc::clone(&counted);
                thread::spawn(move || program(&counted))
            };
            let first = run(first);
            while !counted.semaphore.has_waiters() {
                thread::yield_now();
            }
            let second = run(second);
            counted.semaphore.starve();
            assert!(counted.semaphore.release(1));
            assert!(counted.semaphore.release(1));
            one(&counted);
            [first, second]
                .into_iter()
                .for_each(|one| one.join().unwrap());
            assert!(counted.semaphore.free() == 2 && counted.semaphore.nobody_waits());
        });
    }
}

/// A waiter for both permits was woken, and both are taken before it comes. In some order the other waiter, which
/// starves, is given the first permit that comes back while the woken one is still on its way.
#[test]
fn one_that_starves_does_not_wait_for_one_that_was_woken() {
    static GIVEN: StdAtomicBool = StdAtomicBool::new(false);
    explore(Some(PREEMPTIONS), || {
        let counted = Arc::new(Counted {
            semaphore: RawSemaphore::new(2),
            held: AtomicU64::new(0),
            limit: 2,
        });
        assert!(counted.semaphore.acquire(2, None));
        let programs: [fn(&Counted); 2] = [two, one_impatiently];
        let others = programs.map(|program| {
            let counted = Arc::clone(&counted);
            let other = thread::spawn(move || program(&counted));
            thread::yield_now();
            other
        });
        assert!(counted.semaphore.release(2));
        if counted.semaphore.try_acquire(2) {
            counted.semaphore.starve();
            let semaphore = &counted.semaphore;
            let both = || semaphore.has_waiters() && semaphore.somebody_was_woken();
            let before = both();
            assert!(semaphore.release(1));
            if before && semaphore.free() == 0 && semaphore.somebody_was_woken() {
                // Relaxed: only whether it ever happened counts.
                GIVEN.store(true, Ordering::Relaxed);
            }
            assert!(semaphore.release(1));
        }
        others.into_iter().for_each(|one| one.join().unwrap());
        assert!(counted.semaphore.free() == 2 && counted.semaphore.nobody_waits());
    });
    assert!(GIVEN.load(Ordering::Relaxed));
}

/// The permit is free, and not owned by a sleeping waiter: in some order the thread that gives it back takes it
/// again.
#[test]
fn who_comes_may_overtake_who_was_woken() {
    static OVERTOOK: StdAtomicBool = StdAtomicBool::new(false);
    explore(Some(PREEMPTIONS), || {
        let counted = Arc::new(Counted {
            semaphore: RawSemaphore::new(1),
            held: AtomicU64::new(0),
            limit: 1,
        });
        assert!(counted.semaphore.acquire(1, None));
        let other = thread::spawn({
            let counted = Arc::clone(&counted);
            move || one(&counted)
        });
        assert!(counted.semaphore.release(1));
        if counted.semaphore.try_acquire(1) {
            if counted.semaphore.somebody_was_woken() {
                // Relaxed: only whether it ever happened counts.
                OVERTOOK.store(true, Ordering::Relaxed);
            }
            counted.got(1);
            counted.give_back(1);
        }
        other.join().unwrap();
        assert!(counted.semaphore.nobody_waits());
    });
    assert!(OVERTOOK.load(Ordering::Relaxed));
}

#[test]
fn who_tries_takes_none_from_those_who_wait() {
    // Three: it must come between the look and the taking of the serving thread, and stay until the other has got its
    // own.
    together_with(3, 1, &[one, one, |counted| counted.use_some_if_free(1)]);
    together(2, &[one, two, |counted| counted.use_some_if_free(1)]);
}

#[test]
fn who_gives_up_takes_no_permit_along_and_lets_those_behind_pass() {
    // No thread gives a permit back to wake the second waiter: one is free all the time.
    together(1, &[one, |counted| counted.use_some_in_time(2)]);
    together(1, &[one, one, |counted| counted.use_some_in_time(1)]);
    together(2, &[one, one, |counted| counted.use_some_in_time(2)]);
}

#[test]
fn permits_that_are_forgotten_are_not_given_as_well() {
    explore(Some(PREEMPTIONS), || {
        let semaphore = Arc::new(RawSemaphore::new(1));
        let taker = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || assert!(semaphore.acquire(1, None))
        });
        let forgotten = semaphore.forget(1);
        assert!(semaphore.release(1));
        taker.join().unwrap();
        assert_eq!(semaphore.free(), 1 - forgotten);
        assert!(semaphore.nobody_waits());
    });
}

/// Memory that one thread passes to the next with a permit: loom reports a race when it was not published.
#[test]
fn a_permit_carries_what_was_written_before_it_was_given() {
    explore(Some(PREEMPTIONS), || {
        let semaphore = Arc::new(RawSemaphore::new(0));
        let cells = Arc::new([0, 0].map(loom::cell::UnsafeCell::new));
        let givers: Vec<_> = (0..2)
            .map(|i| {
                let (semaphore, cells) = (Arc::clone(&semaphore), Arc::clone(&cells));
                thread::spawn(move || {
                    // SAFETY: read only by a thread with both permits; loom checks it.
                    cells[i].with_mut(|cell| unsafe { *cell = 7 });
                    assert!(semaphore.release(1));
                })
            })
            .collect();
        assert!(semaphore.acquire(2, None));
        for cell in cells.iter() {
            // SAFETY: this thread has both permits; loom checks it.
            cell.with(|cell| assert_eq!(unsafe { *cell }, 7));
        }
        givers.into_iter().for_each(|one| one.join().unwrap());
    });
}
