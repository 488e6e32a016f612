//! What the raw locks are built of, under loom: a scheduler in which every goroutine has a thread.

use std::{cell::Cell, time::Duration};

use loom::{
    cell::UnsafeCell,
    sync::{Condvar, Mutex},
};
pub(crate) use loom::{
    hint::spin_loop,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

pub(crate) use crate::protocol::wait_reason::{WaitFor, WaitReason};
use crate::protocol::{parker::Parker, wait_seq::WaitSeq};

pub(crate) const SPINS: u32 = 0;
pub(crate) const TIMED_OUT: u32 = u32::MAX - 1;

/// A lock that blocks: with three threads, two that spin keep loom from letting the third continue. The lock that
/// spins has its model in models/park.rs.
pub(crate) struct ByteLock {
    locked: Mutex<bool>,
    freed: Condvar,
    /// Read by every use and written by the drop: loom reports a use of what is being freed.
    alive: UnsafeCell<()>,
}

impl Drop for ByteLock {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.alive.with_mut(|_| ());
        }
    }
}

impl ByteLock {
    pub(crate) fn new() -> ByteLock {
        ByteLock {
            locked: Mutex::new(false),
            freed: Condvar::new(),
            alive: UnsafeCell::new(()),
        }
    }

    pub(crate) fn lock(&self) {
        self.alive.with(|_| ());
        let mut locked = self.locked.lock().unwrap();
        while *locked {
            locked = self.freed.wait(locked).unwrap();
        }
        *locked = true;
    }

    pub(crate) fn try_lock(&self) -> bool {
        self.alive.with(|_| ());
        !std::mem::replace(&mut *self.locked.lock().unwrap(), true)
    }

    pub(crate) unsafe fn unlock(&self) {
        self.alive.with(|_| ());
        *self.locked.lock().unwrap() = false;
        self.freed.notify_one();
    }
}

pub(crate) struct G {
    parker: Parker,
    wait_seq: WaitSeq,
    /// Whether it finds that it has waited for too long, whenever it checks.
    impatient: Cell<bool>,
}

#[derive(Clone, Copy)]
pub(crate) struct GRef(&'static G);

impl PartialEq for GRef {
    fn eq(&self, other: &GRef) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl GRef {
    pub(crate) fn is_copied_out(self) -> bool {
        false
    }

    /// Returns whether it runs under a context. It never does.
    pub(crate) unsafe fn has_inherited(self) -> bool {
        false
    }
}

loom::thread_local! {
    /// Leaked: a stale access to a G must find a G. Loom's own bookkeeping of it ends with the iteration.
    static CURRENT: GRef = GRef(Box::leak(Box::new(G {
        parker: Parker::new(),
        wait_seq: WaitSeq::new(),
        impatient: Cell::new(false),
    })));
}

pub(crate) fn current() -> GRef {
    CURRENT.with(|&current| current)
}

pub(crate) fn procs() -> usize {
    1
}

pub(crate) unsafe fn park(_wait: impl Into<WaitFor>, commit: impl FnOnce() -> bool) {
    if commit() {
        current().0.parker.wait(|| None);
    }
}

pub(crate) unsafe fn ready(g: GRef) {
    g.0.parker.notify();
}

pub(crate) unsafe fn ready_tail(g: GRef) {
    g.0.parker.notify();
}

#[derive(Clone, Copy)]
pub(crate) struct Ticket {
    g: GRef,
    number: u32,
}

impl Ticket {
    pub(crate) fn g(self) -> GRef {
        self.g
    }

    pub(crate) fn is_open(self) -> bool {
        self.g.0.wait_seq.is_open(self.number)
    }

    pub(crate) fn claim(self, outcome: u32) -> bool {
        self.g.0.wait_seq.claim(self.number, outcome)
    }
}

pub(crate) fn arm() -> Ticket {
    let g = current();
    Ticket {
        g,
        number: g.0.wait_seq.open(),
    }
}

/// If there is a deadline, loom decides when it has passed.
pub(crate) unsafe fn park_until(
    _wait: impl Into<WaitFor>,
    ticket: Ticket,
    deadline: Option<Instant>,
    commit: impl FnOnce() -> bool,
) -> u32 {
    let g = ticket.g.0;
    if commit() && !g.parker.wait(|| deadline.map(|_| 0)) && !ticket.claim(TIMED_OUT) {
        g.parker.wait(|| None);
    }
    g.wait_seq.outcome()
}

/// When a wait began, or will end; the latter is always later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Instant {
    Now { impatient: bool },
    Later,
}

impl Instant {
    pub(crate) fn now() -> Instant {
        let impatient = current().0.impatient.get();
        Instant::Now { impatient }
    }

    /// Later, like every sum.
    pub(crate) fn checked_add(self, _time: Duration) -> Option<Instant> {
        Some(Instant::Later)
    }

    pub(crate) fn elapsed(self) -> Duration {
        match self {
            Instant::Now { impatient: true } => Duration::MAX,
            _ => Duration::ZERO,
        }
    }
}

/// All moments of now are equal: nothing is late.
impl std::ops::Sub for Instant {
    type Output = Duration;

    fn sub(self, _earlier: Instant) -> Duration {
        Duration::ZERO
    }
}

/// From here on the caller finds that it has waited for too long, whenever it checks.
pub(crate) fn lose_patience() {
    current().0.impatient.set(true);
}

/// The holder, which reports read: it is right, or there is none.
pub(crate) struct Owner(Cell<Option<GRef>>);

impl Owner {
    pub(crate) fn new() -> Owner {
        Owner(Cell::new(None))
    }

    /// The caller has locked, or the lock was handed to it.
    pub(crate) fn set(&self) {
        let before = self.0.replace(Some(current()));
        assert!(before.is_none_or(|before| before == current()));
    }

    pub(crate) fn give(&self, g: GRef) {
        assert!(self.0.replace(Some(g)).is_none());
    }

    pub(crate) fn clear(&self) {
        assert!(self.0.take() == Some(current()));
    }

    pub(crate) fn is(&self, g: GRef) -> bool {
        self.0.get() == Some(g)
    }

    pub(crate) fn check(&self, _function: &str) {}
}
