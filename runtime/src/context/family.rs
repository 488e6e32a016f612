//! What a context is made of: its state, and its place in the family.
//!
//! A parent has a list of its children, and each child a counted reference to its parent. Cancelling goes down the
//! list; a child that is freed takes itself out. Deadlines need none of that: each has the earliest of its line.

use std::{
    cell::UnsafeCell,
    convert::Infallible,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::{
        Arc, Weak,
        atomic::{AtomicU8, Ordering},
    },
    time::Instant,
};

use goroutines_sched::ByteLock;

use super::{Context, ContextError};
use crate::{
    chan::{self, Receiver},
    sync::waitq::{Node, Queue},
};

/// Not cancelled. (The deadline may have passed.)
const OPEN: u8 = 0;
const CANCELLED: u8 = 1;
/// Cancelled when the deadline had passed already.
const LATE: u8 = 2;

pub(super) struct Inner {
    /// Disconnected when it is cancelled, and when the deadline comes.
    pub(super) done: Receiver<Infallible>,
    /// Its own or that of one that it descends from, whichever is earlier.
    pub(super) deadline: Option<Instant>,
    parent: Context,
    /// In the parent's `children`.
    link: Node<Weak<Inner>>,
    lock: ByteLock,
    /// Changed under `lock`, once.
    state: AtomicU8,
    /// Those that are not done, under `lock`. Each takes itself out before it is freed.
    children: UnsafeCell<Queue<Weak<Inner>>>,
}

// Whatever panics in between, a context is a context.
impl UnwindSafe for Inner {}
impl RefUnwindSafe for Inner {}

// SAFETY: `children` is touched under the lock only, `link` under the parent's, and its data never changes.
unsafe impl Sync for Inner {}
// SAFETY: as above.
unsafe impl Send for Inner {}

impl Inner {
    /// A child of `parent`.
    pub(super) fn new(parent: Context, deadline: Option<Instant>) -> Arc<Inner> {
        let inner = Arc::new_cyclic(|this| Inner {
            done: chan::done(deadline),
            deadline,
            parent: parent.clone(),
            link: Node::new(this.clone()),
            lock: ByteLock::new(),
            state: AtomicU8::new(OPEN),
            children: UnsafeCell::new(Queue::new()),
        });
        if let Some(parent) = &parent.0 {
            let joined = parent.with(|children| {
                // Relaxed: changed under the lock only.
                let open = parent.state.load(Ordering::Relaxed) == OPEN;
                if open {
                    // SAFETY: it is in no list, does not move, and takes itself out before it is freed.
                    unsafe { children.push_back(&inner.link) };
                }
                open
            });
            if !joined {
                inner.cancel();
            }
        }
        inner
    }

    fn with<R>(&self, f: impl FnOnce(&mut Queue<Weak<Inner>>) -> R) -> R {
        self.lock.lock();
        // SAFETY: the lock is held, and `f` is one of the short closures below.
        let result = f(unsafe { &mut *self.children.get() });
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        result
    }

    fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| deadline <= Instant::now())
    }

    pub(super) fn err(&self) -> Option<ContextError> {
        // Acquire: partner is the store in `cancel`.
        match self.state.load(Ordering::Acquire) {
            CANCELLED => Some(ContextError::Cancelled),
            LATE => Some(ContextError::DeadlineExceeded),
            _ => self.is_late().then_some(ContextError::DeadlineExceeded),
        }
    }

    /// Cancels it and all that descend from it.
    pub(super) fn cancel(self: &Arc<Inner>) {
        let mut waiting = vec![Arc::clone(self)];
        while let Some(one) = waiting.pop() {
            let late = one.is_late();
            let first = one.with(|_| {
                // Relaxed: changed under the lock only.
                let first = one.state.load(Ordering::Relaxed) == OPEN;
                if first {
                    let state = if late { LATE } else { CANCELLED };
                    // Release: partner is the load in `err`.
                    one.state.store(state, Ordering::Release);
                }
                first
            });
            if !first {
                continue;
            }
            chan::disconnect(&one.done);
            // From here on nobody becomes a child. Those that are being freed are not there any more.
            while let Some(child) = one.with(|children| {
                let node = children.pop_front()?;
                // SAFETY: a node in the list is alive, because its context takes it out, under the lock, before.
                Some(unsafe { node.as_ref() }.data.upgrade())
            }) {
                waiting.extend(child);
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(parent) = &self.parent.0 {
            // SAFETY: it was put into this list and no other.
            parent.with(|children| unsafe { children.unlink(&self.link) });
        }
    }
}
