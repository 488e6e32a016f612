//! Looking into a running program: all goroutines, with what they do and where.
//!
//! [`dump`] writes them as text, [`Dump`] as text or JSON. Goroutines that do the same at the same place are one group with
//! a count, so that a hundred thousand of them are read at a glance.
//!
//! ```text
//! goroutines: 1 003 in 4 groups, 2 Ps, 4 Ms, 2026-11-29T01:00:00Z
//!
//! 1 000 goroutines [chan receive] channel 0x7f3a1008c280 (0 of 64 messages, 1 sender, 1 000 receivers)   ids 17 18 19 20 ...
//!     <goroutines::chan::receiver::Receiver<app::Job>>::recv  /cargo/goroutines-0.1.0/src/chan/..:92
//!     app::worker  src/main.rs:41
//!     app::main::{{closure}}  src/main.rs:63
//!     spawned as app::main::{{closure}}
//!
//! goroutine 12 "flush" [mutex lock, for long] mutex 0x55d0c8
//!     ...
//! ```
//!
//! A goroutine that waits, or is in a run queue, is held there for some microseconds, while its stack is read. The thread of
//! one that runs, is in a [`blocking`](crate::blocking()) call, or keeps its thread while it waits, is interrupted by SIGURG and
//! reads the stack itself; [`Dump::running`] says what that means for system calls, and leaves it out. No lock of the program
//! is taken: a dump can be taken of a program that is stuck, and of one that is busy. A thread that blocks SIGURG, or does not
//! run within [`Dump::patience`], is listed as such.
//!
//! A wait that has a time says when it ends: `[sleep], ends in 1.5s`. Plain threads that wait in calls of the runtime come last,
//! without their stacks: `thread 4711 "app" [chan receive] channel 0x7f3a1008c280`.
//!
//! # Deadlocks and leaks
//!
//! A lock names its holder, and a join the goroutine that is joined. So dumps say what holds the lock that a goroutine waits
//! for, and find goroutines that wait for each other, also while the rest of the program runs; [`wait_graph`] returns all such
//! waits:
//!
//! ```text
//! deadlock: goroutine 12 -> mutex 0x55d0c8 -> goroutine 31 -> join -> goroutine 12
//!
//! goroutine 12 [mutex lock] mutex 0x55d0c8, held by goroutine 31 (exact)
//! ```
//!
//! A ring is a deadlock if all of it was held in its waits at one moment, and no wait in it can end otherwise, at a deadline or
//! by a context. Where the kernel has no `membarrier`, none can be held, and the line says `probably a deadlock`. A holder that
//! is `exact` is wrong only where a guard was forgotten (`mem::forget`), or a lock is unlocked by another than its holder. With
//! copied stacks holders are `probable`. The holder is unknown where it is a plain thread that has never waited in a call of
//! the runtime. So are the readers of a read-write lock, and what could end the waits of all other kinds.
//!
//! When no goroutine can ever be woken again, the program ends: [`Config::deadlock`](crate::Config::deadlock).
//!
//! The report names the channels at which it ends:
//!
//! ```text
//! goroutines 7 8 -> chan receive -> channel 0x7f3a1008c280 (0 of 8 messages, 1 sender, 2 receivers): nobody is left to send
//! ```
//!
//! [`leaks`] finds goroutines that have waited for long, and says which of them can never go on. The counts of a channel tell
//! where to look: a receiver whose channel has one sender waits for whoever holds that one.
//!
//! # What it needs
//!
//! Names of functions need symbols, and lines need debug information: `debug = "line-tables-only"` in the profile. Stacks
//! are read by unwind tables, which Rust programs have; a stack through code without them is marked as truncated.
//!
//! [`Config::on_sigquit`](crate::Config::on_sigquit) lets a dump be asked for from outside, as `kill -QUIT` does with Go
//! programs. A fatal error writes one before it ends the process: [`Config::dump_on_fatal`](crate::Config::dump_on_fatal).
//!
//! [`profile`] says who uses the CPU time, where goroutines wait, and which locks they wait for.
//!
//! [`serve`] opens a socket on which `goroutines-top`, or any program that reads lines, looks into this one while it runs.
//!
//! [`trace`] records what the scheduler does, for a timeline of goroutines, Ps and threads.
//!
//! # Examples
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! let (tx, rx) = goroutines::chan::bounded::<u32>(0);
//! let waits = goroutines::go(move || rx.recv());
//! # goroutines::sleep(std::time::Duration::from_millis(20));
//! goroutines::debug::dump(&mut std::io::stderr()).unwrap();
//! # drop(tx);
//! # assert!(waits.join().unwrap().is_err());
//! ```

pub(crate) mod dumper;
pub mod profile;
pub mod trace;

pub use goroutines_insight::{
    ContextState, Cycle, Dump, Edge, Frame, Group, Leak, Leaks, Node, Object, Server, Snapshot,
    Summary, WaitGraph, dump, leaks, serve, wait_graph,
};
pub use goroutines_sched::{Certainty, ChannelCounts, Silence, State, WaitReason};

/// What happens after the dump of [`Config::on_sigquit`](crate::Config::on_sigquit).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Quit {
    /// The program goes on.
    Continue,
    /// The program ends at once with status 2, as Go's do. No destructor runs.
    Exit,
}
