//! The handle of a goroutine: joining it, asking whether it has ended, detaching it.

use std::{cell::Cell, marker::PhantomData, thread, time::Instant};

use crate::{
    global::g_pool::free,
    gmp::{
        g::GRef,
        identity::Identity,
        join::{JOINED, SharedWait},
        payload::{self, Outcome},
    },
    park::{arm, caller::caller, park_until},
    protocol::wait_reason::WaitReason,
};

/// The right to a goroutine's result. Dropping it detaches the goroutine.
#[derive(Debug)]
pub struct Task<T> {
    g: GRef,
    _result: PhantomData<fn() -> T>,
}

// SAFETY: the handle gives out a T once, to its owner; T is Send (see `spawn`).
unsafe impl<T: Send> Send for Task<T> {}
// SAFETY: a shared handle only returns whether the goroutine has finished, and its name.
unsafe impl<T> Sync for Task<T> {}

impl<T> Task<T> {
    /// The handle of `g`, which has just been made and returns a `T`.
    #[inline]
    pub(crate) fn of(g: GRef) -> Task<T> {
        Task {
            g,
            _result: PhantomData,
        }
    }

    pub(crate) fn g(&self) -> GRef {
        self.g
    }

    /// For a caller that has put something into the join word: the goroutine is not detached.
    pub(crate) fn give_up(self) -> GRef {
        let g = self.g;
        std::mem::forget(self);
        g
    }

    /// Waits for the end of the goroutine and returns its result, or what it panicked with.
    ///
    /// # Parks
    ///
    /// Until the goroutine has ended.
    #[inline]
    pub fn join(self) -> thread::Result<T> {
        let join = &self.g.get().join;
        if !join.is_done() {
            let waiter = caller();
            let g = waiter.g();
            // SAFETY: `wait` returns true exactly when the end of the goroutine will make the caller ready, and is
            // the last thing that the commit does. Nothing parks before.
            unsafe { waiter.park(WaitReason::Join.on(self.g.get()), move || join.wait(g)) };
        }
        debug_assert!(join.is_done());
        let g = self.g;
        std::mem::forget(self);
        // SAFETY: the goroutine is done, so its G is the handle's; the payload is its outcome.
        let outcome = unsafe { payload::take::<Outcome<T>>(g.get().payload()) };
        free(g);
        outcome
    }

    /// As [`join`](Task::join), but until `deadline` at most: then the handle comes back.
    ///
    /// # Parks
    ///
    /// Until the goroutine has ended, or `deadline`.
    ///
    /// # Errors
    ///
    /// The handle, when the goroutine has not ended by then.
    pub fn join_until(self, deadline: Option<Instant>) -> Result<thread::Result<T>, Task<T>> {
        let join = &self.g.get().join;
        if !join.is_done() {
            let ticket = arm();
            let wait = SharedWait::new(ticket);
            let registered = Cell::new(true);
            let commit = || {
                let waits = join.wait_shared(&wait);
                if !waits {
                    // The goroutine has just ended, and no other waker has the ticket.
                    registered.set(false);
                    ticket.claim(JOINED);
                }
                waits
            };
            // SAFETY: the ticket is the caller's last. The end of the goroutine claims it if it finds it, or the
            // timer claims it, and the one that does makes the caller ready. Where `wait_shared` returns true it is
            // the last step.
            unsafe { park_until(WaitReason::Join.on(self.g.get()), ticket, deadline, commit) };
            if !wait.withdraw(join, registered.get()) {
                return Err(self);
            }
        }
        Ok(self.join())
    }

    /// Returns whether the goroutine has ended.
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.g.get().join.is_done()
    }

    /// The goroutine's number, counted from 1.
    pub fn id(&self) -> u64 {
        self.g.id()
    }

    /// The goroutine's name.
    pub fn name(&self) -> Option<&str> {
        self.g.get().identity.get().and_then(Identity::name)
    }

    /// The identity of the goroutine.
    pub fn identity(&self) -> &Identity {
        let g = self.g.get(); // not freed while this handle exists
        g.identity.get_or_make(|| Identity::of(g))
    }
}

impl<T> Drop for Task<T> {
    #[inline]
    fn drop(&mut self) {
        if self.g.get().join.detach() {
            return;
        }
        // It has finished: its result belongs to this handle.
        let g = self.g;
        // SAFETY: `detach` has failed, so the goroutine is done and its G the handle's; the payload is its outcome.
        let outcome = unsafe { payload::take::<Outcome<T>>(g.get().payload()) };
        free(g);
        drop(outcome);
    }
}
