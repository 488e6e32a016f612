//! From the slots of a ring to events.

use crate::{
    gmp::{
        payload::Entry,
        trace_event::{EventKind, parse, parse_left, parse_name, parse_run},
    },
    protocol::{trace_ring::Slot, wait_reason::WaitReason},
};

/// An event of a thread.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// When, on the clock of the events.
    pub ticks: u64,
    /// What has happened.
    pub what: What,
}

/// What has happened on a thread. P is a number of a P.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[allow(missing_docs, reason = "goroutine and P are what they are called")]
pub enum What {
    /// A goroutine runs from here on.
    Run { goroutine: u64, p: Option<u32> },
    /// A goroutine has run since before the first event of the thread.
    Runs { goroutine: u64, p: Option<u32> },
    /// No goroutine runs from here on.
    OnG0,
    /// The goroutine has left its stack, to wait for something; or it yields or has ended.
    Left {
        reason: Option<WaitReason>,
        object: u64,
    },
    /// The goroutine that has left has ended.
    End { goroutine: u64 },
    /// A goroutine is made here.
    New {
        goroutine: u64,
        /// The type of its closure.
        spawned_as: &'static str,
    },
    /// It has this name; of a long one the beginning.
    Name { goroutine: u64, name: Box<str> },
    /// A goroutine is made ready here.
    Ready { goroutine: u64 },
    /// The goroutine, or the thread, waits and keeps its thread.
    Waits {
        reason: Option<WaitReason>,
        object: u64,
    },
    /// Such a wait is over.
    GoesOn,
    /// A blocking call begins.
    CallBegins,
    /// A blocking call has ended.
    CallEnds,
    /// The thread has this P from here on.
    StartP { p: u32 },
    /// It has it no more.
    StopP { p: u32 },
    /// It passes this P on.
    HandOff { p: u32 },
    /// The monitor has taken this P from a blocking call.
    Retake { p: u32 },
    /// The monitor has taken this P from an M that does not know.
    Take { p: u32 },
    /// It has woken an M.
    Wake,
    /// It goes to sleep.
    Sleeps { in_poll: bool },
    /// It is awake again.
    Rises,
    /// It looks for work.
    Spin,
    /// It has taken work from this P.
    Steal { p: u32 },
    /// Timers have fired here.
    Timers { count: u64 },
    /// The poller has reported events here.
    Poll { count: u64 },
    /// The goroutine continues on a segment of this size.
    Segment { bytes: u64 },
    /// Its bytes were copied out of its run window.
    CopyOut { goroutine: u64 },
    /// They were copied into it.
    CopyIn { goroutine: u64 },
    /// It runs for long without a call into the runtime.
    Hog { goroutine: u64 },
    /// A region of the program begins.
    RegionBegins { name: &'static str },
    /// A region of the program ends.
    RegionEnds { name: &'static str },
    /// So many slots of events of the thread were overwritten before this.
    Lost { slots: u64 },
    /// The program marks this moment.
    Mark { name: &'static str },
}

/// Puts the slots of a ring together to events. One that goes on in further slots may be cut by the end of a copy: the
/// rest comes with the next one.
#[derive(Default)]
pub(super) struct Decoder {
    /// The event whose further slots are awaited.
    open: Option<Open>,
}

struct Open {
    ticks: u64,
    kind: EventKind,
    arg: u64,
    more: Vec<(u64, u64)>,
}

impl Decoder {
    /// Appends the events in `slots` to `events`. The slots come from a ring, and follow those of the last call.
    pub(super) fn decode(&mut self, slots: &[Slot], events: &mut Vec<Event>) {
        for slot in slots {
            let Some((kind, arg)) = parse(slot.second) else {
                continue;
            };
            if kind != EventKind::More {
                // What was open never got its slots: the session ended between.
                self.open = Some(Open {
                    ticks: slot.first,
                    kind,
                    arg,
                    more: Vec::new(),
                });
            } else if let Some(open) = &mut self.open {
                open.more.push((slot.first, arg));
            }
            if let Some(open) = self.open.take_if(|open| open.is_whole())
                && let Some(what) = open.what()
            {
                events.push(Event {
                    ticks: open.ticks,
                    what,
                });
            }
        }
    }
}

impl Open {
    fn is_whole(&self) -> bool {
        match self.kind {
            EventKind::Name => match self.more.first() {
                // 15 bytes of the name in each.
                Some(&(_, length)) => self.more.len() > (length as usize).div_ceil(15),
                None => false,
            },
            EventKind::New | EventKind::RegionBegins | EventKind::RegionEnds | EventKind::Mark => {
                !self.more.is_empty()
            }
            _ => true,
        }
    }

    fn what(&self) -> Option<What> {
        let goroutine = self.arg;
        let p = u32::try_from(self.arg).unwrap_or(u32::MAX);
        let count = self.arg;
        let run = || {
            let (goroutine, p) = parse_run(self.arg);
            (goroutine, p.map(|p| p as u32))
        };
        let left = || {
            let (reason, object) = parse_left(self.arg);
            (WaitReason::from_number(reason), object)
        };
        Some(match self.kind {
            EventKind::More => return None,
            EventKind::Run => {
                let (goroutine, p) = run();
                What::Run { goroutine, p }
            }
            EventKind::Runs => {
                let (goroutine, p) = run();
                What::Runs { goroutine, p }
            }
            EventKind::OnG0 => What::OnG0,
            EventKind::Left => {
                let (reason, object) = left();
                What::Left { reason, object }
            }
            EventKind::End => What::End { goroutine },
            EventKind::New => self.new_goroutine()?,
            EventKind::Name => {
                let (&(_, length), name) = self.more.split_first()?;
                let name = parse_name(name, length as usize).into_boxed_str();
                What::Name { goroutine, name }
            }
            EventKind::Ready => What::Ready { goroutine },
            EventKind::Waits => {
                let (reason, object) = left();
                What::Waits { reason, object }
            }
            EventKind::GoesOn => What::GoesOn,
            EventKind::CallBegins => What::CallBegins,
            EventKind::CallEnds => What::CallEnds,
            EventKind::StartP => What::StartP { p },
            EventKind::StopP => What::StopP { p },
            EventKind::HandOff => What::HandOff { p },
            EventKind::Retake => What::Retake { p },
            EventKind::Take => What::Take { p },
            EventKind::Wake => What::Wake,
            EventKind::Sleeps => What::Sleeps {
                in_poll: self.arg != 0,
            },
            EventKind::Rises => What::Rises,
            EventKind::Spin => What::Spin,
            EventKind::Steal => What::Steal { p },
            EventKind::Timers => What::Timers { count },
            EventKind::Poll => What::Poll { count },
            EventKind::Segment => What::Segment { bytes: self.arg },
            EventKind::CopyOut => What::CopyOut { goroutine },
            EventKind::CopyIn => What::CopyIn { goroutine },
            EventKind::Hog => What::Hog { goroutine },
            EventKind::RegionBegins => What::RegionBegins { name: self.text()? },
            EventKind::RegionEnds => What::RegionEnds { name: self.text()? },
            EventKind::Mark => What::Mark { name: self.text()? },
        })
    }

    fn new_goroutine(&self) -> Option<What> {
        let &(entry, _) = self.more.first()?;
        let entry: *const Entry = std::ptr::with_exposed_provenance(entry as usize);
        // SAFETY: the slots come from a ring, whose writer put the address of a `&'static Entry` here.
        let entry: &'static Entry = unsafe { &*entry };
        Some(What::New {
            goroutine: self.arg,
            spawned_as: (entry.name)(),
        })
    }

    /// The name of a region.
    fn text(&self) -> Option<&'static str> {
        let &(address, _) = self.more.first()?;
        let start = std::ptr::with_exposed_provenance(address as usize);
        // SAFETY: the slots come from a ring, whose writer put address and length of a `&'static str` here.
        let bytes: &'static [u8] = unsafe { std::slice::from_raw_parts(start, self.arg as usize) };
        // SAFETY: the same.
        Some(unsafe { std::str::from_utf8_unchecked(bytes) })
    }
}
