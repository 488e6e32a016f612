//! The GMP scheduler of goroutines: G, M, P, their queues, and the two verbs `park` and `ready`.
//!
//! The life of a goroutine, and where each part is written:
//!
//! ```text
//!  spawn (task/spawn.rs)    a G from the P's free list (global/g_pool.rs), closure into its payload, tail of the ring
//!    │
//!  ready (global/ready.rs)  the one door into run queues: spawned, woken, yielding
//!    │
//!  find (schedule/find_runnable.rs)  an M takes it from a queue ── steals it, or is woken for it (protocol/idle.rs)
//!    │
//!  first run (schedule/mod.rs)       it gets the warmest stack of the P's cache
//!    │
//!  switch (switch/mod.rs)   g0 ──jmp──► goroutine
//!    │
//!  park (park/mod.rs)       goroutine ──jmp──► g0, which commits: unlocks what it waits for
//!    │                    ... the waker calls ready(g): runnext of its P ...
//!  end (schedule/exit.rs)   result into the payload, joiner made ready, stack back into the cache
//! ```
//!
//! Channels and locks are written on [`park`] and [`ready`], on [`arm`] with [`park_until`] for waits that several may
//! end, on [`ByteLock`], and on the names that `runtime/src/chan/door.rs` and `runtime/src/sync/door.rs` list. The models
//! compile their cores with other doors.
//!
//! # Designs that were not taken
//!
//! - *Switching from goroutine to goroutine directly* saves one jump, and a G could then be seen in a queue before
//!   its context is saved. With a jump instead of `ret` the way through g0 costs the same.
//! - *A compare-and-swap for each status*: three of them cost as much as a switch. The queues decide who runs a G.
//! - *`thread_local!` for the current M*: the compiler may keep its address across a park, after which the goroutine
//!   may be on another thread.
//! - *A lock that parks goroutines for channel queues*: the critical section is a few instructions.

#[cfg(not(target_has_atomic = "64"))]
compile_error!(
    "goroutines-sched counts goroutines, times and waits in atomic words of 64 bits, which this CPU does not have"
);

// The table of contents, in the order of imports: a wing imports only what stands above it. Each `mod.rs` says what its
// wing is. Every wing but `protocol` opens with `#![cfg(not(goroutines_loom))]`.

// the kernel, the CPU's switch, tools that watch stacks; knows no G
mod sys;

// the words on which two sides meet, and the steps on them: what loom compiles
mod protocol;

// the descriptors: G, M, P and what belongs to one of them
mod gmp;

// which M and G run here, and leaving the goroutine
mod switch;

// growth, segments, and giving idle memory back
mod stacks;

// what all Ms share: the scheduler's lists, and the way into every run queue
mod global;

// the loop of an M: find a goroutine, run it, stop
mod schedule;

// how goroutines and threads wait
mod park;

// a goroutine as its user sees it: spawn, join, inherited values
mod task;

// metrics, and reports of hogs
mod observe;

// the monitor thread, which needs no P
mod sysmon;

// configuration and start
mod start;

pub use protocol::{
    byte_lock::ByteLock,
    channel_head::{ChannelCounts, ChannelHead},
    park_state::ParkState,
    wait_reason::{WaitFor, WaitReason},
};
#[cfg(not(goroutines_loom))]
pub use {
    global::{
        ready::{ready, ready_tail},
        sched::{proc_numbers, procs, rounds},
        starter::run_aside,
    },
    gmp::{
        g::GRef,
        identity::{Identity, Inherited},
        lock_owner::LockOwner,
        ticket::{TIMED_OUT, Ticket},
    },
    goroutines_stack::{Class, SizeError, StartError as StepError, Step, growth_faults},
    observe::{
        census::{Glance, census, census_of_parked},
        deadlock::Deadlock,
        described::describe_goroutine,
        edges::{Certainty, Wait, Waiter, waits, waits_of_threads},
        goroutines::{Visitor, goroutines, visit_all},
        hogs::{HogFrame, HogReport},
        interrupted::Interrupted,
        metrics::{Metrics, MigrationStats, ProcMetrics, ProcState, metrics, migration_stats},
        reporter::walk_hogs_with,
        rings::{Verdict, look_again},
        running::{Silence, Walks},
        sight::{Sight, State},
        stack_view::StackView,
        stuck::{ChannelWait, channel_waits},
        trace::{Batch, ClockPoint, Edge, Event, Recording, What, Whose, note_region},
        urgent::visit_urgently,
        wait_samples::{WaitSample, WaitSampling, WaitStack, WaitVisitor},
    },
    park::{
        arm,
        blocking::blocking,
        caller::{Caller, caller},
        checkpoint::{checkpoint, give_way},
        io_wait::{Interest, IoSource, IoWait, can_park, keep_thread},
        park, park_until,
        sleep::{sleep_forever, sleep_until},
        waker::{ThreadWaker, wake},
        yield_now::yield_now,
    },
    stacks::{
        on_segment::{has_stack, on_segment},
        reserve_stack::{Shortage, reserve_stack, with_room},
    },
    start::{
        config::{Config, StartError},
        start,
    },
    switch::{
        call_on::call_on,
        current::{current, on_goroutine},
        random::random,
    },
    sys::{
        asm::{CPU, Registers, Suspended, UNWIND_REGISTERS, UnwindRegisters},
        fatal::{before_fatal, before_fatal_in_signal, exit_now, write as write_to_stderr},
        peek::read_memory,
        tasks::as_own_thread,
    },
    task::{
        fork_join::join,
        handle::Task,
        inherited::{inherited, replace_inherited},
        io_poll::IoFuture,
        join_future::JoinFuture,
        local_key::{LocalGone, LocalKey},
        pinned::{lock_os_thread, spawn_pinned, unlock_os_thread},
        set_procs::set_procs,
        spawn::{Options, spawn, spawn_unchecked},
        stack_pin::{StackPin, pin_stack},
        unpark::park_until_unparked,
    },
};
