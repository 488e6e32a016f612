//! Traces as Perfetto's UI opens them: protobuf messages of its TrackEvent format.
//!
//! A file is a sequence of packets, each with its length, so that what a full disk cuts off is missing and nothing else.
//! A P and a thread are a track each. Names are sent once, with a number, and then only the number is.
//!
//! The numbers of fields below are those of perfetto's `trace_packet.proto`, `track_event.proto`, `track_descriptor.proto`,
//! `clock_snapshot.proto`, `interned_data.proto` and `debug_annotation.proto`.

use std::collections::{HashMap, HashSet};

use goroutines_sched::Whose;

use crate::{
    proto::Message,
    trace::sink::{Args, Flow, Sink, Slice, Track, Value},
};

/// `Trace.packet`.
const PACKET: u32 = 1;

// `TracePacket`.
const CLOCK_SNAPSHOT: u32 = 6;
const TIMESTAMP: u32 = 8;
const SEQUENCE: u32 = 10;
const TRACK_EVENT: u32 = 11;
const INTERNED_DATA: u32 = 12;
const SEQUENCE_FLAGS: u32 = 13;
const DEFAULTS: u32 = 59;
const TRACK_DESCRIPTOR: u32 = 60;

/// `TracePacketDefaults.timestamp_clock_id`.
const DEFAULT_CLOCK: u32 = 58;

// `TrackEvent`.
const ANNOTATION: u32 = 4;
const TYPE: u32 = 9;
const NAME_NUMBER: u32 = 10;
const TRACK: u32 = 11;
const CATEGORY: u32 = 22;
const NAME: u32 = 23;
const FLOW: u32 = 47;
const FLOW_END: u32 = 48;
const SLICE_BEGIN: u64 = 1;
const SLICE_END: u64 = 2;
const INSTANT: u64 = 3;

// `DebugAnnotation`.
const KEY_NUMBER: u32 = 1;
const UINT: u32 = 3;
const TEXT: u32 = 6;
const POINTER: u32 = 7;

// `InternedData`, and its entries.
const EVENT_NAMES: u32 = 2;
const ANNOTATION_NAMES: u32 = 3;
const IID: u32 = 1;
const ENTRY: u32 = 2;

// `TrackDescriptor`, `ProcessDescriptor`, `ThreadDescriptor`.
const UUID: u32 = 1;
const TRACK_NAME: u32 = 2;
const PROCESS: u32 = 3;
const THREAD: u32 = 4;
const PARENT: u32 = 5;
const ORDERING: u32 = 11;
const RANK: u32 = 12;
const EXPLICIT: u64 = 3;
const PID: u32 = 1;
const TID: u32 = 2;
const THREAD_NAME: u32 = 5;
const PROCESS_NAME: u32 = 6;

// Clocks.
const CLOCKS: u32 = 1;
const PRIMARY: u32 = 2;
const REALTIME: u64 = 1;
const MONOTONIC: u64 = 3;
const BOOTTIME: u64 = 6;

/// The one sequence of packets; any number but 0.
const OURS: u64 = 1;

/// Flags of the first packet, and of those that use names sent before.
const CLEARED: u64 = 1;
const NEEDS_NAMES: u64 = 2;

/// Names that are sent with a number; further ones are written out each time.
const NAMES: usize = 4096;

const PROCESS_TRACK: u64 = 1;
const PS_TRACK: u64 = 2;
const FIRST_P: u64 = 1 << 16;
const FIRST_THREAD: u64 = 1 << 32;

/// What the header of a file says.
#[derive(Clone, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) pid: u32,
    pub(crate) program: &'a str,
    /// One moment on three clocks, in nanoseconds.
    pub(crate) monotonic: u64,
    pub(crate) boottime: u64,
    pub(crate) realtime: u64,
}

/// Packets that were made so far.
#[derive(Default)]
pub(crate) struct Perfetto {
    out: Message,
    pid: u32,
    names: HashMap<Box<str>, u64>,
    keys: HashMap<&'static str, u64>,
    ps: HashSet<u32>,
    /// Names to be sent with the next packet.
    new_name: Option<(u64, Box<str>)>,
    new_keys: Vec<(u64, &'static str)>,
}

impl Perfetto {
    pub(crate) fn new(head: &Head<'_>) -> Perfetto {
        let mut this = Perfetto {
            pid: head.pid,
            ..Perfetto::default()
        };
        this.out.message(PACKET, |packet| {
            packet.uint(SEQUENCE, OURS).uint(SEQUENCE_FLAGS, CLEARED);
            packet.message(DEFAULTS, |it| _ = it.uint(DEFAULT_CLOCK, MONOTONIC));
            packet.message(CLOCK_SNAPSHOT, |it| {
                for (clock, time) in [
                    (MONOTONIC, head.monotonic),
                    (BOOTTIME, head.boottime),
                    (REALTIME, head.realtime),
                ] {
                    it.message(CLOCKS, |it| _ = it.uint(1, clock).uint(2, time));
                }
                it.uint(PRIMARY, MONOTONIC);
            });
        });
        this.track(PROCESS_TRACK, |it| {
            it.message(PROCESS, |it| {
                it.uint(PID, u64::from(head.pid));
                it.text(PROCESS_NAME, head.program);
            });
        });
        this.track(PS_TRACK, |it| {
            it.text(TRACK_NAME, "Ps").uint(PARENT, PROCESS_TRACK);
            it.uint(ORDERING, EXPLICIT);
        });
        this
    }

    fn track(&mut self, uuid: u64, write: impl FnOnce(&mut Message)) {
        self.out.message(PACKET, |packet| {
            packet.uint(SEQUENCE, OURS);
            packet.message(TRACK_DESCRIPTOR, |it| {
                it.uint(UUID, uuid);
                write(it);
            });
        });
    }

    /// The track, which is described before its first event.
    fn uuid(&mut self, track: Track) -> u64 {
        match track {
            Track::Thread(ring) => FIRST_THREAD + ring as u64,
            Track::P(p) => {
                let uuid = FIRST_P + u64::from(p);
                if self.ps.insert(p) {
                    self.track(uuid, |it| {
                        it.text(TRACK_NAME, &format!("P {p}"));
                        it.uint(PARENT, PS_TRACK).uint(RANK, u64::from(p));
                    });
                }
                uuid
            }
        }
    }

    /// The number of a name; `None`: it is written out.
    fn number(&mut self, name: &str) -> Option<u64> {
        if let Some(&number) = self.names.get(name) {
            return Some(number);
        }
        let number = self.names.len() as u64 + 1;
        (self.names.len() < NAMES).then(|| {
            self.names.insert(name.into(), number);
            self.new_name = Some((number, name.into()));
            number
        })
    }

    fn key(&mut self, key: &'static str) -> u64 {
        let next = self.keys.len() as u64 + 1;
        *self.keys.entry(key).or_insert_with(|| {
            self.new_keys.push((next, key));
            next
        })
    }

    fn event(
        &mut self,
        kind: u64,
        track: Track,
        at: u64,
        name: Option<&str>,
        args: Args<'_>,
        flow: Flow,
    ) {
        let uuid = self.uuid(track);
        let number = name.map(|name| self.number(name));
        let keys: Vec<u64> = args.iter().map(|&(key, _)| self.key(key)).collect();
        let (new_name, new_keys) = (self.new_name.take(), std::mem::take(&mut self.new_keys));
        self.out.message(PACKET, |packet| {
            packet.uint(TIMESTAMP, at).uint(SEQUENCE, OURS);
            packet.uint(SEQUENCE_FLAGS, NEEDS_NAMES);
            if new_name.is_some() || !new_keys.is_empty() {
                packet.message(INTERNED_DATA, |it| {
                    if let Some((number, name)) = &new_name {
                        it.message(EVENT_NAMES, |it| {
                            _ = it.uint(IID, *number).text(ENTRY, name)
                        });
                    }
                    for (number, key) in &new_keys {
                        it.message(ANNOTATION_NAMES, |it| {
                            _ = it.uint(IID, *number).text(ENTRY, key)
                        });
                    }
                });
            }
            packet.message(TRACK_EVENT, |it| {
                for (&(_, value), &key) in args.iter().zip(&keys) {
                    it.message(ANNOTATION, |it| {
                        it.uint(KEY_NUMBER, key);
                        match value {
                            Value::Number(number) => it.uint(UINT, number),
                            Value::Text(text) => it.text(TEXT, text),
                            Value::Address(address) => it.uint(POINTER, address),
                        };
                    });
                }
                it.uint(TYPE, kind).uint(TRACK, uuid);
                match (number, name) {
                    (Some(Some(number)), _) => _ = it.uint(NAME_NUMBER, number),
                    (_, Some(name)) => _ = it.text(NAME, name),
                    _ => {}
                }
                if kind != SLICE_END {
                    it.text(CATEGORY, "goroutines");
                }
                match flow {
                    Flow::None => {}
                    Flow::Begins(flow) => _ = it.fixed(FLOW, flow),
                    Flow::Ends(flow) => _ = it.fixed(FLOW_END, flow),
                }
            });
        });
    }
}

impl Sink for Perfetto {
    fn thread(&mut self, ring: usize, whose: Whose) {
        let pid = u64::from(self.pid);
        let (kind, thread) = match whose {
            Whose::Scheduler(thread) => ("M", Some(thread)),
            Whose::Thread(thread) => ("thread", Some(thread)),
            Whose::Others => ("others", None),
        };
        self.track(FIRST_THREAD + ring as u64, |it| match thread {
            None => {
                _ = it
                    .text(TRACK_NAME, "monitor and others")
                    .uint(PARENT, PROCESS_TRACK)
            }
            Some(thread) => {
                let tid = u64::from(thread.cast_unsigned());
                it.message(THREAD, |it| {
                    it.uint(PID, pid).uint(TID, tid);
                    it.text(THREAD_NAME, &format!("{kind} {tid}"));
                });
            }
        });
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
        self.event(SLICE_BEGIN, track, at, Some(name), args, flow);
    }

    fn end(&mut self, track: Track, at: u64, args: Args<'_>) {
        self.event(SLICE_END, track, at, None, args, Flow::None);
    }

    fn instant(&mut self, track: Track, at: u64, name: &str, args: Args<'_>, flow: Flow) {
        self.event(INSTANT, track, at, Some(name), args, flow);
    }

    fn take(&mut self, _finished: bool) -> Vec<u8> {
        self.out.take()
    }
}
