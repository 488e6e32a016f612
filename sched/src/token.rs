//! The token of `park` and `unpark`: given by anybody at any time, taken by its owner alone.
//!
//! ```text
//! owner                                           giver
//! T1 lock; Given? then Empty, and go on           U1 lock; Waits(ticket)? then claim it and Empty; if that
//! T2 Waits(ticket)                                   fails, the time is up, and it is Given
//! T3 park; the commit unlocks                     U2 Empty? then Given
//! T4 woken by a giver: it left Empty behind       U3 unlock; ready(owner) if it was claimed
//! T5 woken by the timer: lock; whatever is there
//!    becomes Empty
//! ```
//!
//! A giver cannot come to U1 between T1 and T3. One that comes between the timer's claim and T5 leaves a token
//! that T5 uses up: as if it had come in time. After U3 the giver touches the token no more, and neither does the
//! commit after it unlocked; the owner may be gone by then.

use std::{cell::UnsafeCell, time::Instant};

use crate::{
    ByteLock,
    park::{arm, park_until, ready},
    ticket::{TIMED_OUT, Ticket},
};

/// What a giver claims the owner's wait with.
const GIVEN: u32 = 0;

enum State {
    Empty,
    Given,
    Waits(Ticket),
}

pub(crate) struct Token {
    lock: ByteLock,
    /// Under `lock`.
    state: UnsafeCell<State>,
}

// SAFETY: the state is touched under the lock only; a Ticket is Send.
unsafe impl Sync for Token {}
// SAFETY: as above.
unsafe impl Send for Token {}

impl Token {
    pub(crate) fn new() -> Token {
        Token {
            lock: ByteLock::new(),
            state: UnsafeCell::new(State::Empty),
        }
    }

    /// T1 to T5. Only for the owner.
    pub(crate) fn take(&self, deadline: Option<Instant>) {
        self.lock.lock();
        // SAFETY: the lock is held.
        let state = unsafe { &mut *self.state.get() };
        if let State::Given = state {
            *state = State::Empty;
            // SAFETY: locked above.
            return unsafe { self.lock.unlock() };
        }
        let ticket = arm();
        *state = State::Waits(ticket);
        let commit = || {
            // SAFETY: locked above; the last thing that the commit does.
            unsafe { self.lock.unlock() };
            true
        };
        // SAFETY: the ticket is the caller's last; the timer and one giver try to claim it, and the one who does
        // makes the caller ready. A giver finds it only after the commit has unlocked.
        let outcome = unsafe { park_until(ticket, deadline, commit) };
        if outcome == TIMED_OUT {
            self.lock.lock();
            // SAFETY: the lock is held, and was taken above.
            unsafe {
                *self.state.get() = State::Empty;
                self.lock.unlock();
            }
        }
    }

    /// U1 to U3.
    pub(crate) fn give(&self) {
        self.lock.lock();
        // SAFETY: the lock is held.
        let state = unsafe { &mut *self.state.get() };
        let mut woken = None;
        *state = match *state {
            State::Waits(ticket) if ticket.claim(GIVEN) => {
                woken = Some(ticket.g());
                State::Empty
            }
            _ => State::Given,
        };
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        if let Some(g) = woken {
            // SAFETY: its wait was claimed here, after it had parked: its commit lets go of the lock.
            unsafe { ready(g) };
        }
    }
}
