//! A snapshot as JSON, for programs.
//!
//! ```text
//! {"version": 1, "taken": "..", "goroutines": 3, "procs": 2, "threads": 4, "stacks_read": true,
//!  "deadlocks": [{"certain": true, "others": 0, "waits": [{"goroutine": 12, "thread": 0, "reason": "join", "object": "0x7f.."}]}],
//!  "further_groups": 0, "further_goroutines": 0,
//!  "groups": [{"count": 3, "state": "chan receive", "long": false, "object": {"kind": "channel", "address": "0x7f3a10"},
//!              "held_by": null, "joins": null, "descriptor": null, "channel": null, "ids": [17, 19], "names": {"17": "flush"}, "spawned_as": "..",
//!              "complete": true, "frames": [{"address": "0x55..", "function": "..", "file": "..", "line": 41}],
//!              "thread": null, "proc": null, "parked_for": null, "ends_in": null,
//!              "context": "context with deadline", "deadline_in": 2.5, "spawned_at": null, "note": null}],
//!  "waiting_threads": [{"thread": 4711, "name": "app", "reason": "join", "object": "0x7f.."}]}
//! ```

use std::{
    fmt::{self, Write as _},
    io,
    time::Instant,
};

use goroutines_sched::{ChannelCounts, State};

use crate::{
    graph::{Cycle, Edge, WaitGraph},
    groups::{Group, Object},
    snapshot::Snapshot,
    symbols::Frame,
    text::{Utc, holder, note, noun, until},
};

pub(crate) fn write(snapshot: &Snapshot, out: &mut dyn io::Write) -> io::Result<()> {
    let summary = snapshot.summary();
    write!(
        out,
        r#"{{"version": 1, "taken": "{}", "goroutines": {}, "procs": {}, "threads": {}, "stacks_read": {}, "#,
        Utc(summary.taken),
        summary.goroutines,
        summary.procs,
        summary.threads,
        summary.stacks_read,
    )?;
    out.write_all(br#""deadlocks": ["#)?;
    for (at, cycle) in snapshot.cycles().iter().enumerate() {
        let before = if at == 0 { "" } else { ", " };
        write!(out, "{before}{}", Ring(cycle))?;
    }
    out.write_all(b"], ")?;
    write!(
        out,
        r#""further_groups": {}, "further_goroutines": {}, "groups": ["#,
        summary.further_groups, summary.further_goroutines,
    )?;
    for (at, group) in snapshot.groups().iter().enumerate() {
        let before = if at == 0 { "\n" } else { ",\n" };
        write!(
            out,
            "{before}{}",
            Json(group, snapshot.frames(group), &snapshot.graph)
        )?;
    }
    let threads = OfThreads(snapshot.threads());
    writeln!(out, "\n], \"waiting_threads\": [{threads}]}}")
}

/// A deadlock.
pub(crate) struct Ring<'a>(pub(crate) &'a Cycle);

impl fmt::Display for Ring<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r#"{{"certain": {}, "others": {}, "waits": ["#,
            self.0.is_certain, self.0.others
        )?;
        list(f, &self.0.edges, |f, edge| {
            write!(
                f,
                r#"{{"goroutine": {}, "thread": {}, "reason": {}, "object": "{:#x}"}}"#,
                edge.from.id,
                edge.from.thread,
                Text(&edge.reason.to_string()),
                edge.object,
            )
        })?;
        f.write_str("]}")
    }
}

/// A group and its frames.
pub(crate) struct Json<'a>(
    pub(crate) &'a Group,
    pub(crate) Vec<Frame>,
    pub(crate) &'a WaitGraph,
);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Json(group, frames, graph) = self;
        write!(
            f,
            r#"{{"count": {}, "state": {}, "long": {}, "object": "#,
            group.count,
            Text(&group.state.to_string()),
            group.waits_long
        )?;
        write_object(group, f)?;
        f.write_str(r#", "held_by": "#)?;
        let holder = holder(group, graph).map(|holder| holder.to_string());
        or_null(holder.as_deref().map(Text), f)?;
        f.write_str(r#", "joins": "#)?;
        or_null(group.joins, f)?;
        f.write_str(r#", "descriptor": "#)?;
        or_null(group.descriptor.map(|(descriptor, _)| descriptor), f)?;
        f.write_str(r#", "channel": "#)?;
        or_null(group.channel.map(Counts), f)?;
        write!(f, r#", "ids": {:?}, "names": {{"#, group.ids)?;
        list(f, &group.names, |f, (id, name)| {
            write!(f, r#""{id}": {}"#, Text(name))
        })?;
        write!(
            f,
            r#"}}, "spawned_as": {}, "complete": {}, "frames": ["#,
            Text(group.spawned_as),
            group.is_complete()
        )?;
        list(f, frames, |f, frame| write_frame(frame, f))?;
        f.write_str(r#"], "thread": "#)?;
        or_null(group.thread, f)?;
        f.write_str(r#", "proc": "#)?;
        or_null(group.proc, f)?;
        let parked = group.parked_for.map(|time| time.as_secs_f64());
        f.write_str(r#", "parked_for": "#)?;
        or_null(parked, f)?;
        let context = group.context.map(|context| context.to_string());
        let ends = group
            .ends
            .map(|ends| ends.saturating_duration_since(Instant::now()));
        f.write_str(r#", "ends_in": "#)?;
        or_null(ends.map(|left| left.as_secs_f64()), f)?;
        f.write_str(r#", "context": "#)?;
        or_null(context.as_deref().map(Text), f)?;
        f.write_str(r#", "deadline_in": "#)?;
        or_null(until(group).map(|left| left.as_secs_f64()), f)?;
        f.write_str(r#", "spawned_at": "#)?;
        match frames.last().filter(|_| group.is_complete()) {
            Some(outermost) => write_frame(outermost, f)?,
            None => f.write_str("null")?,
        }
        f.write_str(r#", "note": "#)?;
        or_null(note(group, frames).as_deref().map(Text), f)?;
        f.write_str("}")
    }
}

/// The waits of plain threads.
struct OfThreads<'a>(&'a [Edge]);

impl fmt::Display for OfThreads<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, self.0, |f, wait| {
            let (from, reason, object) = (&wait.from, wait.reason, wait.object);
            write!(f, r#"{{"thread": {}, "name": "#, from.thread)?;
            or_null(from.name.as_deref().map(Text), f)?;
            write!(f, r#", "reason": "{reason}", "object": "{object:#x}"}}"#)
        })
    }
}

/// What there is in a channel.
struct Counts(ChannelCounts);

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChannelCounts {
            len,
            capacity,
            senders,
            receivers,
            is_never,
        } = self.0;
        f.write_str(r#"{"len": "#)?;
        or_null(len, f)?;
        f.write_str(r#", "capacity": "#)?;
        or_null(capacity, f)?;
        write!(
            f,
            r#", "senders": {senders}, "receivers": {receivers}, "never": {is_never}}}"#
        )
    }
}

fn write_object(group: &Group, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let kind = match group.state {
        State::Waiting(reason) | State::Blocked(reason) => noun(reason),
        _ => "object",
    };
    match group.object {
        Object::None => f.write_str("null"),
        Object::One(address) => write!(f, r#"{{"kind": "{kind}", "address": "{address:#x}"}}"#),
        Object::Different => write!(f, r#"{{"kind": "{kind}", "address": null}}"#),
    }
}

fn write_frame(frame: &Frame, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, r#"{{"address": "{:#x}", "function": "#, frame.address)?;
    or_null(frame.function.as_deref().map(Text), f)?;
    f.write_str(r#", "file": "#)?;
    or_null(frame.place.as_ref().map(|(file, _)| Text(file)), f)?;
    f.write_str(r#", "line": "#)?;
    or_null(frame.place.as_ref().map(|&(_, line)| line), f)?;
    f.write_str("}")
}

/// Writes `items` with `each`, and commas between them.
pub(crate) fn list<T>(
    f: &mut fmt::Formatter<'_>,
    items: impl IntoIterator<Item = T>,
    mut each: impl FnMut(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        each(f, item)?;
    }
    Ok(())
}

fn or_null(value: Option<impl fmt::Display>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        Some(value) => value.fmt(f),
        None => f.write_str("null"),
    }
}

/// A string, with its quotes.
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for sign in self.0.chars() {
            match sign {
                '"' | '\\' => write!(f, "\\{sign}")?,
                '\n' => f.write_str("\\n")?,
                sign if sign < ' ' => write!(f, "\\u{:04x}", u32::from(sign))?,
                sign => f.write_char(sign)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted() {
        assert_eq!(
            Text("a\"b\\c\nd\u{1}\u{e9}").to_string(),
            "\"a\\\"b\\\\c\\nd\\u0001\u{e9}\""
        );
    }
}
