//! What sysmon does at fixed times, also while every P is idle.

use std::time::Duration;

use crate::{
    global::sched::Sched,
    observe::{hogs::Hogs, metrics::Metrics, reporter::Sightings},
    protocol::timers::NEVER,
    sys::{clock::now, fatal},
};

pub(crate) struct Periodic {
    trace: Option<Trace>,
    hogs: Option<Hogs>,
}

/// A line on the scheduler, at intervals.
struct Trace {
    period: u64,
    start: u64,
    due: u64,
}

impl Periodic {
    pub(crate) fn new(schedtrace: Option<Duration>, hogs: Option<&'static Sightings>) -> Periodic {
        Periodic {
            trace: schedtrace.map(Trace::new),
            hogs: hogs.map(Hogs::new),
        }
    }

    /// The moment at which there is something to do next; [`NEVER`] if nothing is configured.
    pub(crate) fn due(&self) -> u64 {
        let trace = self.trace.as_ref().map_or(NEVER, |trace| trace.due);
        let hogs = self.hogs.as_ref().map_or(NEVER, Hogs::due);
        trace.min(hogs)
    }

    /// Does what is due.
    pub(crate) fn run_due(&mut self, sched: &Sched) {
        if self.trace.is_none() && self.hogs.is_none() {
            return;
        }
        let now = now();
        if let Some(hogs) = &mut self.hogs {
            hogs.look(sched, now);
        }
        if let Some(trace) = &mut self.trace
            && trace.due <= now
        {
            trace.print(sched, now);
        }
    }
}

impl Trace {
    fn new(period: Duration) -> Trace {
        let (period, start) = (period.as_nanos() as u64, now());
        Trace {
            period,
            start,
            due: start + period,
        }
    }

    fn print(&mut self, sched: &Sched, now: u64) {
        // Where sysmon is late, lines are left out and not printed in a row.
        self.due += self.period * ((now - self.due) / self.period + 1);
        let line = line((now - self.start) / 1_000_000, &sched.snapshot());
        fatal::write(line.as_bytes());
    }
}

/// The line, exactly as Go prints it.
fn line(milliseconds: u64, now: &Metrics) -> String {
    let queues: Vec<String> = now.procs.iter().map(|p| p.queue.to_string()).collect();
    format!(
        "SCHED {milliseconds}ms: gomaxprocs={} idleprocs={} threads={} spinningthreads={} idlethreads={} \
         runqueue={} [{}]\n",
        now.gomaxprocs,
        now.idle_procs,
        now.threads,
        now.spinning_threads,
        now.idle_threads,
        now.global_queue,
        queues.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::ProcMetrics;

    #[test]
    fn a_trace_line_is_as_gos() {
        let metrics = Metrics {
            gomaxprocs: 4,
            idle_procs: 2,
            threads: 6,
            spinning_threads: 1,
            idle_threads: 1,
            global_queue: 3,
            procs: [0, 1, 0, 12]
                .map(|queue| ProcMetrics {
                    queue,
                    ..ProcMetrics::default()
                })
                .into(),
            ..Metrics::default()
        };
        assert_eq!(
            line(1004, &metrics),
            "SCHED 1004ms: gomaxprocs=4 idleprocs=2 threads=6 spinningthreads=1 idlethreads=1 runqueue=3 \
             [0 1 0 12]\n"
        );
    }
}
