//! The registers of code that a signal has interrupted, out of what the kernel hands to the handler.

use crate::{Native, Port};

/// Where the registers are that a signal has interrupted, in bytes from the start of its `ucontext_t`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignalLayout {
    /// The address of the next instruction.
    pub ip: usize,
    /// The stack pointer.
    pub sp: usize,
    /// The frame pointer.
    pub fp: usize,
    /// The link register; that of `ip` where return addresses are on the stack.
    pub link: usize,
}

impl SignalLayout {
    /// `ip`, `sp`, `fp` and `link` are these words of an array that begins at `start`.
    pub(crate) const fn words_from(start: usize, [ip, sp, fp, link]: [usize; 4]) -> SignalLayout {
        const WORD: usize = size_of::<usize>();
        SignalLayout {
            ip: start + ip * WORD,
            sp: start + sp * WORD,
            fp: start + fp * WORD,
            link: start + link * WORD,
        }
    }
}

/// Where an unwinder starts in code that a signal has interrupted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interrupted {
    /// The address of the next instruction.
    pub ip: usize,
    /// The stack pointer.
    pub sp: usize,
    /// The frame pointer.
    pub fp: usize,
    /// The link register; `ip` where return addresses are on the stack.
    pub link: usize,
}

/// The stack pointer of the code that a signal has interrupted: see [`Port::SIGNAL_CONTEXT`].
///
/// # Safety
///
/// `context` is the third argument of a signal handler that was installed with `SA_SIGINFO` and has not returned yet.
#[inline]
#[must_use]
pub unsafe fn interrupted_sp(context: *const core::ffi::c_void) -> usize {
    // SAFETY: the caller's context is one of a handler that has not returned.
    unsafe { interrupted_register(context, Native::SIGNAL_CONTEXT.sp) }
}

/// What an unwinder needs of the code that a signal has interrupted: see [`Port::SIGNAL_CONTEXT`].
///
/// # Safety
///
/// As for [`interrupted_sp`].
#[inline]
#[must_use]
pub unsafe fn interrupted(context: *const core::ffi::c_void) -> Interrupted {
    let layout = Native::SIGNAL_CONTEXT;
    // SAFETY: the caller's context is one of a handler that has not returned.
    let register = |offset| unsafe { interrupted_register(context, offset) };
    Interrupted {
        ip: register(layout.ip),
        sp: register(layout.sp),
        fp: register(layout.fp),
        link: register(layout.link),
    }
}

/// # Safety
///
/// As for [`interrupted_sp`]; `offset` is one of [`Port::SIGNAL_CONTEXT`].
unsafe fn interrupted_register(context: *const core::ffi::c_void, offset: usize) -> usize {
    let place = context.cast::<u8>().wrapping_add(offset);
    // SAFETY: the context is a whole `ucontext_t` of this CPU, in which the port says where the word is.
    unsafe { place.cast::<usize>().read() }
}
