//! The token of `park` and `unpark`: any thread may give it at any time, only its owner takes it.
//!
//! ```text
//! owner                                           giver
//! T1 lock; Given? then Empty, continue            U1 lock; Waits(ticket)? then claim it and Empty; if that
//! T2 Waits(ticket)                                   fails, the time is up, and it is Given
//! T3 park; the commit unlocks                     U2 Empty? then Given
//! T4 woken by a giver: it left Empty behind       U3 unlock; ready(owner) if it was claimed
//! T5 woken by the timer: lock; whatever is there
//!    becomes Empty
//! ```
//!
//! A giver cannot come to U1 between T1 and T3. A giver between the timer's claim and T5 leaves a token that T5 uses
//! up, as if it had come in time. After U3 the giver no longer touches the token, and neither does the commit after
//! it has unlocked: the owner may be gone by then.

use std::cell::UnsafeCell;

use crate::protocol::byte_lock::ByteLock;

enum State<W> {
    Empty,
    Given,
    /// With what a giver claims the owner's wait.
    Waits(W),
}

pub(crate) struct Token<W> {
    lock: ByteLock,
    /// Under `lock`.
    state: UnsafeCell<State<W>>,
}

// SAFETY: the state is touched under the lock only, and passes from thread to thread as a whole.
unsafe impl<W: Send> Sync for Token<W> {}

impl<W: Copy> Token<W> {
    pub(crate) fn new() -> Token<W> {
        Token {
            lock: ByteLock::new(),
            state: UnsafeCell::new(State::Empty),
        }
    }

    /// T1, for the owner: true if the token was there. If not, the lock is held, and [`wait`](Token::wait) is next.
    pub(crate) fn take_or_lock(&self) -> bool {
        self.lock.lock();
        // SAFETY: the lock is held.
        let state = unsafe { &mut *self.state.get() };
        let given = matches!(state, State::Given);
        if given {
            *state = State::Empty;
            // SAFETY: locked above.
            unsafe { self.lock.unlock() };
        }
        given
    }

    /// T2.
    ///
    /// # Safety
    ///
    /// The owner holds the lock.
    pub(crate) unsafe fn wait(&self, waiter: W) {
        // SAFETY: the caller holds the lock, under which the state is.
        unsafe { *self.state.get() = State::Waits(waiter) };
    }

    /// T3, in the commit.
    ///
    /// # Safety
    ///
    /// The owner holds the lock.
    pub(crate) unsafe fn commit(&self) {
        // SAFETY: `take_or_lock` has returned false to the owner, which has held the lock since then.
        unsafe { self.lock.unlock() };
    }

    /// T5, for the owner.
    pub(crate) fn time_is_up(&self) {
        self.lock.lock();
        // SAFETY: the lock is held, and was taken above.
        unsafe {
            *self.state.get() = State::Empty;
            self.lock.unlock();
        }
    }

    /// U1 to U3. Returns the owner to be made ready, if `claim` succeeds.
    #[must_use = "the owner that is returned waits to be made ready"]
    pub(crate) fn give(&self, claim: impl FnOnce(W) -> bool) -> Option<W> {
        self.lock.lock();
        // SAFETY: the lock is held.
        let state = unsafe { &mut *self.state.get() };
        let woken = match *state {
            State::Waits(waiter) => claim(waiter).then_some(waiter),
            _ => None,
        };
        *state = match woken {
            Some(_) => State::Empty,
            None => State::Given,
        };
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        woken
    }
}
