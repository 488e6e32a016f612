//! A snapshot as text.
//!
//! ```text
//! goroutines: 100 004 in 9 groups, 8 Ps, 11 Ms, 2026-11-29T01:00:00Z
//!
//! 19 920 goroutines [chan receive, for long] channel 0x7f3a10   ids 17 19 22 ...
//!     app::handler  src/main.rs:41
//!     app::serve::{{closure}}  src/main.rs:63
//!     spawned as app::serve::{{closure}}
//! ```

use std::{
    fmt::{self, Write as _},
    io,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use goroutines_sched::{ChannelCounts, Silence, State, WaitReason};

use crate::{
    graph::{Edge, Holder, WaitGraph},
    groups::{Group, IDS, Object},
    snapshot::Snapshot,
    symbols::Frame,
    walk::{End, HALF},
};

pub(crate) fn write(snapshot: &Snapshot, out: &mut dyn io::Write) -> io::Result<()> {
    let summary = snapshot.summary();
    writeln!(
        out,
        "goroutines: {} in {}, {}, {}, {}",
        Spaced(summary.goroutines),
        counted(snapshot.groups().len() + summary.further_groups, "group"),
        counted(summary.procs, "P"),
        counted(summary.threads, "M"),
        Utc(summary.taken),
    )?;
    if !summary.stacks_read {
        writeln!(
            out,
            "stacks are not read: the kernel has no membarrier, or a filter of system calls forbids it"
        )?;
    }
    for cycle in snapshot.cycles() {
        writeln!(out, "{cycle}")?;
    }
    for group in snapshot.groups() {
        out.write_all(b"\n")?;
        write_group(snapshot, group, out)?;
    }
    for (place, wait) in snapshot.threads().iter().enumerate() {
        if place == 0 {
            out.write_all(b"\n")?;
        }
        write_thread(wait, &snapshot.graph, out)?;
    }
    if summary.further_groups > 0 {
        writeln!(
            out,
            "\nand {} in {} more",
            counted(summary.further_goroutines, "goroutine"),
            Spaced(summary.further_groups)
        )?;
    }
    Ok(())
}

/// `thread 4711 "app" [mutex lock] mutex 0x55d0c8, held by goroutine 31 (exact)`.
fn write_thread(wait: &Edge, graph: &WaitGraph, out: &mut dyn io::Write) -> io::Result<()> {
    write!(out, "{} [{}]", wait.from, wait.reason)?;
    match (wait.object, &wait.to) {
        (_, Some(to)) => write!(out, " {to}")?,
        (0, None) => {}
        (object, None) => write!(out, " {} {object:#x}", noun(wait.reason))?,
    }
    if let Some(holder) = graph.holder(wait.object).filter(|_| wait.object != 0) {
        write!(out, ", held by {holder}")?;
    }
    if wait.has_way_out {
        out.write_all(b" (has a deadline)")?;
    }
    writeln!(out)
}

fn write_group(snapshot: &Snapshot, group: &Group, out: &mut dyn io::Write) -> io::Result<()> {
    write_frames(group, &snapshot.graph, &snapshot.frames(group), out)
}

/// A group with its stack, which has these frames.
pub(crate) fn write_frames(
    group: &Group,
    graph: &WaitGraph,
    frames: &[Frame],
    out: &mut dyn io::Write,
) -> io::Result<()> {
    writeln!(out, "{}", Head(group, graph))?;
    let mut rest = frames;
    while let Some(frame) = rest.first() {
        let times = rest.iter().take_while(|other| *other == frame).count();
        match times {
            1 => writeln!(out, "    {frame}")?,
            _ => writeln!(out, "    {frame}  ({times} times)")?,
        }
        rest = &rest[times..];
    }
    if let Some(note) = note(group, frames) {
        writeln!(out, "    {note}")?;
    }
    writeln!(out, "    spawned as {}", group.spawned_as)
}

/// What there is to say of how the stack was read.
pub(crate) fn note(group: &Group, frames: &[Frame]) -> Option<String> {
    match &group.stack {
        None if group.state == State::New => None,
        None => Some(unread(group.silence).to_owned()),
        Some(stack) if stack.left_out > 0 => Some(format!(
            "({} left out behind the first {HALF})",
            counted(stack.left_out, "frame")
        )),
        Some(stack) => match stack.end {
            End::Root if frames.is_empty() => Some("(about to begin)".to_owned()),
            End::Root => None,
            End::Lost(address) => Some(format!(
                "(truncated: no unwind information at {address:#x})"
            )),
            End::Deep => Some("(truncated: too deep)".to_owned()),
            End::Between => Some("(between two stacks)".to_owned()),
        },
    }
}

/// Why there is no stack.
fn unread(silence: Option<Silence>) -> &'static str {
    match silence {
        None => "(stack not read)",
        Some(Silence::Blocks) => "(did not answer: its thread blocks SIGURG)",
        Some(Silence::Replaced) => "(did not answer: SIGURG has another handler)",
        Some(_) => "(did not answer)",
    }
}

/// The line of a group.
struct Head<'a>(&'a Group, &'a WaitGraph);

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self.0;
        match (group.count, group.ids.first()) {
            (1, Some(id)) => write!(f, "goroutine {id}")?,
            (count, _) => write!(f, "{} goroutines", Spaced(count))?,
        }
        if let ([(_, name)], 1) = (group.names.as_slice(), group.count) {
            write!(f, " {name:?}")?;
        }
        let long = if group.waits_long { ", for long" } else { "" };
        write!(f, " [{}{long}]", group.state)?;
        if let Some(object) = object(group) {
            write!(f, " {object}")?;
        }
        if let Some(channel) = group.channel {
            write!(f, " ({})", counts(channel))?;
        }
        if let Some(holder) = holder(group, self.1) {
            write!(f, ", held by {holder}")?;
        }
        f.write_str(&place(group))?;
        if group.count > 1 {
            f.write_str("   ids")?;
            group.ids.iter().try_for_each(|id| write!(f, " {id}"))?;
            if group.count > IDS {
                f.write_str(" ...")?;
            }
            for (id, name) in &group.names {
                write!(f, "  {id} {name:?}")?;
            }
        }
        Ok(())
    }
}

/// Where a goroutine runs, or how long it has been parked, and in which context.
fn place(group: &Group) -> String {
    let mut place = String::new();
    if let Some(thread) = group.thread {
        let proc = group.proc.map(|proc| format!("P {proc}, "));
        place = format!(" on {}thread {thread}", proc.unwrap_or_default());
    }
    if let Some(time) = group.parked_for.filter(|time| time.as_secs() > 0) {
        place += &format!(", {} s or more", time.as_secs());
    }
    if let Some(ends) = group.ends {
        let first = if group.count > 1 { "the first " } else { "" };
        // What a goroutine waits for may end any other wait earlier.
        let sleeps = group.state == State::Waiting(WaitReason::Sleep);
        let or_earlier = if sleeps { "" } else { " at most" };
        let left = ends.saturating_duration_since(Instant::now());
        place += &format!(", {first}ends in {left:.1?}{or_earlier}");
    }
    if let Some(context) = group.context {
        place += &format!(", {context}");
    }
    if let Some(left) = until(group) {
        place += &format!(" in {left:.1?}");
    }
    place
}

/// The time that a group of one has until the deadline of its context.
pub(crate) fn until(group: &Group) -> Option<Duration> {
    let left = group.deadline?.saturating_duration_since(Instant::now());
    (!left.is_zero()).then_some(left)
}

/// What the goroutines of a group wait on, in words.
fn object(group: &Group) -> Option<String> {
    if let Some(id) = group.joins {
        return Some(format!("goroutine {id}"));
    }
    if let Some((descriptor, writes)) = group.descriptor {
        let direction = if writes { "write to" } else { "read from" };
        return Some(format!("to {direction} descriptor {descriptor}"));
    }
    let (State::Waiting(reason) | State::Blocked(reason)) = group.state else {
        return None;
    };
    let noun = noun(reason);
    match group.object {
        Object::None => None,
        Object::One(address) => Some(format!("{noun} {address:#x}")),
        Object::Different => {
            // One of the nouns is a mutex.
            let ending = if noun.ends_with('x') { "es" } else { "s" };
            Some(format!("different {noun}{ending}"))
        }
    }
}

/// What there is in a channel, and how many hold it.
pub(crate) fn counts(channel: ChannelCounts) -> String {
    if channel.is_never {
        return "of never".to_owned();
    }
    let messages = match (channel.len, channel.capacity) {
        (_, Some(0)) => "unbuffered".to_owned(),
        (Some(len), Some(capacity)) => {
            format!("{} of {}", Spaced(len), counted(capacity, "message"))
        }
        (None, Some(capacity)) => format!("of {}", counted(capacity, "message")),
        (Some(len), None) => format!("{}, unbounded", counted(len, "message")),
        (None, None) => "unbounded".to_owned(),
    };
    format!(
        "{messages}, {}, {}",
        counted(channel.senders, "sender"),
        counted(channel.receivers, "receiver")
    )
}

/// What holds the lock that the goroutines of a group wait for.
pub(crate) fn holder<'a>(group: &Group, graph: &'a WaitGraph) -> Option<Holder<'a>> {
    match (group.state, group.object) {
        (State::Waiting(_) | State::Blocked(_), Object::One(object)) => graph.holder(object),
        _ => None,
    }
}

/// What a wait for this reason waits on.
pub(crate) fn noun(reason: WaitReason) -> &'static str {
    match reason {
        WaitReason::ChanSend | WaitReason::ChanReceive => "channel",
        WaitReason::MutexLock => "mutex",
        WaitReason::RwLockRead | WaitReason::RwLockWrite => "rwlock",
        WaitReason::CondvarWait => "condvar",
        WaitReason::SemaphoreAcquire => "semaphore",
        WaitReason::WaitGroupWait => "wait group",
        WaitReason::BarrierWait => "barrier",
        WaitReason::Once => "once",
        WaitReason::Join => "goroutine",
        WaitReason::Io => "socket",
        _ => "object",
    }
}

/// A number with its noun.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", Spaced(number))
}

/// A number in groups of three digits.
pub(crate) struct Spaced(pub(crate) usize);

impl fmt::Display for Spaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_char(' ')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// A moment, as RFC 3339 writes it, in UTC.
pub(crate) struct Utc(pub(crate) SystemTime);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self
            .0
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        // Years that begin in March: the leap day is the last.
        let shifted = days + 719_468;
        let (era, day) = (shifted / 146_097, shifted % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let from_march = (5 * day + 2) / 153;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            era * 400 + year + u64::from(month <= 2),
            month,
            day - (153 * from_march + 2) / 5 + 1,
            second / 3600,
            second / 60 % 60,
            second % 60,
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn numbers_have_groups_of_three_digits() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1 000"),
            (1_234_567, "1 234 567"),
        ] {
            assert_eq!(Spaced(number).to_string(), text);
        }
    }

    #[test]
    fn moments_are_written_in_utc() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_795_910_400, "2026-11-29T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            let moment = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(Utc(moment).to_string(), text);
        }
    }
}
