//! WING global

#![cfg(not(loom))]

pub(crate) mod g_pool;
pub(crate) mod procs;
pub(crate) mod queue;
pub(crate) mod ready;
pub(crate) mod retake;
pub(crate) mod sched;
pub(crate) mod settings;
pub(crate) mod start_m;
pub(crate) mod starter;
pub(crate) mod update_procs;
pub(crate) mod wake;
