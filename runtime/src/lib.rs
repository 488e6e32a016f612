//! Goroutines for Rust: a stackful M:N runtime on Go's GMP model.
//!
//! [`go(|| ...)`](go()) starts a goroutine for some tens of nanoseconds. A call that waits parks the goroutine and not
//! its thread. Plain sequential code works unchanged: no `async`, no coloured functions, no pinning. A stack starts as one
//! page and grows in place. For Linux, on eight CPUs.
//!
//! # A first program
//!
//! ```
//! use goroutines::{chan, go};
//!
//! fn main() -> Result<(), goroutines::StartError> {
//!     // SAFETY: no code of this program keeps thread-local storage over a call that can park.
//!     unsafe { goroutines::start()? };
//!
//!     let (tx, rx) = chan::bounded(0);
//!     let squares = go(move || rx.iter().map(|n: u64| n * n).sum::<u64>());
//!     for n in 1..=10 {
//!         tx.send(n).unwrap();
//!     }
//!     drop(tx);
//!     assert_eq!(squares.join().unwrap(), 385);
//!     Ok(())
//! }
//! ```
//!
//! Everything here works on goroutines and on plain OS threads, on either end. A panic in a goroutine reaches its
//! [`JoinHandle::join`] and nothing else; its message says which goroutine it was ([`Config::panic_hook`]). The process ends when `main` returns, whether goroutines are left or not.
//!
//! The package has small programs to start from in `examples`: hello, worker pool, pipeline, fan-in with a timeout, error
//! groups, scopes, blocking calls, goroutines beside tokio, word count, crawler, chat server, a client that keeps to a rate,
//! supervisor, fork-join, calls that are tried again, publish and subscribe, and a shutdown at SIGTERM.
//!
//! # I want to ...
//!
//! | I want to ... | call |
//! |---|---|
//! | run code beside mine, and have its result | [`go`](go()), [`JoinHandle::join`] |
//! | let it borrow from me | [`thread::scope`]; for two pieces of a computation [`join`] |
//! | start many, and take whichever ends first | [`JoinSet`] |
//! | start many, and stop all at the first error | [`errgroup::scope`] |
//! | wait until all are done | [`sync::WaitGroup`], or the end of a scope |
//! | run `main` itself as a goroutine | [`run`] |
//! | pass messages | [`chan::bounded`], [`chan::unbounded`] |
//! | send one answer, the latest value, each message to all | [`sync::oneshot`], [`sync::watch`], [`sync::broadcast`] |
//! | wait for whichever of several comes first | [`chan::select!`](macro@chan::select), with the end of a goroutine too: [`JoinHandle::done`] |
//! | give up after some time | [`timeout`](timeout()), or the call's own variant: [`chan::Receiver::recv_timeout`], [`JoinHandle::join_timeout`] |
//! | do something each second | [`chan::tick`], or [`sleep`] in a loop |
//! | tell work to stop | [`context::Context::with_cancel`], [`context::Canceller::cancel_on_drop`] |
//! | limit how many run at once, or how often | [`sync::Semaphore`], [`errgroup::Group::limit`], [`sync::Limiter`] |
//! | share a value that changes | [`sync::Mutex`], [`sync::RwLock`], with [`Arc`](std::sync::Arc) |
//! | make a value once | [`sync::OnceLock`], [`sync::LazyLock`] |
//! | have a value for each goroutine | [`goroutine_local!`] |
//! | have a value for all goroutines of a request, such as its number | [`context::Context::with_value`] |
//! | call what blocks: C, a library, a lock of others | [`blocking`](blocking()) |
//! | compute for long beside others | [`checkpoint`] now and then; nothing has to be called |
//! | wait for a future, or be awaited by one | [`block_on`], `handle.await`, [`chan::Receiver::recv_async`] |
//! | read files, talk over sockets, run programs | [`fs`], [`net`], [`process`] |
//! | connect within a time, to whichever address answers | [`net::Dialer`] |
//! | stop at SIGTERM or Ctrl-C | [`signal::notify`] |
//! | recurse deeply | [`#[goroutines::grow]`](macro@grow), [`Builder::stack_size`] |
//! | stay on one thread, for a library that asks for that | [`lock_os_thread`], [`Builder::pinned`] |
//! | see where everything waits | [`debug::dump`], [`Config::on_sigquit`], [`debug::wait_graph`] |
//! | see what uses the time | [`debug::profile`], [`debug::trace`], [`metrics`](metrics()) |
//! | know what I promise with the one `unsafe` | [The promise](#the-promise), and *Safety* of [`start`] |
//!
//! # Modules
//!
//! | module | what is in it | shaped as |
//! |---|---|---|
//! | the root | [`start`], [`run`], [`go`](go()), [`Builder`], [`JoinHandle`], [`Done`], [`JoinSet`], [`join`], [`sleep`], [`timeout`](timeout()), [`yield_now`], [`blocking`](blocking()), [`block_on`], [`Config`], [`metrics`](metrics()) | Go |
//! | [`thread`] | spawn, scopes, park and unpark, names, goroutine-local values | [`std::thread`] |
//! | [`chan`] | channels, [`select!`](macro@chan::select), timers | `crossbeam-channel` |
//! | [`sync`] | locks with poisoning, once cells, barrier, wait group, semaphore, `mpsc`; channels for one value, the latest value, all receivers; rates | [`std::sync`] |
//! | [`time`] | sleeping, and the types of std | [`std::time`] |
//! | [`context`] | cancellation and deadlines, which goroutines inherit | Go's `context` |
//! | [`fs`] | files and directories | [`std::fs`] |
//! | [`io`] | pipes, and the standard streams | [`std::io`] |
//! | [`net`] | sockets | [`std::net`], `std::os::unix::net` |
//! | [`process`] | child processes | [`std::process`] |
//! | [`signal`] | signals of the system as messages | Go's `os/signal` |
//! | [`debug`] | all goroutines of a running program, with their stacks | Go's `runtime/debug` |
//! | [`errgroup`] | goroutines that borrow, and stop at the first error | Go's `errgroup` |
//! | `metrics_recorder` | what [`metrics`](metrics()) says, as gauges and counters (with the feature `metrics`) | - |
//! | `tracing` | spans of goroutines (with the feature of that name) | `tracing-subscriber` |
//!
//! # The promise
//!
//! [`start`] is `unsafe`, because a goroutine may resume on another thread after a call that can park (their documentation
//! says so under *Parks*), and the compiler assumes that a function stays on one thread. The program promises, once, that
//! none of its code relies on that: above all, that no reference into thread-local storage is kept over such a call. Most
//! of what breaks the promise is caught: a goroutine whose stack holds an address of its thread's storage goes back to that
//! thread. The *Safety* section of [`start`] is the exact text. [`lock_os_thread`] and [`Builder::pinned`] keep a goroutine
//! on its thread; [`goroutine_local!`] takes the place of `thread_local!`.
//!
//! # Environment variables
//!
//! Each is read once, at the latest by [`start`], and wins over [`Config`]. A value that a variable cannot have is an
//! error of [`start`], which names both.
//!
//! | variable | values | what it decides | in the program |
//! |---|---|---|---|
//! | `GOMAXPROCS` | 1 to 4096 | How many goroutines run at the same time. Default: the CPUs that the process may use, and its CPU quota, which are followed while it runs. | [`Config::procs`] |
//! | `GODEBUG` | `schedtrace=1000` | A line on stderr each 1000 ms that says what the scheduler does. Default: none. | [`metrics`](metrics()) |
//! | | `hogs=100` | A line on stderr when a goroutine has run for 100 ms without a call into this crate. Default: none. | [`Config::hog_after`] |
//! | | `hogstacks=1` | The reports of `hogs` show where the goroutine is. Default: 0. | [`Config::hog_stacks`] |
//! | | `deadlock=0` | A program in which nothing can wake a goroutine again goes on waiting; `deadlock=1`: it says so and ends with status 2. Default: 1. | [`Config::deadlock`] |
//! | `GOROUTINE_STACK` | a size: `65536`, `256K`, `8M`, up to `1G` | How far a stack may grow, rounded up to a window. Default: 1M. | [`Config::stack_size`] |
//! | `GOROUTINE_STACK_START` | a size: `2K` | Stacks start with so much, and a guard that moves. Default: one page, no such guard. | [`Config::stack_start`] |
//! | `GOROUTINE_STACK_IDLE` | `500ms`, `5s`, `2m`, `1h`, `off` | How long a goroutine is parked before the unused memory of its stack goes back to the kernel. Default: 30s. | [`Config::stack_idle`] |
//! | `GOROUTINE_GUARD` | `madvise`, `mprotect` | How guard pages are made. Default: `madvise` where the kernel has guard regions (Linux 6.13), else `mprotect`. | - |
//! | `GOROUTINE_MIGRATION_CHECK` | `on`, `off` | Whether a stack is searched for addresses of its thread's storage before it resumes on another thread. Default: `on`. | [`Config::migration_check`] |
//! | `GOROUTINE_FORCE_MIGRATION` | `on`, `off` | Goroutines change threads as often as they can, for tests. Default: `off`. | [`Config::force_migration`] |
//! | `GOROUTINE_MEMBARRIER` | `off` | The runtime does without the system call `membarrier`, as on kernels that have none, for tests. Other values do nothing. | - |
//!
//! Several items of `GODEBUG` are separated by commas; items that are not listed here are ignored, because Go programs
//! read the variable as well.
//!
//! # Features
//!
//! | feature | what it does |
//! |---|---|
//! | `gdb` | puts a script for gdb into the program: `info goroutines`, `goroutine N bt`; on by default |
//! | `insight` | adds [`debug`]; on by default |
//! | `flamegraph` | profiles are written as flame graphs too |
//! | `lock_api` | adds `sync::lock_api`: raw locks for crates that are generic over them |
//! | `metrics` | adds the module `metrics_recorder`: the numbers of [`metrics`](metrics()) for the crate of that name |
//! | `tracing` | adds the module `tracing`: spans of the crate of that name that belong to goroutines and not to threads |
//! | `valgrind` | tells valgrind what the stacks are, for runs under memcheck and the like |
//! | `asan` | tells AddressSanitizer of each switch; only for programs built with `-Zsanitizer=address` |
//!
//! # Signals and forks
//!
//! A signal handler must not call this crate: it may have interrupted the scheduler in the middle of a change. [`signal`]
//! turns signals into messages; a program's own handler may store into an atomic or write to a pipe, and let a goroutine
//! or thread wait for that. In debug builds such a call ends the process with a message, where it can be told from
//! others: on the signal stack, and where it interrupted the scheduler. Handlers should be installed with `SA_ONSTACK`;
//! without it they run on the goroutine's stack. A handler has to save and restore `errno`, as in any program; a wait of
//! this crate leaves `errno` as it was.
//!
//! The child of a `fork` has none of the scheduler's threads. It may `exec`, as [`std::process::Command`] does, from a
//! goroutine as well; its first call into this crate ends it with a message. A program whose child is to run on without
//! `exec` forks before [`start`].

mod blocking;
mod builder;
pub mod chan;
mod checkpoint;
mod config;
pub mod context;
#[cfg(feature = "insight")]
pub mod debug;
#[cfg(feature = "gdb")]
mod debugger;
mod done;
mod drive;
pub mod errgroup;
mod fork_join;
pub mod fs;
mod future;
mod go;
mod grow;
pub mod io;
mod join_set;
mod metrics;
#[cfg(feature = "metrics")]
pub mod metrics_recorder;
pub mod net;
mod panic_hook;
mod pinned;
pub mod process;
mod procs;
mod reserve_stack;
mod run;
pub mod signal;
pub mod sync;
pub mod thread;
pub mod time;
mod timeout;
#[cfg(feature = "tracing")]
pub mod tracing;

pub use self::metrics::metrics;
pub use blocking::blocking;
pub use builder::Builder;
pub use checkpoint::checkpoint;
pub use config::Config;
pub use done::Done;
pub use fork_join::join;
pub use future::{Join, block_on};
pub use go::{JoinHandle, go, sleep, start, yield_now};
pub use goroutines_macros::grow;
pub use goroutines_sched::{
    Deadlock, HogFrame, HogReport, Metrics, ProcMetrics, ProcState, SizeError, StartError,
};
pub use grow::grow;
pub use join_set::{Ended, JoinNextTimeoutError, JoinSet};
pub use pinned::{PinnedBuilder, lock_os_thread, unlock_os_thread};
pub use procs::{gomaxprocs, set_gomaxprocs};
pub use reserve_stack::reserve_stack;
pub use run::run;
pub use timeout::{Elapsed, timeout};
