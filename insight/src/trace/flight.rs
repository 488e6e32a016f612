//! The flight recorder: the last events of each thread, written out on demand.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use goroutines_sched::{ClockPoint, Recording};

use super::{Format, TraceError, TraceSummary, convert::Converter};

/// A recorder that is on. Dropped, it ends.
#[derive(Debug)]
pub struct Flight {
    recording: Mutex<Recording>,
    begin: ClockPoint,
}

/// Begins to keep the last events of each thread, in `bytes` of memory a thread: an event takes 16, and the number is
/// rounded down to a power of two. Nothing is written until [`Flight::write`].
///
/// # Errors
///
/// [`TraceError::AlreadyRunning`].
///
/// # Examples
///
/// ```
/// use goroutines_insight::trace::{Format, flight};
///
/// let flight = flight(1 << 20).unwrap();
/// // ... later, when something has been slow ...
/// let mut file = Vec::new();
/// flight.write(&mut file, Format::Perfetto).unwrap();
/// assert!(!file.is_empty());
/// ```
pub fn flight(bytes: usize) -> Result<Flight, TraceError> {
    let recording = Recording::begin(bytes).ok_or(TraceError::AlreadyRunning)?;
    Ok(Flight {
        begin: recording.now(),
        recording: Mutex::new(recording),
    })
}

impl Flight {
    /// Writes what the threads have kept, as a trace file. The recorder stays on, and two callers take turns.
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn write(&self, out: &mut dyn io::Write, format: Format) -> io::Result<TraceSummary> {
        let mut converter = Converter::new(format, self.begin);
        converter.learn_names();
        let mut recording = self
            .recording
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let bytes = converter.snapshot(&mut recording);
        let summary = converter.summary(&recording, bytes.len() as u64);
        drop(recording);
        out.write_all(&bytes)?;
        Ok(summary)
    }
}
