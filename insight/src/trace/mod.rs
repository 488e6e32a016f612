//! Execution traces: recording them into a file, or keeping the last events of each thread.
//!
//! ```text
//!  rings of the threads (goroutines_sched::Recording)
//!    │ merge.rs: by the clock      clock.rs: ticks to nanoseconds
//!    ▼
//!  story.rs: which goroutine ran where, and who made it ready
//!    │ sink.rs: slices and moments on tracks
//!    ▼
//!  perfetto.rs, chrome.rs, page: bytes
//! ```
//!
//! A trace is written by a thread of its own, which drains the rings when one is half full, and at least each second. If it
//! does not keep up, the oldest events of a thread are lost, and the file says where and how many.
//!
//! A track of a plain thread is that of its record in the scheduler. When the thread has ended, a new one may take over the
//! record: its events are on the same track, under the first one's number. A track for each thread would let a flight recorder
//! grow for as long as the program starts threads.

mod clock;
mod convert;
mod flight;
mod here;
mod merge;
pub(crate) mod sink;
mod story;

use std::{
    error, fmt,
    fs::File,
    io::{self, Write as _},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use goroutines_sched::{self as sched, Recording, with_room};

use crate::room;
use convert::Converter;
pub use flight::{Flight, flight};
pub(crate) use here::page_of;
pub(crate) use story::YIELDS;

/// The memory of a thread's ring where the caller does not say.
const RING: usize = 4 << 20;

/// The longest time between two looks at the rings.
const PAUSE: Duration = Duration::from_secs(1);

/// What a trace file is written as.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Format {
    /// Protobuf, for <https://ui.perfetto.dev>. A file that is cut off is good up to there.
    #[default]
    Perfetto,
    /// JSON, for Firefox Profiler (<https://profiler.firefox.com>) and `chrome://tracing`. About five times as large.
    Chrome,
    /// A page of HTML that a browser opens by itself, with what the trace comes to: how long Ps and threads were busy, what
    /// goroutines waited for and how long, the longest waits, and a time line of the first 6000 slices. It is written when the
    /// trace is stopped, and is less than 2 MiB however long that was.
    Page,
}

/// What is traced, and where it goes.
///
/// # Examples
///
/// ```
/// use goroutines_insight::trace::{Format, Options};
///
/// let options = Options::new("app.json").format(Format::Chrome);
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until `start`"]
pub struct Options {
    path: PathBuf,
    format: Format,
    bytes: usize,
}

impl Options {
    /// A trace for Perfetto into a file at this path, which is created, or emptied.
    pub fn new(path: impl Into<PathBuf>) -> Options {
        Options {
            path: path.into(),
            format: Format::default(),
            bytes: RING,
        }
    }

    /// The format. Default: [`Format::Perfetto`].
    pub fn format(mut self, format: Format) -> Options {
        self.format = format;
        self
    }

    /// The memory in which each thread keeps events until they are written, in bytes: an event takes 16. It is rounded down
    /// to a power of two, and stays after the trace. Default: 4 MiB.
    pub fn thread_bytes(mut self, bytes: usize) -> Options {
        self.bytes = bytes;
        self
    }
}

/// Why there is no trace, or only a part of one.
#[derive(Debug)]
#[non_exhaustive]
pub enum TraceError {
    /// A trace or a flight recorder is on already: there is one at a time.
    AlreadyRunning,
    /// The system refused the file, or a thread; after the start: a write, as with a full disk. What was written until then
    /// is in the file.
    Io(PathBuf, io::Error),
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TraceError::AlreadyRunning => f.write_str(
                "debug::trace: a trace or a flight recorder is on already; stop or drop that one first",
            ),
            TraceError::Io(path, error) => {
                write!(f, "debug::trace: {}: {error}", path.display())
            }
        }
    }
}

impl error::Error for TraceError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            TraceError::AlreadyRunning => None,
            TraceError::Io(_, error) => Some(error),
        }
    }
}

/// What was recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct TraceSummary {
    /// How many events.
    pub events: u64,
    /// How many were overwritten before they were read, about: a few events count as two.
    pub lost: u64,
    /// How many threads wrote no events, because more than 64 did.
    pub threads_without_events: u64,
    /// How many bytes were written.
    pub bytes: u64,
}

/// A trace that is on. Dropped, it is stopped, and an error is lost.
#[derive(Debug)]
pub struct Trace {
    stop: Arc<AtomicBool>,
    writer: Option<JoinHandle<Result<TraceSummary, TraceError>>>,
}

/// Begins a trace.
///
/// # Errors
///
/// [`TraceError::AlreadyRunning`]; [`TraceError::Io`] if the system refuses the file or the thread that writes it.
///
/// # Examples
///
/// ```
/// use goroutines_insight::trace::{Options, start};
///
/// let path = std::env::temp_dir().join(format!("doc-{}.pftrace", std::process::id()));
/// let trace = start(&Options::new(&path)).unwrap();
/// // ... the part of the program that shall be seen ...
/// let summary = trace.stop().unwrap();
/// assert_eq!(summary.bytes, std::fs::metadata(&path).unwrap().len());
/// # std::fs::remove_file(path).unwrap();
/// ```
pub fn start(options: &Options) -> Result<Trace, TraceError> {
    let Some(recording) = Recording::begin(options.bytes) else {
        return Err(TraceError::AlreadyRunning);
    };
    let failed = |error| TraceError::Io(options.path.clone(), error);
    let file = File::create(&options.path).map_err(failed)?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writer = Writer {
        converter: Converter::new(options.format, recording.now()),
        recording,
        file,
        path: options.path.clone(),
        written: 0,
        stop: Arc::clone(&stop),
    };
    let run = move || sched::as_own_thread(move || writer.run());
    let builder = thread::Builder::new().name("goroutines-trace".to_owned());
    let started = with_room(room::TO_START, || builder.spawn(run));
    Ok(Trace {
        stop,
        writer: Some(started.map_err(failed)?),
    })
}

impl Trace {
    /// Ends the trace, and waits until the file is complete. The calling thread is blocked meanwhile; on a goroutine it
    /// counts as a blocking call.
    ///
    /// # Errors
    ///
    /// [`TraceError::Io`] if something could not be written. The file ends with the last whole packet then (a JSON file is
    /// not closed, a page is empty).
    pub fn stop(mut self) -> Result<TraceSummary, TraceError> {
        self.end()
    }

    fn end(&mut self) -> Result<TraceSummary, TraceError> {
        let Some(writer) = self.writer.take() else {
            return Ok(TraceSummary::default());
        };
        // Release: partner is the load in `run`.
        self.stop.store(true, Ordering::Release);
        Recording::interrupt();
        match sched::blocking(|| writer.join()) {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// The thread that writes a trace.
struct Writer {
    converter: Converter,
    recording: Recording,
    file: File,
    path: PathBuf,
    written: u64,
    stop: Arc<AtomicBool>,
}

impl Writer {
    fn run(&mut self) -> Result<TraceSummary, TraceError> {
        self.converter.learn_names();
        loop {
            // Acquire: partner is the store in `end`.
            let last = self.stop.load(Ordering::Acquire);
            if last {
                self.recording.end();
            }
            let bytes = self.converter.advance(&mut self.recording, last);
            if let Err(error) = self.file.write_all(&bytes) {
                self.recording.end();
                // What was cut off would be a packet without an end. A pipe has no length to set.
                let length = self.file.metadata().map_or(0, |file| file.len());
                let got = length.saturating_sub(self.written).min(bytes.len() as u64);
                let whole = whole_packets(&bytes[..got as usize]);
                let _ = self.file.set_len(self.written + whole as u64);
                return Err(TraceError::Io(self.path.clone(), error));
            }
            self.written += bytes.len() as u64;
            if last {
                return Ok(self.converter.summary(&self.recording, self.written));
            }
            self.recording.wait(PAUSE);
        }
    }
}

/// How many of `bytes`, the begin of a part of a file, are whole packets. JSON and pages have none.
fn whole_packets(bytes: &[u8]) -> usize {
    let mut whole = 0;
    while let Some(end) = end_of_packet(bytes, whole) {
        whole = end;
    }
    whole
}

/// The end of the packet that begins at `start`: a byte of key, a varint of the length, and the content.
fn end_of_packet(bytes: &[u8], start: usize) -> Option<usize> {
    if *bytes.get(start)? != 0x0a {
        return None;
    }
    let (mut length, mut at) = (0, start + 1);
    loop {
        let byte = *bytes.get(at)?;
        length |= usize::from(byte & 0x7f) << (7 * (at - start - 1)).min(56);
        at += 1;
        if byte < 0x80 {
            break;
        }
    }
    let end = at.checked_add(length)?;
    (end <= bytes.len()).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_that_are_cut_off_are_told_from_whole_ones() {
        let mut file = vec![0x0a, 3, 1, 2, 3, 0x0a, 0x80, 1];
        file.extend([7; 128]);
        let ends = [0, 5, 5 + 3 + 128];
        for cut in 0..=file.len() {
            let whole = ends.iter().rfind(|&&end| end <= cut).copied();
            assert_eq!(Some(whole_packets(&file[..cut])), whole, "{cut}");
        }
        assert_eq!(whole_packets(b"{\"ph\": 1"), 0);
    }
}
