//! Valgrind: every stack is registered when it is used first, and for good, as its window is.

use std::{collections::HashSet, sync::Mutex};

use goroutines_stack::{self as stack, Stack};

use crate::{gmp::segment::low, protocol::sync::lock, sys::asm};

/// The lower ends of the stacks that valgrind knows.
static KNOWN: Mutex<Option<HashSet<usize>>> = Mutex::new(None);

/// What is written to the top of a stack from outside, before anything runs on it.
const FROM_OUTSIDE: usize = 512;

pub(super) fn prepare() {
    if asm::valgrind::is_running() {
        stack::assume_watched();
    }
}

/// Registers `stack`, and makes its top writable: whoever ran there last has left it as dead.
pub(super) fn begin(stack: &Stack) {
    let (low, top) = (low(stack), stack.top());
    if lock(&KNOWN).get_or_insert_default().insert(low) {
        asm::valgrind::register_stack(low as *const u8, top);
    }
    asm::valgrind::make_undefined(top.wrapping_sub(FROM_OUTSIDE), FROM_OUTSIDE);
}
