//! The M of this thread: the word at the thread pointer.

use std::ptr;

use crate::{gmp::m::M, sys::asm};

/// The M of this thread, if it has one.
///
/// Read again at every call, through the thread pointer: a goroutine may be on another thread after every park. Never
/// cached in a `thread_local!`, whose *address* the compiler may keep.
#[inline(always)]
pub(crate) fn current_m() -> Option<&'static M> {
    // SAFETY: the word is null or was set by `set_current_m` from a `&'static M`.
    unsafe { asm::thread_word().cast::<M>().as_ref() }
}

pub(crate) fn set_current_m(m: Option<&'static M>) {
    asm::set_thread_word(m.map_or(ptr::null_mut(), |m| ptr::from_ref(m).cast_mut().cast()));
}
