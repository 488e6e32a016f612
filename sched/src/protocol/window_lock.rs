//! The lock of a run window: goroutines with copy stacks share the window, and one at a time runs in it.
//!
//! ```text
//!   FREE ──enter: CAS──► BUSY ──enter of another: CAS──► word of the last in line ──► ... ──► BUSY
//!    ▲                    │                                       │
//!    └──── leave: swap ───┴───────────────────────────────────────┘ all in line are made ready
//! ```
//!
//! An M that wants to run a goroutine of the window *enters* it on the goroutine's behalf. If another M is inside,
//! the goroutine is put in line and the M looks for other work. The M that leaves makes the whole line ready, in the
//! order in which it came. The window is not handed to one of them directly: the others would have to wait for a
//! goroutine that may sit in a run queue for long.
//!
//! The M that is inside owns the window's memory, the note of which goroutine's live bytes lie there, and the right
//! to copy them out. Its swap when it leaves publishes all that to the CAS of the M that enters next.

use crate::protocol::sync::{AtomicUsize, Ordering};

const FREE: usize = 0;
/// An M is inside, and the line is empty. Words of goroutines are aligned, so none is 1.
const BUSY: usize = 1;

/// A goroutine as a link of the line.
pub(crate) trait Linked: Copy {
    /// As a word: not 0, not 1.
    fn word(self) -> usize;
    /// # Safety
    ///
    /// `word` came from [`Linked::word`].
    unsafe fn of(word: usize) -> Self;
    fn set_next(self, word: usize);
    fn next(self) -> usize;
    /// For the queue of an M (inbox.rs): returns whether it could run on another M. Does not change while it is
    /// there.
    fn is_visitor(self) -> bool;
}

pub(crate) struct WindowLock {
    state: AtomicUsize,
}

impl WindowLock {
    pub(crate) fn new() -> WindowLock {
        WindowLock {
            state: AtomicUsize::new(FREE),
        }
    }

    /// Enters for `who`: true. Or puts `who` in line: then the caller must not touch it any more.
    pub(crate) fn enter<L: Linked>(&self, who: L) -> bool {
        // Relaxed: the CAS decides.
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let new = if state == FREE {
                BUSY
            } else {
                who.set_next(state);
                who.word()
            };
            // AcqRel: Acquire's partner is the swap in `leave` of the M that was inside before; Release publishes the
            // link, and the state of `who`, to the swap of the M that leaves.
            match self
                .state
                .compare_exchange_weak(state, new, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return state == FREE,
                Err(now) => state = now,
            }
        }
    }

    /// Enters if no M is inside. There is no line, so a refused caller can use another window.
    pub(crate) fn try_enter(&self) -> bool {
        // Acquire: partner is the swap in `leave` of the M that was inside before. Relaxed on failure: nothing is done.
        self.state
            .compare_exchange(FREE, BUSY, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Leaves, and passes every goroutine in line to `ready`, the first one first.
    pub(crate) fn leave<L: Linked>(&self, ready: impl FnMut(L)) {
        // AcqRel: Release's partner is the CAS of the M that enters next; Acquire's are the CASes of the line.
        let line = self.state.swap(FREE, Ordering::AcqRel);
        if line != BUSY {
            release_line(line, ready);
        }
    }
}

/// The line is linked from the last to the first. This reverses it.
#[cold]
fn release_line<L: Linked>(mut word: usize, mut ready: impl FnMut(L)) {
    let mut first = BUSY;
    while word != BUSY {
        // SAFETY: words other than FREE and BUSY are put into the line by `enter`.
        let one = unsafe { L::of(word) };
        let next = one.next();
        one.set_next(first);
        first = word;
        word = next;
    }
    while first != BUSY {
        // SAFETY: the words of the line up to BUSY were put there by `enter`, each from an L.
        let one = unsafe { L::of(first) };
        first = one.next();
        ready(one);
    }
}
