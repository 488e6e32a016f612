//! The wing `global`: what all Ms share. The scheduler as a value, and the steps that change it.
//!
//! Imported by the wings that run goroutines and wait: `schedule`, `park`, `task`, `observe`, `sysmon`, `start`.
//!
//! | state | steps |
//! |---|---|
//! | sched.rs: all of it; settings.rs: what it is made with | |
//! | queue.rs: the global queue | ready.rs: the one door into run queues |
//! | procs.rs: the Ps; update_procs.rs: how many CPUs there are | procs.rs: changing their number |
//! | g_pool.rs: dead Gs | |
//! | jobs.rs: the deques of goroutines in a fork-join | jobs.rs: having one, searching all |
//! | poll.rs: when the kernel was asked for events | poll.rs: asking it, and sleeping in that |
//! | start_m.rs: the threads | starter.rs: starting one; wake.rs: waking an M, passing a P on; retake.rs: taking a P |
//!
//! The calls are recursive where the imports are not: ready, wake, a thread that is refused, `idle_p_for_want_of_thread`,
//! `put_idle_p`, a P that leaves, whose goroutines become ready. It ends because a P leaves once, and where no thread is
//! to be had none is asked for ([`start_m`]).
//!
//! Essays: [`procs`], [`start_m`], [`starter`], [`retake`] (the sides of gate.rs), [`ready`].

#![cfg(not(goroutines_loom))]

pub(crate) mod g_pool;
pub(crate) mod jobs;
pub(crate) mod poll;
pub(crate) mod procs;
pub(crate) mod queue;
pub(crate) mod ready;
pub(crate) mod retake;
pub(crate) mod sched;
pub(crate) mod settings;
pub(crate) mod start_m;
pub(crate) mod starter;
pub(crate) mod update_procs;
pub(crate) mod wake;
