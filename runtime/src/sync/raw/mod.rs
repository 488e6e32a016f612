//! The raw locks: the words and wait queues that the public locks put values and guards around.
//!
//! The loom models of sched compile this folder, whole, with another `door`. So its files import from each other and from
//! there, and nothing else that synchronises. A file imports only from those before it:
//!
//! ```text
//! door < rwword < waitq < waits < limit < sleeper < waiter < turns < rawlock < rawcond < rawsem < rawonce < rawrw < rwslow
//! ```

use super::door;

pub(crate) mod limit;
pub(crate) mod rawcond;
pub(crate) mod rawlock;
pub(crate) mod rawonce;
pub(crate) mod rawrw;
pub(crate) mod rawsem;
pub(crate) mod rwslow;
pub(crate) mod rwword;
pub(crate) mod sleeper;
pub(crate) mod turns;
pub(crate) mod waiter;
pub(crate) mod waitq;
pub(crate) mod waits;
