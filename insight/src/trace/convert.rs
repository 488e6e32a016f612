//! From the rings of a recording to the bytes of a file.

use std::{cell::RefCell, env, time::SystemTime};

use goroutines_sched::{self as sched, Batch, ClockPoint, Recording, Sight};

use super::{clock::Clock, merge::Merge, sink::Sink, story::Story};
use crate::{
    chrome::Chrome,
    page::Page,
    perfetto::{Head, Perfetto},
    trace::{Format, TraceSummary},
};

/// How much of a goroutine's name is kept, in bytes.
const NAME: usize = 96;

/// More goroutines than are held at a time.
const SEEN: usize = 64;

/// How far the clocks of two threads may be apart, in nanoseconds.
const SKEW: u64 = 1000;

/// What was read so far.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    events: u64,
    lost: u64,
}

/// The conversion of one recording.
pub(super) struct Converter {
    story: Story,
    merge: Merge,
    clock: Clock,
    skew: u64,
    counts: Counts,
}

impl Converter {
    /// `begin` is a moment at the start of the recording.
    pub(super) fn new(format: Format, begin: ClockPoint) -> Converter {
        let program = program();
        let pid = std::process::id();
        let sink: Box<dyn Sink + Send> = match format {
            Format::Perfetto => {
                let realtime = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                Box::new(Perfetto::new(&Head {
                    pid,
                    program: &program,
                    monotonic: nanoseconds(libc::CLOCK_MONOTONIC),
                    boottime: nanoseconds(libc::CLOCK_BOOTTIME),
                    realtime: realtime.map_or(0, |time| time.as_nanos() as u64),
                }))
            }
            Format::Chrome => Box::new(Chrome::new(pid, &program)),
            Format::Page => Box::new(Page::new(pid, &program)),
        };
        let mut clock = Clock::default();
        clock.add(begin);
        Converter {
            story: Story::new(sink),
            merge: Merge::default(),
            clock,
            skew: 0,
            counts: Counts::default(),
        }
    }

    /// Learns the names of the goroutines that there are.
    pub(super) fn learn_names(&mut self) {
        // A goroutine is held while it is seen: what allocates is done in between.
        let seen = RefCell::new(Vec::with_capacity(SEEN));
        let mut visit = |sight: &mut Sight<'_>| {
            let name = sight.name.map(|name| {
                let length = name.floor_char_boundary(NAME);
                let mut short = [0; NAME];
                short[..length].copy_from_slice(&name.as_bytes()[..length]);
                (short, length)
            });
            seen.borrow_mut().push((sight.id, sight.spawned_as, name));
        };
        let known = &mut self.story;
        sched::goroutines(&mut visit, &mut || {
            for (id, spawned_as, name) in seen.borrow_mut().drain(..) {
                let name = name
                    .map(|(short, length)| String::from_utf8_lossy(&short[..length]).into_owned());
                known.name(id, name.as_deref().unwrap_or(spawned_as));
            }
        });
    }

    /// What was converted, of which `bytes` were written.
    pub(super) fn summary(&self, recording: &Recording, bytes: u64) -> TraceSummary {
        TraceSummary {
            events: self.counts.events,
            lost: self.counts.lost,
            threads_without_events: recording.threads_without_ring(),
            bytes,
        }
    }

    /// Events of a ring.
    pub(super) fn add(&mut self, batch: &Batch<'_>) {
        while self.story.threads() <= batch.ring {
            self.story.thread(batch.whose);
        }
        self.counts.events += batch.events.len() as u64 - u64::from(batch.lost != 0);
        self.counts.lost += batch.lost;
        self.merge.push(batch.ring, batch.events.iter().cloned());
    }

    /// Reads the rings, and converts what happened before the last time that this was called: later events may have
    /// earlier ones behind them in other rings. With `last`, everything.
    pub(super) fn advance(&mut self, recording: &mut Recording, last: bool) -> Vec<u8> {
        let end = if last {
            u64::MAX
        } else {
            self.clock.last_ticks()
        };
        let point = recording.now();
        self.clock.add(point);
        recording.drain(&mut |batch| self.add(&batch));
        self.tell(end);
        if last {
            self.story.finish(self.clock.at(self.clock.last_ticks()));
        }
        self.story.sink.take(last)
    }

    /// Reads everything that the rings have, which stays there, and converts it.
    pub(super) fn snapshot(&mut self, recording: &mut Recording) -> Vec<u8> {
        self.clock.add(recording.now());
        recording.copy(&mut |batch| self.add(&batch));
        self.tell(u64::MAX);
        self.story.finish(self.clock.at(self.clock.last_ticks()));
        self.story.sink.take(true)
    }

    fn tell(&mut self, end: u64) {
        let last = self.clock.last_ticks();
        // In ticks.
        let (from, to) = (
            self.clock.at(last.saturating_sub(1 << 20)),
            self.clock.at(last),
        );
        self.skew = SKEW * (1 << 20) / (to - from).max(1);
        while let Some((ring, event)) = self.merge.pop(end) {
            let at = self.clock.at(event.ticks);
            self.story.tell(ring, event, at, &mut self.merge, self.skew);
        }
    }
}

/// The name of the program's file.
fn program() -> String {
    let path = env::current_exe().ok();
    let name = path.as_ref().and_then(|path| path.file_name());
    name.map_or_else(
        || "goroutines".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

fn nanoseconds(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a live timespec, which the call fills or leaves as it is.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
