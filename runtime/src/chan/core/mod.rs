//! The core of a channel: what is locked, who waits, and how a message goes over. The protocol is in the essay of
//! `chan/mod.rs`.
//!
//! The loom models of sched compile this folder, whole, with another `door`. So its files import from each other and from
//! there, and nothing else that synchronises.

use super::door;

pub(super) mod ahead;
pub(super) mod blocks;
pub(super) mod boxed_wait;
pub(super) mod buffer;
pub(super) mod channel;
pub(super) mod clock;
pub(super) mod counter;
pub(super) mod future_wait;
pub(super) mod locked;
pub(super) mod promise;
pub(super) mod ring;
pub(super) mod side;
pub(super) mod state;
pub(super) mod steps;
pub(super) mod timekeeper;
pub(super) mod timeout;
pub(super) mod waiter;
