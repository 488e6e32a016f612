//! WING protocol

pub(crate) mod byte_lock;
pub(crate) mod gate;
pub(crate) mod home_wait;
pub(crate) mod idle;
pub(crate) mod inbox;
pub(crate) mod lending;
pub(crate) mod p_numbers;
pub(crate) mod park_state;
pub(crate) mod park_token;
pub(crate) mod parker;
pub(crate) mod requests;
pub(crate) mod ring;
pub(crate) mod shrink_word;
pub(crate) mod status;
pub(crate) mod steps;
pub(crate) mod sync;
pub(crate) mod sysmon_sleep;
pub(crate) mod timers;
pub(crate) mod wait_reason;
pub(crate) mod wait_seq;
pub(crate) mod wake_flag;
pub(crate) mod window_lock;

#[cfg(all(test, loom))]
mod models;
