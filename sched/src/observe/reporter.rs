//! The reporter: the thread that tells of hogs, where somebody asked for it.
//!
//! sysmon finds them (hogs.rs). Telling may take long: a thread that is asked for its frames has 100 ms to answer, and
//! the hook is the user's and may wait for anything. Nobody waits for the reporter, who waits for all that.
//!
//! ```text
//! sysmon                                        reporter                         M
//! O1 the M's goroutine is outside the gate,     O2 asks the M's thread for its   E1 enters the gate: the slow path
//!    and the gate is watched: a sighting           frames (sample.rs)               clears the bit
//! O4 until it was looked at, the M is not       O3 the bit stands still: then
//!    watched anew                                  the frames are the goroutine's
//! ```
//!
//! An answer that comes after E1 may be of another goroutine, or of another thread with the same number. It happens
//! after E1 then, so O3 does not find the bit, and O4 is why nobody has set it again. Sightings that come while
//! [`MOST`] wait are dropped: the hook hangs.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use crate::{
    gmp::m::M,
    observe::hogs::{HogFrame, HogReport, HogRule},
    protocol::requests::Requests,
    sys::fatal,
};

/// Sightings that may wait.
const MOST: usize = 64;

/// A goroutine that sysmon has seen, to be told of.
pub(crate) struct Sighting {
    report: HogReport,
    m: &'static M,
    /// The kernel's number of the thread that ran it.
    thread: libc::pid_t,
    looked: Arc<Looked>,
}

/// Is the reporter done with the M of a sighting?
pub(crate) struct Looked(AtomicBool);

impl Looked {
    pub(crate) fn is_over(&self) -> bool {
        // Acquire: partner is the store in `over`; the bit is not set again before O3 has read it.
        self.0.load(Ordering::Acquire)
    }

    fn over(&self) {
        // Release: partner is the load in `is_over`.
        self.0.store(true, Ordering::Release);
    }
}

impl Sighting {
    /// O1.
    pub(crate) fn new(
        report: HogReport,
        m: &'static M,
        thread: libc::pid_t,
    ) -> (Sighting, Arc<Looked>) {
        let looked = Arc::new(Looked(AtomicBool::new(false)));
        let sighting = Sighting {
            report,
            m,
            thread,
            looked: Arc::clone(&looked),
        };
        (sighting, looked)
    }

    /// O2 and O3.
    fn look(&mut self) {
        let frames = goroutines_stack::frames_of(self.thread);
        if self.m.gate.is_watched() {
            self.report.stack = frames.into_iter().map(frame).collect();
        }
    }
}

/// The sightings on their way from sysmon to the reporter.
pub(crate) struct Sightings {
    rule: HogRule,
    requests: Requests<Sighting>,
    waiting: AtomicUsize,
}

impl Sightings {
    pub(crate) fn new(rule: HogRule) -> Sightings {
        Sightings {
            rule,
            requests: Requests::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// What is told, and to whom.
    pub(crate) fn rule(&self) -> &HogRule {
        &self.rule
    }

    /// By sysmon.
    pub(crate) fn push(&self, sighting: Sighting) {
        // Relaxed (all): only sysmon adds, so there are no more than it sees.
        if self.waiting.load(Ordering::Relaxed) >= MOST {
            return sighting.looked.over();
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.requests.push(sighting);
    }

    /// The reporter's life.
    pub(crate) fn serve(&self) -> ! {
        loop {
            let mut sighting = self.requests.next();
            if self.rule.stacks {
                sighting.look();
            }
            sighting.looked.over();
            tell(&self.rule, &sighting.report);
            // Relaxed: as in `push`.
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn frame(address: usize) -> HogFrame {
    HogFrame {
        address,
        place: goroutines_stack::place_of(address),
    }
}

fn tell(rule: &HogRule, report: &HogReport) {
    if rule.print {
        fatal::say(format_args!("{report}"));
    }
    if let Some(hook) = rule.hook {
        // Its panic has been printed; the reporter goes on.
        let _ = catch_unwind(AssertUnwindSafe(|| hook(report)));
    }
}
