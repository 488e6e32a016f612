//! The GMP scheduler of goroutines: G, M, P, their queues, and the two verbs `park` and `ready`.
//!
//! The life of a goroutine, and where each part is written:
//!
//! ```text
//!  spawn (task.rs)        a G from the P's free list, closure into its payload, tail of the ring
//!    │
//!  find (find.rs)         an M takes it from a queue ── steals it, or is woken for it (idle.rs)
//!    │
//!  first run (run.rs)     it gets the warmest stack of the P's cache
//!    │
//!  switch (switch.rs)     g0 ──jmp──► goroutine
//!    │
//!  park (park.rs)         goroutine ──jmp──► g0, which commits: unlocks what it waits for
//!    │                    ... somebody calls ready(g): runnext of the waker's P ...
//!  end (run.rs)           result into the payload, joiner made ready, stack back into the cache
//! ```
//!
//! Channels, locks and timers are written on [`park`] and [`ready`] and know nothing else of this
//! crate but [`current`], [`caller`], [`arm`] with [`park_until`] for waits that several may end, and
//! [`ByteLock`].
//!
//! # Designs that were not taken
//!
//! - *Switching from goroutine to goroutine directly* saves one jump and costs the property that a G
//!   is never seen in a queue before its context is saved. With a jump instead of `ret` the way
//!   through g0 costs the same.
//! - *A compare-and-swap for each status*: three of them cost as much as a switch; the queues decide.
//! - *`thread_local!` for the current M*: the compiler may keep its address over a park.
//! - *A lock that parks goroutines for channel queues*: the critical section is a few instructions.

#[cfg(not(loom))]
mod alarms;
#[cfg(not(loom))]
mod awaited;
#[cfg(not(loom))]
mod block;
mod bound;
#[cfg(not(loom))]
mod caller;
#[cfg(not(loom))]
mod checkpoint;
#[cfg(not(loom))]
mod config;
#[cfg(not(loom))]
mod copying;
#[cfg(not(loom))]
mod counters;
#[cfg(not(loom))]
mod cpus;
#[cfg(not(loom))]
mod debug;
#[cfg(not(loom))]
mod default_stacks;
#[cfg(not(loom))]
mod doorbell;
mod episode;
#[cfg(not(loom))]
mod fairness;
#[cfg(not(loom))]
mod fatal;
#[cfg(not(loom))]
mod faults;
#[cfg(not(loom))]
mod find;
#[cfg(not(loom))]
mod follow;
#[cfg(not(loom))]
mod fork;
#[cfg(not(loom))]
mod g;
mod gate;
#[cfg(not(loom))]
mod grow;
#[cfg(not(loom))]
mod handlers;
mod handover;
#[cfg(not(loom))]
mod heritage;
#[cfg(not(loom))]
mod hogs;
mod homesick;
#[cfg(not(loom))]
mod identity;
mod idle;
#[cfg(not(loom))]
mod join;
mod landing;
#[cfg(not(loom))]
mod launch;
mod lending;
#[cfg(not(loom))]
mod locals;
mod lock;
#[cfg(not(loom))]
mod m;
#[cfg(not(loom))]
mod metrics;
#[cfg(not(loom))]
mod migrate;
#[cfg(not(loom))]
mod os;
#[cfg(not(loom))]
mod p;
#[cfg(not(loom))]
mod panic_count;
#[cfg(not(loom))]
mod park;
mod parker;
#[cfg(not(loom))]
mod payload;
#[cfg(not(loom))]
mod pin;
#[cfg(not(loom))]
mod procs;
mod queue;
#[cfg(not(loom))]
mod random;
#[cfg(not(loom))]
mod reporter;
mod requests;
#[cfg(not(loom))]
mod reserve_stack;
#[cfg(not(loom))]
mod run;
#[cfg(not(loom))]
mod sched;
mod seats;
#[cfg(not(loom))]
mod segment;
#[cfg(not(loom))]
mod shared;
#[cfg(not(loom))]
mod shrink;
mod shrinking;
mod signal;
#[cfg(not(loom))]
mod size;
#[cfg(not(loom))]
mod standstill;
#[cfg(not(loom))]
mod starter;
mod status;
mod steps;
#[cfg(not(loom))]
mod switch;
#[cfg(not(loom))]
mod switches;
mod sync;
#[cfg(not(loom))]
mod syscall;
#[cfg(not(loom))]
mod sysmon;
mod sysmon_sleep;
#[cfg(not(loom))]
mod taking;
#[cfg(not(loom))]
mod task;
#[cfg(not(loom))]
mod thread;
#[cfg(not(loom))]
mod threads;
#[cfg(not(loom))]
mod ticket;
mod timers;
mod token;
#[cfg(not(loom))]
mod tools;

#[cfg(not(loom))]
mod unwinding;

#[cfg(all(test, loom))]
mod models;

pub use landing::Landing;
pub use lock::ByteLock;

#[cfg(not(loom))]
pub use {
    awaited::Awaiting,
    caller::{Caller, caller},
    checkpoint::checkpoint,
    config::{Config, StartError},
    copying::{StackPin, pin_stack},
    doorbell::{Doorbell, wake},
    g::GRef,
    goroutines_stack::{Class, SizeError, StartError as StepError, Step, growth_faults},
    grow::{has_stack, on_segment},
    heritage::{Heritage, heritage, replace_heritage},
    hogs::{HogFrame, HogReport},
    identity::{Identity, park_until_unparked},
    launch::start,
    locals::{LocalGone, LocalKey},
    metrics::{Metrics, ProcMetrics, metrics},
    migrate::{MigrationStats, migration_stats},
    park::{arm, current, on_goroutine, park, park_until, ready, ready_tail},
    pin::{lock_os_thread, spawn_pinned, unlock_os_thread},
    procs::set_procs,
    random::random,
    reserve_stack::{Shortage, reserve_stack},
    sched::{procs, rounds},
    syscall::blocking,
    task::{Options, Task, sleep_forever, sleep_until, spawn, spawn_unchecked, yield_now},
    threads::give_way,
    ticket::{TIMED_OUT, Ticket},
};
