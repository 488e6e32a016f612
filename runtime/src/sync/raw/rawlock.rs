//! The lock word of a mutex, and the queue of its waiters.
//!
//! | QUEUED | WOKEN | LOCKED | what may change it                                                    |
//! |--------|-------|--------|-----------------------------------------------------------------------|
//! | 0      | 0     | 0      | any caller: CAS to LOCKED                                             |
//! | 0      | 0     | 1      | the holder: CAS to 0; a waiter under the queue's lock: QUEUED         |
//! | any    | any   | 0      | any caller: CAS to LOCKED; a woken waiter clears WOKEN as it does     |
//! | any    | 0     | 1      | the owner of the queue's lock, the holder too: its CAS to 0 fails     |
//! | any    | 1     | 1      | the same by CAS; the holder, unless STARVING: CAS to not LOCKED       |
//!
//! QUEUED: the queue is not empty. WOKEN: one waiter was taken out and made ready, and has not tried
//! yet; no other is woken before it has. STARVING: a waiter waits for too long; only beside QUEUED, and
//! set while LOCKED.
//!
//! ```text
//! lock                                        unlock
//! L1  CAS 0 -> LOCKED: done                   U1  CAS LOCKED -> 0: done
//! L2  spin a little, if there is a second P   U2  lock the queue
//! L3  lock the queue; free after all: take    U3  WOKEN: a waiter is on its way: clear LOCKED,
//! L4  set QUEUED, into the queue, park            before U2 if not STARVING
//! L5  woken: handed over: done; else try      U4  take the first waiter out. STARVING: stay LOCKED,
//!     as in L1; lost: L3, to the front,           it is the holder; else clear LOCKED, set WOKEN;
//!     and STARVING after a millisecond            ready(waiter)
//! L6  the limit: lock the queue, leave it; it
//!     is empty: clear QUEUED and STARVING
//! ```
//!
//! L4 and U1 cannot miss each other: QUEUED is set by a CAS on a word that says LOCKED, so the
//! holder's CAS in U1 either came before (L3 takes the lock) or fails (U2 finds the waiter).
//!
//! U3 needs no look at the queue, and so no lock: the waiter that was woken comes to L5 in any case, and L3 and L6
//! change the word by read-modify-writes. A holder that lets others overtake the woken waiter for long meets STARVING.
//!
//! L6 and U4 cannot both end a wait: see sleeper.rs. A waiter that was woken and loses goes through L3
//! before it gives up, where it clears WOKEN: no unlock relies any more on a waiter that has left.
//!
//! A new caller may take the lock while the woken waiter is on its way: see waiter.rs. A waiter that has lost and
//! waited for too long sets STARVING. From then on the lock is handed from one waiter to the next, and new callers
//! queue up, until the lock gets to a waiter that has not waited so long, or to the last one.

use std::cell::UnsafeCell;

use super::{
    door::{AtomicU32, ByteLock, Ordering, Owner, SPINS, WaitReason, current, procs, spin_loop},
    limit::Limit,
    sleeper::{Sleeps, take},
    waiter::Waiter,
    waitq::{Place, Queue},
};

const LOCKED: u32 = 1;
const WOKEN: u32 = 2;
const QUEUED: u32 = 4;
const STARVING: u32 = 8;

pub(crate) struct RawLock {
    word: AtomicU32,
    owner: Owner,
    queue_lock: ByteLock,
    queue: UnsafeCell<Queue<Waiter>>,
}

// SAFETY: `queue` is only touched under `queue_lock`; what it carries is Send.
unsafe impl Sync for RawLock {}
// SAFETY: the queue is empty while the lock is not borrowed, so nothing is moved that a waiter points to.
unsafe impl Send for RawLock {}

impl RawLock {
    #[cfg(not(goroutines_loom))]
    #[inline]
    pub(crate) const fn new() -> RawLock {
        RawLock {
            word: AtomicU32::new(0),
            owner: Owner::new(),
            queue_lock: ByteLock::new(),
            queue: UnsafeCell::new(Queue::new()),
        }
    }

    #[cfg(goroutines_loom)]
    pub(crate) fn new() -> RawLock {
        RawLock {
            word: AtomicU32::new(0),
            owner: Owner::new(),
            queue_lock: ByteLock::new(),
            queue: UnsafeCell::new(Queue::new()),
        }
    }

    #[inline(always)]
    #[track_caller]
    pub(crate) fn lock(&self) {
        if !self.take_fresh() {
            self.owner.check("Mutex::lock");
            self.lock_slow(None);
        }
        self.owner.set();
    }

    /// As [`RawLock::lock`], at most until `limit`; returns whether it was locked.
    #[inline]
    #[track_caller]
    pub(crate) fn lock_until(&self, limit: Option<&Limit<'_>>) -> bool {
        if !self.take_fresh() {
            if limit.is_none() {
                self.owner.check("Mutex::lock");
            }
            if !self.lock_slow(limit) {
                return false;
            }
        }
        self.owner.set();
        true
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> bool {
        let locked = self.try_take(0);
        if locked {
            self.owner.set();
        }
        locked
    }

    /// Returns whether nothing is left in the word and the queue.
    #[cfg(goroutines_loom)]
    pub(crate) fn is_new(&self) -> bool {
        // Relaxed: all have been joined.
        self.word.load(Ordering::Relaxed) == 0
    }

    /// Returns whether it is locked: a snapshot.
    #[allow(dead_code, reason = "for the feature `lock_api`")]
    pub(crate) fn is_locked(&self) -> bool {
        // Relaxed: a snapshot.
        self.word.load(Ordering::Relaxed) & LOCKED != 0
    }

    /// # Safety
    ///
    /// The caller holds the lock.
    #[inline(always)]
    pub(crate) unsafe fn unlock(&self) {
        self.owner.clear();
        if !self.give_up_alone() {
            // SAFETY: the caller holds the lock, which `give_up_alone` has not given up.
            unsafe { self.unlock_contended() };
        }
    }

    /// # Safety
    ///
    /// The caller holds the lock.
    #[cold]
    #[inline(never)]
    unsafe fn unlock_contended(&self) {
        if !self.give_up_to_woken() {
            // SAFETY: the caller holds the lock, which `give_up_to_woken` has not given up.
            unsafe { self.unlock_slow(false) };
        }
    }

    /// As [`RawLock::unlock`], but hands the lock to the first waiter in the queue.
    ///
    /// # Safety
    ///
    /// The caller holds the lock.
    #[allow(dead_code, reason = "for the feature `lock_api`")]
    pub(crate) unsafe fn unlock_fair(&self) {
        self.owner.clear();
        if !self.give_up_alone() {
            // SAFETY: the caller holds the lock, which `give_up_alone` has not given up.
            unsafe { self.unlock_slow(true) };
        }
    }

    /// L1.
    #[inline(always)]
    fn take_fresh(&self) -> bool {
        // 0 -> LOCKED. Acquire: partner is the Release in `unlock`. Relaxed on failure: not used.
        self.word
            .compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// U1.
    #[inline(always)]
    fn give_up_alone(&self) -> bool {
        // LOCKED -> 0. Release: partner is the Acquire in `take_fresh` and `try_take`. Relaxed on
        // failure: `unlock_slow` looks again.
        self.word
            .compare_exchange(LOCKED, 0, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// U3.
    fn give_up_to_woken(&self) -> bool {
        // Relaxed: the CAS decides.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & (WOKEN | STARVING) == WOKEN {
            // Clears LOCKED. Release: partner is the Acquire in `try_take` and `take_or_announce`. Relaxed on failure:
            // `unlock_slow` looks again.
            match self.word.compare_exchange_weak(
                word,
                word & !LOCKED,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Takes the lock if it is free, and clears `bits`.
    #[inline]
    fn try_take(&self, bits: u32) -> bool {
        // Relaxed: the CAS decides.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & LOCKED == 0 {
            // Acquire: partner is the Release in `unlock` and `unlock_slow`.
            match self.word.compare_exchange_weak(
                word,
                (word | LOCKED) & !bits,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// L3. Under the queue's lock: takes the lock if it is free (true), or announces a waiter, with the
    /// bits `with`. Clears `bits` either way.
    fn take_or_announce(&self, bits: u32, with: u32) -> bool {
        // Relaxed: the CAS decides.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let free = word & LOCKED == 0;
            let new = word & !bits | if free { LOCKED } else { QUEUED | with };
            // Acquire: partner is the Release in `unlock` and `unlock_slow`.
            match self
                .word
                .compare_exchange_weak(word, new, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return free,
                Err(now) => word = now,
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn lock_slow(&self, limit: Option<&Limit<'_>>) -> bool {
        if self.spin() {
            return true;
        }
        let g = current();
        let Some(waiter) = Waiter::new(g, limit) else {
            return false;
        };
        let node = Place::of(g, waiter);
        let (mut woken, mut starving) = (0, 0);
        loop {
            self.queue_lock.lock();
            if self.take_or_announce(woken, starving) {
                // SAFETY: locked above.
                unsafe { self.queue_lock.unlock() };
                return true;
            }
            // SAFETY: `queue_lock` is held; the node stays here until it was taken out, by the unlock that wakes
            // us or below. The sleeper is the one of this wait.
            let in_time = unsafe {
                let queue = &mut *self.queue.get();
                if woken == 0 {
                    queue.push_back(&node);
                } else {
                    queue.push_front(&node);
                }
                let sleeper = node.data.sleeper();
                sleeper.sleep(
                    WaitReason::MutexLock.on(&self.owner),
                    limit,
                    &self.queue_lock,
                )
            };
            if !in_time {
                // SAFETY: it was put into this queue.
                unsafe { self.leave(&node) };
                return false;
            }
            if node.data.was_served() || self.try_take(WOKEN) {
                return true;
            }
            woken = WOKEN;
            starving = if node.data.starves() { STARVING } else { 0 };
            node.data.again(g, limit);
        }
    }

    /// L6.
    ///
    /// # Safety
    ///
    /// `node` was put into the queue of this lock.
    unsafe fn leave(&self, node: &Place<Waiter>) {
        self.queue_lock.lock();
        // SAFETY: `queue_lock` is held; the caller put the node into this queue. It is no longer there if an
        // unlock took it out and found its ticket claimed.
        unsafe {
            let queue = &mut *self.queue.get();
            queue.unlink(node);
            if queue.is_empty() {
                // Else the next unlock would find an empty queue. Relaxed: it publishes nothing, and an RMW
                // continues the release sequence of the word.
                self.word.fetch_and(!(QUEUED | STARVING), Ordering::Relaxed);
            }
            self.queue_lock.unlock();
        }
    }

    /// Spins a little, unless there is one P: then the holder does not run meanwhile.
    fn spin(&self) -> bool {
        if procs() < 2 {
            return self.try_take(0);
        }
        for _ in 0..SPINS {
            if self.try_take(0) {
                return true;
            }
            // Relaxed: a hint. Where others are queued, more spinning would only overtake them.
            if self.word.load(Ordering::Relaxed) & QUEUED != 0 {
                return false;
            }
            spin_loop();
        }
        false
    }

    /// # Safety
    ///
    /// The caller holds the lock.
    #[cold]
    #[inline(never)]
    unsafe fn unlock_slow(&self, fair: bool) {
        self.queue_lock.lock();
        // Relaxed: LOCKED by us, so the word changes under the queue's lock only, which is held.
        let word = self.word.load(Ordering::Relaxed);
        let hand_over = fair || word & STARVING != 0;
        // SAFETY: `queue_lock` is held.
        let queue = unsafe { &mut *self.queue.get() };
        let (first, more) = if word & WOKEN == 0 || hand_over {
            let first = take(queue).map(|node| &raw const node.data);
            (first, !queue.is_empty())
        } else {
            (None, word & QUEUED != 0)
        };
        let queued = if more { QUEUED } else { 0 };
        let Some(first) = first else {
            // -> not LOCKED. Release: partner is the Acquire in `try_take`.
            self.word.store((word & WOKEN) | queued, Ordering::Release);
            // SAFETY: locked above.
            return unsafe { self.queue_lock.unlock() };
        };
        // SAFETY: taken out, so it stays parked, and where it is, until we wake it.
        let waiter = unsafe { &*first };
        let state = if hand_over {
            waiter.serve();
            self.owner.give(waiter.sleeper().g());
            let starving = word & STARVING != 0 && more && waiter.starves();
            LOCKED | (word & WOKEN) | if starving { STARVING } else { 0 }
        } else {
            WOKEN
        };
        let sleeper = waiter.sleeper();
        // -> LOCKED for the waiter, or free and WOKEN. Release: partner is the Acquire in `try_take`.
        self.word.store(state | queued, Ordering::Release);
        // SAFETY: the lock was taken above; we have taken the waiter out, and wake it once.
        unsafe {
            self.queue_lock.unlock();
            sleeper.wake();
        }
    }
}
