//! WING observe

#![cfg(not(loom))]

pub(crate) mod hogs;
pub(crate) mod metrics;
pub(crate) mod reporter;
