//! What the scheduler asks of the operating system: futexes, a clock, `errno`, fences for other threads, new
//! threads and their signal masks, and where a thread keeps what is its own.

pub(crate) mod clock;
pub(crate) mod errno;
pub(crate) mod futex;
pub(crate) mod mask;
pub(crate) mod membarrier;
pub(crate) mod spawn;
pub(crate) mod task;
pub(crate) mod tls;
