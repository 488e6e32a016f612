//! WING sys

#![cfg(not(loom))]

pub(crate) mod asm;
pub(crate) mod clock;
pub(crate) mod cpus;
pub(crate) mod errno;
pub(crate) mod fatal;
pub(crate) mod futex;
pub(crate) mod mask;
pub(crate) mod membarrier;
pub(crate) mod proc_stat;
pub(crate) mod spawn;
pub(crate) mod tls;
pub(crate) mod tools;
