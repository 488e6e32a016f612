//! Spans of the crate `tracing` that belong to goroutines. Needs the feature `tracing`.
//!
//! The registry of `tracing-subscriber` keeps the spans that were entered in storage of the thread. A goroutine that parks
//! in a span leaves the span on its thread: the next goroutine there sees it as its own, gives it to its spans as a parent,
//! and the first one has lost it on the thread where it resumes. Parents can come to form a ring, which ends the program.
//!
//! [`GoroutineRegistry`] takes the place of that registry and keeps the spans per goroutine. Layers work on it unchanged, and
//! on plain OS threads it does what the other does.
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::{go, tracing::registry, yield_now};
//! use tracing::{info, info_span};
//! use tracing_subscriber::{fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};
//!
//! registry().with(fmt::layer()).init();
//!
//! go(|| {
//!     let _request = info_span!("request", number = 7).entered();
//!     yield_now(); // others run here, and do not see the span
//!     info!("this is said in `request`");
//! })
//! .join()
//! .unwrap();
//! ```
//!
//! # New goroutines
//!
//! A new goroutine is in no span, as a new thread is. [`in_current_span`] runs a closure in the span of the caller:
//! `go(in_current_span(|| ...))`.
//!
//! # Limits
//!
//! `tracing` and its layers keep more in storage of the thread, which is in use for the time of one call only. So:
//!
//! - Nothing that a layer, a filter, or the writer of a layer does may park. [`Checked`] finds layers that do.
//! - The values in the fields of a span or event must not park either: a filter may have decided already, and left its
//!   decision on the thread. Compute them before.
//! - The guard of `set_default`, and the closure of `with_default`, must not last over a call that can park. Use
//!   `set_global_default`, or `init`.
//! - Directives of `EnvFilter` that name a span (`[request]=debug`) count the entered spans of a thread. They are wrong for
//!   goroutines. Directives with targets and levels are right.
//! - `tracing_subscriber::fmt()` and `registry()` of that crate use the other registry. Write
//!   `goroutines::tracing::registry().with(fmt::layer())`.
//! - With filters of single layers (`with_filter`), a call site that every layer refuses is asked anew each time: the
//!   program pays for the question, some ten nanoseconds.
//!
//! `Context::attach` of OpenTelemetry, and `Handle::enter` of tokio, are guards in storage of the thread as well, and
//! their crates have no place where another storage could be given. They must not last over a call that can park.
//!
//! # The crate `log`
//!
//! `log` has no context. A line that says which goroutine it is from takes the number, and perhaps the name, as key-values:
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::thread;
//!
//! log::info!(goroutine:? = thread::current().id(), name = thread::current().name(); "accepted");
//! ```
//!
//! A logger that adds them to each line may call [`thread::current`](crate::thread::current) itself: it is called on the
//! goroutine that logs.

mod checked;
mod entered;
mod registry;
mod spawned;

pub use checked::Checked;
pub use registry::{GoroutineRegistry, registry};
pub use spawned::in_current_span;
