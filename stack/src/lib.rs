//! Stack memory for goroutines: windows of address space that start as one page and grow in place.
//!
//! Rust code stores addresses of locals anywhere, so a live stack cannot be moved. A stack here is a *window*: address
//! space for as much as it may ever need, of which only the pages that were touched are memory.
//!
//! ```text
//!  arena of a class (reserved once, 64 GiB, costs nothing until touched)
//! ┌────────┬────────┬────────┬────────┬─ ─ ─
//! │ window │ window │ window │ window │          256 KiB each by default, aligned to their size
//! └────────┴───┬────┴────────┴────────┴─ ─ ─
//!              │
//!              │   low                                                            high
//!              │  ┌────────────┬───────────────────┬──────┬───────────────┬──────┬────────┐
//!              └─>│ hard guard │ later steps       │ soft │ first step    │ 4 KB │ colour │
//!                 │ 16 KiB     │ not yet usable    │ guard│ 64 KiB        │ used │        │
//!                 └────────────┴───────────────────┴──────┴───────────────┴──────┴────────┘
//!                  overflow:                        touch: the guard       a parked goroutine
//!                  message, abort                   moves down, go on      costs this page
//! ```
//!
//! | part | where |
//! |---|---|
//! | the sizes a window can have | `class.rs` |
//! | the address space they are carved from, admission, the shared free list | `arena.rs`, of `chunk.rs` and `range.rs` |
//! | memory of windows that nobody needs for a while | `idle.rs` |
//! | one window in use: guards, colour | `window.rs` |
//! | where its soft guard stands, and goes next | `step.rs` |
//! | pages that fault, in two flavours | `guard.rs` |
//! | growing, in the signal handler | `grow.rs` |
//! | the handler itself, and the signals that are not ours | `signal.rs` |
//! | the stack that the handler runs on | `sigstack.rs` |
//! | the message when a window is exceeded | `overflow.rs`, of `backtrace.rs` |
//! | the frames of a thread that runs, asked for by a signal | `sample.rs`, of `backtrace.rs` |
//! | a P's own free list | `cache.rs`, of `lifo.rs` |
//! | dense descriptors that never move | `slab.rs` |
//!
//! This crate does not know what a goroutine is. It asks through [`Hooks`].
//!
//! # What code on such a stack can notice
//!
//! Nothing, but for the one page of a soft guard, 64 KiB down (2 KB with [`Step::STRICT`]), before it has moved:
//!
//! - A system call that is given a buffer in that page, which nothing has touched, answers EFAULT. Frames of a page and more
//!   are touched on entry by the probes that rustc emits, and any call from a smaller frame touches what is below it; what
//!   is left are raw system calls that were inlined, and C compiled without `-fstack-clash-protection`.
//! - A thread that blocks SIGSEGV dies of the fault.
//! - A handler without SA_ONSTACK runs on the goroutine's stack; if the kernel cannot write its frame into the guard, the
//!   process dies. Install handlers with SA_ONSTACK.
//! - Another thread that touches the page first faults as at a wild pointer: only the owner grows its stack.
//!
//! # Places for what is still to come
//!
//! | what | where |
//! |---|---|
//! | stacks that are copied out of a shared window | a module `copy.rs`, beside `window.rs` |
#![cfg(target_os = "linux")]

mod arena;
mod backtrace;
mod cache;
mod chunk;
mod class;
mod grow;
mod guard;
mod idle;
mod image;
mod lifo;
mod map;
mod overflow;
mod range;
mod sample;
mod signal;
mod sigstack;
mod slab;
mod step;
mod window;

pub use arena::{acquire, acquire_at, release, reserve, unreserve};
pub use backtrace::place_of;
pub use cache::Cache;
pub use class::{Class, SizeError};
pub use grow::growth_faults;
pub use guard::has_steps;
pub use idle::give_back_idle;
pub use image::{Image, image_growths};
pub use map::{assume_watched, has_room_for_thread};
pub use sample::{frames_of, install_sampling};
pub use signal::{Hooks, install};
pub use sigstack::{AddressRange, SignalStack};
pub use slab::Slab;
pub use step::{StartError, Step};
pub use window::Stack;
