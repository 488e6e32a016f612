//! The signal stack of an M's thread: the thread checks now and then whether other code has disabled it, and enables
//! it again. sysmon says when (sysmon/handlers.rs).

use std::sync::{
    Once,
    atomic::{AtomicU32, Ordering},
};

use goroutines_stack as stack;

use crate::{gmp::m::M, sys::fatal};

/// The number of the last look that sysmon has asked for.
static LAST: AtomicU32 = AtomicU32::new(0);

/// By sysmon: each thread shall look at its next entry into the runtime.
pub(crate) fn ask_all() {
    // Relaxed: partner is the load in `look_if_due`; a thread that misses it looks the next time.
    LAST.fetch_add(1, Ordering::Relaxed);
}

/// By the thread of `m`, which sysmon has asked, or which gets a P: checks its signal stack, if it has not since the
/// last request.
pub(crate) fn look_if_due(m: &'static M) {
    // Relaxed: partner is the addition in `ask_all`.
    let last = LAST.load(Ordering::Relaxed);
    if m.looked.replace(last) != last {
        look(m);
    }
}

#[cold]
fn look(m: &'static M) {
    static SAID: Once = Once::new();
    // SAFETY: the signal stack of a scheduler's M lives as long as its thread runs goroutines, and this is its thread.
    let restored = unsafe { stack::restore_if_disabled(m.signal_stack.get()) };
    if restored {
        SAID.call_once(|| {
            fatal::say(format_args!(
                "the signal stack of a thread that runs goroutines was disabled (sigaltstack), and is set again: \
                 without it a stack overflow there ends the process without a message; who sets one for a while must \
                 restore the one before"
            ));
        });
    }
}
