//! Samples of the waits of goroutines and threads, for a profile: see schedule/waits.rs.

use std::{
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use crate::{
    gmp::g::GRef,
    observe::stack_view::StackView,
    protocol::wait_reason::WaitReason,
    schedule::waits::{self, Waited},
};

/// The stack of a sample.
#[derive(Debug)]
#[non_exhaustive]
pub enum WaitStack<'a> {
    /// That of a goroutine that is off it, and about to run.
    Parked(StackView<'a>),
    /// The one on which the visitor was called: the walk is [`Interrupted::outside`](crate::Interrupted::outside) of
    /// [`call_on`](crate::call_on).
    Here,
}

/// A wait that is over.
#[derive(Debug)]
#[non_exhaustive]
pub struct WaitSample<'a> {
    /// What it waited for.
    pub reason: WaitReason,
    /// For how many waits it stands.
    pub count: u64,
    /// How many ticks of [`WaitSampling`] they took.
    pub ticks: u64,
    /// The name of the goroutine.
    pub name: Option<&'a str>,
    /// The type of the closure that it was spawned as; empty for a plain thread.
    pub spawned_as: &'static str,
    /// Whether a goroutine has waited; else a plain thread has.
    pub is_goroutine: bool,
    /// Where it waited; `None` where the stack cannot be read.
    pub stack: Option<WaitStack<'a>>,
}

/// Called by the thread that is about to run the goroutine, on the stack of the scheduler; or by the thread that has waited.
/// It allocates nothing, takes no lock, calls nothing of the scheduler, and does not panic.
pub type WaitVisitor = fn(&mut WaitSample<'_>);

static VISIT: OnceLock<WaitVisitor> = OnceLock::new();

/// Waits are sampled while it lives. One at a time.
#[derive(Debug)]
pub struct WaitSampling {
    began: (u64, Instant),
}

impl WaitSampling {
    /// Waits of `rate` and longer are all sampled, shorter ones with the probability wait / rate. `visit` is always the
    /// same. Takes some milliseconds.
    pub fn begin(rate: Duration, visit: WaitVisitor) -> WaitSampling {
        /// For how long the clock is measured.
        const MEASURE: Duration = Duration::from_millis(5);
        VISIT.get_or_init(|| visit);
        waits::choose_clock();
        let began = point();
        thread::sleep(MEASURE);
        let sampling = WaitSampling { began };
        let ticks = rate.as_nanos() as f64 / sampling.nanoseconds_of_tick();
        waits::begin(ticks as u64, report);
        sampling
    }

    /// How many waits were not sampled, because too many goroutines waited at the time.
    #[must_use]
    pub fn missed(&self) -> u64 {
        waits::missed()
    }

    /// How long a tick is.
    #[must_use]
    pub fn nanoseconds_of_tick(&self) -> f64 {
        let (ticks, time) = point();
        let elapsed = time.duration_since(self.began.1).as_nanos() as f64;
        elapsed / (ticks - self.began.0).max(1) as f64
    }
}

impl Drop for WaitSampling {
    fn drop(&mut self) {
        waits::end();
    }
}

/// Both clocks at one moment.
fn point() -> (u64, Instant) {
    let once = || {
        let before = waits::now();
        let time = Instant::now();
        (waits::now() - before, (before, time))
    };
    // The one that was not interrupted is the shortest.
    let (_, point) = (0..5)
        .map(|_| once())
        .min_by_key(|&(length, _)| length)
        .unwrap_or_else(once);
    point
}

fn report(g: GRef, waited: Waited) {
    let Some(visit) = VISIT.get() else { return };
    let g = g.get();
    let stack = match waited.is_here {
        true => Some(WaitStack::Here),
        // SAFETY: the caller's M has taken it from a queue and has not entered it yet; its status says that it runs, so
        // the shrinker and readers leave it alone (hold.rs).
        false => unsafe { StackView::of(g) }.map(WaitStack::Parked),
    };
    visit(&mut WaitSample {
        reason: waited.reason,
        count: waited.count,
        ticks: waited.ticks,
        name: g.identity.get().and_then(|identity| identity.name()),
        spawned_as: g.spawned_as(),
        is_goroutine: g.id.get() != 0,
        stack,
    });
}
