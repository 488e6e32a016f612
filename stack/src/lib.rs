//! Stack memory for goroutines: windows of address space that start as one page and grow in place.
//!
//! Rust code stores addresses of locals anywhere, so a live stack cannot be moved. A stack here is a *window*: address
//! space for as much as it may ever need, of which only the pages that were touched are memory.
//!
//! ```text
//!  arena of a class (reserved once, 64 GiB, costs nothing until touched)
//! ┌────────┬────────┬────────┬────────┬─ ─ ─
//! │ window │ window │ window │ window │          1 MiB each by default, aligned to their size
//! └────────┴───┬────┴────────┴────────┴─ ─ ─
//!              │
//!              │   low                                                   high
//!              │  ┌────────────┬──────────────────────────────┬──────┬────────┐
//!       paged  └─>│ hard guard │ pages appear as they are     │ 4 KB │ colour │
//!                 │ 64 KiB     │ touched                      │ used │        │
//!                 └────────────┴──────────────────────────────┴──────┴────────┘
//!                  overflow:                                    a parked goroutine
//!                  message, abort                               costs this page
//!                 ┌────────────┬──────────────┬──────┬────────┬──────┬────────┐
//!     guarded     │ hard guard │ later steps  │ soft │ a step │ 4 KB │ colour │
//!                 │            │ not usable   │ guard│ or two │ used │        │
//!                 └────────────┴──────────────┴──────┴────────┴──────┴────────┘
//!                                              touch: the guard moves down, go on
//! ```
//!
//! The default is *paged*: growing is a page fault, which the kernel deals with wherever it happens. A *guarded* stack
//! ([`acquire_at`], [`start_stacks_at`]) tells of each step, so that what it needed is known exactly; but a guard has to
//! be *handled* for the code to go on, and three things stand in the way of that:
//!
//! 1. SIGSEGV is blocked: the process dies without a message. C libraries block all signals inside `pthread_create` and
//!    `posix_spawn`, so `std::thread::spawn` and `std::process::Command` are such places.
//! 2. The kernel touches the page, not the program: a system call that is given a buffer in it answers EFAULT, and the
//!    frame of a signal handler without SA_ONSTACK cannot be written.
//! 3. Somebody has put a handler of SIGSEGV in the place of ours, which does not call it.
//!
//! [`Stack::reserve`] makes sure that there is no guard in the way of such a call.
//!
//! | part | where |
//! |---|---|
//! | the sizes a window can have | `class.rs` |
//! | the address space they are carved from, admission, the shared free list | `arena.rs`, of `chunk.rs` and `range.rs` |
//! | memory of windows that nobody needs for a while | `idle.rs` |
//! | one window in use: guards, colour | `window.rs` |
//! | where a soft guard stands, and goes next | `step.rs` |
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
pub use sample::{SAMPLING_SIGNAL, frames_of, install_sampling};
pub use signal::{Hooks, handles_faults, install};
pub use sigstack::{AddressRange, SignalStack, restore_if_disabled};
pub use slab::Slab;
pub use step::{StartError, Step, default_start, start_stacks_at};
pub use window::Stack;
