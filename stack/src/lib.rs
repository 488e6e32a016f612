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
//! | the address space they are carved from, admission, the shared free list | `arena.rs` |
//! | one window in use: guards, colour, steps | `window.rs` |
//! | pages that fault, in two flavours | `guard.rs` |
//! | growing, in the signal handler | `grow.rs` |
//! | the handler itself, and the signals that are not ours | `signal.rs` |
//! | the stack that the handler runs on | `sigstack.rs` |
//! | the message when a window is exceeded | `overflow.rs` |
//! | a P's own free list | `cache.rs`, of `lifo.rs` |
//! | dense descriptors that never move | `slab.rs` |
//!
//! This crate does not know what a goroutine is. It asks through [`Hooks`].
//!
//! Places where more is planned: rows of the class table (8 MiB, 64 MiB, 1 GiB), a first step of 2 KB and one that is
//! learned for each spawn site (`step_end` in `window.rs` becomes a schedule), shrinking stacks that stay parked
//! (`Stack::reset`, with a stack pointer), and stacks that are copied out of a shared window (`copy.rs`).
#![cfg(target_os = "linux")]

mod arena;
mod cache;
mod class;
mod grow;
mod guard;
mod lifo;
mod map;
mod overflow;
mod signal;
mod sigstack;
mod slab;
mod window;

pub use arena::{acquire, release, reserve, unreserve};
pub use cache::Cache;
pub use class::{Class, SizeError};
pub use grow::growth_faults;
pub use signal::{Hooks, install};
pub use sigstack::SignalStack;
pub use slab::Slab;
pub use window::Stack;
