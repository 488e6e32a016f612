//! Valgrind: every stack is registered when it is first used, and stays registered, because its window stays mapped.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use goroutines_stack::{self as stack, Stack};

use crate::sys::asm::valgrind;

/// The lower ends of the stacks that valgrind knows.
static KNOWN: Mutex<Option<HashSet<usize>>> = Mutex::new(None);

/// Bytes that are written to the top of a stack from outside, before anything runs on it.
const FROM_OUTSIDE: usize = 512;

pub(super) fn prepare() {
    if valgrind::is_running() {
        stack::assume_watched();
    }
}

/// Registers `stack`, and makes its top writable: the code that ran there last has left it marked as dead.
pub(super) fn begin(stack: &Stack) {
    let top = stack.top();
    let low = top.addr() - stack.limit();
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.get_or_insert_default().insert(low) {
        valgrind::register_stack(low as *const u8, top);
    }
    valgrind::make_undefined(top.wrapping_sub(FROM_OUTSIDE), FROM_OUTSIDE);
}
