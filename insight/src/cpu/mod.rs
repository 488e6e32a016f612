//! CPU profiles: who uses the CPU time of the process.
//!
//! ```text
//!  kernel: a timer of each thread's CPU time ── SIGPROF ──► handler on that thread: stack, goroutine ──► ring of the thread
//!          a timer of the process's CPU time ─────────────► the same, on threads that have no timer yet
//!                                                                                                          │
//!  the profile's thread, ten times a second or more: timers for new threads, tables of new modules ◄──────────┘
//!                                                 samples out of the rings, equal ones counted
//! ```
//!
//! | file | what it has |
//! |---|---|
//! | mod.rs | [`Cpu`]: start and stop; the profile's thread |
//! | handler.rs | the handler of SIGPROF: what it may do, and when it is over |
//! | timers.rs | timers of CPU time, and the threads of the process |
//!
//! A timer a thread, because one for the process interrupts whichever thread is seen first, not the one that has used the
//! time. A thread that lives shorter than a look of the profile's thread, and one of more than [`THREADS`], has the process's
//! timer only; the handler ignores that where the thread has its own.

mod handler;
mod timers;

use std::{
    io,
    sync::atomic::AtomicBool,
    time::{Duration, Instant, SystemTime},
};

use goroutines_sched::with_room;

use crate::{
    cpu::{
        handler::Session,
        timers::{ThreadTimers, Timer},
    },
    modules::Tables,
    profile::{About, Profile, ProfileKind, Samples},
    profiler::{ProfileError, Profiler, Right, Running},
    record::LENGTH,
    room,
};

/// The most samples a second and thread.
pub(crate) const MOST_HZ: u32 = 1000;

/// The most threads that have a timer of their own.
const THREADS: usize = 1024;

/// The pause between two looks of the profile's thread, if the rings are not full before.
const LOOK: Duration = Duration::from_millis(100);

static IS_RUNNING: AtomicBool = AtomicBool::new(false);

/// A CPU profile that runs. Dropped, it ends without a result.
#[derive(Debug)]
#[must_use = "the profile ends when this is dropped"]
pub struct Cpu(Running);

/// Begins a CPU profile with `hz` samples a second of CPU time, in each thread. 99 is a good number: it does not fall in
/// step with what a program does each 10 ms.
///
/// Each sample is a signal to the thread: some microseconds, so 99 of them take about 0.1 % of its time. Calls that cannot be
/// restarted (`poll`, `nanosleep`, ...) may end with EINTR, but seldom: a thread that waits uses no CPU time.
///
/// From goroutines and plain threads. A goroutine does not park.
///
/// # Errors
///
/// [`ProfileError::AlreadyRunning`], [`ProfileError::Rate`] unless `hz` is 1 to 1000, [`ProfileError::SignalInUse`] if the
/// program has a handler of SIGPROF, and [`ProfileError::Io`].
///
/// # Examples
///
/// ```
/// let profile = goroutines_insight::cpu(99)?;
/// let sum = (0..10_000_000_u64).fold(0, |sum, x| std::hint::black_box(sum ^ x));
/// let profile = profile.stop();
/// profile.write_folded(&mut std::io::stderr()).unwrap();
/// # assert_eq!(profile.lost(), 0);
/// # let _ = sum;
/// # Ok::<(), goroutines_insight::ProfileError>(())
/// ```
pub fn cpu(hz: u32) -> Result<Cpu, ProfileError> {
    if !(1..=MOST_HZ).contains(&hz) {
        return Err(ProfileError::Rate(hz));
    }
    let right = Right::take(&IS_RUNNING)?;
    handler::install()?;
    let profiler = with_room(room::TO_NAME, || {
        CpuProfiler::begin(1_000_000_000 / u64::from(hz))
    })?;
    Ok(Cpu(Running::begin(profiler, right)?))
}

impl Cpu {
    /// Ends the profile. Takes some milliseconds for the names of functions, more at the first time. The calling thread is
    /// blocked meanwhile; on a goroutine it counts as a blocking call.
    ///
    /// # Panics
    ///
    /// When there is no memory.
    pub fn stop(self) -> Profile {
        self.0.stop()
    }
}

/// What the profile's thread has.
struct CpuProfiler {
    session: Session,
    tables: Tables,
    timers: ThreadTimers,
    /// That of the process.
    _timer: Timer,
    samples: Samples,
    period: u64,
    started: (SystemTime, Instant),
}

impl CpuProfiler {
    fn begin(period: u64) -> io::Result<CpuProfiler> {
        let mut tables = Tables::default();
        let session = Session::begin(THREADS, period)?;
        session.publish(tables.update());
        // Before the threads' timers: a thread that has one ignores it.
        let timer = Timer::of_process(session.mark())?;
        timer.start(period)?;
        let mut profiler = CpuProfiler {
            session,
            tables,
            timers: ThreadTimers::default(),
            _timer: timer,
            samples: Samples::new(),
            period,
            started: (SystemTime::now(), Instant::now()),
        };
        profiler.timers.update(&mut profiler.session, period);
        Ok(profiler)
    }

    fn collect(&mut self) {
        let samples = &mut self.samples;
        self.session.drain(|record| samples.record(record));
    }
}

impl Profiler for CpuProfiler {
    fn pause(&self) -> Duration {
        LOOK.min(Duration::from_nanos(self.period * LENGTH as u64 / 4))
    }

    fn look(&mut self) {
        timers::block_signal();
        self.session.publish(self.tables.update());
        self.timers.update(&mut self.session, self.period);
        self.collect();
    }

    fn end(mut self) -> Profile {
        let duration = self.started.1.elapsed();
        self.timers.end();
        self.session.stop();
        self.collect();
        let about = About {
            kind: ProfileKind::Cpu,
            period: self.period,
            started: self.started.0,
            duration,
            lost: self.session.lost(),
        };
        self.samples.named(about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_that_make_no_sense_are_refused() {
        for hz in [0, 1001, u32::MAX] {
            let refused = cpu(hz);
            assert!(matches!(refused, Err(ProfileError::Rate(it)) if it == hz));
        }
        let text = ProfileError::Rate(0).to_string();
        assert_eq!(
            text,
            "a CPU profile of 0 samples a second: choose 1 to 1000"
        );
    }
}
