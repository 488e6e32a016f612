//! One line a CPU. The port of the CPU we are built for is module `cpu`.
//!
//! # What a switch looks like to an unwinder
//!
//! Profilers, debuggers and crash reporters unwind from wherever a thread happens to be. The tables that they read say for
//! each instruction where the caller is. The compiler writes the tables of the code around an inline assembly, and knows
//! nothing of what happens in it: that the stack pointer moves to another stack, and that registers hold another
//! computation's values. Directives in the assembly itself cannot mend that: where the compiler keeps no tables
//! (`force-unwind-tables=no`) they do not assemble.
//!
//! So what is inlined moves nothing. It takes the address of its end, and jumps to `switch_body`, a function with tables of
//! its own:
//!
//! ```text
//!   inlined                            switch_body                 to an unwinder, the caller is
//!   next := address of 2               store the frame      )
//!   jump to switch_body                *save := sp          )      2, by the stack pointer and `next`
//!   2:  the code resumes here          load the other frame
//!                                      move sp, jump               2, by `*save` and `next`: the frame lies untouched
//!                                                                  until the code is resumed, after the jump
//! ```
//!
//! A switch then looks like a call that the suspended code has made and that returns at 2, from its first instruction to
//! its last. At 2, and in `root`, the registers are those of the resumed code: the tables there are right as they are.
//! Unwinders look a return address up minus one, for a call may be the last thing that a function does; before 2 lies the
//! inlined jump, which the compiler's tables take for the same place.
//!
//! # Where the frame can be overwritten
//!
//! A frame that lies in a red zone is safe until the resumed code writes there. Without a red zone a signal may overwrite
//! it as soon as the stack pointer has moved above it. If the code that is left is a segment's, its backtrace continues by
//! that frame ([`crate::prepare_linked`]) and would read what the signal wrote. So at the jump the tables of such a port tell
//! of the resumed code: the caller is `resume`, and all registers are its already. `resume` is looked up minus one as well:
//! a trap stands before the first instruction of its `root`.

mod common;
#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "riscv64", path = "riscv64.rs")]
#[cfg_attr(target_arch = "loongarch64", path = "loongarch64.rs")]
#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(target_arch = "x86", path = "x86.rs")]
#[cfg_attr(target_arch = "s390x", path = "s390x.rs")]
#[cfg_attr(target_arch = "powerpc64", path = "powerpc64.rs")]
mod cpu;
mod dwarf;
mod word;

pub use common::Native;
pub use dwarf::{TLS_BELOW_THREAD_POINTER, UNWIND_REGISTERS, UnwindRegisters};
