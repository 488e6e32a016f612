//! The unwinder of CPUs with DWARF tables.

use std::ffi::c_void;

unsafe extern "C" {
    fn _Unwind_GetIPInfo(context: *mut c_void, before: *mut i32) -> usize;
    fn _Unwind_GetGR(context: *mut c_void, register: i32) -> usize;
    fn _Unwind_FindEnclosingFunction(pc: *mut c_void) -> *mut c_void;
}

/// Before signal handlers ask.
pub(crate) fn get_ready() {}

/// Where the frame goes on, and whether it was interrupted there; otherwise that lies behind a call. 0 is a mark of the
/// unwinder that the stack has ended.
///
/// # Safety
///
/// `context` is what a visitor was called with.
pub(crate) unsafe fn ip(context: *mut c_void) -> (usize, bool) {
    let mut before = 0;
    // SAFETY: the unwinder's own context.
    let ip = unsafe { _Unwind_GetIPInfo(context, &raw mut before) };
    (ip, before != 0)
}

/// A register of the frame, by the number that the tables have for it.
///
/// # Safety
///
/// As for [`ip`]; the CPU has the register.
pub(crate) unsafe fn register(context: *mut c_void, number: i32) -> usize {
    // SAFETY: the unwinder's own context, and one of its registers.
    unsafe { _Unwind_GetGR(context, number) }
}

/// The function that holds the instruction at `pc`, if there are tables for it; otherwise 0.
pub(crate) fn function(pc: usize) -> usize {
    // SAFETY: any address will do. It looks its argument up minus one.
    unsafe { _Unwind_FindEnclosingFunction((pc + 1) as *mut c_void) as usize }
}
