//! The unwinder that std itself uses: what is asked of it has the same names on all CPUs.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::ffi::c_void;

#[cfg_attr(not(target_arch = "arm"), path = "dwarf.rs")]
#[cfg_attr(target_arch = "arm", path = "ehabi.rs")]
mod tables;

pub(crate) use tables::*;

unsafe extern "C" {
    /// Calls `visit` with a context and `arg` for each frame, from the caller's outwards, until it returns something else
    /// than 0.
    pub(crate) fn _Unwind_Backtrace(
        visit: extern "C" fn(*mut c_void, *mut c_void) -> i32,
        arg: *mut c_void,
    ) -> i32;
}
