//! The commit of a park: what g0 runs once the goroutine that parks is off its stack.

use std::mem::ManuallyDrop;

use crate::{
    gmp::{g::GRef, m::M},
    protocol::wait_reason::WaitFor,
    switch::{self, signal_check},
};

/// The function that g0 calls once the goroutine is off its stack. Lies on the goroutine's stack, as the head of a
/// [`CommitOf`].
pub(crate) struct Commit {
    call: unsafe fn(*const Commit, &'static M) -> bool,
}

#[repr(C)]
pub(crate) struct CommitOf<C> {
    head: Commit,
    closure: ManuallyDrop<C>,
}

impl Commit {
    /// # Safety
    ///
    /// Once per park, while the commit is where `park` put it. `m` is the M of this thread.
    #[inline(always)]
    pub(crate) unsafe fn run(this: *const Commit, m: &'static M) -> bool {
        // SAFETY: `call` was made for the `CommitOf` whose head `this` is; the caller runs it while it is there.
        unsafe { ((*this).call)(this, m) }
    }
}

/// Leaves the stack of `g` for g0, which runs `commit`: `park` for a caller that has its own G and M. Without a
/// wait `g` does not wait: its commit queues it, or it has ended.
///
/// # Safety
///
/// `g` runs here, on `m`, and is not unwinding. For each `commit` that returns true it is made ready once, not before
/// `commit` has let a waker go; `commit` does not park or panic, and touches nothing on the stack of `g` after that
/// step.
#[inline(always)]
pub(crate) unsafe fn leave_with<C>(m: &'static M, g: GRef, wait: Option<WaitFor>, commit: C)
where
    C: FnOnce(&'static M) -> bool,
{
    signal_check::check();
    let commit = CommitOf::new(commit);
    // SAFETY: `g` runs on `m`; `commit` lies on the stack that is left, and is run once.
    unsafe { switch::leave(m, g, wait, (&raw const commit).cast()) };
}

impl<C: FnOnce(&'static M) -> bool> CommitOf<C> {
    #[inline(always)]
    pub(crate) fn new(closure: C) -> CommitOf<C> {
        CommitOf {
            head: Commit { call: Self::call },
            closure: ManuallyDrop::new(closure),
        }
    }

    /// # Safety
    ///
    /// `head` is that of a commit of this type, whose closure was not taken yet.
    unsafe fn call(head: *const Commit, m: &'static M) -> bool {
        // SAFETY: `head` is the first field of a `CommitOf<C>`, since `new` made both; a commit is run once, so its
        // closure is read once.
        let closure = unsafe { (&raw const (*head.cast::<Self>()).closure).read() };
        ManuallyDrop::into_inner(closure)(m)
    }
}
