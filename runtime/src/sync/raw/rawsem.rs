//! The permits of a semaphore, and the queue of its waiters.
//!
//! ```text
//!   63                   3      2         1       0
//!  ┌─────────────────────┬──────────┬───────┬────────┐   QUEUED: the queue is not empty
//!  │ free permits        │ STARVING │ WOKEN │ QUEUED │   WOKEN: some were taken out and made ready, and not all of
//!  └─────────────────────┴──────────┴───────┴────────┘          them have tried yet
//!                                                        STARVING: one waits for too long; only beside QUEUED
//! acquire n                                    release n
//! A1 not STARVING, n are free: CAS takes them  R1 CAS adds n; not QUEUED, or WOKEN and not STARVING: done
//! A2 spin a little                             R2 lock the queue, and serve
//! A3 lock the queue; as A1
//! A4 CAS sets QUEUED; into the queue, sleep    serve
//! A5 woken: they are ours, or: as A1, and      S1 STARVING: while there are as many as the first one
//!    clear WOKEN; lost: as A3, whatever           wants: take it out, take its permits for it
//!    STARVING says; then to the front, clear   S2 not STARVING, not WOKEN: take out the first ones, as
//!    WOKEN, set STARVING if it starves            far as there are as many as they want; set WOKEN
//! A6 some are left, QUEUED: R2                 S3 the first one starves, and there are not enough for
//! A7 the limit: lock the queue, leave, serve       it: set STARVING
//!                                              S4 the queue is empty: clear QUEUED and STARVING
//!                                              S5 unlock; wake those that were taken out
//! ```
//!
//! A new caller may take free permits before the waiters (waiter.rs), until one of them starves: from then on none
//! does. Permits gather until there are as many as the first waiter wants, and waiters are served in the order in which
//! they came, as long as the first of them starves. So callers that want few permits cannot keep out one that wants
//! many. It is not woken while there are not enough, so it cannot notice itself that it starves: S3 does, at a release.
//!
//! A3 and R1 cannot miss each other: both change the one word, so the later of the two sees the other's.
//! If that is R1, it finds the waiter in the queue, because R2 waits for the lock that A4 gives up.
//!
//! WOKEN: R1 leaves the rest to the waiter on its way. That one takes its permits, and then in A6 serves with what is
//! left; or it comes too late, is the first in the queue again, and there are not enough for it until the next R1.
//!
//! In S1 the number of free permits can only grow: all that take some look at STARVING, or hold the lock.
//!
//! A7 serves because the waiter that leaves may have wanted many, and those behind it want fewer. The claim decides
//! that it does not leave with permits that were given to it: see sleeper.rs.

use std::cell::UnsafeCell;

use super::{
    door::{AtomicU64, ByteLock, Ordering, SPINS, WaitReason, current, procs, spin_loop},
    limit::Limit,
    sleeper::{Sleeper, Sleeps, wake_all},
    waiter::Waiter,
    waitq::{Node, Place, Queue},
};

const QUEUED: u64 = 1;
const WOKEN: u64 = 2;
const STARVING: u64 = 4;
/// One permit, in the word.
const ONE: u64 = 8;

/// How many permits there can be.
pub(crate) const MAX_PERMITS: u64 = u64::MAX >> 3;

struct Wish {
    waiter: Waiter,
    wants: u64,
}

impl Sleeps for Wish {
    fn sleeper(&self) -> Sleeper {
        self.waiter.sleeper()
    }
}

pub(crate) struct RawSemaphore {
    word: AtomicU64,
    queue_lock: ByteLock,
    queue: UnsafeCell<Queue<Wish>>,
}

// SAFETY: `queue` is only touched under `queue_lock`; what it carries is Send.
unsafe impl Sync for RawSemaphore {}
// SAFETY: the queue is empty while the semaphore is not borrowed: nothing is moved that a waiter points to.
unsafe impl Send for RawSemaphore {}

macro_rules! fresh {
    ($permits:ident) => {
        RawSemaphore {
            word: AtomicU64::new($permits * ONE),
            queue_lock: ByteLock::new(),
            queue: UnsafeCell::new(Queue::new()),
        }
    };
}

impl RawSemaphore {
    /// With at most [`MAX_PERMITS`] free permits.
    #[cfg(not(goroutines_loom))]
    #[inline]
    pub(crate) const fn new(permits: u64) -> RawSemaphore {
        fresh!(permits)
    }

    #[cfg(goroutines_loom)]
    pub(crate) fn new(permits: u64) -> RawSemaphore {
        fresh!(permits)
    }

    /// How many are free.
    #[inline]
    pub(crate) fn free(&self) -> u64 {
        // Relaxed: a snapshot.
        self.word.load(Ordering::Relaxed) / ONE
    }

    /// Returns whether the queue is empty, and the word says so.
    #[cfg(goroutines_loom)]
    pub(crate) fn nobody_waits(&self) -> bool {
        // SAFETY: the model is over.
        let empty = unsafe { (*self.queue.get()).is_empty() };
        empty && self.word.load(Ordering::Relaxed) & (ONE - 1) == 0 // Relaxed: as above.
    }

    /// Returns whether there are waiters.
    #[cfg(goroutines_loom)]
    pub(crate) fn has_waiters(&self) -> bool {
        self.word.load(Ordering::Relaxed) & QUEUED != 0 // Relaxed: a snapshot.
    }

    /// As if a waiter that starves had lost.
    #[cfg(goroutines_loom)]
    pub(crate) fn starve(&self) {
        self.queue_lock.lock();
        // Relaxed: under the lock, QUEUED does not change. STARVING is set where the real one is: beside QUEUED.
        if self.word.load(Ordering::Relaxed) & QUEUED != 0 {
            self.word.fetch_or(STARVING, Ordering::Relaxed);
        }
        // SAFETY: locked above.
        unsafe { self.queue_lock.unlock() };
    }

    /// Returns whether a woken waiter is on its way.
    #[cfg(goroutines_loom)]
    pub(crate) fn somebody_was_woken(&self) -> bool {
        self.word.load(Ordering::Relaxed) & WOKEN != 0 // Relaxed: a snapshot.
    }

    /// A1. With `n` = 0 it always succeeds.
    #[inline(always)]
    pub(crate) fn try_acquire(&self, n: u64) -> bool {
        // Relaxed: the CAS decides.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & STARVING == 0 && word / ONE >= n {
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

    /// Waits until `n` are free, at most until `limit`, and takes them; returns whether it did.
    #[inline(always)]
    pub(crate) fn acquire(&self, n: u64, limit: Option<&Limit<'_>>) -> bool {
        self.try_acquire(n) || self.acquire_slow(n, limit)
    }

    #[cold]
    #[inline(never)]
    fn acquire_slow(&self, n: u64, limit: Option<&Limit<'_>>) -> bool {
        if self.spin(n) {
            return true;
        }
        let g = current();
        let Some(waiter) = Waiter::new(g, limit) else {
            return false;
        };
        let node = Place::of(g, Wish { waiter, wants: n });
        let waiter = &node.data.waiter;
        let (mut was_woken, mut starving) = (false, 0);
        loop {
            self.queue_lock.lock();
            if self.take_or_announce(n, was_woken, starving) {
                // SAFETY: locked above.
                unsafe { self.serve_and_unlock() };
                return true;
            }
            // SAFETY: the lock is held; the node stays here until it was taken out, by the release that wakes us or
            // below. The sleeper is the one of this wait.
            let in_time = unsafe {
                let queue = &mut *self.queue.get();
                if was_woken {
                    queue.push_front(&node);
                } else {
                    queue.push_back(&node);
                }
                let wait = WaitReason::SemaphoreAcquire.on(self);
                waiter.sleeper().sleep(wait, limit, &self.queue_lock)
            };
            if !in_time {
                self.queue_lock.lock();
                // SAFETY: the lock is held; the node was put into this queue. It is no longer there if a
                // release took it out and found its ticket claimed.
                unsafe {
                    (*self.queue.get()).unlink(&node);
                    self.serve_and_unlock();
                }
                return false;
            }
            if waiter.was_served() || self.take_woken(n) {
                return true;
            }
            was_woken = true;
            starving = if waiter.starves() { STARVING } else { 0 };
            waiter.again(g, limit);
        }
    }

    /// Spins a little, unless there is one P: then the holders of permits do not run meanwhile.
    fn spin(&self, n: u64) -> bool {
        let spins = if procs() < 2 { 0 } else { SPINS };
        for _ in 0..spins {
            // Relaxed: a hint. Where others are queued, more spinning would only overtake them.
            if self.word.load(Ordering::Relaxed) & QUEUED != 0 {
                return false;
            }
            spin_loop();
            if self.try_acquire(n) {
                return true;
            }
        }
        false
    }

    /// A5 and A6, for a waiter that was woken to try.
    fn take_woken(&self, n: u64) -> bool {
        // Relaxed: the CAS decides.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & STARVING == 0 && word / ONE >= n {
            let new = (word - n * ONE) & !WOKEN;
            // Acquire: partner is the Release in `release`.
            match self
                .word
                .compare_exchange_weak(word, new, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => {
                    if new & QUEUED != 0 && new >= ONE {
                        self.serve();
                    }
                    return true;
                }
                Err(now) => word = now,
            }
        }
        false
    }

    /// A3, under the lock: takes `n` (true), or announces a waiter, with the bit `starving`. A woken waiter is the
    /// first in line.
    fn take_or_announce(&self, n: u64, was_woken: bool, starving: u64) -> bool {
        let done = if was_woken { WOKEN } else { 0 };
        // Relaxed: the CAS decides.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let take = (was_woken || word & STARVING == 0) && word / ONE >= n;
            let new = if take {
                word - n * ONE
            } else {
                word | QUEUED | starving
            };
            // Acquire: partner is the Release in `release`.
            match self.word.compare_exchange_weak(
                word,
                new & !done,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return take,
                Err(now) => word = now,
            }
        }
    }

    /// Adds `n`, and serves waiters with them. `false`: there would be more than [`MAX_PERMITS`];
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
            // R1. Release: partners are the Acquires of those that take.
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
        if word & QUEUED != 0 && word & (WOKEN | STARVING) != WOKEN {
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

    /// S1 to S5.
    ///
    /// # Safety
    ///
    /// The caller holds the queue's lock.
    unsafe fn serve_and_unlock(&self) {
        // SAFETY: the caller holds the lock.
        let queue = unsafe { &mut *self.queue.get() };
        let (mut taken, mut count, mut given) = (Queue::new(), 0, 0);
        // Relaxed: the CAS below decides. QUEUED and STARVING do not change without the lock, and WOKEN is not set. If it
        // is STARVING, others can only add permits; if not, this number is a guess.
        let mut word = self.word.load(Ordering::Relaxed);
        let mut free = word / ONE;
        let mut starving = word & STARVING != 0 && first_starves(queue);
        while starving && let Some(wish) = take_if_enough(queue, free) {
            wish.data.waiter.serve();
            free -= wish.data.wants;
            given += wish.data.wants;
            // SAFETY: out of its queue, and parked until it is woken below: its wait was claimed.
            unsafe { taken.push_back(wish) };
            count += 1;
            starving = first_starves(queue);
        }
        let mut woken = 0;
        if !starving && word & WOKEN == 0 {
            while let Some(wish) = take_if_enough(queue, free) {
                free -= wish.data.wants;
                // SAFETY: out of its queue, and parked until it is woken below: its wait was claimed.
                unsafe { taken.push_back(wish) };
                count += 1;
                woken = WOKEN;
            }
            // Of the waiters that want more only the first is checked, and only if it is not behind others.
            starving = count == 0 && first_starves(queue);
        }
        loop {
            let bits = match (queue.is_empty(), starving) {
                (true, _) => 0,
                (false, false) => QUEUED,
                (false, true) => QUEUED | STARVING,
            };
            let new = (word & !(QUEUED | STARVING) | bits | woken) - given * ONE;
            // Acquire: partners are the Releases of those that gave these permits back; waking passes that on.
            match self
                .word
                .compare_exchange_weak(word, new, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        // SAFETY: locked by the caller. Those that were taken out are woken once: a single one next, as a
        // mutex does it, more of them in their turn.
        unsafe {
            self.queue_lock.unlock();
            match taken.first().filter(|_| count == 1) {
                Some(wish) => wish.sleeper().wake(),
                None => wake_all(taken),
            }
        }
    }

    /// Removes up to `n` of the free permits, also if there are waiters; returns how many.
    pub(crate) fn forget(&self, n: u64) -> u64 {
        // Under the lock: in S1 the free permits can only grow.
        self.queue_lock.lock();
        let mut taken = 0;
        let take = |word| {
            taken = n.min(word / ONE);
            Some(word - taken * ONE)
        };
        // Relaxed (both): nothing is done with them. It never refuses.
        let _ = self
            .word
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        // SAFETY: locked above.
        unsafe { self.queue_lock.unlock() };
        taken
    }
}

fn first_starves(queue: &Queue<Wish>) -> bool {
    queue.first().is_some_and(|first| first.waiter.starves())
}

/// Takes the first out whose wait is not over, if `free` are enough for it. Under the queue's lock.
fn take_if_enough(queue: &mut Queue<Wish>, free: u64) -> Option<&Node<Wish>> {
    while queue.first()?.wants <= free {
        // SAFETY: a waiter leaves its node only after it was woken, or under the lock, which is held.
        let node = unsafe { queue.pop_front()?.as_ref() };
        if node.data.sleeper().claim() {
            return Some(node);
        }
    }
    None
}

#[cfg(all(test, not(goroutines_loom)))]
#[path = "rawsem/tests.rs"]
mod tests;
