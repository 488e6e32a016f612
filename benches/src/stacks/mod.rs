//! What stacks cost: the scenarios of the stack report, and the report itself.
//!
//! Memory belongs to a process, so each [`scenario`] runs in a fresh child process ([`child`]): the program starts itself
//! again, and the child prints its [`figure`]s as JSON. A figure may have a bound, and the report says where one is missed.
//!
//! 1. [`parked`]: what a goroutine costs that waits in `recv`, on a stack of its own or on a copied one. All in: the
//!    growth of the process's resident memory and page tables, divided by the number of goroutines.
//!    And what is left of it when they have ended, at once and after the time that [`ended`] sets.
//! 2. [`growth`]: what a step of a growing stack costs, beside what it consists of: a page fault and a signal.
//! 3. [`resume`]: what it costs to go on with one of many parked goroutines in random order, when neither its descriptor
//!    nor its stack is in a cache. The run queue prefetches both for the goroutines that come next; the feature
//!    `no-lookahead` builds a scheduler that does not, to see the difference:
//!
//! ```text
//! cargo run --release -p goroutines-benches --bin stack-report
//! cargo run --release -p goroutines-benches --bin stack-report --features no-lookahead -- --only resume
//! ```

pub mod child;
pub mod ended;
pub mod figure;
pub mod growth;
pub mod memory;
pub mod parked;
pub mod report;
pub mod resume;
pub mod scenario;
pub mod stopwatch;
pub mod text;

use std::{io, thread};

/// What a goroutine's stack is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stacks {
    /// A window of its own: the default.
    Own,
    /// Copied out of a window that it shares, by `Builder::copy_stack`.
    Copy,
}

impl Stacks {
    /// A builder for goroutines with such stacks.
    ///
    /// # Safety
    ///
    /// What `Builder::copy_stack` asks of the goroutine's code.
    pub(crate) unsafe fn builder(self) -> goroutines::Builder {
        let builder = goroutines::Builder::new();
        match self {
            Stacks::Own => builder,
            // SAFETY: passed on.
            Stacks::Copy => unsafe { builder.copy_stack() },
        }
    }
}

/// Starts the runtime with `procs` Ps and runs `f` on a goroutine.
fn on_goroutine<T: Send + 'static>(
    procs: usize,
    f: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    on_goroutine_of(goroutines::Config::new().procs(procs), f)
}

/// Starts the runtime as `config` says and runs `f` on a goroutine.
fn on_goroutine_of<T: Send + 'static>(
    config: goroutines::Config,
    f: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    // SAFETY: the goroutines of the scenarios use atomics, channels, the clock, files and the allocator: none of them hands
    // out a reference into thread-local storage, so none is held while a goroutine parks.
    unsafe { config.start() }.map_err(io::Error::other)?;
    finished(goroutines::go(f).join())?
}

/// The result of a goroutine that was joined.
fn finished<T>(result: thread::Result<T>) -> io::Result<T> {
    // The message of the panic is on stderr already.
    result.map_err(|_| io::Error::other("a goroutine of the scenario panicked"))
}
