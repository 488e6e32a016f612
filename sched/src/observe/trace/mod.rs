//! Traces: what the scheduler does, event by event, for a while.
//!
//! ```text
//!  M ── emit ──► its ring ──┐
//!  M ── emit ──► its ring ──┤ drained while the trace is on, or   ► decode.rs: events of a   ► insight: merged by the
//!  others ─────► one ring ──┘ copied when somebody wants to see     thread, in their order     clock, and written out
//! ```
//!
//! gmp/tracer.rs says how events get into rings, and what that costs; trace_event.rs what they are. A [`Recording`] is the
//! only reader at a time. It knows two ways: to drain the rings now and then, so that all events come out; or to copy what
//! they hold, the newest of each thread: a flight recorder.
//!
//! # The clock
//!
//! An event has the ticks of the CPU's counter where that is steady, for reading the system's clock takes longer than all the
//! rest of an event. What ticks are in nanoseconds say [`ClockPoint`]s: both clocks, read at one moment. Between two points
//! the rate is taken as constant. The counters of two CPUs may differ by some nanoseconds, so a `Ready` may seem to come
//! after its `Run`: readers put up with that.
//!
//! What is not recorded: a page fault that grows a stack, which is handled in a signal handler. `metrics` counts those.

mod decode;

use std::{fmt, time::Duration};

use decode::Decoder;
pub use decode::{Event, What};

pub use crate::gmp::tracer::Whose;
use crate::{
    gmp::{
        trace_event::EventKind,
        tracer::{self, DRAIN, Used},
    },
    protocol::trace_ring::Slot,
    sys::{asm, clock},
};

/// The smallest and the largest number of slots of a ring, as logarithms: 16 KiB and 1 GiB.
const LOGS: std::ops::RangeInclusive<u32> = 10..=26;

/// The reader of the rings while a trace is on, and a little longer. Dropped, it ends the trace.
pub struct Recording {
    readers: Vec<Reader>,
    steady: bool,
    on: bool,
}

struct Reader {
    used: Used,
    /// The next slot that it drains.
    at: u64,
    decoder: Decoder,
}

/// One moment on both clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClockPoint {
    /// The clock of the events.
    pub ticks: u64,
    /// The system's monotonic clock, in nanoseconds.
    pub nanoseconds: u64,
}

/// The events of one ring, in their order.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The number of the ring: the same in each batch.
    pub ring: usize,
    /// Whose they are.
    pub whose: Whose,
    /// The events.
    pub events: &'a [Event],
    /// How many slots before them were overwritten before they were read. Then the first event says so as well.
    pub lost: u64,
}

impl Recording {
    /// Begins a trace. Each thread gets a ring of `bytes` or a little less. `None`: a trace is on.
    #[must_use]
    pub fn begin(bytes: usize) -> Option<Recording> {
        let slots = (bytes / size_of::<Slot>()).max(1);
        let log = slots.ilog2().clamp(*LOGS.start(), *LOGS.end());
        let steady = asm::ticks_are_steady();
        // Made only where it has begun: dropped, it would end the other one.
        tracer::begin(log, steady).then(|| Recording {
            readers: Vec::new(),
            steady,
            on: true,
        })
    }

    /// Reads both clocks.
    #[must_use]
    pub fn now(&self) -> ClockPoint {
        let once = || {
            let before = tracer::ticks(self.steady);
            let nanoseconds = clock::now();
            let after = tracer::ticks(self.steady);
            let point = ClockPoint {
                ticks: before + (after - before) / 2,
                nanoseconds,
            };
            (after - before, point)
        };
        // The first that was not interrupted is the shortest.
        let tries = (0..5).map(|_| once());
        match tries.min_by_key(|(length, _)| *length) {
            Some((_, point)) => point,
            None => once().1,
        }
    }

    /// Sleeps until a ring is half full, [`Recording::interrupt`] is called, or the time is up.
    pub fn wait(&self, at_most: Duration) {
        let end = clock::after(at_most);
        DRAIN.wait(|| Some(end.saturating_sub(clock::now())));
    }

    /// Ends a [`Recording::wait`], or the next one. From any thread.
    pub fn interrupt() {
        DRAIN.notify();
    }

    /// Calls `visit` with the events of each ring that were not drained yet, if there are any.
    pub fn drain(&mut self, visit: &mut dyn FnMut(Batch<'_>)) {
        self.find_rings();
        let (mut slots, mut events) = (Vec::new(), Vec::new());
        for (ring, reader) in self.readers.iter_mut().enumerate() {
            slots.clear();
            events.clear();
            let copied = reader.used.ring.copy(reader.at, &mut slots);
            reader.at = copied.next;
            if copied.lost != 0 {
                reader.decoder = Decoder::default();
            }
            reader.decoder.decode(&slots, &mut events);
            if copied.lost != 0 {
                let after = slots.first().map(|slot| slot.first);
                let ticks = events.first().map(|event| event.ticks).or(after);
                let lost = Event {
                    ticks: ticks.unwrap_or(0),
                    what: What::Lost { slots: copied.lost },
                };
                events.insert(0, lost);
            }
            visit(Batch {
                ring,
                whose: reader.used.whose,
                events: &events,
                lost: copied.lost,
            });
        }
    }

    /// Calls `visit` with all events that each ring still has. They stay there.
    pub fn copy(&mut self, visit: &mut dyn FnMut(Batch<'_>)) {
        self.readers.clear();
        self.drain(visit);
    }

    /// Ends the trace. Its events may still be read.
    pub fn end(&mut self) {
        if std::mem::take(&mut self.on) {
            tracer::end();
        }
    }

    /// How many threads wrote no events, because there were too many threads.
    #[must_use]
    pub fn threads_without_ring(&self) -> u64 {
        tracer::threads_without_ring()
    }

    fn find_rings(&mut self) {
        let new = tracer::used_from(self.readers.len());
        self.readers.extend(new.into_iter().map(|used| Reader {
            used,
            at: used.from,
            decoder: Decoder::default(),
        }));
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recording({} rings)", self.readers.len())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.end();
        tracer::release();
    }
}

/// Where a region of the program begins or ends, and marks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edge {
    /// It begins.
    Begins,
    /// It ends.
    Ends,
    /// It is a moment.
    Mark,
}

/// An event of the calling goroutine or thread, if a trace is on.
#[inline]
pub fn note_region(edge: Edge, name: &'static str) {
    if tracer::is_on() {
        let kind = match edge {
            Edge::Begins => EventKind::RegionBegins,
            Edge::Ends => EventKind::RegionEnds,
            Edge::Mark => EventKind::Mark,
        };
        tracer::note_with(kind, name.len() as u64, name.as_ptr().addr() as u64);
    }
}
