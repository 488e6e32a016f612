//! The wing `observe`: metrics and reports of the scheduler. Imported by `sysmon` and `start`, and for the public
//! functions.
//!
//! | file | what it has |
//! |---|---|
//! | metrics.rs | a snapshot of counts and queues |
//! | census.rs | all goroutines by their words alone |
//! | deadlock.rs | whether anything can ever wake a goroutine again |
//! | goroutines.rs, sight.rs | all goroutines: what each does, and their stacks |
//! | moments.rs | when waits end that have a time |
//! | urgent.rs | the same, where nothing may be allocated |
//! | wait_samples.rs | samples of waits, for a profile |
//! | stack_view.rs | the stack of a goroutine that is off it |
//! | interrupted.rs, running.rs | the stack of code that a signal has interrupted, and asking threads for theirs |
//! | edges.rs, rings.rs | what waits for what; which of them wait for each other |
//! | stuck.rs | what waits on channels at a deadlock |
//! | hogs.rs, reporter.rs | goroutines that make no call for long: finding them, and reporting them |
//! | trace | traces: reading the events of all threads |
//!
//! Essays: [`deadlock`], [`edges`], [`goroutines`], [`hogs`], [`interrupted`], [`reporter`], [`running`],
//! [`trace`].

#![cfg(not(goroutines_loom))]

pub(crate) mod census;
pub(crate) mod deadlock;
pub(crate) mod described;
pub(crate) mod edges;
pub(crate) mod goroutines;
pub(crate) mod hogs;
pub(crate) mod interrupted;
pub(crate) mod metrics;
pub(crate) mod moments;
pub(crate) mod reporter;
pub(crate) mod rings;
pub(crate) mod running;
pub(crate) mod sight;
pub(crate) mod stack_view;
pub(crate) mod stuck;
pub(crate) mod trace;
pub(crate) mod urgent;
pub(crate) mod wait_samples;
