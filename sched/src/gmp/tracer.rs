//! How a thread writes the events of a trace: each into a ring of its own, while a *session* is on.
//!
//! A session is a number that is never used again; 0 is none. A thread compares it with the one in its M at each event. If
//! they differ, the slow path looks: it takes a ring, notes where the session begins in it, and writes first what the M does
//! just then. A ring stays an M's until a session asks for another capacity, and the M itself gives it up then: a thread may be
//! in the middle of an event when a session ends.
//!
//! Threads without an M, as the monitor's, share a ring under a lock.
//!
//! # What it costs while no session is on
//!
//! Nothing where goroutines wait and wake. The events there ride on tests that exist: the alert of the gate (gate.rs), and
//! the word of an M in each round (inbox.rs), which makes it change to the copy of its loop that writes events
//! (schedule/mod.rs). A session sets both in all Ms. Cold functions ask [`is_on`].

use std::{
    cell::Cell,
    iter,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::{
    gmp::{
        g::Kind,
        m::M,
        trace_event::{self, EventKind, NAME, name_words, run_arg},
    },
    protocol::{
        parker::Parker,
        sync::lock,
        trace_ring::{Slot, TraceRing},
    },
    sys::{asm, clock},
};

/// The number of rings there may be. A thread that finds none writes no events, and is counted.
const MOST: usize = 64;

/// The session that is on, 0 for none.
static SESSION: AtomicU32 = AtomicU32::new(0);

/// What the thread that drains the rings sleeps on: notified when a ring is half full.
pub(crate) static DRAIN: Parker = Parker::new();

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    last: 0,
    log: 0,
    steady: false,
    ms: Vec::new(),
    outside: None,
    has_no_outside: false,
    used: Vec::new(),
    spare: Vec::new(),
    made: Vec::new(),
    without: 0,
    taken: false,
});

struct Registry {
    /// The last session.
    last: u32,
    /// The binary logarithm of the capacity of rings in this session.
    log: u32,
    /// Whether the clock of this session is the CPU's counter.
    steady: bool,
    /// All Ms of the scheduler.
    ms: Vec<&'static M>,
    /// The ring of threads without an M, since their first event.
    outside: Option<&'static TraceRing>,
    /// In this session there was none for them.
    has_no_outside: bool,
    used: Vec<Used>,
    /// Rings of another capacity than that of this session, which no M has any more.
    spare: Vec<&'static TraceRing>,
    /// All rings, by the pointers through which they are freed.
    made: Vec<*mut TraceRing>,
    /// How many threads found no ring.
    without: u64,
    /// Whether somebody reads the rings: also after the end of a session.
    taken: bool,
}

// SAFETY: the rings belong to the registry, and are freed by whoever has its lock.
unsafe impl Send for Registry {}

/// A ring that has events of this session.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    pub(crate) ring: &'static TraceRing,
    /// Where the session begins in it.
    pub(crate) from: u64,
    pub(crate) whose: Whose,
}

/// Whose events a ring has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// A thread that runs goroutines: the kernel's number.
    Scheduler(i32),
    /// Another thread that uses the runtime: the kernel's number.
    Thread(i32),
    /// All threads that wake goroutines and never wait themselves, the monitor included.
    Others,
}

/// The part of an M that writes events.
pub(crate) struct Tracer {
    /// The session of which its thread has written events.
    session: Cell<u32>,
    /// Whether the clock of that session is the CPU's counter.
    steady: Cell<bool>,
    ring: Cell<Option<&'static TraceRing>>,
    /// Whether the M stands for a plain thread.
    attached: bool,
}

impl Tracer {
    pub(crate) fn new(attached: bool) -> Tracer {
        Tracer {
            session: Cell::new(0),
            steady: Cell::new(false),
            ring: Cell::new(None),
            attached,
        }
    }
}

/// Returns whether a session is on. For cold functions.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    // Relaxed: partner is the store in `begin`; an event that does not see it counts as before it.
    SESSION.load(Ordering::Relaxed) != 0
}

/// The moment of an event.
#[inline(always)]
pub(crate) fn ticks(steady: bool) -> u64 {
    if steady { asm::ticks() } else { clock::now() }
}

/// An event of the calling thread, if a session is on. For cold functions, where no M is at hand.
#[inline]
pub(crate) fn note(kind: EventKind, arg: u64) {
    if is_on() {
        note_here(kind, arg);
    }
}

#[cold]
#[inline(never)]
fn note_here(kind: EventKind, arg: u64) {
    match this_m() {
        Some(m) => m.emit(kind, arg),
        None => emit_outside(kind, arg, iter::empty()),
    }
}

/// As [`note`], of two slots: `first` is the first word of the second.
#[inline]
pub(crate) fn note_with(kind: EventKind, arg: u64, first: u64) {
    if is_on() {
        note_more(kind, arg, iter::once((first, 0)));
    }
}

fn note_more(kind: EventKind, arg: u64, more: impl Iterator<Item = (u64, u64)>) {
    match this_m() {
        Some(m) => m.emit_more(kind, arg, more),
        None => emit_outside(kind, arg, more),
    }
}

/// The goroutine with this number, which is being made, has a name.
#[cold]
pub(crate) fn note_name(goroutine: u64, name: &str) {
    if is_on() {
        let length = (0, name.len().min(NAME) as u64);
        note_more(
            EventKind::Name,
            goroutine,
            iter::once(length).chain(name_words(name)),
        );
    }
}

/// The M of this thread. No event is written across a park, so the reference is used on this thread only.
fn this_m() -> Option<&'static M> {
    // SAFETY: the word is null or was set from a `&'static M`.
    unsafe { asm::thread_word().cast::<M>().as_ref() }
}

/// An event of a thread without an M, and the words of its further slots.
fn emit_outside(kind: EventKind, arg: u64, more: impl Iterator<Item = (u64, u64)>) {
    let mut registry = lock(&REGISTRY);
    if !is_on() {
        return;
    }
    if registry.outside.is_none() && !registry.has_no_outside {
        registry.outside = registry.ring(None);
        registry.has_no_outside = registry.outside.is_none();
    }
    let Some(ring) = registry.outside else {
        return;
    };
    let slot = Slot {
        first: ticks(registry.steady),
        second: trace_event::word(kind, arg),
    };
    push(ring, slot);
    for (first, second) in more {
        let second = trace_event::word(EventKind::More, second);
        push(ring, Slot { first, second });
    }
}

#[inline(always)]
fn push(ring: &TraceRing, slot: Slot) {
    let written = ring.push(slot);
    if written & (ring.capacity() / 2 - 1) == 0 {
        half_full();
    }
}

#[cold]
#[inline(never)]
fn half_full() {
    DRAIN.notify();
}

impl M {
    /// An event of this M's thread, which calls.
    #[inline]
    pub(crate) fn emit(&self, kind: EventKind, arg: u64) {
        // Relaxed: as in `is_on`.
        let session = SESSION.load(Ordering::Relaxed);
        if self.tracer.session.get() != session {
            self.join_session(session);
        }
        if let Some(ring) = self.tracer.ring.get()
            && session != 0
        {
            let slot = Slot {
                first: ticks(self.tracer.steady.get()),
                second: trace_event::word(kind, arg),
            };
            push(ring, slot);
        }
    }

    /// An event that goes on in further slots: their words.
    pub(crate) fn emit_more(
        &self,
        kind: EventKind,
        arg: u64,
        more: impl Iterator<Item = (u64, u64)>,
    ) {
        self.emit(kind, arg);
        if let Some(ring) = self.tracer.ring.get()
            && is_on()
        {
            for (first, second) in more {
                let second = trace_event::word(EventKind::More, second);
                push(ring, Slot { first, second });
            }
        }
    }

    /// Its thread has an event, and has had none in this session.
    #[cold]
    #[inline(never)]
    fn join_session(&self, session: u32) {
        if session == 0 {
            return;
        }
        let mut registry = lock(&REGISTRY);
        // Relaxed: it changes under this lock. It may have ended, or another begun.
        if SESSION.load(Ordering::Relaxed) != session {
            return;
        }
        let tracer = &self.tracer;
        tracer.session.set(session);
        tracer.steady.set(registry.steady);
        tracer.ring.set(registry.ring(Some(self)));
        let Some(ring) = tracer.ring.get() else {
            return;
        };
        drop(registry);
        let first = ticks(tracer.steady.get());
        let begin = |kind, arg| {
            let second = trace_event::word(kind, arg);
            push(ring, Slot { first, second });
        };
        if let Some(g) = self.current.get().filter(|g| g.id() != 0) {
            begin(EventKind::Runs, run_arg(g.id(), self.p().map(|p| p.number)));
            if g.get().kind() == Kind::Thread {
                begin(EventKind::CallBegins, 0);
            }
        }
    }

    /// By any thread: its next entries and its next round shall look whether a session is on.
    fn set_traced(&self, on: bool) {
        self.gate.set_traced(on);
        self.inbox.ask_for_other_loop();
    }
}

impl Registry {
    /// A ring for `m`, or for threads without one, with an entry in the list of this session.
    fn ring(&mut self, m: Option<&M>) -> Option<&'static TraceRing> {
        let capacity = 1 << self.log;
        let own = m.and_then(|m| m.tracer.ring.take());
        let fits = |ring: &&'static TraceRing| ring.capacity() == capacity;
        let ring = match own {
            Some(own) if fits(&own) => Some(own),
            _ => {
                self.spare.extend(own);
                let found = self.spare.iter().position(fits);
                match found {
                    Some(at) => Some(self.spare.swap_remove(at)),
                    None => self.make(),
                }
            }
        };
        let Some(ring) = ring else {
            self.without += 1;
            return None;
        };
        let whose = match m {
            None => Whose::Others,
            Some(m) if m.tracer.attached => Whose::Thread(m.thread()),
            Some(m) => Whose::Scheduler(m.thread()),
        };
        self.used.push(Used {
            ring,
            from: ring.written(),
            whose,
        });
        Some(ring)
    }

    fn make(&mut self) -> Option<&'static TraceRing> {
        if self.made.len() == MOST {
            // One of another capacity that nobody uses makes room.
            let old = std::ptr::from_ref(self.spare.pop()?);
            let place = self.made.iter().position(|ring| ring.cast_const() == old)?;
            // SAFETY: it is from a box, below. Its M, or the threads without one, have another, and the session whose
            // reader had it is over.
            drop(unsafe { Box::from_raw(self.made.swap_remove(place)) });
        }
        let ring = Box::into_raw(Box::new(TraceRing::new(self.log)));
        self.made.push(ring);
        // SAFETY: from a box, and freed only above.
        Some(unsafe { &*ring })
    }
}

/// Begins a session with rings of `1 << log` slots; false if one is on, or was not released. `steady`: the clock is the CPU's counter.
pub(crate) fn begin(log: u32, steady: bool) -> bool {
    let mut registry = lock(&REGISTRY);
    if std::mem::replace(&mut registry.taken, true) {
        return false;
    }
    registry.last = registry.last.wrapping_add(1).max(1);
    (registry.log, registry.steady, registry.without) = (log, steady, 0);
    registry.has_no_outside = false;
    registry.used.clear();
    let outside = registry.outside.take();
    registry.spare.extend(outside);
    // Relaxed: partners are the loads of threads that write events; they take the lock before the first.
    SESSION.store(registry.last, Ordering::Relaxed);
    registry.ms.iter().for_each(|m| m.set_traced(true));
    true
}

/// Ends the session.
pub(crate) fn end() {
    let registry = lock(&REGISTRY);
    // Relaxed: as in `begin`. A thread that is in the middle of an event finishes it.
    SESSION.store(0, Ordering::Relaxed);
    registry.ms.iter().for_each(|m| m.set_traced(false));
}

/// The rings are not read any more, after [`end`]: another session may begin.
pub(crate) fn release() {
    lock(&REGISTRY).taken = false;
}

/// The rings of the session from number `first` on.
pub(crate) fn used_from(first: usize) -> Vec<Used> {
    lock(&REGISTRY)
        .used
        .get(first..)
        .map_or(Vec::new(), <[Used]>::to_vec)
}

/// How many threads had events in this session and found no ring.
pub(crate) fn threads_without_ring() -> u64 {
    lock(&REGISTRY).without
}

/// All Ms shall look which copy of their loop they need.
pub(crate) fn ask_all() {
    for m in &lock(&REGISTRY).ms {
        m.inbox.ask_for_other_loop();
    }
}

/// `m`, which is new, will run goroutines. It has not looked yet which copy of its loop it needs.
pub(crate) fn introduce(m: &'static M) {
    let mut registry = lock(&REGISTRY);
    registry.ms.push(m);
    if is_on() {
        m.set_traced(true);
    }
}
