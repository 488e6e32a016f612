//! What the scheduler asks of the operating system: futexes, a clock, and fences for other threads.

pub(crate) mod clock;
pub(crate) mod futex;
pub(crate) mod membarrier;
