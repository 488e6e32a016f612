//! The lock word of a reader-writer lock, and the queues of those who wait for it.
//!
//! ```text
//!   63                         2    1       0
//!  ┌─────────────────────────────┬───────┬───────┐   readers: how many are inside
//!  │ readers                     │WRITING│QUEUED │   WRITING: a writer is inside, then readers is 0
//!  └─────────────────────────────┴───────┴───────┘   QUEUED: somebody waits
//! ```
//!
//! | QUEUED | WRITING | readers | who may change it                                                |
//! |--------|---------|---------|------------------------------------------------------------------|
//! | 0      | 0       | 0       | anybody: CAS to WRITING, or one reader                           |
//! | 0      | 0       | n       | anybody: CAS to n + 1; a reader inside: n - 1                    |
//! | 0      | 1       | 0       | the writer: CAS to 0, or to one reader                           |
//! | 1      | 0       | 0, n    | a reader inside: n - 1; whoever has the queues' lock             |
//! | 1      | 1       | 0       | whoever has the queues' lock                                     |
//!
//! (Setting QUEUED always takes the queues' lock.)
//!
//! ```text
//! read                                      write
//! R1  no WRITING, no QUEUED: CAS n + 1      W1  CAS 0 -> WRITING
//! R2  spin a little                         W2  spin a little
//! R3  lock the queues; as R1                W3  lock the queues; as W1
//! R4  set QUEUED, into the queue, park      W4  set QUEUED, into the queue, park
//!
//! a reader leaves                           a writer leaves
//! r1  n - 1                                 w1  CAS WRITING -> 0
//! r2  was last, QUEUED: lock the queues,    w2  lock the queues, clear WRITING, let in
//!     let in
//! ```
//!
//! *Let in*, under the queues' lock, gives the lock to those who wait; they are inside when they wake
//! up. After a writer all readers that wait go in together, and only then the next writer; after
//! readers the next writer. Who comes while somebody waits queues up, so neither side waits for more
//! than one turn of the other and of those before it: phase-fair.
//!
//! - R4, W4 against w1: as in rawlock.rs, QUEUED is set by a CAS on a word that says WRITING, so w1 fails.
//! - W4 against r1: QUEUED is set by a CAS on a word with n > 0, or found set; so the reader that makes
//!   it 0 sees QUEUED and comes to r2, where it gets the queues' lock after W4.
//! - Between r1 and r2 the word says QUEUED and that nobody is inside: nobody goes in but by r2.
//! - A late r2: those who waited may have left, others may have come. It looks at the word again, as
//!   everybody who lets in: what is to be done is in the word and the queues, and not in who asks.
//! - A waiter whose time is up leaves the queue and lets in: readers may have waited for it alone.
//!
//! Not taken: letting who comes pass those who were woken (as the mutex does). It saves switches when
//! everybody writes, which is what the mutex is for, and costs readers their turn.

use std::cell::UnsafeCell;

use super::{
    door::{AtomicU64, ByteLock, Instant, Ordering, Owner, SPINS, current, procs, spin_loop},
    sleeper::Sleeper,
    turns::{
        Access,
        Access::{Read, Write},
        Inside, MOST_READERS, Next, TooMany, Waiting,
    },
    waitq::Place,
};

const QUEUED: u64 = 1;
const WRITING: u64 = 2;
const READER: u64 = 4;

pub(crate) struct RawRw {
    word: AtomicU64,
    /// The writer.
    owner: Owner,
    queue_lock: ByteLock,
    waiting: UnsafeCell<Waiting>,
}

// SAFETY: `waiting` is only touched under `queue_lock`; what it carries is Send.
unsafe impl Sync for RawRw {}
// SAFETY: as above; the queues are empty while nobody borrows the lock.
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
    #[cfg(not(loom))]
    #[inline]
    pub(crate) const fn new() -> RawRw {
        fresh!()
    }

    #[cfg(loom)]
    pub(crate) fn new() -> RawRw {
        fresh!()
    }

    /// Locks for readers, at most until `deadline`; says whether it did.
    ///
    /// # Errors
    ///
    /// When there are too many readers.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn read(&self, deadline: Option<Instant>) -> Result<bool, TooMany> {
        if self.try_read() {
            return Ok(true);
        }
        if deadline.is_none() {
            self.owner.check("RwLock::read");
        }
        self.read_slow(deadline)
    }

    /// R1, without waiting.
    #[inline(always)]
    pub(crate) fn try_read(&self) -> bool {
        // Relaxed: the CAS decides.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & (WRITING | QUEUED) == 0 && word < MOST_READERS * READER {
            // n -> n + 1. Acquire: partner is the Release of the writer who left. Relaxed on failure.
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

    /// Locks for a writer, at most until `deadline`; says whether it did.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn write(&self, deadline: Option<Instant>) -> bool {
        if self.try_write() {
            return true;
        }
        if deadline.is_none() {
            self.owner.check("RwLock::write");
        }
        let locked = self.write_slow(deadline);
        if locked {
            self.owner.set();
        }
        locked
    }

    /// W1, without waiting.
    #[inline(always)]
    pub(crate) fn try_write(&self) -> bool {
        let locked = self.take_fresh();
        if locked {
            self.owner.set();
        }
        locked
    }

    #[inline(always)]
    fn take_fresh(&self) -> bool {
        // 0 -> WRITING. Acquire: partner is the Release of who left. Relaxed on failure: not used.
        self.word
            .compare_exchange(0, WRITING, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// # Safety
    ///
    /// The caller is a reader inside.
    #[inline(always)]
    pub(crate) unsafe fn unlock_read(&self) {
        // r1. n -> n - 1. Release: partner is the Acquire of the writer who comes, or of who lets it in.
        let word = self.word.fetch_sub(READER, Ordering::Release);
        if word == READER | QUEUED {
            self.wake_after(Read);
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

    /// Is nothing left of those who used it?
    #[cfg(loom)]
    pub(crate) fn is_new(&self) -> bool {
        // Relaxed: all have been joined.
        self.word.load(Ordering::Relaxed) == 0
    }

    /// Is anybody inside, or a writer? Snapshots.
    #[allow(dead_code, reason = "for the feature `lock_api`")]
    pub(crate) fn is_locked(&self) -> bool {
        // Relaxed: for people.
        self.word.load(Ordering::Relaxed) >= WRITING
    }

    #[allow(dead_code, reason = "for the feature `lock_api`")]
    pub(crate) fn is_writing(&self) -> bool {
        // Relaxed: for people.
        self.word.load(Ordering::Relaxed) & WRITING != 0
    }

    /// w1: WRITING -> `word`.
    #[inline(always)]
    fn leave_alone(&self, word: u64) -> bool {
        // Release: partner is the Acquire in `try_read` and `try_write`. Relaxed on failure:
        // `leave_slow` does not need the word.
        self.word
            .compare_exchange(WRITING, word, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// w2.
    #[cold]
    #[inline(never)]
    fn leave_slow(&self, word: u64) {
        self.queue_lock.lock();
        // QUEUED | WRITING -> QUEUED | `word`. A store: WRITING and QUEUED, so nobody changes the word
        // without the lock. Release: partner is the Acquire in `let_in` and of those who come.
        self.word.store(QUEUED | word, Ordering::Release);
        self.let_in_and_unlock(Write);
    }

    /// r2.
    #[cold]
    #[inline(never)]
    fn wake_after(&self, last: Access) {
        self.queue_lock.lock();
        self.let_in_and_unlock(last);
    }

    /// Lets in who can go in, and unlocks the queues, which our caller has locked. The turn before was
    /// that of `last`.
    fn let_in_and_unlock(&self, last: Access) {
        // SAFETY: our caller has locked; those who are woken are inside.
        unsafe {
            let next = self.let_in(last);
            self.queue_lock.unlock();
            next.wake();
        }
    }

    /// # Safety
    ///
    /// The caller holds the queues' lock.
    unsafe fn let_in(&self, last: Access) -> Next {
        // Relaxed: where QUEUED is set, nothing but the number of readers can change without the lock;
        // it becomes smaller, and the last of them comes here after us.
        let word = self.word.load(Ordering::Relaxed);
        if word & QUEUED == 0 {
            return Next::Nobody;
        }
        let inside = match word {
            _ if word & WRITING != 0 => Inside::Writer,
            _ if word >= READER => Inside::Readers,
            _ => Inside::Nobody,
        };
        // SAFETY: the lock is held, says the caller.
        let waiting = unsafe { &mut *self.waiting.get() };
        let next = waiting.next(inside, last);
        let come = match &next {
            Next::Nobody => 0,
            Next::Writer(_) => WRITING,
            Next::Readers(count, _) => count * READER,
        };
        let leave = if waiting.are_none() { QUEUED } else { 0 };
        // AcqRel: Acquire's partners are the Release of the readers and writers who have left, for those
        // whom we wake; Release's is the Acquire of who comes next.
        self.word
            .fetch_add(come.wrapping_sub(leave), Ordering::AcqRel);
        next
    }

    #[cold]
    #[inline(never)]
    fn read_slow(&self, deadline: Option<Instant>) -> Result<bool, TooMany> {
        if self.spin(Self::try_read) {
            return Ok(true);
        }
        self.queue_up(Read, deadline)
    }

    #[cold]
    #[inline(never)]
    fn write_slow(&self, deadline: Option<Instant>) -> bool {
        // Writers are never too many.
        self.spin(Self::take_fresh) || self.queue_up(Write, deadline).unwrap_or(false)
    }

    /// With one P those inside do not run while we spin.
    #[inline(always)]
    fn spin(&self, try_once: impl Fn(&Self) -> bool) -> bool {
        if procs() < 2 {
            return try_once(self);
        }
        for _ in 0..SPINS {
            if try_once(self) {
                return true;
            }
            // Relaxed: a hint.
            if self.word.load(Ordering::Relaxed) & QUEUED != 0 {
                return false;
            }
            spin_loop();
        }
        false
    }

    /// R3, R4, W3, W4: true when it is inside, false when its time is up.
    #[inline(always)]
    fn queue_up(&self, access: Access, deadline: Option<Instant>) -> Result<bool, TooMany> {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(false);
        }
        let g = current();
        let sleeper = Sleeper::new(g, deadline);
        let node = Place::of(g, sleeper);
        self.queue_lock.lock();
        let entered = self.enter_or_announce(access);
        if !matches!(entered, Ok(false)) {
            // SAFETY: locked above.
            unsafe { self.queue_lock.unlock() };
            return entered;
        }
        // SAFETY: the lock is held; the node stays here until it was taken out, by who wakes us or
        // below. The sleeper was made for this wait.
        let in_time = unsafe {
            (*self.waiting.get()).of(access).push_back(&node);
            sleeper.sleep(deadline, &self.queue_lock)
        };
        if !in_time {
            self.queue_lock.lock();
            // SAFETY: the lock is held; the node was put into this queue. It is not there any more if
            // somebody took it out who then lost the ticket to the timer.
            unsafe { (*self.waiting.get()).of(access).unlink(&node) };
            // Whoever is inside, it is the writers' turn next, if there are others.
            self.let_in_and_unlock(Read);
        }
        Ok(in_time)
    }

    /// Under the queues' lock: goes in if that is possible (true), or announces one who waits.
    fn enter_or_announce(&self, access: Access) -> Result<bool, TooMany> {
        // Relaxed: the CAS decides.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let new = match access {
                Read if word & (WRITING | QUEUED) != 0 => word | QUEUED,
                Read if word >= MOST_READERS * READER => return Err(TooMany),
                Read => word + READER,
                Write if word == 0 => WRITING,
                Write => word | QUEUED,
            };
            // Acquire: partner is the Release of who left.
            match self
                .word
                .compare_exchange_weak(word, new, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return Ok(new & QUEUED == 0),
                Err(now) => word = now,
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
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
