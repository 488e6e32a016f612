//! Tickets: how a timer, a channel and a select share the right to wake one G.

use crate::{gmp::g::GRef, protocol::timers::Sleeper};

/// What a [`Ticket`] is claimed with by a timer.
pub const TIMED_OUT: u32 = u32::MAX - 1;

/// The right to wake a G out of one particular wait: see [`arm`](crate::arm).
///
/// Tickets may be copied to everybody who could end the wait. Exactly one [`claim`](Ticket::claim)
/// succeeds; a ticket of an earlier wait is worthless and harmless.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket {
    pub(crate) g: GRef,
    pub(crate) number: u32,
}

impl Ticket {
    /// Whose wait it is.
    #[inline]
    pub fn g(self) -> GRef {
        self.g
    }

    /// Ends the wait with `outcome` (any number below [`TIMED_OUT`]). True for one caller only: that
    /// one must call [`ready`](crate::ready) exactly once, unless it is the G itself and did not park.
    #[inline]
    pub fn claim(self, outcome: u32) -> bool {
        self.g.get().wait_seq.claim(self.number, outcome)
    }

    /// Has nobody ended the wait yet? A snapshot.
    #[inline]
    pub fn is_open(self) -> bool {
        self.g.get().wait_seq.is_open(self.number)
    }
}

impl Sleeper for Ticket {
    fn is_waiting(&self) -> bool {
        self.is_open()
    }
}
