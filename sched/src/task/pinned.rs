//! Goroutines that stay on one thread: spawning one that is pinned for life, and locking a thread for a time
//! (locked.rs).

use std::io;

use crate::{
    global::{retake, sched},
    gmp::{g::GRef, m::M, payload},
    protocol::steps,
    schedule::locked,
    switch::{signal_check, thread_word::current_m},
    task::{
        handle::Task,
        spawn::{Options, make},
    },
};

/// The goroutine that runs here, also in a blocking call, and its M.
fn here() -> Option<(&'static M, GRef)> {
    let m = current_m()?;
    let g = m.current.get()?;
    (g.id() != 0).then_some((m, g))
}

/// Makes a goroutine that runs `f` on the thread of the caller, and never on another. From here on the caller, too,
/// stays on this thread to its end.
///
/// # Errors
///
/// On a plain OS thread ([`io::ErrorKind::Unsupported`]), and as [`spawn`](crate::spawn).
pub fn spawn_pinned<F, T>(options: Options, f: F) -> io::Result<Task<T>>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    let (Some(sched), Some((m, caller))) = (sched::get(), here()) else {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "PinnedBuilder::spawn: the caller is an OS thread, which runs no goroutines; call it in a goroutine: \
             `go(|| Builder::new().pinned().spawn(...))`",
        ));
    };
    signal_check::check();
    let entry = payload::entry_of::<F, T>();
    let inside = retake::enter_with(m, |m| sched.note_new(m, entry));
    let g = match make(sched, m.p(), options, entry, f) {
        Ok(g) => g,
        Err((error, f)) => {
            drop(inside);
            drop(f);
            return Err(error);
        }
    };
    locked::pin(m, caller);
    locked::pin(m, g);
    // The queue is this M's, which reads it in its next round.
    steps::send_home(sched, m, g);
    Ok(Task::of(g))
}

/// Locks the calling goroutine to its thread, and the thread to the goroutine, until [`unlock_os_thread`] was called
/// as often, or the goroutine ends, and the thread with it. Goroutines that were bound to this thread before still
/// run on it, because no other thread may run them; all others run on other threads. Does nothing on a plain OS
/// thread.
pub fn lock_os_thread() {
    if let Some((m, g)) = here() {
        locked::lock(m, g);
    }
}

/// Undoes one [`lock_os_thread`] of the calling goroutine. Does nothing if there is none.
pub fn unlock_os_thread() {
    if let Some((m, g)) = here() {
        locked::unlock(m, g);
    }
}
