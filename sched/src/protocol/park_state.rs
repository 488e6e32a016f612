//! Park states: for a wait that may be ended before the waiter has parked.
//!
//! A select puts its nodes into the queues of several channels, one after the other, and parks then. From the first
//! node on a counterpart may claim its ticket. So the waker does not know whether the waiter has parked yet.
//!
//! ```text
//!                  waiter                                      its waker
//!  RUNNING         N1 nodes into the queues                    W1 claims the ticket
//!                  N2 parks; its commit: swap(PARKED)          W2 moves the message
//!                     RUNNING before: it stays parked          W3 swap(WOKEN)
//!                     WOKEN before: it continues at once            PARKED before: ready(waiter)
//!                                                                 RUNNING before: nothing
//! ```
//!
//! The second swap sees the first. The waiter continues only after W3, also when it sees at once that its ticket was
//! claimed: until W3 the message is being moved. A timer needs none of this: its heap is locked until the commit is
//! over.

use crate::protocol::sync::{AtomicU8, Ordering};

const RUNNING: u8 = 0;
const PARKED: u8 = 1;
const WOKEN: u8 = 2;

/// Where the waiter and the winner of its [`Ticket`](crate::Ticket) meet, for waits whose ticket is handed out before
/// the park. Serves one wait.
#[derive(Debug)]
pub struct ParkState {
    word: AtomicU8,
}

impl Default for ParkState {
    fn default() -> ParkState {
        ParkState::new()
    }
}

impl ParkState {
    /// For a wait that begins.
    #[must_use]
    pub fn new() -> ParkState {
        ParkState {
            word: AtomicU8::new(RUNNING),
        }
    }

    /// For the commit of the park, as its last step: true if the waiter is to stay parked.
    #[inline]
    pub fn park(&self) -> bool {
        // AcqRel: both partners are the swap in `wake`. Release: that it has parked is visible to its
        // waker; Acquire: what its waker did is visible to the waiter.
        self.word.swap(PARKED, Ordering::AcqRel) == RUNNING
    }

    /// For the winner of the ticket, as its last step but one: true if it must call
    /// [`ready`](crate::ready) now. If not, the waiter and this park state may be gone already.
    #[inline]
    #[must_use = "the waiter would sleep for ever"]
    pub fn wake(&self) -> bool {
        // AcqRel: as in `park`, the other way round.
        self.word.swap(WOKEN, Ordering::AcqRel) == PARKED
    }
}
