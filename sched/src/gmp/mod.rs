//! WING gmp

#![cfg(not(loom))]

pub(crate) mod all_gs;
pub(crate) mod counters;
pub(crate) mod g;
pub(crate) mod identity;
pub(crate) mod join;
pub(crate) mod locals;
pub(crate) mod m;
pub(crate) mod mode;
pub(crate) mod p;
pub(crate) mod payload;
pub(crate) mod segment;
pub(crate) mod shared;
pub(crate) mod signal_stack;
pub(crate) mod ticket;
pub(crate) mod window;
