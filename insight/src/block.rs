//! Profiles of waits: where goroutines wait, and for how long.
//!
//! The scheduler samples waits that end (`goroutines_sched::WaitSampling`). The M that is about to run a goroutine walks its
//! stack, and one that has kept its thread walks its own; the sample is added to one of some tables, from which the profile's
//! thread takes the sums.

use std::{
    io,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime},
};

use goroutines_sched::{WaitReason, WaitSample, WaitSampling, WaitStack, blocking, with_room};

use crate::{
    door::{Door, Opened},
    modules::{Tables, Unwinder},
    profile::{About, Amount, Profile, ProfileKind, Samples},
    profiler::{ProfileError, Profiler, Right, Running},
    record::{Record, Who},
    room,
    sums::Sums,
    walk::{End, Walk},
    walker::Walker,
};

/// As many threads write at a time.
const TABLES: usize = 16;

/// The pause between two looks of the profile's thread.
const LOOK: Duration = Duration::from_millis(10);

static IS_RUNNING: AtomicBool = AtomicBool::new(false);

static SHARED: Door<Shared> = Door::new();

/// What threads use whose waits end.
struct Shared {
    /// Whether waits for locks alone are wanted.
    locks: bool,
    unwinder: AtomicPtr<Unwinder>,
    sums: Box<[Sums<Walker>]>,
    /// Waits for which no table was free.
    lost: AtomicU64,
}

/// A profile of waits that runs. Dropped, it ends without a result.
#[derive(Debug)]
#[must_use = "the profile ends when this is dropped"]
pub struct Block(Running);

/// Begins a profile of waits: for channels, locks, timers, sockets, other goroutines. What a goroutine waits for is the reason
/// of the sample, and its stack ends with the call that has waited.
///
/// One sample is taken in `rate` of waiting. A wait of `rate` or longer is always one; a shorter one is with the probability
/// wait / `rate`, and stands for as many as make the rate, so sums are right within some percent after a thousand samples.
/// With a nanosecond, or [`Duration::ZERO`], each wait is a sample.
///
/// A wait lasts until the goroutine runs, and is counted when it ends. Those that had begun before the profile are not in it, nor
/// the first of a goroutine that was running then, nor those that have not ended when the profile does; nor is a yield, or a
/// call that blocks its thread without the runtime. A plain thread that waits for something of the runtime counts as well, and
/// a goroutine that keeps its thread while it waits.
///
/// It takes 16 tables of 170 KB, and 2 MB that are kept for the next profile. Meanwhile each wait takes some 50 ns more, and one
/// that is a sample 0.2 us if its stack is short, and some microseconds if it is deep: with a rate of ten microseconds or more
/// the samples are not seen beside the waits.
///
/// From goroutines and plain threads. It takes some milliseconds; on a goroutine it counts as a blocking call.
///
/// # Errors
///
/// [`ProfileError::AlreadyRunning`], also while one of [`contention`] runs, and [`ProfileError::Io`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let profile = goroutines_insight::block(Duration::from_micros(100))?;
/// let profile = profile.stop();
/// assert!(profile.samples().is_empty()); // nothing has waited
/// # Ok::<(), goroutines_insight::ProfileError>(())
/// ```
pub fn block(rate: Duration) -> Result<Block, ProfileError> {
    begin(rate, ProfileKind::Block)
}

/// As [`block`], of waits for locks alone: mutexes, read-write locks, semaphores, and what is initialised once.
///
/// The stacks are those of who waits. Who held the lock meanwhile is not known: [`wait_graph`](crate::wait_graph) tells it of
/// waits that last.
///
/// # Errors
///
/// As [`block`].
pub fn contention(rate: Duration) -> Result<Block, ProfileError> {
    begin(rate, ProfileKind::Contention)
}

fn begin(rate: Duration, kind: ProfileKind) -> Result<Block, ProfileError> {
    let right = Right::take(&IS_RUNNING)?;
    let begin = || blocking(|| BlockProfiler::begin(rate, kind));
    let profiler = with_room(room::TO_NAME, begin)?;
    Ok(Block(Running::begin(profiler, right)?))
}

impl Block {
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
struct BlockProfiler {
    /// Before what is shared: no more samples come when that goes.
    sampling: WaitSampling,
    shared: Opened<Shared>,
    tables: Tables,
    samples: Samples,
    kind: ProfileKind,
    rate: Duration,
    started: (SystemTime, Instant),
}

impl BlockProfiler {
    fn begin(rate: Duration, kind: ProfileKind) -> io::Result<BlockProfiler> {
        let mut tables = Tables::default();
        let sums = (0..TABLES).map(|_| Walker::new().map(Sums::new));
        let shared = SHARED.open(Shared {
            locks: kind == ProfileKind::Contention,
            unwinder: AtomicPtr::new(tables.update()),
            sums: sums.collect::<io::Result<_>>()?,
            lost: AtomicU64::new(0),
        });
        Ok(BlockProfiler {
            sampling: WaitSampling::begin(rate, visit),
            shared,
            tables,
            samples: Samples::new(),
            kind,
            rate,
            started: (SystemTime::now(), Instant::now()),
        })
    }

    fn collect(&mut self) {
        for sums in &self.shared.sums {
            sums.drain(|record| self.samples.record(record));
        }
    }
}

impl Profiler for BlockProfiler {
    fn pause(&self) -> Duration {
        LOOK
    }

    fn look(&mut self) {
        let unwinder = self.tables.update();
        // Release: partner is the load in `visit`.
        self.shared.unwinder.store(unwinder, Ordering::Release);
        self.collect();
    }

    fn end(mut self) -> Profile {
        let duration = self.started.1.elapsed();
        let nanoseconds = self.sampling.nanoseconds_of_tick();
        self.shared.close();
        self.collect();
        self.samples.scale(nanoseconds);
        let lost: u64 = self.shared.sums.iter().map(Sums::lost).sum();
        // Relaxed: a count.
        let unseen = self.shared.lost.load(Ordering::Relaxed) + self.sampling.missed();
        self.samples.named(About {
            kind: self.kind,
            period: self.rate.as_nanos() as u64,
            started: self.started.0,
            duration,
            lost: lost + unseen,
        })
    }
}

/// Called by the M that is about to run the goroutine, or by the thread that has waited.
fn visit(wait: &mut WaitSample<'_>) {
    SHARED.enter(|shared| {
        if shared.locks && !is_for_a_lock(wait.reason) {
            return;
        }
        // The ticks become nanoseconds when all are counted.
        let amount = Amount {
            count: wait.count,
            nanoseconds: wait.ticks,
        };
        let mut write = |record: &mut Record, walker: &mut Walker| {
            record.who = match wait.is_goroutine {
                true => Who::goroutine(0, wait.spawned_as, wait.name),
                false => Who::Thread,
            };
            record.reason = Some(wait.reason);
            // Acquire: partner is the Release in `look`.
            // SAFETY: an unwinder stays as long as the tables of the profile, which go after the door was closed.
            let unwinder = unsafe { shared.unwinder.load(Ordering::Acquire).as_ref() };
            match (unwinder, &mut wait.stack) {
                (Some(unwinder), Some(WaitStack::Parked(stack))) => {
                    walker.walk_held(unwinder, stack, &mut record.walk);
                }
                (Some(unwinder), Some(WaitStack::Here)) => {
                    walker.walk_here(unwinder, &mut record.walk);
                }
                _ => record.walk = Walk::new(End::Between, 0),
            }
        };
        let is_added = shared.sums.iter().any(|sums| sums.add(amount, &mut write));
        if !is_added {
            // Relaxed: a count.
            shared.lost.fetch_add(wait.count, Ordering::Relaxed);
        }
    });
}

/// Returns whether a wait for this reason ends when others let something go.
fn is_for_a_lock(reason: WaitReason) -> bool {
    matches!(
        reason,
        WaitReason::MutexLock
            | WaitReason::RwLockRead
            | WaitReason::RwLockWrite
            | WaitReason::SemaphoreAcquire
            | WaitReason::Once
    )
}
