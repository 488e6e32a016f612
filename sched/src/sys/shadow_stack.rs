//! Whether the hardware keeps a second stack of return addresses (x86 CET, aarch64 GCS, riscv64 Zicfiss).
//!
//! Every `ret` is compared with it. A goroutine returns on its own stack to addresses that another thread may have pushed,
//! so a switch would need a shadow stack for each goroutine, and a token to move to it. The runtime has none, and refuses.
//!
//! x86 tells by an instruction; the kernel of the other CPUs by a `prctl`, which x86 does not answer. A thread inherits the
//! setting of the one that starts it.

use crate::sys::asm::has_shadow_stack;

/// `PR_GET_SHADOW_STACK_STATUS` of Linux 6.12, and the bit for "enabled" of the word that it writes.
const GET_STATUS: libc::c_int = 74;
const ENABLED: libc::c_ulong = 1;

/// Returns whether this thread has one.
pub(crate) fn is_on() -> bool {
    let mut status: libc::c_ulong = 0;
    // SAFETY: the call writes one word to `status`, which outlives it. A kernel that does not know it fails with EINVAL.
    let answer = unsafe { libc::prctl(GET_STATUS, &raw mut status, 0_usize, 0_usize, 0_usize) };
    has_shadow_stack() || answer == 0 && status & ENABLED != 0
}
