//! Doorbells: wakers of goroutines and plain OS threads. The protocol is in wake_flag.rs.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Wake, Waker},
    time::Instant,
};

use crate::{
    global::ready::ready,
    gmp::{
        g::{GRef, Kind},
        ticket::Ticket,
    },
    park::{arm, park_until, yield_now::yield_now},
    protocol::{wait_reason::WaitReason, wake_flag::WakeFlag},
    switch::current::current,
    sys::fatal,
};

/// What a giver claims the owner's wait with.
const WOKEN: u32 = 0;

/// Wakes who made it, and no one else: as a [`Waker`] it may be kept, cloned and rung from anywhere, at any time,
/// also when its owner waits for it no more.
pub struct ThreadWaker {
    g: GRef,
    signal: WakeFlag,
}

impl std::fmt::Debug for ThreadWaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ThreadWaker").field("g", &self.g).finish()
    }
}

impl ThreadWaker {
    /// The caller's.
    #[must_use]
    pub fn new() -> Arc<ThreadWaker> {
        Arc::new(ThreadWaker {
            g: current(),
            signal: WakeFlag::new(),
        })
    }

    /// Forgets that it was rung: before the owner looks at what it waits for.
    pub fn clear(&self) {
        self.signal.take();
    }

    /// Waits until it is rung, or has been since [`clear`](Doorbell::hush); until `deadline` at most.
    ///
    /// If it has been rung already, lets the goroutines that are runnable go first, as [`yield_now`] does: a future
    /// that wakes itself asks for that.
    ///
    /// # Parks
    ///
    /// Only the goroutine. A plain OS thread sleeps.
    ///
    /// # Panics
    ///
    /// When another than the one who made it calls this.
    pub fn wait(&self, deadline: Option<Instant>) {
        assert!(
            current() == self.g,
            "ThreadWaker::wait: only the goroutine or thread that made a waker can wait for it"
        );
        if self.signal.is_given() && self.g.get().kind() == Kind::Goroutine {
            return yield_now();
        }
        let ticket = arm();
        let commit = || {
            let stays = self.signal.park(ticket.number);
            if !stays {
                // Nobody else knows the ticket: no giver saw it, and the timer's heap is locked.
                ticket.claim(WOKEN);
            }
            stays
        };
        // SAFETY: the ticket is the caller's last. It is claimed by the timer, or by the one giver that saw that the
        // owner has parked, which is the last step of the commit; who claims it makes the owner ready.
        unsafe { park_until(WaitReason::Future, ticket, deadline, commit) };
    }
}

impl Wake for ThreadWaker {
    fn wake(self: Arc<ThreadWaker>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<ThreadWaker>) {
        let Some(number) = self.signal.give() else {
            return;
        };
        let ticket = Ticket { g: self.g, number };
        if ticket.claim(WOKEN) {
            // SAFETY: it has parked in this wait, as its flag says, and the claim was ours.
            unsafe { ready(self.g) };
        }
    }
}

/// Calls `waker`, which is the code of somebody else, where nobody can deal with its panic.
pub fn wake(waker: Waker) {
    if catch_unwind(AssertUnwindSafe(|| waker.wake())).is_err() {
        fatal::fatal(format_args!("the waker of a future panicked"));
    }
}
