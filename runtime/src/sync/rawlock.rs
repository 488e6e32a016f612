//! The lock word of a mutex, and the queue of those who wait for it.
//!
//! | QUEUED | WOKEN | LOCKED | who may change it                                                     |
//! |--------|-------|--------|-----------------------------------------------------------------------|
//! | 0      | 0     | 0      | anybody: CAS to LOCKED                                                |
//! | 0      | 0     | 1      | the holder: CAS to 0; a waiter under the queue's lock: QUEUED         |
//! | any    | any   | 0      | anybody: CAS to LOCKED; who was woken clears WOKEN as it does         |
//! | any    | any   | 1      | whoever has the queue's lock, the holder too: its CAS to 0 fails      |
//!
//! QUEUED: the queue is not empty. WOKEN: one waiter was taken out and made ready, and has not tried
//! yet; no other is woken before it has.
//!
//! ```text
//! lock                                        unlock
//! L1  CAS 0 -> LOCKED: done                   U1  CAS LOCKED -> 0: done
//! L2  spin a little, if there is a second P   U2  lock the queue
//! L3  lock the queue; free after all: take    U3  WOKEN: somebody is on its way: clear LOCKED
//! L4  set QUEUED, into the queue, park        U4  take the first waiter out; has it lost often:
//! L5  woken: handed over: done; else try          stay LOCKED, it is the holder; else clear LOCKED,
//!     as in L1; lost: L3, to the front            set WOKEN; ready(waiter)
//! ```
//!
//! L4 and U1 cannot miss each other: QUEUED is set by a CAS on a word that says LOCKED, so the
//! holder's CAS in U1 either came before (L3 takes the lock) or fails (U2 finds the waiter).
//!
//! The lock may be taken by whoever comes while the woken waiter is on its way: a running goroutine
//! that locks again and again need not switch for each. A waiter that has lost [`PATIENCE`] times is
//! handed the lock, and returns to the front until then, so each gets its turn. A mode that hands over
//! by time waited, as Go's, would be decided in U4.

use std::{
    cell::{Cell, UnsafeCell},
    hint,
    sync::atomic::{AtomicU32, Ordering},
};

use goroutines_sched::{ByteLock, GRef, current, park, procs, ready};

use super::waitq::{Place, Queue};

const LOCKED: u32 = 1;
const WOKEN: u32 = 2;
const QUEUED: u32 = 4;

/// How often a woken waiter finds the lock taken before it is handed over to it.
const PATIENCE: u32 = 2;

/// Looks at the word before a waiter parks. Together some hundred nanoseconds: longer than a critical
/// section that does little, far shorter than parking a thread.
const SPINS: u32 = 40;

struct Waiter {
    g: GRef,
    losses: Cell<u32>,
    /// It was handed the lock.
    is_holder: Cell<bool>,
}

pub(crate) struct RawLock {
    word: AtomicU32,
    queue_lock: ByteLock,
    queue: UnsafeCell<Queue<Waiter>>,
}

// SAFETY: `queue` is only touched under `queue_lock`; a GRef is Send.
unsafe impl Sync for RawLock {}
// SAFETY: as above; the queue is empty while nobody borrows the lock.
unsafe impl Send for RawLock {}

impl RawLock {
    #[inline]
    pub(crate) const fn new() -> RawLock {
        RawLock {
            word: AtomicU32::new(0),
            queue_lock: ByteLock::new(),
            queue: UnsafeCell::new(Queue::new()),
        }
    }

    #[inline(always)]
    pub(crate) fn lock(&self) {
        // 0 -> LOCKED. Acquire: partner is the Release in `unlock`. Relaxed on failure: not used.
        let free = self
            .word
            .compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed);
        if free.is_err() {
            self.lock_slow();
        }
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> bool {
        self.try_take(0)
    }

    /// # Safety
    ///
    /// The caller holds the lock.
    #[inline(always)]
    pub(crate) unsafe fn unlock(&self) {
        // LOCKED -> 0. Release: partner is the Acquire in `lock` and `try_take`. Relaxed on failure:
        // `unlock_slow` looks again.
        let alone = self
            .word
            .compare_exchange(LOCKED, 0, Ordering::Release, Ordering::Relaxed);
        if alone.is_err() {
            // SAFETY: passed on.
            unsafe { self.unlock_slow() };
        }
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

    /// Under the queue's lock: takes the lock if it is free (true), or announces a waiter. Clears
    /// `bits` either way.
    fn take_or_announce(&self, bits: u32) -> bool {
        // Relaxed: the CAS decides.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let free = word & LOCKED == 0;
            let new = if free { word | LOCKED } else { word | QUEUED } & !bits;
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
    fn lock_slow(&self) {
        if self.spin() {
            return;
        }
        let g = current();
        let waiter = Waiter {
            g,
            losses: Cell::new(0),
            is_holder: Cell::new(false),
        };
        let node = Place::of(g, waiter);
        let mut woken = 0;
        loop {
            self.queue_lock.lock();
            if self.take_or_announce(woken) {
                // SAFETY: locked above.
                unsafe { self.queue_lock.unlock() };
                return;
            }
            // SAFETY: `queue_lock` is held; the node stays here until it was taken out, which is
            // before `park` returns. Who takes it out, for which it needs the lock that the commit
            // gives free as its last step, makes us ready once.
            unsafe {
                let queue = &mut *self.queue.get();
                if node.data.losses.get() == 0 {
                    queue.push_back(&node);
                } else {
                    queue.push_front(&node);
                }
                park(|| {
                    self.queue_lock.unlock();
                    true
                });
            }
            if node.data.is_holder.get() || self.try_take(WOKEN) {
                return;
            }
            woken = WOKEN;
            node.data.losses.set(node.data.losses.get() + 1);
        }
    }

    /// With one P the holder does not run while we spin.
    fn spin(&self) -> bool {
        if procs() < 2 {
            return self.try_take(0);
        }
        for _ in 0..SPINS {
            if self.try_take(0) {
                return true;
            }
            // Relaxed: a hint. Where others queue, more spinning would only be barging.
            if self.word.load(Ordering::Relaxed) & QUEUED != 0 {
                return false;
            }
            hint::spin_loop();
        }
        false
    }

    /// # Safety
    ///
    /// The caller holds the lock.
    #[cold]
    #[inline(never)]
    unsafe fn unlock_slow(&self) {
        self.queue_lock.lock();
        // Relaxed: LOCKED by us, so nobody changes the word without the queue's lock.
        let word = self.word.load(Ordering::Relaxed);
        // SAFETY: `queue_lock` is held.
        let queue = unsafe { &mut *self.queue.get() };
        let first = if word & WOKEN == 0 {
            queue.pop_front()
        } else {
            None
        };
        let queued = if queue.is_empty() { 0 } else { QUEUED };
        let Some(first) = first else {
            // -> not LOCKED. Release: partner is the Acquire in `try_take`.
            self.word.store((word & WOKEN) | queued, Ordering::Release);
            // SAFETY: locked above.
            return unsafe { self.queue_lock.unlock() };
        };
        // SAFETY: taken out, so it stays parked until we make it ready.
        let waiter = unsafe { &first.as_ref().data };
        let hand_over = waiter.losses.get() >= PATIENCE;
        waiter.is_holder.set(hand_over);
        // -> LOCKED for the waiter, or free and WOKEN. Release: partner is the Acquire in `try_take`.
        let state = if hand_over { LOCKED } else { WOKEN };
        self.word.store(state | queued, Ordering::Release);
        let g = waiter.g;
        // SAFETY: the lock was taken above. The waiter had parked when its node could be found, and
        // only we have taken it out.
        unsafe {
            self.queue_lock.unlock();
            ready(g);
        }
    }
}
