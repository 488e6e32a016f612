//! The lock word of a reader-writer lock, and the queues of its waiters.
//!
//! The word is drawn in rwword.rs; what is done under the queues' lock stands in rwslow.rs.
//!
//! | QUEUED | WRITING | readers | what may change it                                                |
//! |--------|---------|---------|-------------------------------------------------------------------|
//! | 0      | 0       | 0       | any caller: CAS to WRITING, or one reader; a woken waiter clears WOKEN |
//! | 0      | 0       | n       | any reader: CAS to n + 1; a reader inside: n - 1                  |
//! | 1      | 0       | 0       | as with 0, unless PHASED: then the owner of the queues' lock      |
//! | 1      | 0       | n       | a reader inside: n - 1; a reader that was woken: n + 1            |
//! | any    | 1       | 0       | the owner of the queues' lock; with QUEUED and WOKEN 0 the writer |
//!
//! QUEUED: a queue is not empty. WOKEN: some were taken out and made ready, and not all of them have tried yet; no
//! more are woken for a free lock before one of them has. PHASED: a waiter starves (waiter.rs); only beside QUEUED.
//! A waiter that enters a queue sets QUEUED and PHASED, and what takes waiters out sets WOKEN, under the queues' lock.
//!
//! ```text
//! read, write                                  a reader leaves
//! 1  it may come in: CAS n + 1, or WRITING     r1  n - 1
//! 2  spin a little                             r2  was last, QUEUED; PHASED or not WOKEN:
//! 3  lock the queues; as 1                         lock the queues, settle
//! 4  set QUEUED, into a queue, park
//! 5  woken: inside already: done; else try     a writer leaves
//!    as 1, and clear WOKEN; lost: 3, clear     w1  CAS WRITING -> 0
//!    WOKEN, to the front, and PHASED if        w2  lock the queues, clear WRITING, settle
//!    it starves
//! 6  the limit: lock the queues, leave, settle
//! ```
//!
//! *Settle*, under the queues' lock, takes those out that can go in: after a writer all readers that wait, and if
//! there are none the next writer; after readers the next writer, and if there is none all readers.
//!
//! - Not PHASED: they are woken to try, and WOKEN is set. Others may overtake them (waiter.rs). If the lock is free and
//!   WOKEN is set, there is nothing to do: the waiter on its way goes in and settles when it leaves, or comes too late
//!   because of another that does.
//! - PHASED: they are inside from now on. No other caller comes in. Every turn of one side is followed by one of the
//!   other, so no waiter waits for more than one turn of the other side and of those before it: phase-fair. It ends with
//!   a turn in which no waiter starves, and with the last waiter.
//!
//! New readers do not join readers inside while there are waiters, or they could keep a writer out for ever. Woken
//! readers do: they belong to one turn.
//!
//! - 4 against w1: as in rawlock.rs, QUEUED is set by a CAS on a word that says WRITING, so w1 fails.
//! - 4 against r1: QUEUED is set by a CAS on a word with n > 0, or found set; so the reader that makes it 0 sees QUEUED
//!   and comes to r2, where it gets the queues' lock after 4. Or it sees WOKEN, and leaves it to the waiter on its way.
//! - WOKEN is never left behind: a woken waiter clears it when it comes in, and else in 3, also before it gives up in 6.
//! - Between r1 and r2 of a word that is PHASED no caller goes in but by r2.
//! - A late r2: the waiters may have left, and others may have come. Every settle looks at the word again: the word and
//!   the queues alone say what is to be done.
//! - A waiter that gives up settles: readers may have waited for it alone.

use std::cell::UnsafeCell;

use super::{
    door::{AtomicU64, ByteLock, Ordering, Owner},
    limit::Limit,
    rwword::{
        Access,
        Access::{Read, Write},
        Inside, MOST_READERS, PHASED, QUEUED, READER, TooMany, WOKEN, WRITING, entered, inside,
    },
    turns::Waiting,
};

pub(crate) struct RawRw {
    pub(super) word: AtomicU64,
    /// Records the writer.
    pub(super) owner: Owner,
    pub(super) queue_lock: ByteLock,
    /// Under `queue_lock`.
    pub(super) waiting: UnsafeCell<Waiting>,
}

// SAFETY: `waiting` is only touched under `queue_lock`; what it carries is Send.
unsafe impl Sync for RawRw {}
// SAFETY: the queues are empty while the lock is not borrowed, so nothing is moved that a waiter points to.
unsafe impl Send for RawRw {}

macro_rules! fresh {
    () => {
        RawRw {
            word: AtomicU64::new(0),
            owner: Owner::new(),
            queue_lock: ByteLock::new(),
            waiting: UnsafeCell::new(Waiting::new()),
        }
    };
}

impl RawRw {
    #[cfg(not(goroutines_loom))]
    #[inline]
    pub(crate) const fn new() -> RawRw {
        fresh!()
    }

    #[cfg(goroutines_loom)]
    pub(crate) fn new() -> RawRw {
        fresh!()
    }

    /// Locks for a reader, at most until `limit`; returns whether it did.
    ///
    /// # Errors
    ///
    /// When there are too many readers.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn read(&self, limit: Option<&Limit<'_>>) -> Result<bool, TooMany> {
        if self.join() {
            return Ok(true);
        }
        if limit.is_none() {
            self.owner.check("RwLock::read");
        }
        self.lock_slow(Read, limit)
    }

    /// As [`RawRw::read`], without waiting.
    #[inline(always)]
    pub(crate) fn try_read(&self) -> bool {
        self.join() || self.enter(Read, false).is_some()
    }

    /// 1, where there are no waiters.
    #[inline(always)]
    fn join(&self) -> bool {
        // Relaxed: the CAS decides.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & (WRITING | QUEUED) == 0 && word < MOST_READERS * READER {
            // n -> n + 1. Acquire: partner is the Release of the writer that left. Relaxed on failure: not used.
            match self.word.compare_exchange_weak(
                word,
                word + READER,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Locks for a writer, at most until `limit`; returns whether it did.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn write(&self, limit: Option<&Limit<'_>>) -> bool {
        if !self.take_fresh() {
            if limit.is_none() {
                self.owner.check("RwLock::write");
            }
            // Writers are never too many.
            if !self.lock_slow(Write, limit).unwrap_or(false) {
                return false;
            }
        }
        self.owner.set();
        true
    }

    /// As [`RawRw::write`], without waiting.
    #[inline(always)]
    pub(crate) fn try_write(&self) -> bool {
        let locked = self.take_fresh() || self.enter(Write, false).is_some();
        if locked {
            self.owner.set();
        }
        locked
    }

    /// 1, for a writer that comes alone.
    #[inline(always)]
    fn take_fresh(&self) -> bool {
        // 0 -> WRITING. Acquire: partner is the Release of those that left. Relaxed on failure: not used.
        self.word
            .compare_exchange(0, WRITING, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// 1, for any word. `None`: the caller may not come in now.
    #[inline]
    pub(super) fn enter(&self, access: Access, was_woken: bool) -> Option<()> {
        let done = if was_woken { WOKEN } else { 0 };
        // Relaxed: the CAS decides.
        let mut word = self.word.load(Ordering::Relaxed);
        while let Ok(Some(new)) = entered(word, access, was_woken) {
            // Acquire: partner is the Release of those that left.
            match self.word.compare_exchange_weak(
                word,
                new & !done,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(()),
                Err(now) => word = now,
            }
        }
        None
    }

    /// # Safety
    ///
    /// The caller is a reader inside.
    #[inline(always)]
    pub(crate) unsafe fn unlock_read(&self) {
        // r1. n -> n - 1. Release: partner is the Acquire of the next writer, or of the settle that lets it in.
        let word = self.word.fetch_sub(READER, Ordering::Release);
        // The last one, and no woken waiter is on its way, or it is PHASED.
        if word & QUEUED != 0 && word < 2 * READER && word & (WOKEN | PHASED) != WOKEN {
            self.settle_after(Read);
        }
    }

    /// # Safety
    ///
    /// The caller is the writer inside.
    #[inline(always)]
    pub(crate) unsafe fn unlock_write(&self) {
        self.owner.clear();
        if !self.leave_alone(0) {
            self.leave_slow(0);
        }
    }

    /// The writer becomes a reader.
    ///
    /// # Safety
    ///
    /// The caller is the writer inside.
    pub(crate) unsafe fn downgrade(&self) {
        self.owner.clear();
        if !self.leave_alone(READER) {
            self.leave_slow(READER);
        }
    }

    /// Returns whether nothing is left in the word and the queues.
    #[cfg(goroutines_loom)]
    pub(crate) fn is_new(&self) -> bool {
        // Relaxed: all have been joined.
        self.word.load(Ordering::Relaxed) == 0
    }

    /// Returns whether there are waiters.
    #[cfg(goroutines_loom)]
    pub(crate) fn has_waiters(&self) -> bool {
        // Relaxed: a snapshot.
        self.word.load(Ordering::Relaxed) & QUEUED != 0
    }

    /// As if a waiter that starves had lost. The caller is inside.
    #[cfg(goroutines_loom)]
    pub(crate) fn starve(&self) {
        self.queue_lock.lock();
        // Relaxed: under the lock, QUEUED does not change. PHASED is set where the real one is: beside QUEUED.
        if self.word.load(Ordering::Relaxed) & QUEUED != 0 {
            self.word.fetch_or(PHASED, Ordering::Relaxed);
        }
        // SAFETY: locked above.
        unsafe { self.queue_lock.unlock() };
    }

    /// Returns whether a woken waiter is on its way.
    #[cfg(goroutines_loom)]
    pub(crate) fn somebody_was_woken(&self) -> bool {
        // Relaxed: a snapshot.
        self.word.load(Ordering::Relaxed) & WOKEN != 0
    }

    /// Returns whether a reader or the writer is inside: a snapshot.
    #[allow(dead_code, reason = "for the feature `lock_api`")]
    pub(crate) fn is_locked(&self) -> bool {
        // Relaxed: a snapshot.
        let word = self.word.load(Ordering::Relaxed);
        !matches!(inside(word), Inside::Nobody)
    }

    #[allow(dead_code, reason = "for the feature `lock_api`")]
    pub(crate) fn is_writing(&self) -> bool {
        // Relaxed: a snapshot.
        self.word.load(Ordering::Relaxed) & WRITING != 0
    }

    /// w1: WRITING -> `word`.
    #[inline(always)]
    fn leave_alone(&self, word: u64) -> bool {
        // Release: partner is the Acquire in `join`, `take_fresh` and `enter`. Relaxed on failure:
        // `leave_slow` looks again.
        self.word
            .compare_exchange(WRITING, word, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }
}

#[cfg(all(test, not(goroutines_loom)))]
mod tests {
    use super::*;

    #[test]
    fn too_many_readers_are_an_error_and_change_nothing() {
        let full = MOST_READERS * READER;
        let raw = RawRw::new();
        raw.word.store(full, Ordering::Relaxed);
        assert!(!raw.try_read());
        assert!(raw.read(None).is_err());
        assert_eq!(raw.word.load(Ordering::Relaxed), full);
        // SAFETY: the word says that there are readers.
        unsafe { raw.unlock_read() };
        assert!(matches!(raw.read(None), Ok(true)));
        assert!(raw.read(None).is_err());
    }
}
