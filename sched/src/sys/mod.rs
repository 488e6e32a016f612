//! The wing `sys`: the kernel, the CPU, and the tools that watch stacks. It knows no goroutine.
//!
//! Imported by every other wing. It imports nothing of this crate.
//!
//! | file | what it has |
//! |---|---|
//! | asm.rs | the only use of the crate that switches contexts and reads the thread word |
//! | clock.rs, cpus.rs, proc_stat.rs | time, how many CPUs there are, whether a thread is runnable |
//! | futex.rs, membarrier.rs | how threads sleep, and the barrier in all of them |
//! | errno.rs, mask.rs, spawn.rs, thread_stack.rs, tls.rs | what belongs to a thread: `errno`, signal mask, its start, its stack, its storage |
//! | peek.rs, tasks.rs | memory that may go away, the threads of the process |
//! | shadow_stack.rs | whether the CPU keeps a second stack of return addresses |
//! | epoll.rs | the kernel's list of sockets and their events |
//! | xorshift.rs | pseudo-random numbers |
//! | fatal.rs | messages, and the two ways to end the process |
//! | tools | reports on stacks to valgrind and AddressSanitizer |
//!
//! Essays: [`fatal`] (why not std's stderr), [`tools`], [`tls`] (where thread-local storage lies).

#![cfg(not(goroutines_loom))]

pub(crate) mod asm;
pub(crate) mod clock;
pub(crate) mod cpus;
pub(crate) mod epoll;
pub(crate) mod errno;
pub(crate) mod fatal;
pub(crate) mod futex;
pub(crate) mod mask;
pub(crate) mod membarrier;
pub(crate) mod peek;
pub(crate) mod proc_stat;
pub(crate) mod record;
pub(crate) mod shadow_stack;
pub(crate) mod spawn;
pub(crate) mod tasks;
pub(crate) mod thread_stack;
pub(crate) mod tls;
pub(crate) mod tools;
pub(crate) mod xorshift;
