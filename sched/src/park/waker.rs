//! Wakers of goroutines and plain OS threads. The protocol is in wake_flag.rs.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Wake, Waker},
    time::Instant,
};

use crate::{
    global::ready::ready,
    gmp::{
        flag_waker::{FlagWaker, WOKEN},
        g::Kind,
    },
    park::{arm, park_until, yield_now::yield_now},
    protocol::wait_reason::WaitReason,
    switch::current::current,
    sys::fatal,
};

/// A [`Waker`] of the goroutine or thread that created it. May be cloned, kept and woken from any thread; a wake
/// after the wait does nothing.
pub struct ThreadWaker(FlagWaker);

impl std::fmt::Debug for ThreadWaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ThreadWaker").field("g", &self.0.g).finish()
    }
}

impl ThreadWaker {
    /// The waker of the caller.
    #[must_use]
    pub fn new() -> Arc<ThreadWaker> {
        Arc::new(ThreadWaker(FlagWaker::of(current())))
    }

    /// Clears the flag, before the owner looks at what it waits for.
    pub fn clear(&self) {
        self.0.flag.take();
    }

    /// Waits until it is woken, or was woken since [`clear`](ThreadWaker::clear); at most until `deadline`.
    ///
    /// If it was woken already, lets the goroutines that are runnable go first, as [`yield_now`] does: a future that
    /// wakes itself asks for that.
    ///
    /// # Parks
    ///
    /// Only the goroutine. A plain OS thread sleeps.
    ///
    /// # Panics
    ///
    /// When it is called by another goroutine or thread than the one that made the waker.
    pub fn wait(&self, deadline: Option<Instant>) {
        assert!(
            current() == self.0.g,
            "ThreadWaker::wait: only the goroutine or thread that made a waker can wait for it"
        );
        self.0.wait(deadline);
    }
}

impl FlagWaker {
    /// See [`ThreadWaker::wait`]. The caller is the owner.
    pub(crate) fn wait(&self, deadline: Option<Instant>) {
        if self.flag.is_given() && self.g.get().kind() == Kind::Goroutine {
            return yield_now();
        }
        let ticket = arm();
        let commit = || {
            let stays = self.flag.park(ticket.number);
            if !stays {
                // No giver has seen this wait, and the timer's heap is locked: only this commit can claim the ticket.
                ticket.claim(WOKEN);
            }
            stays
        };
        // SAFETY: the ticket is the caller's last. It is claimed by the timer, or by the one giver that saw that the
        // owner has parked, which is the last step of the commit; the one that claims it makes the owner ready.
        unsafe { park_until(WaitReason::Future, ticket, deadline, commit) };
    }
}

impl Wake for ThreadWaker {
    fn wake(self: Arc<ThreadWaker>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<ThreadWaker>) {
        if let Some(g) = self.0.wake() {
            // SAFETY: the owner has parked in this wait, as its flag says, and this thread has claimed it.
            unsafe { ready(g) };
        }
    }
}

/// Calls `waker`, which is foreign code, in a place where its panic cannot be handled: then the process ends.
pub fn wake(waker: Waker) {
    if catch_unwind(AssertUnwindSafe(|| waker.wake())).is_err() {
        fatal::fatal(format_args!("the waker of a future panicked"));
    }
}
