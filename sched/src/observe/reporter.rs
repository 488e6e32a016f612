//! The reporter: the thread that reports hogs, where the program asks for reports.
//!
//! sysmon finds hogs (hogs.rs). Reporting may take long: a thread that is asked for its frames has 100 ms to answer,
//! and the hook is the user's and may wait for anything. Only the reporter waits for these.
//!
//! ```text
//! sysmon                                        reporter                         M
//! O1 the M's goroutine is outside the gate,     O2 asks the M's thread for its   E1 enters the gate: the slow path
//!    and the gate is watched: a sighting           frames (running.rs)              clears the bit
//! O4 until it was looked at, the M is not       O3 the bit stands still: then
//!    watched anew                                  the frames are the goroutine's
//! ```
//!
//! An answer that comes after E1 may be of another goroutine, or of another thread with the same number. But then O3
//! does not find the bit, because E1 has cleared it; and O4 keeps sysmon from setting it again. Sightings that come
//! while [`MOST`] are queued are dropped: the hook hangs.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{
    gmp::m::M,
    observe::{
        hogs::{HogFrame, HogReport, HogRule},
        interrupted::Interrupted,
        running::{self, Question, Walks},
    },
    protocol::requests::Requests,
    sys::fatal,
};

/// Frames that are kept where the system's unwinder walks.
const FRAMES: usize = 32;

/// How long a thread may take to answer; one that wants a CPU may have to wait for it.
const PATIENCE: Duration = Duration::from_millis(100);

/// The largest number of sightings that are queued.
const MOST: usize = 64;

/// A goroutine that sysmon has seen, to be reported.
pub(crate) struct Sighting {
    report: HogReport,
    m: &'static M,
    looked: Arc<Looked>,
}

/// Whether the reporter is done with the M of a sighting.
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
    pub(crate) fn new(report: HogReport, m: &'static M) -> (Sighting, Arc<Looked>) {
        let looked = Arc::new(Looked(AtomicBool::new(false)));
        let sighting = Sighting {
            report,
            m,
            looked: Arc::clone(&looked),
        };
        (sighting, looked)
    }

    /// O2 and O3.
    fn look(&mut self) {
        let frames = frames_of(self.m);
        if self.m.gate.is_watched() {
            self.report.stack = frames.into_iter().map(frame).collect();
        }
    }
}

/// The queue of sightings from sysmon to the reporter.
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

    /// What is reported, and to whom.
    pub(crate) fn rule(&self) -> &HogRule {
        &self.rule
    }

    /// By sysmon.
    pub(crate) fn push(&self, sighting: Sighting) {
        // Relaxed (all): only sysmon adds, so the number does not grow after it was read.
        if self.waiting.load(Ordering::Relaxed) >= MOST {
            return sighting.looked.over();
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.requests.push(sighting);
    }

    /// The loop of the reporter.
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

/// Calls its argument with what shall walk a stack, which then has; and returns the addresses of its frames, innermost first,
/// each in the instruction that is being executed.
type WalkHog = fn(&mut dyn FnMut(&mut dyn Walks)) -> Vec<usize>;

static WALK: OnceLock<WalkHog> = OnceLock::new();

/// The stacks of hogs are walked by `walk`, and not by the unwinder of the system; once.
pub fn walk_hogs_with(walk: WalkHog) {
    // A process starts the runtime once.
    let _ = WALK.set(walk);
}

/// The frames of the goroutine that runs on `m`; empty if its thread does not answer, or runs none.
fn frames_of(m: &'static M) -> Vec<usize> {
    let ask = &mut |walker: &mut dyn Walks| {
        running::ask(&mut [Question::new(m, walker)], PATIENCE);
    };
    match WALK.get() {
        Some(walk) => walk(ask),
        None => {
            let mut system = SystemWalk(Vec::with_capacity(FRAMES));
            ask(&mut system);
            system.0
        }
    }
}

/// The walk of a program that has no other.
struct SystemWalk(Vec<usize>);

impl Walks for SystemWalk {
    fn walk(&mut self, stack: &mut Interrupted<'_>) {
        let frames = &mut self.0;
        stack.walk_by_system(&mut |ip| {
            frames.push(ip);
            frames.len() < FRAMES
        });
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
        // Its panic has been printed; the reporter continues.
        let _ = catch_unwind(AssertUnwindSafe(|| hook(report)));
    }
}
