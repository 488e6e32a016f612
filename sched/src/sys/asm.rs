//! The only file that names goroutines_asm: contexts and the switch between them, the thread word, and the other
//! operations that are single instructions.

#[cfg(feature = "valgrind")]
pub(crate) use goroutines_asm::valgrind;
pub(crate) use goroutines_asm::{
    Context, Entry, Native, Port, Root, TLS_BELOW_THREAD_POINTER, has_shadow_stack, interrupted,
    interrupted_sp, prefetch, prefetch_frame, prepare, prepare_linked, set_thread_word,
    stack_pointer, switch, switch_at, thread_word, ticks, ticks_are_steady,
};
#[cfg(not(goroutines_loom))]
pub use goroutines_asm::{Interrupted as Registers, Suspended, UNWIND_REGISTERS, UnwindRegisters};

/// The CPU, as compilers name it.
#[cfg(not(goroutines_loom))]
pub const CPU: &str = <Native as Port>::NAME;
