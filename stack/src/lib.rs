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
//!                                              touch: the guard moves down, and the code continues
//! ```
//!
//! The default is *paged*: growing is a page fault, which the kernel handles wherever it happens. A *guarded* stack
//! ([`acquire_at`], [`start_stacks_at`]) faults at each step, so that it is known exactly what it needed; but a handler
//! has to run before the code can continue, and three things prevent that:
//!
//! 1. SIGSEGV is blocked: the process dies without a message. C libraries block all signals inside `pthread_create` and
//!    `posix_spawn`, so `std::thread::spawn` and `std::process::Command` are such places.
//! 2. The kernel touches the page, not the program: a system call with a buffer in it fails with EFAULT, and the frame of
//!    a signal handler without SA_ONSTACK cannot be written.
//! 3. Another handler of SIGSEGV has replaced the runtime's and does not call it.
//!
//! [`Stack::reserve`] makes sure that there is no guard in the way of such a call.
//!
//! Three folders, of which each imports only those above it; each opens with the table of its files:
//!
//! | folder | |
//! |---|---|
//! | `memory/` | pages, and which of them fault: reservations, the sizes of windows, steps, guards |
//! | `windows/` | stacks: the arenas that they are carved from, admission, the shared lists, the caches of the Ps, images, the slab |
//! | `faults/` | the signal handlers: growth, the message of an overflow, backtraces, asking threads |
//!
//! This crate does not know what a goroutine is. Its handlers ask through [`Hooks`].
#![cfg(target_os = "linux")]

mod faults;
mod memory;
mod windows;

pub use memory::class::{Class, SizeError};
pub use memory::guard::{has_room_for_thread, has_steps};
pub use memory::map::assume_watched;
pub use memory::step::{StartError, Step, default_start, start_stacks_at};

pub use windows::admission::{reserve, unreserve};
pub use windows::cache::Cache;
pub use windows::image::{Image, SIZES as IMAGE_SIZES, TAGS as IMAGE_TAGS, image_growths};
pub use windows::reclaim::give_back_idle;
pub use windows::shared::{acquire, acquire_at, release};
pub use windows::slab::Slab;
pub use windows::slot::StackSlot;
pub use windows::window::{Stack, TAGS as STACK_TAGS};

pub use faults::backtrace::{place_of, walk as walk_interrupted};
pub use faults::growth::growth_faults;
pub use faults::hooks::Hooks;
pub use faults::sample::{Answer, SAMPLING_SIGNAL, ask, handles_sampling, install_sampling};
pub use faults::signal::{abort_at_faults, handles_faults, install};
pub use faults::sigstack::{AddressRange, SignalStack, restore_if_disabled};
