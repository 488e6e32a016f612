//! Traces as Firefox Profiler and chrome://tracing open them: JSON in the "trace event format".
//!
//! It is the object form, `{"traceEvents": [..]}`, which Firefox Profiler asks for, with the metadata that name threads. A
//! P is a thread of a process of its own, because its numbers would be those of other threads.

use std::{
    collections::HashSet,
    fmt::{self, Write as _},
    mem,
};

use goroutines_sched::Whose;

use crate::{
    json::Text,
    trace::sink::{Args, Flow, Sink, Slice, Track, Value},
};

/// The process whose threads are the Ps. No process has this number: Linux counts to 2^22.
const PS: u32 = 1 << 22 | 1;

/// The events that were written so far.
#[derive(Default)]
pub(crate) struct Chrome {
    out: String,
    pid: u32,
    ps: HashSet<u32>,
    /// The thread of each ring.
    threads: Vec<u32>,
}

/// Nanoseconds as microseconds.
struct Micros(u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

impl Chrome {
    pub(crate) fn new(pid: u32, program: &str) -> Chrome {
        let mut this = Chrome {
            pid,
            ..Chrome::default()
        };
        this.out
            .push_str("{\"displayTimeUnit\": \"ns\", \"traceEvents\": [\n");
        this.metadata(pid, 0, "process_name", program, "");
        this.metadata(PS, 0, "process_name", "Ps", ",\n");
        this
    }

    /// What is written behind the last event.
    pub(crate) fn end_of_file(&mut self) {
        self.out.push_str("\n]}\n");
    }

    fn metadata(&mut self, pid: u32, tid: u32, what: &str, name: &str, before: &str) {
        // Writing to a string does not fail.
        let _ = write!(
            self.out,
            r#"{before}{{"ph": "M", "pid": {pid}, "tid": {tid}, "ts": 0, "name": "{what}", "args": {{"name": {}}}}}"#,
            Text(name)
        );
    }

    fn place(&mut self, track: Track) -> (u32, u32) {
        match track {
            Track::Thread(ring) => (self.pid, self.threads.get(ring).copied().unwrap_or(0)),
            Track::P(p) => {
                if self.ps.insert(p) {
                    self.metadata(PS, p + 1, "thread_name", &format!("P {p}"), ",\n");
                }
                (PS, p + 1)
            }
        }
    }

    fn event(&mut self, phase: &str, track: Track, at: u64, name: Option<&str>, args: Args<'_>) {
        let (pid, tid) = self.place(track);
        let at = Micros(at);
        let out = &mut self.out;
        // Writing to a string does not fail (all).
        let _ = write!(
            out,
            ",\n{{\"ph\": \"{phase}\", \"pid\": {pid}, \"tid\": {tid}, \"ts\": {at}"
        );
        if let Some(name) = name {
            let _ = write!(out, r#", "cat": "goroutines", "name": {}"#, Text(name));
        }
        if phase == "i" {
            out.push_str(r#", "s": "t""#);
        }
        if !args.is_empty() {
            out.push_str(", \"args\": {");
            for (at, (key, value)) in args.iter().enumerate() {
                let comma = if at == 0 { "" } else { ", " };
                let _ = match value {
                    Value::Number(number) => write!(out, "{comma}\"{key}\": {number}"),
                    Value::Text(text) => write!(out, "{comma}\"{key}\": {}", Text(text)),
                    Value::Address(address) => write!(out, "{comma}\"{key}\": \"{address:#x}\""),
                };
            }
            out.push('}');
        }
        out.push('}');
    }

    fn flow(&mut self, track: Track, at: u64, flow: Flow) {
        let (phase, number) = match flow {
            Flow::None => return,
            Flow::Begins(number) => (r#""s""#, number),
            Flow::Ends(number) => (r#""f", "bp": "e""#, number),
        };
        let (pid, tid) = self.place(track);
        let at = Micros(at);
        // Writing to a string does not fail.
        let _ = write!(
            self.out,
            ",\n{{\"ph\": {phase}, \"id\": {number}, \"pid\": {pid}, \"tid\": {tid}, \"ts\": {at}, \
             \"cat\": \"ready\", \"name\": \"ready\"}}"
        );
    }
}

impl Sink for Chrome {
    fn thread(&mut self, ring: usize, whose: Whose) {
        let (tid, name) = match whose {
            Whose::Scheduler(thread) => (thread.cast_unsigned(), format!("M {thread}")),
            Whose::Thread(thread) => (thread.cast_unsigned(), format!("thread {thread}")),
            Whose::Others => (0, "monitor and others".to_owned()),
        };
        debug_assert_eq!(ring, self.threads.len());
        self.threads.push(tid);
        self.metadata(self.pid, tid, "thread_name", &name, ",\n");
    }

    fn begin(
        &mut self,
        track: Track,
        at: u64,
        _slice: Slice,
        name: &str,
        args: Args<'_>,
        flow: Flow,
    ) {
        self.event("B", track, at, Some(name), args);
        self.flow(track, at, flow);
    }

    fn end(&mut self, track: Track, at: u64, args: Args<'_>) {
        self.event("E", track, at, None, args);
    }

    fn instant(&mut self, track: Track, at: u64, name: &str, args: Args<'_>, flow: Flow) {
        self.event("i", track, at, Some(name), args);
        self.flow(track, at, flow);
    }

    fn take(&mut self, finished: bool) -> Vec<u8> {
        if finished {
            self.end_of_file();
        }
        mem::take(&mut self.out).into_bytes()
    }
}
