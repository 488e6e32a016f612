//! The permits of a semaphore, and the queue of those who wait for some.
//!
//! ```text
//!   63                              1     0
//!  ┌─────────────────────────────────┬────────┐
//!  │ free permits                    │ QUEUED │   QUEUED: the queue is not empty
//!  └─────────────────────────────────┴────────┘
//!
//! acquire n                                    release n
//! A1 not QUEUED, n are free: CAS takes them    R1 CAS adds n; not QUEUED: done
//! A2 lock the queue                            R2 lock the queue
//! A3 as A1; if not: CAS sets QUEUED            R3 while there are as many as the first one wants:
//! A4 into the queue, sleep                        take it out, claim its wait; lost: it has gone,
//! A5 woken: they are ours                         go on; else take its permits for it
//! A6 time up: lock the queue, leave it, then   R4 the queue is empty: clear QUEUED
//!    R3 to R6                                  R5 unlock
//!                                              R6 wake those that were taken out
//! ```
//!
//! First come, first served: while somebody waits, A1 and A3 take nothing, so permits gather until there
//! are as many as the first one wants. Many who want little cannot keep out one who wants much.
//!
//! A3 and R1 cannot miss each other: both change the one word, so the later of the two sees the other's.
//! If that is R1, it finds the waiter in the queue, because R2 waits for the lock that A4 gives free.
//!
//! In R3 the number of free permits can only grow: all that take some look at QUEUED, or hold the lock.
//!
//! A6 serves because who leaves may be the one who wanted much, behind whom others wait for less. That
//! it does not leave with what was given to it, the claim decides: see sleeper.rs.

use std::cell::UnsafeCell;

use super::{
    door::{AtomicU64, ByteLock, Instant, Ordering, current},
    sleeper::{Sleeper, Sleeps, wake_all},
    waitq::{Place, Queue},
};

const QUEUED: u64 = 1;
/// One permit, in the word.
const ONE: u64 = 2;

/// How many permits there can be.
pub(crate) const MAX_PERMITS: u64 = u64::MAX >> 3;

struct Waiter {
    sleeper: Sleeper,
    wants: u64,
}

impl Sleeps for Waiter {
    fn sleeper(&self) -> Sleeper {
        self.sleeper
    }
}

pub(crate) struct RawSemaphore {
    word: AtomicU64,
    queue_lock: ByteLock,
    queue: UnsafeCell<Queue<Waiter>>,
}

// SAFETY: `queue` is only touched under `queue_lock`; what it carries is Send.
unsafe impl Sync for RawSemaphore {}
// SAFETY: as above; the queue is empty while nobody borrows the semaphore.
unsafe impl Send for RawSemaphore {}

impl RawSemaphore {
    /// With at most [`MAX_PERMITS`] free permits.
    #[cfg(not(loom))]
    #[inline]
    pub(crate) const fn new(permits: u64) -> RawSemaphore {
        RawSemaphore {
            word: AtomicU64::new(permits * ONE),
            queue_lock: ByteLock::new(),
            queue: UnsafeCell::new(Queue::new()),
        }
    }

    #[cfg(loom)]
    pub(crate) fn new(permits: u64) -> RawSemaphore {
        RawSemaphore {
            word: AtomicU64::new(permits * ONE),
            queue_lock: ByteLock::new(),
            queue: UnsafeCell::new(Queue::new()),
        }
    }

    /// How many are free.
    #[inline]
    pub(crate) fn free(&self) -> u64 {
        // Relaxed: a snapshot.
        self.word.load(Ordering::Relaxed) / ONE
    }

    /// Is nobody in the queue, and the word says so?
    #[cfg(loom)]
    pub(crate) fn nobody_waits(&self) -> bool {
        // SAFETY: the model is over.
        let empty = unsafe { (*self.queue.get()).is_empty() };
        // Relaxed: as above.
        empty && self.word.load(Ordering::Relaxed) & QUEUED == 0
    }

    /// A1. None are always there.
    #[inline(always)]
    pub(crate) fn try_acquire(&self, n: u64) -> bool {
        // Relaxed: the CAS decides.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & QUEUED == 0 && word / ONE >= n {
            // Acquire: partner is the Release in `release`.
            match self.word.compare_exchange_weak(
                word,
                word - n * ONE,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        n == 0
    }

    /// Waits until `n` are there, at most until `deadline`, and takes them; says whether it did.
    #[inline(always)]
    pub(crate) fn acquire(&self, n: u64, deadline: Option<Instant>) -> bool {
        self.try_acquire(n) || self.acquire_slow(n, deadline)
    }

    #[cold]
    #[inline(never)]
    fn acquire_slow(&self, n: u64, deadline: Option<Instant>) -> bool {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return false;
        }
        let g = current();
        let sleeper = Sleeper::new(g, deadline);
        let node = Place::of(g, Waiter { sleeper, wants: n });
        self.queue_lock.lock();
        if self.take_or_announce(n) {
            // SAFETY: locked above.
            unsafe { self.queue_lock.unlock() };
            return true;
        }
        // SAFETY: the lock is held; the node stays here until it was taken out, by who wakes us or below.
        // The sleeper was made for this wait.
        let served = unsafe {
            (*self.queue.get()).push_back(&node);
            sleeper.sleep(deadline, &self.queue_lock)
        };
        if !served {
            self.queue_lock.lock();
            // SAFETY: the lock is held; the node was put into this queue. It is not there any more if
            // somebody took it out who then lost the ticket to the timer.
            unsafe {
                (*self.queue.get()).unlink(&node);
                self.serve_and_unlock();
            }
        }
        served
    }

    /// A3, under the lock: takes `n` (true), or announces a waiter.
    fn take_or_announce(&self, n: u64) -> bool {
        // Relaxed: the CAS decides.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let take = word & QUEUED == 0 && word / ONE >= n;
            let new = if take { word - n * ONE } else { word | QUEUED };
            // Acquire: partner is the Release in `release`.
            match self
                .word
                .compare_exchange_weak(word, new, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return take,
                Err(now) => word = now,
            }
        }
    }

    /// Adds `n`, and gives them to who waits. `false`: there would be more than [`MAX_PERMITS`];
    /// nothing has changed.
    #[inline(always)]
    #[must_use]
    pub(crate) fn release(&self, n: u64) -> bool {
        // Relaxed: the CAS decides.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if n > MAX_PERMITS - word / ONE {
                return false;
            }
            // R1. Release: partners are the Acquires of those who take.
            match self.word.compare_exchange_weak(
                word,
                word + n * ONE,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        if word & QUEUED != 0 {
            self.serve();
        }
        true
    }

    #[cold]
    #[inline(never)]
    fn serve(&self) {
        self.queue_lock.lock();
        // SAFETY: locked above.
        unsafe { self.serve_and_unlock() };
    }

    /// R3 to R6.
    ///
    /// # Safety
    ///
    /// The caller holds the queue's lock.
    unsafe fn serve_and_unlock(&self) {
        let mut served = Queue::new();
        let mut count = 0;
        // SAFETY: the lock is held, says the caller.
        let queue = unsafe { &mut *self.queue.get() };
        while let Some(first) = queue.first()
            && first.wants <= self.free()
        {
            let (sleeper, wants) = (first.sleeper, first.wants);
            let Some(node) = queue.pop_front() else { break };
            if !sleeper.claim() {
                continue;
            }
            // Acquire: partners are the Releases of all who have put these permits there; waking passes
            // that on.
            self.word.fetch_sub(wants * ONE, Ordering::Acquire);
            // SAFETY: out of its queue, and parked until it is woken below: its wait was claimed.
            unsafe { served.push_back(node.as_ref()) };
            count += 1;
        }
        if queue.is_empty() {
            // Relaxed: of the permits in the word others are Acquired with them; the queue has its lock.
            self.word.fetch_and(!QUEUED, Ordering::Relaxed);
        }
        // SAFETY: locked by the caller. Those that were taken out are woken once: a single one next, as a
        // mutex does it, more of them in their turn.
        unsafe {
            self.queue_lock.unlock();
            match served.first().filter(|_| count == 1) {
                Some(waiter) => waiter.sleeper.wake(),
                None => wake_all(served),
            }
        }
    }

    /// Takes up to `n` of the free permits away, also from under those who wait; says how many.
    pub(crate) fn forget(&self, n: u64) -> u64 {
        // Who serves relies on it that nobody else takes.
        self.queue_lock.lock();
        // Relaxed: the CAS decides.
        let mut word = self.word.load(Ordering::Relaxed);
        let taken = loop {
            let taken = n.min(word / ONE);
            // Relaxed: nothing is done with them.
            match self.word.compare_exchange_weak(
                word,
                word - taken * ONE,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => break taken,
                Err(now) => word = now,
            }
        };
        // SAFETY: locked above.
        unsafe { self.queue_lock.unlock() };
        taken
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        thread,
        time::Duration,
    };

    use super::RawSemaphore;

    impl RawSemaphore {
        fn waiting(&self) -> usize {
            self.queue_lock.lock();
            // SAFETY: the lock is held.
            let count = unsafe { (*self.queue.get()).len() };
            // SAFETY: locked above.
            unsafe { self.queue_lock.unlock() };
            count
        }
    }

    /// Threads that wait for so many permits each, come in this order, and note when they got them.
    struct Line {
        semaphore: RawSemaphore,
        served: Mutex<Vec<usize>>,
    }

    fn line_of(wants: &[u64]) -> (Arc<Line>, Vec<thread::JoinHandle<()>>) {
        let line = Arc::new(Line {
            semaphore: RawSemaphore::new(0),
            served: Mutex::new(Vec::new()),
        });
        let come = wants.iter().enumerate().map(|(i, &wants)| {
            let same = Arc::clone(&line);
            let thread = thread::spawn(move || {
                assert!(same.semaphore.acquire(wants, None));
                same.served.lock().unwrap().push(i);
            });
            until(|| line.semaphore.waiting() == i + 1);
            thread
        });
        let threads = come.collect();
        (line, threads)
    }

    fn until(condition: impl Fn() -> bool) {
        while !condition() {
            thread::sleep(Duration::from_micros(100));
        }
    }

    #[test]
    fn permits_are_given_in_the_order_of_coming() {
        for wants in [[1; 5], [1, 5, 1, 2, 1]] {
            let (line, threads) = line_of(&wants);
            for (i, &wants) in wants.iter().enumerate() {
                (0..wants).for_each(|_| assert!(line.semaphore.release(1)));
                until(|| line.served.lock().unwrap().len() == i + 1);
            }
            threads.into_iter().for_each(|one| one.join().unwrap());
            assert_eq!(*line.served.lock().unwrap(), [0, 1, 2, 3, 4]);
            assert_eq!(line.semaphore.free(), 0);
        }
    }

    #[test]
    fn permits_that_come_together_go_to_all_for_whom_they_are_enough() {
        let (line, threads) = line_of(&[2, 3, 2]);
        assert!(line.semaphore.release(6));
        // One is left: too few for the third, and not for others.
        assert_eq!((line.semaphore.waiting(), line.semaphore.free()), (1, 1));
        assert!(!line.semaphore.try_acquire(1));
        assert!(line.semaphore.release(1));
        threads.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(line.semaphore.free(), 0);
    }
}
