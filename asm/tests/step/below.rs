//! The memory below the stack pointer of the code that was stopped, which is not in use.
//!
//! The kernel's own frame begins there if the handler has no stack, but leaves the first words as they were: a table that
//! tells of them would seem right. So they are overwritten until the walk is done; and for good if the handler has a stack of
//! its own, since a program that has written there and goes on would not notice the handler.

use crate::cpu;
use goroutines_asm::{Native, Port};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// What lay there: as many words as a frame has.
static BELOW: [AtomicUsize; WORDS] = [const { AtomicUsize::new(0) }; WORDS];
const WORDS: usize = size_of::<<Native as Port>::Frame>() / size_of::<usize>();

/// Whether they stay overwritten.
static FOR_GOOD: AtomicBool = AtomicBool::new(false);

/// From now on they stay overwritten, or do not.
pub(crate) fn stay(for_good: bool) {
    FOR_GOOD.store(for_good, Relaxed);
}

/// Overwrites the words, and keeps them.
pub(crate) fn overwrite(context: &libc::ucontext_t) {
    BELOW.iter().for_each(|word| word.store(8, Relaxed));
    exchange(context);
}

/// Puts the words back, unless they stay.
pub(crate) fn restore(context: &libc::ucontext_t) {
    if !FOR_GOOD.load(Relaxed) {
        exchange(context);
    }
}

fn exchange(context: &libc::ucontext_t) {
    let [_, sp, ..] = cpu::registers(context);
    if Native::RED_ZONE > 0 {
        return;
    }
    for (index, word) in BELOW.iter().enumerate() {
        let place = (sp as *mut usize).wrapping_sub(index + 1);
        // SAFETY: memory of the stack below its pointer, which the program does not use, or the end of what the kernel has
        // put there for the handler, which nobody reads before it is put back.
        word.store(unsafe { place.replace(word.load(Relaxed)) }, Relaxed);
    }
}
