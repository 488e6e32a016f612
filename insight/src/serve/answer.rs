//! The answers: an object of JSON on a line each.

use std::{
    env,
    fmt::{self, Display, Write as _},
    io, process,
    sync::OnceLock,
    time::{Duration, Instant},
};

use goroutines_sched::{self as sched, Metrics, ProcMetrics, ProcState};

use super::{
    looks,
    request::{KNOWN, Request},
};
use crate::{
    json::{Text, list},
    sites::Sites,
    snapshot::Dump,
};

/// The version of what goes over the socket. A field that comes is no new version; one that goes, or means something else,
/// is.
const PROTOCOL: u32 = 1;

/// The answer to `request`. `wait` lets a time pass, and says whether the client is still there; `None` where it is not.
pub(super) fn to(request: &Request, wait: impl Fn(Duration) -> bool) -> Option<Vec<u8>> {
    Some(match request {
        Request::Hello => hello(),
        Request::Stats(_) => stats(),
        Request::Groups(most) => groups(*most),
        Request::Sites(most) => line(Sites::take(*most)),
        Request::Longest(most) => looks::longest(*most),
        Request::Waits => looks::waits(),
        Request::Leaks(older_than) => looks::old(*older_than),
        Request::Profile(kind, time) => {
            let profile = looks::profile(*kind, || wait(*time));
            return profile.unwrap_or_else(|why| Some(error(&why.to_string())));
        }
        Request::Trace(time) => {
            let trace = looks::trace(*time, wait);
            return trace.unwrap_or_else(|why| Some(error(&why.to_string())));
        }
        Request::Dump => dump(),
        Request::Bye => line(r#"{"bye": true}"#),
    })
}

/// `{"error": ".."}`
pub(super) fn error(why: &str) -> Vec<u8> {
    line(format_args!(r#"{{"error": {}}}"#, Text(why)))
}

pub(super) fn line(answer: impl Display) -> Vec<u8> {
    format!("{answer}\n").into_bytes()
}

fn hello() -> Vec<u8> {
    let program = env::current_exe().unwrap_or_default();
    let requests = KNOWN.map(|name| Text(name).to_string()).join(", ");
    line(format_args!(
        r#"{{"protocol": {PROTOCOL}, "version": "{}", "pid": {}, "program": {}, "requests": [{requests}]}}"#,
        env!("CARGO_PKG_VERSION"),
        process::id(),
        Text(&program.display().to_string()),
    ))
}

/// Microseconds since the first answer with a time.
fn time() -> u128 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_micros()
}

/// The numbers of the scheduler.
pub(super) fn stats() -> Vec<u8> {
    line(Stats(time(), sched::metrics()))
}

struct Stats(u128, Metrics);

impl Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats(time, now) = self;
        write!(
            f,
            r#"{{"time_us": {time}, "goroutines": {}, "#,
            now.goroutines
        )?;
        write_threads(now, f)?;
        write!(
            f,
            r#", "global_queue": {}, "sockets": {}, "registered": {}, "procs": ["#,
            now.global_queue, now.sockets, now.registered
        )?;
        list(f, &now.procs, |f, proc| write_proc(proc, f))?;
        f.write_str(r#"], "counts": {"#)?;
        list(f, counts(now), |f, (name, count)| {
            write!(f, r#""{name}": {count}"#)
        })?;
        f.write_str("}}")
    }
}

fn write_threads(now: &Metrics, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let busy = |proc: &&ProcMetrics| proc.state == ProcState::Busy;
    let busy = now.procs.iter().filter(busy).count();
    let running = busy.saturating_sub(now.spinning_threads);
    let rest = running + now.spinning_threads + now.idle_threads + now.waiting_threads;
    write!(
        f,
        r#""threads": {{"all": {}, "running": {running}, "spinning": {}, "asleep": {}, "waiting": {}, "blocked": {}}}"#,
        now.threads,
        now.spinning_threads,
        now.idle_threads,
        now.waiting_threads,
        now.threads.saturating_sub(rest),
    )
}

fn write_proc(proc: &ProcMetrics, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let state = match proc.state {
        ProcState::Idle => "idle",
        ProcState::Lent => "lent",
        _ => "busy",
    };
    write!(
        f,
        r#"{{"state": "{state}", "queue": {}, "runs": {}, "steals": {}, "overflows": {}}}"#,
        proc.queue, proc.runs, proc.steals, proc.overflows
    )
}

/// What only goes up.
fn counts(now: &Metrics) -> [(&'static str, u64); 18] {
    [
        ("spawned", now.spawned),
        ("runs", now.runs),
        ("steals", now.steals),
        ("overflows", now.overflows),
        ("handoffs", now.handoffs),
        ("retakes", now.retakes),
        ("takes", now.takes),
        ("wakes", now.wakes),
        ("spins", now.spins),
        ("threads_started", now.threads_started),
        ("threads_failed", now.threads_failed),
        ("threads_ended", now.threads_ended),
        ("monitor_looks", now.monitor_looks),
        ("growth_faults", now.growth_faults),
        ("migrations_checked", now.migrations_checked),
        ("sent_back", now.sent_back),
        ("polls", now.polls),
        ("poll_events", now.poll_events),
    ]
}

fn groups(most: usize) -> Vec<u8> {
    let mut line = OneLine(Vec::new());
    // Writing to a vector does not fail.
    let _ = Dump::new().groups(most).take().write_json(&mut line);
    line.0.push(b'\n');
    line.0
}

fn dump() -> Vec<u8> {
    let mut text = Vec::new();
    // Writing to a vector does not fail.
    let _ = Dump::new().take().write_text(&mut text);
    let mut answer = String::from(r#"{"text": "#);
    let _ = write!(answer, "{}}}", Text(&String::from_utf8_lossy(&text)));
    line(answer)
}

/// JSON without ends of lines, which stand between its words only.
struct OneLine(Vec<u8>);

impl io::Write for OneLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let without = bytes
            .iter()
            .map(|&byte| if byte == b'\n' { b' ' } else { byte });
        self.0.extend(without);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
