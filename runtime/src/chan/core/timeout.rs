//! How long an operation waits.

use std::time::Duration;

use super::door::Instant;

/// How long an operation may wait for its counterpart.
#[derive(Clone, Copy)]
pub(crate) enum Timeout {
    /// It does not wait.
    Now,
    Until(Instant),
    /// It waits without a limit.
    Never,
}

impl Timeout {
    /// A timeout that no `Instant` can hold never comes.
    pub(crate) fn of(timeout: Duration) -> Timeout {
        let deadline = Instant::now().checked_add(timeout);
        deadline.map_or(Timeout::Never, Timeout::Until)
    }

    /// Returns whether the time is up.
    pub(crate) fn is_over(self) -> bool {
        match self {
            Timeout::Now => true,
            Timeout::Until(deadline) => Instant::now() >= deadline,
            Timeout::Never => false,
        }
    }
}
