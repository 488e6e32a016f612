//! Faults: what happens when a guard is touched, and the signal handlers.
//!
//! Imports `memory/` and `windows/`; nothing but `lib.rs` imports it. The handlers, and all that they call, take no lock and
//! do not allocate; the functions that install them, and that ask for samples, are ordinary code.
//!
//! | file | essay |
//! |---|---|
//! | `hooks.rs` | what the handlers ask the scheduler |
//! | `sigstack.rs` | the stack that a handler runs on |
//! | `growth.rs` | what a fault in a guard does |
//! | `backtrace.rs` | the frames of a goroutine that was interrupted |
//! | `overflow.rs` | the message when a window is exceeded, and the end |
//! | `signal.rs` | the handler of SIGSEGV and SIGBUS, and the signals that are not the runtime's |
//! | `sample.rs` | asking a thread to look at itself |

pub(crate) mod backtrace;
pub(crate) mod growth;
pub(crate) mod hooks;
pub(crate) mod overflow;
pub(crate) mod sample;
pub(crate) mod signal;
pub(crate) mod sigstack;
