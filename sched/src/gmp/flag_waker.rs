//! A goroutine or thread and the flag that its wakers set (wake_flag.rs).

use crate::{
    gmp::{g::GRef, ticket::Ticket},
    protocol::wake_flag::WakeFlag,
};

/// The outcome with which a giver claims the owner's wait.
pub(crate) const WOKEN: u32 = 0;

pub(crate) struct FlagWaker {
    pub(crate) g: GRef,
    pub(crate) flag: WakeFlag,
}

impl FlagWaker {
    pub(crate) fn of(g: GRef) -> FlagWaker {
        FlagWaker {
            g,
            flag: WakeFlag::new(),
        }
    }

    /// Sets the flag. Returns the owner if it has parked: then the caller has claimed its wait, and makes it ready.
    pub(crate) fn wake(&self) -> Option<GRef> {
        let number = self.flag.give()?;
        let ticket = Ticket { g: self.g, number };
        ticket.claim(WOKEN).then_some(self.g)
    }
}
