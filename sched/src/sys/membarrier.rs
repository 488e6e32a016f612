//! A fence in every thread of the process, at the cost of the one that asks for it.
//!
//! Whether the kernel gives it is tried when the runtime starts, and each answer is looked at: a filter may allow the
//! registration and refuse the fence, or be installed later. Who asked for a fence and got none must do without what
//! it would have done behind it.

use std::{
    io,
    sync::{
        Once, OnceLock,
        atomic::{Ordering, fence},
    },
};

use crate::sys::fatal;

const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;
const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: membarrier takes numbers only and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Prepares [`heavy_fence`], and tries it; false where the kernel refuses, so that fences must be paired with real
/// ones. `GOROUTINE_MEMBARRIER=off` refuses for it, for tests.
pub(crate) fn is_there() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    *THERE.get_or_init(|| {
        let off = std::env::var_os("GOROUTINE_MEMBARRIER").is_some_and(|value| value == "off");
        !off && membarrier(REGISTER_PRIVATE_EXPEDITED) && membarrier(PRIVATE_EXPEDITED)
    })
}

/// After this call every other thread of the process has passed a full fence, and so has this one: true. False: the
/// kernel refuses, and nobody has passed anything. Only where [`is_there`] has said yes.
#[must_use]
pub(crate) fn heavy_fence() -> bool {
    fence(Ordering::SeqCst);
    let done = membarrier(PRIVATE_EXPEDITED);
    if !done {
        refused(&io::Error::last_os_error());
    }
    fence(Ordering::SeqCst);
    done
}

#[cold]
fn refused(error: &io::Error) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        fatal::say(format_args!(
            "membarrier worked when the runtime started and is refused now ({error}): idle stacks keep their memory \
             from here on, and a goroutine that has made no call since loses its processor no more; a filter of system \
             calls must allow membarrier, or be installed before `start`"
        ));
    });
}
