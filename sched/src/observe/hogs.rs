//! The watchdog: reports each goroutine that runs for long without a call into the runtime, once each time.
//!
//! Such a goroutine does no harm to others, which get its P; but it keeps a thread, and is often a mistake.
//!
//! ```text
//! sysmon                                              M
//! H1 the round of a P stands still: set WATCHED       (its goroutine computes)
//!    in the gate of its M                             H2 enters the runtime: the gate is alerted, and the slow
//! H3 the bit is gone: forget it                          path clears the bit
//! H4 the bit stands for the given time: shut the gate,
//!    look at the goroutine, open it; the report goes to
//!    the reporter (reporter.rs), and the M is watched
//!    again when the reporter has looked
//! ```
//!
//! Watching costs the M one slow entry at H2, and nothing where the watchdog is off. The P may be taken away between H1
//! and H4; the M is watched, not the P. An M that gets a P after it has slept clears the bit as well, so that no time is
//! counted in which nothing ran. Announced blocking calls are not reported: they show in the goroutine's kind.

use std::{fmt, ptr, sync::Arc, time::Duration};

use crate::{
    global::{retake, sched::Sched},
    gmp::{g::GRef, identity::Identity, m::M, p::P, trace_event::EventKind, tracer},
    observe::reporter::{Looked, Sighting, Sightings},
    protocol::timers::NEVER,
};

/// A place in the code of a goroutine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HogFrame {
    /// An address in the instruction that is being executed.
    pub address: usize,
    /// What the dynamic linker knows of it: usually the file and the offset in it, which `addr2line` turns into a
    /// name and a line.
    pub place: String,
}

impl fmt::Display for HogFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x} {}", self.address, self.place)
    }
}

/// A goroutine that has run for long without a call into the runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HogReport {
    /// Its number.
    pub goroutine: u64,
    /// Its name.
    pub name: Option<String>,
    /// The type of the closure that it was spawned as.
    pub spawned_as: &'static str,
    /// For how long it has run, at least.
    pub running: Duration,
    /// The frames where it was seen, innermost first, if `Config::hog_stacks` asks for them and its thread answered.
    pub stack: Vec<HogFrame>,
}

impl fmt::Display for HogReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "goroutine {} ", self.goroutine)?;
        if let Some(name) = &self.name {
            write!(f, "[{name}] ")?;
        }
        write!(
            f,
            "has been running for {} ms without a call into the runtime (spawned as {})",
            self.running.as_millis(),
            self.spawned_as
        )?;
        if !self.stack.is_empty() {
            f.write_str("\nstack (`addr2line -Cfie FILE OFFSET` names FILE+OFFSET):")?;
        }
        for (number, frame) in self.stack.iter().enumerate() {
            write!(f, "\n{number:4}: {frame}")?;
        }
        Ok(())
    }
}

/// Which hogs are reported, and to whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HogRule {
    pub(crate) after: Duration,
    pub(crate) hook: Option<fn(&HogReport)>,
    /// Whether a line goes to stderr.
    pub(crate) print: bool,
    /// Whether its stack is reported.
    pub(crate) stacks: bool,
}

pub(crate) struct Hogs {
    sightings: &'static Sightings,
    /// The round of each P at the last look.
    rounds: Vec<u64>,
    watched: Vec<Watch>,
}

struct Watch {
    m: &'static M,
    since: u64,
    /// The report, if there was one; it says whether the reporter has looked at it.
    reported: Option<Arc<Looked>>,
}

impl Hogs {
    pub(crate) fn new(sightings: &'static Sightings) -> Hogs {
        Hogs {
            sightings,
            rounds: Vec::new(),
            watched: Vec::new(),
        }
    }

    fn after(&self) -> u64 {
        self.sightings.rule().after.as_nanos() as u64
    }

    /// The moment at which a watched goroutine is to be reported.
    pub(crate) fn due(&self) -> u64 {
        let open = self.watched.iter().filter(|watch| watch.reported.is_none());
        open.map(|watch| watch.since + self.after())
            .min()
            .unwrap_or(NEVER)
    }

    /// H1, H3 and H4 for every M.
    pub(crate) fn look(&mut self, sched: &Sched, now: u64) {
        let after = self.after();
        // H3.
        self.watched.retain_mut(|watch| {
            if !watch.m.gate.is_watched() {
                // Watched again, it would look to the reporter as if the goroutine had not moved.
                return watch.reported.as_ref().is_some_and(|it| !it.is_over());
            }
            if watch.reported.is_some() || now < watch.since + after {
                return true;
            }
            // H4.
            let seen = retake::inspect(watch.m, |g| report(g, now - watch.since));
            let Some(report) = seen else {
                watch.m.gate.unwatch();
                return false;
            };
            tracer::note(EventKind::Hog, report.goroutine);
            let (sighting, looked) = Sighting::new(report, watch.m);
            watch.reported = Some(looked);
            self.sightings.push(sighting);
            true
        });
        let ps = sched.procs.all();
        self.rounds.resize(ps.len(), 0);
        for (number, round) in self.rounds.iter_mut().enumerate() {
            let Some(p) = ps.get(number) else {
                continue;
            };
            let stands = p.tick() == *round;
            *round = p.tick();
            if stands {
                watch(&mut self.watched, p, now);
            }
        }
    }
}

/// H1.
fn watch(watched: &mut Vec<Watch>, p: &P, now: u64) {
    if let Some(m) = p.owner()
        && !watched.iter().any(|watch| ptr::eq(watch.m, m))
    {
        m.gate.watch();
        watched.push(Watch {
            m,
            since: now,
            reported: None,
        });
    }
}

/// The report on `g`, which runs, and stays where it is until this returns.
fn report(g: GRef, nanoseconds: u64) -> HogReport {
    let name = g.get().identity.get().and_then(Identity::name);
    HogReport {
        goroutine: g.id(),
        name: name.map(str::to_owned),
        spawned_as: g.get().entry.get().map_or("?", |entry| (entry.name)()),
        running: Duration::from_nanos(nanoseconds),
        stack: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_who_and_for_how_long() {
        let mut report = HogReport {
            goroutine: 17,
            name: Some("crunch".to_owned()),
            spawned_as: "app::main::{{closure}}",
            running: Duration::from_micros(120_999),
            stack: Vec::new(),
        };
        let end = "has been running for 120 ms without a call into the runtime (spawned as \
                   app::main::{{closure}})";
        assert_eq!(report.to_string(), format!("goroutine 17 [crunch] {end}"));
        report.name = None;
        assert_eq!(report.to_string(), format!("goroutine 17 {end}"));
        for address in [0x10, 0x20] {
            let place = "app+0x4".to_owned();
            report.stack.push(HogFrame { address, place });
        }
        let stack = "stack (`addr2line -Cfie FILE OFFSET` names FILE+OFFSET):\n   0: 0x10 app+0x4\n   1: 0x20 app+0x4";
        assert_eq!(report.to_string(), format!("goroutine 17 {end}\n{stack}"));
    }
}
