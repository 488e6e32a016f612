//! The shared lists: one for each class, between the caches of the Ps.
//!
//! Released windows lie on the list of their class, last in, first out. The caches (`cache.rs`) take and give them in
//! batches, so the lock of an arena is taken about once in sixteen releases.
//!
//! Windows that lie on a list for a while become *cold*: `reclaim.rs` gives their memory to the kernel, and they are taken
//! when there are no others.

use std::io;

use crate::memory::class::Class;
use crate::memory::step::{Step, default_start};
use crate::windows::arena::{self, State};
use crate::windows::chunk::Range;
use crate::windows::lifo::Lifo;
use crate::windows::window::Stack;

/// A stack of `class`: the one released last, or a fresh window.
///
/// # Errors
///
/// When there is no address space (not if the stack was admitted with [`reserve`](crate::reserve)), or when its guards
/// cannot be placed.
pub fn acquire(class: Class) -> io::Result<Stack> {
    let arena = arena::of(class);
    let mut range = {
        let mut state = arena.lock();
        if let Some(stack) = state.take_free() {
            return Ok(stack);
        }
        arena.claim(&mut state, class, 1)?
    };
    let stack = arena.carve(&mut range, class);
    if stack.is_err() {
        arena.unclaim(&mut arena.lock(), range);
    }
    stack
}

/// [`acquire`], but the stack is at `step`, or paged where its class has no such step. Makes up to three system calls if
/// it is not at that step already. Where guards are made with `mprotect` every stack is paged.
///
/// # Errors
///
/// Those of [`acquire`].
pub fn acquire_at(class: Class, step: Step) -> io::Result<Stack> {
    let mut stack = acquire(class)?;
    stack.restart(step);
    Ok(stack)
}

/// Gives a stack back. A guarded one is brought back to where stacks start. A paged one keeps its memory, up to 1 MiB, for
/// the next goroutine, until [`give_back_idle`](crate::give_back_idle) finds that none has used it for a while.
pub fn release(stack: Stack) {
    drop(stack); // `Drop` does it, so that a stack is not lost either if it is dropped without `release`.
}

/// Puts a stack that is not in use on the shared list.
fn put_back(mut stack: Stack) {
    stack.restart(default_start());
    stack.shorten();
    let mut state = arena::of(stack.class()).lock();
    // Never reallocates: `claim` made the room when the window was claimed.
    state.free.push_back(stack);
}

/// Gives `keep` up to `n` stacks from the shared list, or claims up to `n` fresh windows when the list is empty.
pub(crate) fn refill(class: Class, n: usize, keep: impl FnMut(Stack)) -> io::Result<Range> {
    let arena = arena::of(class);
    let mut state = arena.lock();
    if state.free.is_empty() && state.cold.is_empty() {
        return arena.claim(&mut state, class, n);
    }
    let State { free, cold, .. } = &mut *state;
    let kept = free.len().saturating_sub(n);
    // The warmest last, where the cache takes them from.
    let others = cold.len().saturating_sub(n - (free.len() - kept));
    cold.drain(others..)
        .chain(free.drain(kept..))
        .for_each(keep);
    state.note_use();
    Ok(Range::EMPTY)
}

/// Moves the `n` coldest stacks of a cache, and what is left of a claim, to the shared list.
pub(crate) fn give_back(class: Class, stacks: &mut Lifo, n: usize, range: Range) {
    let arena = arena::of(class);
    let mut state = arena.lock();
    // Never reallocates: `claim` made the room when the windows were claimed.
    stacks.take_coldest(n, |stack| state.free.push_back(stack));
    arena.unclaim(&mut state, range);
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the value is not used after `drop`, and its only field needs none: so the copy is the one owner.
        let stack = unsafe { std::ptr::read(self) };
        put_back(stack);
    }
}

/// Takes up to `n` windows of `class` that were on the list all the time since the last [`note_idle`]. They are missing
/// from the list until [`put_cold`], so the caller has admitted them.
pub(crate) fn take_idle(class: Class, n: usize) -> Vec<Stack> {
    let mut state = arena::of(class).lock();
    let n = n.min(state.idle);
    state.idle -= n;
    state.free.drain(..n).collect()
}

/// Puts windows whose memory was given back to where they are taken last.
pub(crate) fn put_cold(class: Class, mut batch: Vec<Stack>) {
    // Never reallocates: `claim` made the room when the windows were claimed.
    arena::of(class).lock().cold.append(&mut batch);
}

/// Returns how many windows of `class` are idle.
pub(crate) fn idle(class: Class) -> usize {
    arena::of(class).lock().idle
}

/// Counts the free windows of `class` as idle until they are taken. Returns how many there are.
pub(crate) fn note_idle(class: Class) -> usize {
    let mut state = arena::of(class).lock();
    state.idle = state.free.len();
    state.idle
}
