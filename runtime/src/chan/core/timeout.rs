//! How long an operation waits.

use std::time::Duration;

use super::door::Instant;

/// How long an operation may wait for its counterpart.
#[derive(Clone, Copy)]
pub(crate) enum Patience {
    None,
    Until(Instant),
    Forever,
}

impl Patience {
    /// A timeout that no `Instant` can hold is for ever.
    pub(crate) fn of(timeout: Duration) -> Patience {
        let deadline = Instant::now().checked_add(timeout);
        deadline.map_or(Patience::Forever, Patience::Until)
    }

    /// Is there nothing (more) to wait for?
    pub(crate) fn is_over(self) -> bool {
        match self {
            Patience::None => true,
            Patience::Until(deadline) => Instant::now() >= deadline,
            Patience::Forever => false,
        }
    }
}
