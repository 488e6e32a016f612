//! Tickets: how a timer, a channel and a select share the right to wake one G.

use crate::{gmp::g::GRef, protocol::timers::Sleeper};

/// The outcome with which a timer claims a [`Ticket`].
pub const TIMED_OUT: u32 = u32::MAX - 1;

/// The right to wake a G out of one particular wait: see [`arm`](crate::arm).
///
/// A ticket may be copied to every waker that could end the wait. Exactly one [`claim`](Ticket::claim) succeeds; a
/// ticket of an earlier wait has no effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket {
    pub(crate) g: GRef,
    pub(crate) number: u32,
}

impl Ticket {
    /// The G whose wait it is.
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

    /// Returns whether the wait is still open. A snapshot.
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
