//! Execution traces: what the scheduler does, event by event, in a file for [Perfetto](https://ui.perfetto.dev) or
//! [Firefox Profiler](https://profiler.firefox.com); and a flight recorder, which keeps the last events of each thread until
//! somebody wants to see them. [`Format::Page`] needs no viewer: a browser opens it.
//!
//! A trace shows a track for each P and each thread, with a slice for each time that a goroutine ran, under the goroutine's
//! name or the type of its closure. At its end stands why it left: what it waits for, and the address of that. An arrow goes
//! from the moment at which a goroutine was made ready to the slice in which it ran. Blocking calls, sleeping threads, Ps
//! that are taken or passed on, stolen work, timers, the poller and the program's own [`region`]s are there too.
//!
//! While nothing is recorded, nothing is paid. While a trace or a flight recorder is on, an event costs some 30 to 60 ns, and
//! there are about three for each time that a goroutine runs. Each thread that runs goroutines, or waits, needs the memory of
//! its ring: [`Options::thread_bytes`].
//!
//! Goroutines that are in the middle of a long computation when a trace begins show up at their next call into the runtime.
//!
//! # Examples
//!
//! ```
//! use goroutines::debug::trace;
//! # unsafe { goroutines::start() }.unwrap();
//!
//! let path = std::env::temp_dir().join(format!("app-{}.pftrace", std::process::id()));
//! let trace = trace::start(&trace::Options::new(&path)).unwrap();
//! goroutines::go(|| {
//!     let _region = trace::region("parse");
//!     goroutines::sleep(std::time::Duration::from_millis(1));
//! })
//! .join()
//! .unwrap();
//! let summary = trace.stop().unwrap();
//! assert!(summary.events > 0 && summary.lost == 0);
//! # std::fs::remove_file(path).unwrap();
//! ```

use std::{fs::File, marker::PhantomData, path::PathBuf, sync::OnceLock};

use goroutines_sched::{Edge, note_region};

pub use goroutines_insight::trace::{
    Flight, Format, Options, Trace, TraceError, TraceSummary, flight, start,
};

/// The recorder of the configuration, and its file.
static RECORDER: OnceLock<(Flight, PathBuf)> = OnceLock::new();

/// The recorder that [`Config::flight_recorder`](crate::Config::flight_recorder) has asked for.
///
/// # Examples
///
/// ```
/// use goroutines::debug::trace;
///
/// if let Some(recorder) = trace::recorder() {
///     recorder.write(&mut std::io::sink(), trace::Format::Perfetto).unwrap();
/// }
/// ```
#[must_use]
pub fn recorder() -> Option<&'static Flight> {
    RECORDER.get().map(|(flight, _)| flight)
}

/// The recorder of the configuration, which has begun, is written to `path` before a fatal error.
pub(crate) fn keep_recorder(flight: Flight, path: PathBuf) {
    // Set once: a process starts the runtime once.
    let _ = RECORDER.set((flight, path));
}

/// Writes the file of the recorder, if there is one. The process is about to end: an error is told on stderr.
pub(crate) fn write_recorder() {
    let Some((flight, path)) = RECORDER.get() else {
        return;
    };
    let written = File::create(path).and_then(|mut file| flight.write(&mut file, Format::Perfetto));
    let line = match written {
        Ok(_) => format!("goroutines: the last events are in {}\n", path.display()),
        Err(error) => format!(
            "goroutines: the flight recorder: {}: {error}\n",
            path.display()
        ),
    };
    goroutines_sched::write_to_stderr(line.as_bytes());
}

/// A part of what a goroutine or thread does, as traces show it: from [`region`] until it is dropped.
#[derive(Debug)]
#[must_use = "the region ends when it is dropped"]
pub struct Region {
    name: &'static str,
    /// It belongs to the goroutine or thread that made it.
    _not_send: PhantomData<*const ()>,
}

/// Begins a region of the calling goroutine or thread. It may wait inside, and regions nest: the one that began last ends
/// first. Costs a load of a static where nothing is recorded.
///
/// # Examples
///
/// ```
/// let region = goroutines::debug::trace::region("compress");
/// // ... the work ...
/// drop(region);
/// ```
#[inline]
pub fn region(name: &'static str) -> Region {
    note_region(Edge::Begins, name);
    Region {
        name,
        _not_send: PhantomData,
    }
}

impl Drop for Region {
    #[inline]
    fn drop(&mut self) {
        note_region(Edge::Ends, self.name);
    }
}

/// Marks this moment in traces, on the calling goroutine or thread. Costs a load of a static where nothing is recorded.
///
/// # Examples
///
/// ```
/// goroutines::debug::trace::mark("cache is full");
/// ```
#[inline]
pub fn mark(name: &'static str) {
    note_region(Edge::Mark, name);
}
