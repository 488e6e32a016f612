//! What a context is made of: its state, and its place in the family.
//!
//! A parent has a list of its children, and each child a counted reference to its parent. Cancelling goes down the
//! list; a child that is freed takes itself out. Deadlines need none of that: each has the earliest of its line.
//!
//! A context that is freed may free its parent, and so on upwards. That is a loop and no recursion, since a line may be
//! longer than a stack is deep: the thread that frees a context takes the parent out of it first.
//!
//! A line becomes longer only by contexts that can be cancelled on their own. One whose cancellers are all gone ends
//! when its parent does, or at its deadline, which its children have too: they become children of its parent. One
//! that is done already tells its child so at birth, and has no children.

use std::{
    cell::UnsafeCell,
    convert::Infallible,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::{
        Arc, Weak,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Instant,
};

use goroutines_sched::ByteLock;

use super::{ContextError, values::Values};
use crate::{
    chan::{self, Receiver},
    sync::raw::{
        waitq::{Node, Queue},
        waits::Waits,
    },
};

/// Not cancelled. (The deadline may have passed.)
const OPEN: u8 = 0;
const CANCELLED: u8 = 1;
/// Cancelled when the deadline had passed already.
const LATE: u8 = 2;

pub(super) struct Inner {
    /// Disconnected when it is cancelled, and when the deadline comes.
    pub(super) done: Receiver<Infallible>,
    /// Those that wait for a lock until it is cancelled.
    pub(super) waits: Waits,
    /// Its own or that of one that it descends from, whichever is earlier.
    pub(super) deadline: Option<Instant>,
    /// Its own and those that it has of its parent.
    pub(super) values: Values,
    /// Set at birth, taken out when the context is freed.
    parent: Option<Parent>,
    /// How many [`Canceller`](super::Canceller)s it has. Never more again after 0.
    cancellers: AtomicUsize,
    lock: ByteLock,
    /// Changed under `lock`, once.
    state: AtomicU8,
    /// Those that are not done, under `lock`. Each takes itself out before it is freed.
    children: UnsafeCell<Queue<Weak<Inner>>>,
}

struct Parent {
    parent: Arc<Inner>,
    /// Counted, not boxed: the list has its address too, while freeing the context moves this.
    link: Arc<Link>,
}

/// A child in its parent's `children`.
struct Link(Node<Weak<Inner>>);

// SAFETY: what links it is touched under the lock of the parent in whose list it is; its data never changes.
unsafe impl Sync for Link {}
// SAFETY: what links it is touched under the parent's lock, from any thread; its data, a Weak, is Send.
unsafe impl Send for Link {}

// No panic leaves a context half changed: no user code runs while it changes.
impl UnwindSafe for Inner {}
impl RefUnwindSafe for Inner {}

// SAFETY: `children` is touched under the lock only.
unsafe impl Sync for Inner {}
// SAFETY: `children` is empty when a context is freed, since every child in it counts; nothing of it belongs
// to a thread.
unsafe impl Send for Inner {}

impl Inner {
    /// A child of `parent`, or a context without a parent; with one canceller.
    pub(super) fn new(parent: Option<&Arc<Inner>>, deadline: Option<Instant>) -> Arc<Inner> {
        let values = parent.map(|parent| parent.values.clone());
        Inner::with_values(parent, deadline, values.unwrap_or_default())
    }

    /// As [`new`](Inner::new), with these values and not the parent's.
    pub(super) fn with_values(
        parent: Option<&Arc<Inner>>,
        deadline: Option<Instant>,
        values: Values,
    ) -> Arc<Inner> {
        let parent = nearest_that_can_end(parent);
        let inner = Arc::new_cyclic(|this| Inner {
            done: chan::done(deadline),
            waits: Waits::new(),
            deadline,
            values,
            parent: parent.map(|parent| Parent {
                parent: Arc::clone(parent),
                link: Arc::new(Link(Node::new(this.clone()))),
            }),
            cancellers: AtomicUsize::new(1),
            lock: ByteLock::new(),
            state: AtomicU8::new(OPEN),
            children: UnsafeCell::new(Queue::new()),
        });
        if let Some(Parent { parent, link }) = &inner.parent {
            let joined = parent.with(|children| {
                // Relaxed: changed under the lock only.
                let open = parent.state.load(Ordering::Relaxed) == OPEN;
                if open {
                    // SAFETY: it is in no list, does not move, and is taken out before it is freed.
                    unsafe { children.push_back(&link.0) };
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

    /// One canceller more, made of another.
    pub(super) fn one_more_canceller(&self) {
        // Relaxed: there is one already, so no thread sees 0 meanwhile.
        self.cancellers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn one_canceller_less(&self) {
        // Release: partner is the load in `nearest_that_can_end`, for what this one has cancelled.
        self.cancellers.fetch_sub(1, Ordering::Release);
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
            one.waits.end();
            // From here on no context becomes a child. Those that are being freed have left the list.
            while let Some(child) = one.with(|children| {
                let node = children.pop_front()?;
                // SAFETY: a node in the list is alive, because its context takes it out, under the lock, before.
                Some(unsafe { node.as_ref() }.data.upgrade())
            }) {
                waiting.extend(child);
            }
        }
    }

    /// Leaves the parent's list; returns the parent.
    fn leave(&mut self) -> Option<Arc<Inner>> {
        let Parent { parent, link } = self.parent.take()?;
        // SAFETY: it was put into this list and no other.
        parent.with(|children| unsafe { children.unlink(&link.0) });
        Some(parent)
    }
}

/// The first in the line upwards from `parent` that has a canceller, or that is done already. Those before it tell a
/// child nothing that it would not learn from that one, or know by its own deadline.
fn nearest_that_can_end(mut parent: Option<&Arc<Inner>>) -> Option<&Arc<Inner>> {
    while let Some(one) = parent {
        // Acquire: partner is the decrement of each canceller that is gone. So the state says what they did; what
        // one further up has done and this one has not heard of, that one's own state says.
        let can_be_cancelled = one.cancellers.load(Ordering::Acquire) > 0;
        // Relaxed: see above; `new` looks again, under the lock of the one that becomes the parent.
        if can_be_cancelled || one.state.load(Ordering::Relaxed) != OPEN {
            break;
        }
        parent = one.parent.as_ref().map(|of| &of.parent);
    }
    parent
}

impl Drop for Inner {
    fn drop(&mut self) {
        let mut parent = self.leave();
        // Of the references that are given up at the same time the last one gets it.
        while let Some(mut last) = parent.and_then(Arc::into_inner) {
            parent = last.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Canceller, Context};
    use super::*;

    fn parent(one: &Arc<Inner>) -> Option<&Arc<Inner>> {
        one.parent.as_ref().map(|of| &of.parent)
    }

    /// How many contexts there are above this one.
    fn depth(ctx: &Context) -> usize {
        std::iter::successors(ctx.0.as_ref(), |one| parent(one)).count() - 1
    }

    fn has_children(ctx: &Context) -> bool {
        ctx.0
            .as_ref()
            .unwrap()
            .with(|children| !children.is_empty())
    }

    #[test]
    fn only_contexts_that_can_be_cancelled_are_a_level() {
        let (root, canceller) = Context::background().with_cancel();
        let mut ctx = root.clone();
        for n in 1..100 {
            ctx = ctx.with_timeout(Duration::from_secs(1000 - n)).0;
            ctx = ctx.with_cancel().0;
        }
        assert_eq!(depth(&ctx), 1);
        assert_eq!(ctx.deadline(), ctx.with_cancel().0.deadline());
        let (below, kept) = ctx.with_cancel();
        let again = kept.clone();
        drop(kept);
        let leaf = below.with_cancel().0;
        assert_eq!((depth(&below), depth(&leaf)), (1, 2));
        again.cancel();
        assert!(leaf.is_cancelled() && !ctx.is_cancelled());
        canceller.cancel();
        assert!(ctx.is_cancelled() && below.is_cancelled());
        assert!(!has_children(&root));
    }

    #[test]
    fn a_child_of_one_that_was_cancelled_by_a_canceller_that_is_gone_is_done() {
        let (root, _canceller) = Context::background().with_cancel();
        let (ctx, canceller) = root.with_cancel();
        canceller.cancel();
        drop(canceller);
        assert!(ctx.with_cancel().0.is_cancelled() && !root.is_cancelled());
    }

    /// A line of contexts, each of which can be cancelled.
    fn line(length: usize) -> (Vec<Context>, Vec<Canceller>) {
        let mut last = Context::background();
        let more = || {
            let (ctx, canceller) = last.with_cancel();
            last = ctx.clone();
            (ctx, canceller)
        };
        std::iter::repeat_with(more).take(length).unzip()
    }

    #[test]
    fn a_line_is_freed_without_recursion_from_below_and_by_many_at_once() {
        const LENGTH: usize = 100_000;
        for threads in [1, 4] {
            let (line, cancellers) = line(LENGTH);
            let (root, ends) = (Arc::downgrade(line[0].0.as_ref().unwrap()), line.len() - 1);
            assert_eq!(depth(&line[ends]), ends);
            // Several leaves, so that several find out at once which is the last.
            let leaves: Vec<_> = (0..threads).map(|_| line[ends].with_cancel()).collect();
            drop((line, cancellers));
            assert!(root.upgrade().is_some());
            let threads: Vec<_> = leaves
                .into_iter()
                .map(|leaf| {
                    let small = std::thread::Builder::new().stack_size(128 << 10);
                    small.spawn(move || drop(leaf)).unwrap()
                })
                .collect();
            threads.into_iter().for_each(|one| one.join().unwrap());
            assert!(root.upgrade().is_none());
        }
    }
}
