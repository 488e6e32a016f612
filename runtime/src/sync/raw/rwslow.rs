//! A reader-writer lock with waiters: steps 2 to 6, r2 and w2 of rawrw.rs.

use super::{
    door::{Ordering, SPINS, current, procs, spin_loop},
    limit::Limit,
    rawrw::RawRw,
    rwword::{
        Access,
        Access::{Read, Write},
        Inside, PHASED, QUEUED, READER, TooMany, WOKEN, WRITING, entered, inside,
    },
    sleeper::Sleeps,
    turns::Next,
    waiter::Waiter,
    waitq::Place,
};

impl RawRw {
    /// w2.
    #[cold]
    #[inline(never)]
    pub(super) fn leave_slow(&self, left: u64) {
        self.queue_lock.lock();
        // Relaxed: ours, so the word changes under the lock only. WRITING -> `left`. Release: partner is the
        // Acquire of what comes in, in `enter` and `enter_or_announce`, or is let in, in `settle`.
        let word = self.word.load(Ordering::Relaxed);
        self.word.store(word - WRITING + left, Ordering::Release);
        self.settle_and_unlock(Write);
    }

    /// r2.
    #[cold]
    #[inline(never)]
    pub(super) fn settle_after(&self, last: Access) {
        self.queue_lock.lock();
        self.settle_and_unlock(last);
    }

    /// Settles, and unlocks the queues, which the caller has locked. The turn before was that of `last`.
    fn settle_and_unlock(&self, last: Access) {
        // SAFETY: the caller has locked; those that are taken out are inside, or WOKEN is set for them.
        unsafe {
            let next = self.settle(last);
            self.queue_lock.unlock();
            next.wake();
        }
    }

    /// # Safety
    ///
    /// The caller holds the queues' lock.
    unsafe fn settle(&self, last: Access) -> Next {
        // Relaxed: the CAS below decides. Of what is used here, QUEUED and PHASED do not change without the lock. If it
        // is PHASED, readers may leave, and the last of them comes here after us. If it is not, others may come in, which
        // leave after us, or leave, and then come here.
        let mut word = self.word.load(Ordering::Relaxed);
        let phased = word & PHASED != 0;
        // SAFETY: the caller holds the lock.
        let waiting = unsafe { &mut *self.waiting.get() };
        let (next, starves) = match inside(word) {
            // Woken waiters are on their way.
            Inside::Nobody if word & WOKEN != 0 && !phased => (Next::Nobody, false),
            inside => waiting.next(inside, last, phased),
        };
        let come = match &next {
            Next::Nobody => 0,
            _ if !phased => WOKEN,
            Next::Writer(writer) => {
                self.owner.give(writer.g());
                WRITING
            }
            Next::Readers(count, _) => count * READER,
        };
        let over = if waiting.are_none() {
            QUEUED | PHASED
        } else if come != 0 && !starves {
            PHASED
        } else {
            0
        };
        loop {
            let new = if phased { word + come } else { word | come } & !over;
            // AcqRel: Acquire's partners are the Release of the readers and writers that have left, for those
            // that we wake; Release's is the Acquire of the next one that comes in.
            match self
                .word
                .compare_exchange_weak(word, new, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return next,
                Err(now) => word = now,
            }
        }
    }

    /// 2 to 6: returns true when the caller is inside, false when its limit has come.
    #[cold]
    #[inline(never)]
    pub(super) fn lock_slow(
        &self,
        access: Access,
        limit: Option<&Limit<'_>>,
    ) -> Result<bool, TooMany> {
        if self.spin(access) {
            return Ok(true);
        }
        let g = current();
        let Some(waiter) = Waiter::new(g, limit) else {
            return Ok(false);
        };
        let node = Place::of(g, waiter);
        let (mut was_woken, mut starving) = (false, 0);
        loop {
            self.queue_lock.lock();
            let entered = self.enter_or_announce(access, was_woken, starving);
            if !matches!(entered, Ok(false)) {
                // SAFETY: locked above.
                unsafe { self.queue_lock.unlock() };
                return entered;
            }
            // SAFETY: the lock is held; the node stays here until it was taken out, by the settle that wakes us or
            // below. The sleeper is the one of this wait.
            let in_time = unsafe {
                let queue = (*self.waiting.get()).of(access);
                if was_woken {
                    queue.push_front(&node);
                } else {
                    queue.push_back(&node);
                }
                let sleeper = node.data.sleeper();
                sleeper.sleep(
                    access.wait_reason().on(&self.owner),
                    limit,
                    &self.queue_lock,
                )
            };
            if !in_time {
                // SAFETY: it was put into this queue.
                unsafe { self.leave(access, &node) };
                return Ok(false);
            }
            if node.data.was_served() || self.enter(access, true).is_some() {
                return Ok(true);
            }
            was_woken = true;
            starving = if node.data.starves() { PHASED } else { 0 };
            node.data.again(g, limit);
        }
    }

    /// 6.
    ///
    /// # Safety
    ///
    /// `node` was put into the queue of `access`.
    unsafe fn leave(&self, access: Access, node: &Place<Waiter>) {
        self.queue_lock.lock();
        // SAFETY: the lock is held; the caller put the node into this queue. It is no longer there if a settle
        // took it out and found its ticket claimed.
        unsafe { (*self.waiting.get()).of(access).unlink(node) };
        // Readers or a writer may be inside: the writers' turn is next, if there are others.
        self.settle_and_unlock(Read);
    }

    /// Spins a little, unless there is one P: then those inside do not run meanwhile.
    fn spin(&self, access: Access) -> bool {
        let spins = if procs() < 2 { 1 } else { SPINS };
        for _ in 0..spins {
            if self.enter(access, false).is_some() {
                return true;
            }
            // Relaxed: a hint. A lock that is handed over does not become free.
            if self.word.load(Ordering::Relaxed) & PHASED != 0 {
                return false;
            }
            spin_loop();
        }
        false
    }

    /// Step 3, under the queues' lock: goes in if that is possible (true), or announces a waiter, with the
    /// bit `starving`.
    fn enter_or_announce(
        &self,
        access: Access,
        was_woken: bool,
        starving: u64,
    ) -> Result<bool, TooMany> {
        let done = if was_woken { WOKEN } else { 0 };
        // Relaxed: the CAS decides.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let (new, entered) = match entered(word, access, was_woken) {
                Ok(Some(new)) => (new, Ok(true)),
                Ok(None) => (word | QUEUED | starving, Ok(false)),
                Err(too_many) => (word, Err(too_many)),
            };
            // Acquire: partner is the Release of those that left.
            match self.word.compare_exchange_weak(
                word,
                new & !done,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return entered,
                Err(now) => word = now,
            }
        }
    }
}
