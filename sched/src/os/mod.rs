//! What the scheduler asks of the operating system: futexes and a clock.

pub(crate) mod clock;
pub(crate) mod futex;
