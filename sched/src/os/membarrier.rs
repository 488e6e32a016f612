//! A fence in every thread of the process, at the cost of the one that asks for it.

use std::sync::atomic::{Ordering, fence};

const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;
const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: membarrier takes numbers only and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Prepares [`heavy_fence`]; false where the kernel refuses, so that fences must be paired with real ones.
/// `GOROUTINE_MEMBARRIER=off` refuses for it, for tests.
pub(crate) fn register() -> bool {
    let off = std::env::var_os("GOROUTINE_MEMBARRIER").is_some_and(|value| value == "off");
    !off && membarrier(REGISTER_PRIVATE_EXPEDITED)
}

/// After this call every other thread of the process has passed a full fence, and so has this one.
/// Where [`register`] said false: only this one.
pub(crate) fn heavy_fence() {
    fence(Ordering::SeqCst);
    membarrier(PRIVATE_EXPEDITED);
    fence(Ordering::SeqCst);
}
