//! The G that runs here.

use crate::{
    gmp::{
        g::{GRef, Kind},
        m::M,
    },
    switch::{attach, thread_word::current_m},
};

/// The G that runs here: a goroutine's, or the one that stands for this OS thread.
///
/// # Panics
///
/// On g0, where no goroutine runs: in a scheduler callback (a commit).
#[inline]
pub fn current() -> GRef {
    let m = match current_m() {
        Some(m) => m,
        None => attach::attach(),
    };
    match m.current.get() {
        Some(g) => g,
        None => nobody_runs(),
    }
}

/// Returns whether `g`, which runs here, may leave its thread: not while it unwinds, or keeps its thread for another
/// reason. A plain thread's G may not.
#[inline(always)]
pub(crate) fn may_leave(g: GRef) -> bool {
    g.get().kind() == Kind::Goroutine && !std::thread::panicking()
}

#[cold]
pub(crate) fn nobody_runs() -> ! {
    panic!(
        "goroutines: a runtime call on g0, where no goroutine is: inside a commit, or inside a signal handler, which \
         must not call the runtime"
    );
}

/// Returns whether a goroutine runs here (and not a plain OS thread).
#[inline]
pub fn on_goroutine() -> bool {
    current_m().is_some_and(|m| m.current.get().is_some_and(|g| g.id() != 0))
}

/// The goroutine that runs here and its M, if it may leave its thread.
#[inline(always)]
pub(crate) fn running_goroutine() -> Option<(&'static M, GRef)> {
    let m = current_m()?;
    let g = m.current.get()?;
    may_leave(g).then_some((m, g))
}
