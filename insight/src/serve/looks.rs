//! The answers that look at waits: the graph, the longest, leaks, profiles, and traces.

use std::{fmt, time::Duration};

use crate::{
    block::{block, contention},
    cpu::cpu,
    graph::{WaitGraph, wait_graph},
    json::{Json, Ring, Text, list},
    leaks::{Leaks, leaks},
    longest::Longest,
    profile::{Profile, ProfileKind},
    profiler::ProfileError,
    trace::{TraceError, page_of},
};

use super::{
    answer::line,
    request::{LISTED, word_of},
};

/// The rate of a CPU profile, in samples a second.
const HZ: u32 = 99;

/// One sample in so much waiting.
const RATE: Duration = Duration::from_micros(100);

/// `waits`
pub(super) fn waits() -> Vec<u8> {
    line(Rings(&wait_graph()))
}

struct Rings<'a>(&'a WaitGraph);

impl fmt::Display for Rings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits = self.0.edges().len();
        write!(f, r#"{{"waits": {waits}, "deadlocks": ["#)?;
        list(f, self.0.cycles(), |f, cycle| Ring(cycle).fmt(f))?;
        f.write_str("]}")
    }
}

/// `longest`
pub(super) fn longest(most: usize) -> Vec<u8> {
    line(Longest::take(most))
}

/// `leaks`
pub(super) fn old(older_than: Duration) -> Vec<u8> {
    line(Listed(&leaks(older_than), older_than))
}

struct Listed<'a>(&'a Leaks, Duration);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Listed(leaks, older_than) = self;
        write!(
            f,
            r#"{{"older_than": {}, "goroutines": {}, "groups": ["#,
            older_than.as_secs(),
            leaks.count()
        )?;
        let mut shown = 0;
        list(f, leaks.groups().iter().take(LISTED), |f, leak| {
            shown += leak.group.count;
            let group = Json(&leak.group, leaks.frames(&leak.group), leaks.graph());
            write!(f, r#"{{"certain": {}, "group": {group}}}"#, leak.is_certain)
        })?;
        write!(
            f,
            r#"], "further_groups": {}, "further_goroutines": {}}}"#,
            leaks.groups().len().saturating_sub(LISTED),
            leaks.count().saturating_sub(shown)
        )
    }
}

/// `profile`: takes one while `wait` waits. `None` where that says that the client has left.
pub(super) fn profile(
    kind: ProfileKind,
    wait: impl FnOnce() -> bool,
) -> Result<Option<Vec<u8>>, ProfileError> {
    let profile = match kind {
        ProfileKind::Cpu => {
            let running = cpu(HZ)?;
            wait().then(|| running.stop())
        }
        ProfileKind::Block => {
            let running = block(RATE)?;
            wait().then(|| running.stop())
        }
        ProfileKind::Contention => {
            let running = contention(RATE)?;
            wait().then(|| running.stop())
        }
    };
    Ok(profile.as_ref().map(folded))
}

/// `trace`: takes one while `wait` waits. `None` where that says that the client has left.
pub(super) fn trace(
    time: Duration,
    wait: impl Fn(Duration) -> bool,
) -> Result<Option<Vec<u8>>, TraceError> {
    let taken = page_of(time, wait)?;
    Ok(taken.map(|(page, summary)| {
        line(format_args!(
            r#"{{"seconds": {}, "events": {}, "lost": {}, "threads_without_events": {}, "page": {}}}"#,
            time.as_secs(),
            summary.events,
            summary.lost,
            summary.threads_without_events,
            Text(&String::from_utf8_lossy(&page))
        ))
    }))
}

fn folded(profile: &Profile) -> Vec<u8> {
    let kind = word_of(profile.kind());
    let mut lines = Vec::new();
    // Writing to a vector does not fail.
    let _ = profile.write_folded(&mut lines);
    line(format_args!(
        r#"{{"kind": "{kind}", "seconds": {}, "lost": {}, "folded": {}}}"#,
        profile.duration().as_secs_f64(),
        profile.lost(),
        Text(&String::from_utf8_lossy(&lines))
    ))
}
