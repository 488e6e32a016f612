//! A fence in every thread of the process. Only the thread that asks for it pays.
//!
//! Whether the kernel supports it is tried when the runtime starts, and the result of each later call is checked: a
//! seccomp filter may allow the registration and refuse the fence, or be installed later. A caller whose fence was
//! refused must not do what the fence would have ordered.

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
    // SAFETY: membarrier takes numbers only and touches no memory of the process.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Prepares [`heavy_fence`], and tries it. False where the kernel refuses: then each fence must be paired with a real
/// one. `GOROUTINE_MEMBARRIER=off` simulates the refusal, for tests.
pub(crate) fn is_there() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    *THERE.get_or_init(|| {
        let off = std::env::var_os("GOROUTINE_MEMBARRIER").is_some_and(|value| value == "off");
        !off && membarrier(REGISTER_PRIVATE_EXPEDITED) && membarrier(PRIVATE_EXPEDITED)
    })
}

/// True: every other thread of the process has passed a full fence since the call began, and so has this one. False:
/// the kernel refused, and no thread has passed a fence. Only where [`is_there`] has returned true.
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
