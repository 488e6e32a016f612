//! The memory of the thread word: a zeroed word in every thread's local storage.
//!
//! ```text
//!   x86_64                                     aarch64
//!   | ...          |                           | ...          |
//!   | word         | ◄─ fs base + offset < 0   | word         | ◄─ tpidr_el0 + offset > 0
//!   | ...          |                           | ...          |
//!   +--------------+ ◄─ fs base                +--------------+ ◄─ tpidr_el0
//! ```
//!
//! The offset is the same in all threads. The initial-exec model takes it from the global offset table, where the loader
//! has put it (a linker that knows it replaces the load); the other models that work in a shared library find the address
//! by a call, which a switch cannot afford. The symbol is hidden: each executable or library has a word of its own.
//!
//! Defined by the assembler because `#[thread_local]` is not stable, and because a Rust static could be borrowed: the
//! compiler would be free to keep its address across a switch.

core::arch::global_asm!(
    ".pushsection .tbss.{name}.thread_word, \"awT\", %nobits",
    ".globl {name}.thread_word",
    ".hidden {name}.thread_word",
    ".type {name}.thread_word, %object",
    ".size {name}.thread_word, {size}",
    ".balign {size}",
    "{name}.thread_word:",
    ".zero {size}",
    ".popsection",
    name = sym super::cpu::root,
    size = const size_of::<*mut ()>(),
);
