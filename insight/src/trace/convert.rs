//! From the rings of a recording to the bytes of a file.

use std::{env, time::SystemTime};

use goroutines_sched::{self as sched, Batch, ClockPoint, Recording, Sight, Whose};

use super::{
    clock::Clock,
    merge::Merge,
    sink::{Args, Flow, Sink, Track},
    story::Story,
};
use crate::{
    chrome::Chrome,
    perfetto::{Head, Perfetto},
    trace::Format,
};

/// How far the clocks of two threads may be apart, in nanoseconds.
const SKEW: u64 = 1000;

/// A format that makes bytes.
trait Output: Sink {
    fn take(&mut self, finished: bool) -> Vec<u8>;
}

impl Output for Perfetto {
    fn take(&mut self, _finished: bool) -> Vec<u8> {
        let bytes = self.out.bytes().to_vec();
        self.out.clear();
        bytes
    }
}

impl Output for Chrome {
    fn take(&mut self, finished: bool) -> Vec<u8> {
        if finished {
            self.end_of_file();
        }
        std::mem::take(&mut self.out).into_bytes()
    }
}

/// What was read so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) events: u64,
    pub(super) lost: u64,
}

/// The conversion of one recording.
pub(super) struct Converter {
    story: Story<Box<dyn Output + Send>>,
    merge: Merge,
    clock: Clock,
    skew: u64,
    pub(super) counts: Counts,
}

impl<S: Sink + ?Sized> Sink for Box<S> {
    fn thread(&mut self, ring: usize, whose: Whose) {
        (**self).thread(ring, whose);
    }

    fn begin(&mut self, track: Track, at: u64, name: &str, args: Args<'_>, flow: Flow) {
        (**self).begin(track, at, name, args, flow);
    }

    fn end(&mut self, track: Track, at: u64, args: Args<'_>) {
        (**self).end(track, at, args);
    }

    fn instant(&mut self, track: Track, at: u64, name: &str, args: Args<'_>, flow: Flow) {
        (**self).instant(track, at, name, args, flow);
    }
}

impl Converter {
    /// `begin` is a moment at the start of the recording.
    pub(super) fn new(format: Format, begin: ClockPoint) -> Converter {
        let program = program();
        let pid = std::process::id();
        let output: Box<dyn Output + Send> = match format {
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
        };
        let mut clock = Clock::default();
        clock.add(begin);
        Converter {
            story: Story::new(output),
            merge: Merge::default(),
            clock,
            skew: 0,
            counts: Counts::default(),
        }
    }

    /// Learns the names of the goroutines that there are.
    pub(super) fn learn_names(&mut self) {
        let story = std::cell::RefCell::new(Vec::new());
        let mut visit = |sight: &mut Sight<'_>| {
            let name = sight.name.unwrap_or(sight.spawned_as);
            // A goroutine is held: what allocates is done in between.
            let mut short = [0; 96];
            let length = name.len().min(short.len());
            short[..length].copy_from_slice(&name.as_bytes()[..length]);
            story.borrow_mut().push((sight.id, short, length));
        };
        story.borrow_mut().reserve(4096);
        let known = &mut self.story;
        sched::goroutines(&mut visit, &mut || {
            for (id, short, length) in story.borrow_mut().drain(..) {
                known.name(id, &String::from_utf8_lossy(&short[..length]));
            }
        });
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
