//! A fork of the running program: the child may exec, and may not call the runtime.
//!
//! In the child there is one thread, the one that forked. The other Ms and sysmon do not exist, and what they held
//! stays held. So a goroutine that parks there would usually wait forever, and the goroutines in the queues would run
//! twice, in the child and in the parent. Therefore the child's first call into the runtime ends it with a message.
//!
//! A hook that the C library calls in the child marks the process, and raises the alert in the gate of the thread's
//! M: its next entry takes the slow path, which calls [`check`]. So do the other cold places that a plain thread
//! passes. The parent, and every path that is not cold, pays nothing. The thread word stays, because a child on a
//! goroutine's stack may still have to grow it before it calls exec.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{gmp::g::Kind, switch::thread_word::current_m, sys::fatal};

static FORKED: AtomicBool = AtomicBool::new(false);

/// Installs the hook. Start may call it again after a start that failed; that does no harm.
///
/// # Errors
///
/// When there is no memory for it.
pub(crate) fn prepare() -> io::Result<()> {
    // SAFETY: the hook is a function of the program, which is not unloaded, and async-signal-safe.
    match unsafe { libc::pthread_atfork(None, None, Some(in_child)) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// On the child's only thread, before `fork` returns there.
unsafe extern "C" fn in_child() {
    // Relaxed: there is one thread.
    FORKED.store(true, Ordering::Relaxed);
    if let Some(m) = current_m()
        && let Some(g) = m.current.get()
    {
        if g.get().kind() == Kind::Thread {
            // A plain thread's M is always inside; from here on its entries are checked.
            m.gate.leave();
        }
        m.gate.watch();
    }
}

/// Ends the process if it is the child of a fork. For cold places.
#[inline]
pub(crate) fn check() {
    // Relaxed: written by this thread, or never.
    if FORKED.load(Ordering::Relaxed) {
        die();
    }
}

#[cold]
fn die() -> ! {
    fatal::fatal_raw(
        "a call into the runtime in the child of a fork, where its threads do not exist; call `exec` there and nothing \
         of this crate (std::process::Command does that), or fork before `start`",
    );
}
