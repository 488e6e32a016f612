//! How a goroutine waits that may not leave its thread, where other goroutines are bound to the same thread.
//!
//! A goroutine that unwinds, or is in a blocking call, waits with its thread (on_thread.rs). Goroutines that are
//! bound to that thread would wait with it, and forever if it waits for one of them. So where there are some, the
//! goroutine parks as usual, after it has locked the thread (locked.rs): its M then runs only goroutines that are
//! bound to it, until this one can resume, on the same thread.
//!
//! The thread counts the panics of a goroutine that unwinds, and the goroutines that run meanwhile must not see that
//! count: they would count as unwinding, in std's poisoning and in the runtime. Before another one runs, g0 moves the
//! count away (panic_count.rs), and back before the goroutine resumes:
//!
//! ```text
//! g0 of the M                                            starter
//! U1 runs another than the one whose panics the thread
//!    counts: as long as there are some,
//!    asks for a charge, and waits                        V1 makes one: it counts one more
//! U2 spends it: the thread counts one less
//!    ... runs others ...
//! U3 runs the first one again: makes as many charges,    V2 spends them: it counts as many less
//!    the thread counts as before; the starter gets them
//! ```
//!
//! The M keeps a list of the goroutines that wait so, each with the number that was moved away. At most one of them
//! has none moved: the thread counts its panics.

use crate::{
    gmp::{
        g::{GRef, Kind},
        m::{M, Unwinder},
    },
    park::blocking,
    protocol::wait_reason::WaitFor,
    schedule::locked,
    switch::{self, commit::Commit, panic_count::MOVABLE, signal_check, thread_word::current_m},
};

/// The M of `g`, which runs here and may not leave its thread, if other goroutines are bound to that M and can run
/// meanwhile.
#[cold]
pub(crate) fn shared_thread(g: GRef) -> Option<&'static M> {
    if g.id() == 0 || std::thread::panicking() && !MOVABLE {
        return None;
    }
    let m = current_m()?;
    locked::others_are_tied(m, g).then_some(m)
}

/// Parks `g`, for which [`shared_thread`] gave `m`; it resumes on the same thread.
///
/// # Safety
///
/// As for [`park`](crate::park()); `commit` lies on the caller's stack.
pub(crate) unsafe fn park_here(
    m: &'static M,
    g: GRef,
    wait: Option<WaitFor>,
    commit: *const Commit,
) {
    signal_check::check();
    let in_call = g.get().kind() == Kind::Thread;
    if in_call {
        blocking::interrupt(m, g);
    }
    let unwinds = std::thread::panicking();
    locked::lock(m, g);
    if unwinds {
        m.unwinders.borrow_mut().push(Unwinder { g, moved: 0 });
    }
    // SAFETY: `g` runs on `m`; the commit is the caller's, which stays on its stack, and is run once.
    unsafe { switch::leave(m, g, wait, commit) };
    if unwinds {
        m.unwinders.borrow_mut().retain(|one| one.g != g);
    }
    locked::unlock(m, g);
    if in_call {
        blocking::resume(m, g);
    }
}
