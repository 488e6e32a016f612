//! Making sure that enough stack is there, before a call in which a guard fault could not be handled.

use std::{fmt, hint::black_box, io, mem::MaybeUninit};

use goroutines_stack::Step;

use crate::{
    stacks::on_segment::{CROSSING, has_known_end, has_stack, on_segment, stack_left},
    switch::current::current,
    sys::asm,
};

/// Why [`reserve_stack`] failed.
#[derive(Debug)]
pub enum Shortage {
    /// This many bytes are left of the stack.
    Left(usize),
    /// The kernel refuses to remove a guard.
    Refused(io::Error),
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shortage::Left(bytes) => write!(
                f,
                "{bytes} are left of this stack: give the goroutine a larger one (`Builder::stack_size`, \
                 `Config::stack_size`), or call it on a further one (`grow`)"
            ),
            Shortage::Refused(error) => write!(
                f,
                "the kernel refuses to remove a guard page: {error}: let a seccomp filter allow madvise with advice 102 \
                 and 103, or set GOROUTINE_GUARD=mprotect"
            ),
        }
    }
}

/// Makes sure that `bytes` of the stack below the caller can be used without a guard being hit. Touches
/// no memory, but for a stack with a guard that moves: there the next 8 KiB.
///
/// # Errors
///
/// When less than that is left, or the kernel refuses.
pub fn reserve_stack(bytes: usize) -> Result<(), Shortage> {
    if !has_known_end() {
        return Ok(());
    }
    let left = stack_left();
    if left < bytes {
        return Err(Shortage::Left(left));
    }
    let g = current();
    let stack = match g.get().segments.stack() {
        Some(stack) => stack,
        None => g.get().own_stack(),
    };
    // SAFETY: null, or the stack that runs here, which stays while it does.
    let Some(stack) = (unsafe { stack.as_ref() }) else {
        return Ok(()); // a plain thread's, without guards that move
    };
    if stack.step() != Step::PAGED && left > 2 * CROSSING {
        touch();
    }
    // The calls in here must not hit a guard either.
    let low = asm::stack_pointer().wrapping_sub(bytes.max(CROSSING) + CROSSING);
    // SAFETY: this runs on the stack, and needs less than `CROSSING` of it.
    unsafe { stack.reserve(low) }.map_err(Shortage::Refused)
}

/// Calls `f` where `bytes` of stack can be used without a guard being hit: on the stack that runs here, whose guard moves
/// before, or on a further one if less is left. Where the kernel refuses to move the guard, which may not be hit, `f` is
/// called all the same.
///
/// For calls that block all signals, as those of the C library that start a thread or a process, and for system calls
/// that write to the stack.
pub fn with_room<R>(bytes: usize, f: impl FnOnce() -> R) -> R {
    let _ = reserve_stack(bytes);
    match has_stack(bytes) {
        true => f(),
        false => on_segment(bytes, f),
    }
}

/// Uses as much stack as the rest of [`reserve_stack`] does. A guard in that range is hit here: the handler moves it,
/// and a fault between two steps of moving it would leave a guard that is recorded nowhere.
#[inline(never)]
fn touch() {
    let mut room = MaybeUninit::<[u8; CROSSING]>::uninit();
    // SAFETY: it is one of the bytes of `room`, the one furthest down.
    unsafe {
        black_box(&mut room)
            .as_mut_ptr()
            .cast::<u8>()
            .write_volatile(0)
    };
}
