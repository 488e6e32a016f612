//! A trace that its caller takes on its own thread, as a page: for the live view.

use std::time::{Duration, Instant};

use goroutines_sched::Recording;

use super::{Format, RING, TraceError, TraceSummary, convert::Converter};

/// The longest time between two looks at the rings: a thread that writes 2 million events a second loses none.
const PIECE: Duration = Duration::from_millis(100);

/// Records for `time`. `wait` lets a time pass, and returns whether the trace is still wanted; `None` where it is not.
///
/// # Errors
///
/// [`TraceError::AlreadyRunning`].
pub(crate) fn page_of(
    time: Duration,
    wait: impl Fn(Duration) -> bool,
) -> Result<Option<(Vec<u8>, TraceSummary)>, TraceError> {
    let mut recording = Recording::begin(RING).ok_or(TraceError::AlreadyRunning)?;
    let mut converter = Converter::new(Format::Page, recording.now());
    converter.learn_names();
    let end = Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if !wait(left.min(PIECE)) {
            return Ok(None);
        }
        if left <= PIECE {
            break; // what is read from here on would have happened later
        }
        // A page is written at the end.
        let _ = converter.advance(&mut recording, false);
    }
    recording.end();
    let page = converter.advance(&mut recording, true);
    let summary = converter.summary(&recording, page.len() as u64);
    Ok(Some((page, summary)))
}
