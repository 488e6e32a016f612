//! Plain OS threads: the G that stands for one, so that it can wait in any queue.
//!
//! The only place with a `thread_local!`: its destructor gives the record back when the thread ends.
//! The record itself is found through the thread word, as on every M.

use std::{cell::Cell, sync::Mutex};

use crate::{
    g::{G, GRef, Kind},
    m::M,
    switch::{current_m, set_current_m},
    sync::lock,
};

/// Records of threads that have ended, for those that come. A record is never freed: a wait queue
/// elsewhere may look at its G for an instant longer than the thread lives.
static SPARE: Mutex<Vec<&'static M>> = Mutex::new(Vec::new());

/// Gives the thread's record back when the thread ends.
struct Attached(Cell<bool>);

impl Drop for Attached {
    fn drop(&mut self) {
        if let Some(m) = current_m() {
            set_current_m(None);
            lock(&SPARE).push(m);
        }
    }
}

thread_local! {
    static ATTACHED: Attached = const { Attached(Cell::new(false)) };
}

/// Makes this OS thread known to the runtime.
#[cold]
pub(crate) fn attach() -> &'static M {
    let spare = lock(&SPARE).pop();
    let m = spare.unwrap_or_else(|| {
        let g = GRef::new(Box::leak(Box::new(G::new(Kind::Thread))));
        Box::leak(Box::new(M::new(Some(g))))
    });
    set_current_m(Some(m));
    // In a thread that is already running its destructors there is no destructor for us any more:
    // the record (some hundred bytes) is then not reused.
    let _ = ATTACHED.try_with(|attached| attached.0.set(true));
    m
}
