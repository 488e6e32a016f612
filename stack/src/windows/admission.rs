//! Admission: windows that are promised before they are taken.
//!
//! A goroutine gets its stack at its first run, when no caller is left that could handle an error. The scheduler therefore calls
//! [`reserve`] when it creates the goroutine. `capacity >= admitted` holds at all times. Every window outside the shared
//! list is in use, which was admitted, or lies in a cache, which admitted it: so an admitted acquire finds a window. Where
//! guards are made with `mprotect` the same holds of the windows that have their guards.

use std::io;
use std::sync::atomic::Ordering;

use crate::memory::class::Class;
use crate::memory::guard;
use crate::windows::arena::{self, Arena, State};
use crate::windows::chunk::Range;

/// How many windows more than were admitted have their guards, where guards may run out.
const AHEAD: usize = 32;

/// Admits `windows` more stacks of `class`: from here until [`unreserve`], address space for them exists.
///
/// A caller that admits every stack before it acquires it never has an acquire fail for address space.
///
/// ```
/// use goroutines_stack::{Class, acquire, release, reserve, unreserve};
/// reserve(Class::DEFAULT, 1000)?; // A thousand goroutines may start.
/// let stack = acquire(Class::DEFAULT)?; // One of them does.
/// assert!(stack.limit() > 40 * 1024);
/// release(stack);
/// unreserve(Class::DEFAULT, 1000);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// When the address space cannot be had, or, where guards are made with `mprotect`, the guards; nothing is admitted then,
/// and what exists stays usable.
pub fn reserve(class: Class, windows: usize) -> io::Result<()> {
    let arena = arena::of(class);
    {
        let mut state = arena.lock();
        let admitted = state.admitted.saturating_add(windows);
        if admitted > state.capacity {
            let need = admitted - state.capacity;
            arena.extend(&mut state, class, need)?;
        }
        state.admitted = admitted;
    }
    if guard::has_steps() {
        return Ok(());
    }
    arena
        .carve_ahead(class, windows)
        .inspect_err(|_| unreserve(class, windows))
}

/// Gives back admissions that [`reserve`] granted.
///
/// # Panics
///
/// When more are given back than were granted.
pub fn unreserve(class: Class, windows: usize) {
    let left = {
        let mut state = arena::of(class).lock();
        let left = state.admitted.checked_sub(windows);
        state.admitted = left.unwrap_or(state.admitted);
        left
    };
    assert!(
        left.is_some(),
        "unreserve: {windows} stacks of {} bytes are more than reserve admitted",
        class.window()
    );
}

impl Arena {
    /// Gives fresh windows their guards until [`AHEAD`] more windows have them than were admitted. For guards that are
    /// made with mprotect, which can run out before address space does: so the admission fails, and not an acquire.
    ///
    /// On failure the guards in excess are given up, because the rest of the process may need memory areas for other
    /// things, such as a thread.
    fn carve_ahead(&self, class: Class, new: usize) -> io::Result<()> {
        loop {
            let mut range = {
                let mut state = self.lock();
                // Relaxed: a thread that carves at the same time may make more than needed; that is harmless.
                let carved = self.carved.load(Ordering::Relaxed);
                let missing = (state.admitted + AHEAD).saturating_sub(carved);
                if missing == 0 {
                    return Ok(());
                }
                self.claim(&mut state, class, missing.min(2 * AHEAD))?
            };
            let mut stacks = Vec::with_capacity(range.len());
            let mut failed = None;
            while range.len() > 0 && failed.is_none() {
                match self.carve(&mut range, class) {
                    Ok(stack) => stacks.push(stack),
                    Err(error) => failed = Some(error),
                }
            }
            let mut state = self.lock();
            state.free.extend(stacks);
            if let Some(error) = failed {
                self.unclaim(&mut state, range);
                self.give_up_guards(&mut state, new);
                return Err(error);
            }
        }
    }

    /// Uncarves free windows beyond those that were admitted before the last `new` ones.
    fn give_up_guards(&self, state: &mut State, new: usize) {
        let before = state.admitted.saturating_sub(new);
        // Relaxed (both): a count that only bounds this loop; a window carved meanwhile belongs to its carver.
        while self.carved.load(Ordering::Relaxed) > before
            && let Some(stack) = state.free.pop_front()
        {
            self.carved.fetch_sub(1, Ordering::Relaxed);
            self.unclaim(state, Range::one(stack.uncarve()));
        }
        state.note_use();
    }
}
