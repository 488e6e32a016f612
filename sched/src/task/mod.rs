//! The wing `task`: a goroutine as its user sees it. Imported by the public functions.
//!
//! | file | what it has |
//! |---|---|
//! | spawn.rs, handle.rs, join_future.rs | spawning, and the handle, also as a future |
//! | fork_join.rs | two closures, of which the second runs elsewhere if an M has nothing to do |
//! | pinned.rs, stack_pin.rs | goroutines that stay on a thread, stacks that stay in their window |
//! | inherited.rs, local_key.rs, unpark.rs | what a goroutine inherits, its local values, how it is unparked |
//! | io_poll.rs | futures that wait for a socket |
//! | set_procs.rs | changing the number of Ps, and waiting for the change |
//!
//! Essays: [`fork_join`], [`join_future`], [`inherited`].

#![cfg(not(goroutines_loom))]

pub(crate) mod fork_join;
pub(crate) mod handle;
pub(crate) mod inherited;
pub(crate) mod io_poll;
pub(crate) mod join_future;
pub(crate) mod local_key;
pub(crate) mod pinned;
pub(crate) mod set_procs;
pub(crate) mod spawn;
pub(crate) mod stack_pin;
pub(crate) mod unpark;
