//! The numbers of [`metrics`](crate::metrics()) as gauges and counters of the crate `metrics`. Needs the feature `metrics`.
//!
//! [`spawn`] starts a goroutine that reports each interval to the recorder that the program has installed; [`record`]
//! reports once, for programs that are asked for their numbers.
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use std::time::Duration;
//!
//! // ... the program installs a recorder, such as an exporter for Prometheus ...
//! let reports = goroutines::metrics_recorder::spawn(Duration::from_secs(10));
//! // ... and works ...
//! reports.stop();
//! ```
//!
//! | name | kind | |
//! |---|---|---|
//! | `goroutines_procs` | gauge | how many goroutines can run at the same time (Ps) |
//! | `goroutines_procs_idle` | gauge | Ps that are idle |
//! | `goroutines_alive` | gauge | goroutines that have been started and have not ended |
//! | `goroutines_spawned_total` | counter | goroutines that have been started |
//! | `goroutines_threads` | gauge | threads of the scheduler (Ms) |
//! | `goroutines_threads_idle` | gauge | threads among them that sleep for want of work |
//! | `goroutines_threads_spinning` | gauge | threads among them that look for work before they sleep: 0 or 1 |
//! | `goroutines_threads_waiting` | gauge | threads among them that hold a goroutine which can run, and wait for a P |
//! | `goroutines_threads_started_total` | counter | threads that were started |
//! | `goroutines_threads_failed_total` | counter | threads that the system refused to start |
//! | `goroutines_threads_ended_total` | counter | threads that ended because they had been idle for long |
//! | `goroutines_queue_global` | gauge | goroutines in the global queue |
//! | `goroutines_runs_total` | counter | times a goroutine was run |
//! | `goroutines_steals_total` | counter | times a P without work took goroutines from another P |
//! | `goroutines_overflows_total` | counter | times a full local queue sent goroutines to the global one |
//! | `goroutines_handoffs_total` | counter | times a P was passed to another thread, because its goroutine blocks the one it had |
//! | `goroutines_retakes_total` | counter | times a P was taken back from an announced blocking call |
//! | `goroutines_takes_total` | counter | times a P was taken from a goroutine that computed or blocked for long |
//! | `goroutines_wakes_total` | counter | times a thread was woken or started because there was work |
//! | `goroutines_spins_total` | counter | times a thread without work began to look for work before it sleeps |
//! | `goroutines_monitor_looks_total` | counter | looks of the monitor |
//! | `goroutines_growth_faults_total` | counter | faults by which stacks grew |
//! | `goroutines_migrations_checked_total` | counter | goroutines that were searched for addresses of the thread they left |
//! | `goroutines_sent_back_total` | counter | goroutines among these that went back to their thread |
//! | `goroutines_sent_back_expired_total` | counter | those of them that resumed elsewhere after all |
//! | `goroutines_sockets` | gauge | open sockets for which a goroutine or thread has waited |
//! | `goroutines_registered` | gauge | descriptors that are registered with the network poller |
//! | `goroutines_polls_total` | counter | times the kernel was asked for events of sockets |
//! | `goroutines_poll_events_total` | counter | events that the kernel reported |
//! | `goroutines_proc_runs_total` | counter, label `proc` | times a goroutine was run on this P |
//! | `goroutines_proc_queue` | gauge, label `proc` | goroutines in the queue of this P |
//!
//! The fields of [`Metrics`] say more about each.

use std::{
    sync::Once,
    time::{Duration, Instant},
};

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

use crate::{JoinHandle, Metrics, chan, go};

/// One table: names, kinds, and the fields of [`Metrics`].
macro_rules! numbers {
    (gauges: $($g:literal $g_field:ident $g_text:literal,)* counters: $($c:literal $c_field:ident $c_text:literal,)*) => {
        fn describe() {
            $(describe_gauge!($g, Unit::Count, $g_text);)*
            $(describe_counter!($c, Unit::Count, $c_text);)*
            describe_counter!(PROC_RUNS, Unit::Count, "times a goroutine was run on this P");
            describe_gauge!(PROC_QUEUE, Unit::Count, "goroutines in the queue of this P");
        }

        fn report(now: &Metrics) {
            $(gauge!($g).set(now.$g_field as f64);)*
            $(counter!($c).absolute(now.$c_field);)*
        }
    };
}

const PROC_RUNS: &str = "goroutines_proc_runs_total";
const PROC_QUEUE: &str = "goroutines_proc_queue";

numbers! {
    gauges:
    "goroutines_procs" gomaxprocs "how many goroutines can run at the same time",
    "goroutines_procs_idle" idle_procs "Ps that are idle",
    "goroutines_alive" goroutines "goroutines that have been started and have not ended",
    "goroutines_threads" threads "threads of the scheduler",
    "goroutines_threads_idle" idle_threads "threads that sleep for want of work",
    "goroutines_threads_spinning" spinning_threads "threads that look for work before they sleep",
    "goroutines_threads_waiting" waiting_threads "threads that hold a goroutine and wait for a P",
    "goroutines_queue_global" global_queue "goroutines in the global queue",
    "goroutines_sockets" sockets "open sockets for which a goroutine or thread has waited",
    "goroutines_registered" registered "descriptors that are registered with the network poller",
    counters:
    "goroutines_spawned_total" spawned "goroutines that have been started",
    "goroutines_threads_started_total" threads_started "threads that were started",
    "goroutines_threads_failed_total" threads_failed "threads that the system refused to start",
    "goroutines_threads_ended_total" threads_ended "threads that ended because they had been idle for long",
    "goroutines_runs_total" runs "times a goroutine was run",
    "goroutines_steals_total" steals "times a P without work took goroutines from another P",
    "goroutines_overflows_total" overflows "times a full local queue sent goroutines to the global one",
    "goroutines_handoffs_total" handoffs "times a P was passed on, because its goroutine blocks the thread",
    "goroutines_retakes_total" retakes "times a P was taken back from an announced blocking call",
    "goroutines_takes_total" takes "times a P was taken from a goroutine that computed or blocked for long",
    "goroutines_wakes_total" wakes "times a thread was woken or started because there was work",
    "goroutines_spins_total" spins "times a thread without work began to look for work",
    "goroutines_monitor_looks_total" monitor_looks "looks of the monitor",
    "goroutines_growth_faults_total" growth_faults "faults by which stacks grew",
    "goroutines_migrations_checked_total" migrations_checked "goroutines that were searched for addresses of a thread",
    "goroutines_sent_back_total" sent_back "goroutines among these that went back to their thread",
    "goroutines_sent_back_expired_total" sent_back_expired "those of them that resumed elsewhere after all",
    "goroutines_polls_total" polls "times the kernel was asked for events of sockets",
    "goroutines_poll_events_total" poll_events "events that the kernel reported",
}

/// Reports the present numbers once to the recorder that is installed; to none if there is none.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// goroutines::metrics_recorder::record();
/// ```
pub fn record() {
    static DESCRIBED: Once = Once::new();
    DESCRIBED.call_once(describe);
    let now = crate::metrics();
    report(&now);
    for (number, proc) in now.procs.iter().enumerate() {
        let label = [("proc", number.to_string())];
        counter!(PROC_RUNS, &label).absolute(proc.runs);
        gauge!(PROC_QUEUE, &label).set(proc.queue as f64);
    }
}

/// A goroutine that reports, from [`spawn`]. Dropping it lets the goroutine go on.
#[derive(Debug)]
pub struct Reports {
    stop: chan::Sender<()>,
    goroutine: JoinHandle<()>,
}

/// Starts a goroutine that calls [`record`] now and then after each `interval`.
///
/// The recorder's functions run on that goroutine. One that panics ends it.
///
/// # Panics
///
/// When `interval` is zero: the goroutine would never rest.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use std::time::Duration;
///
/// goroutines::metrics_recorder::spawn(Duration::from_secs(10));
/// ```
#[track_caller]
pub fn spawn(interval: Duration) -> Reports {
    assert!(
        !interval.is_zero(),
        "metrics_recorder::spawn: an interval of 0: ask for at least a millisecond"
    );
    let (stop, stopped) = chan::bounded(1);
    let goroutine = go(move || report_each(interval, &stopped));
    Reports { stop, goroutine }
}

/// Reports until it is told to stop. That the handle is gone does not end it.
fn report_each(interval: Duration, stopped: &chan::Receiver<()>) {
    loop {
        let begun = Instant::now();
        record();
        let rest = interval.saturating_sub(begun.elapsed());
        match stopped.recv_timeout(rest) {
            Ok(()) => return,
            Err(chan::RecvTimeoutError::Timeout) => {}
            Err(chan::RecvTimeoutError::Disconnected) => crate::sleep(rest),
        }
    }
}

impl Reports {
    /// Ends the reports, and returns when the last one is complete.
    ///
    /// # Parks
    ///
    /// Until the goroutine has ended.
    ///
    /// # Panics
    ///
    /// With the panic of the recorder, if it has ended the goroutine.
    pub fn stop(self) {
        // The goroutine has ended if nobody receives it.
        let _ = self.stop.send(());
        if let Err(panic) = self.goroutine.join() {
            std::panic::resume_unwind(panic);
        }
    }
}
