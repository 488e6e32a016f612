//! What the actors of one run share: a clock, their ends of channels, and what happened.

use std::{
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use goroutines::chan::{Receiver, Sender};

use crate::{
    common::{Census, Counted},
    program::Case,
};

/// From before something began to after it had ended, by the clock of the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    pub start: u64,
    pub end: u64,
}

impl Span {
    pub fn is_before(self, later: Span) -> bool {
        self.end < later.start
    }
}

/// What one step came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Did {
    Sent(usize, u64),
    Received(usize, u64),
    /// The other side was gone.
    Disconnected(Case),
    /// None of these could be done in time.
    Nothing(Vec<Case>),
    Closed(usize),
    /// The end of a channel was given up, one of perhaps several.
    Dropped(Case),
}

#[derive(Clone, Debug)]
pub struct Event {
    pub actor: usize,
    pub span: Span,
    pub did: Did,
    pub by_select: bool,
}

#[derive(Default)]
pub struct World {
    pub clock: AtomicU64,
    pub census: Census,
    pub channels: Vec<Shared>,
    pub history: Mutex<Vec<Event>>,
}

/// What is known of a channel without asking it.
#[derive(Default)]
pub struct Shared {
    pub senders: AtomicUsize,
    pub receivers: AtomicUsize,
    pub closed: AtomicBool,
}

impl World {
    pub fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// The time, which does not advance by being read.
    pub fn glance(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub fn note(&self, actor: usize, start: u64, did: Did, by_select: bool) {
        let span = Span {
            start,
            end: self.now(),
        };
        self.history.lock().unwrap().push(Event {
            actor,
            span,
            did,
            by_select,
        });
    }

    fn ends(&self, side: Case) -> &AtomicUsize {
        let shared = &self.channels[side.channel()];
        match side {
            Case::Send(_) => &shared.senders,
            Case::Recv(_) => &shared.receivers,
        }
    }

    /// Returns whether the channel is closed, or has no handle on its other side.
    pub fn is_cut(&self, case: Case) -> bool {
        self.channels[case.channel()].closed.load(Ordering::SeqCst)
            || self.ends(case.other_side()).load(Ordering::SeqCst) == 0
    }
}

pub enum Handle {
    Sender(Sender<Counted>),
    Receiver(Receiver<Counted>),
}

/// An end of a channel: those there are are counted, and it is noted when one is dropped.
pub struct End {
    handle: Option<Handle>,
    side: Case,
    actor: usize,
    world: Arc<World>,
}

impl End {
    pub fn new(handle: Handle, side: Case, actor: usize, world: &Arc<World>) -> Arc<End> {
        world.ends(side).fetch_add(1, Ordering::SeqCst);
        Arc::new(End {
            handle: Some(handle),
            side,
            actor,
            world: Arc::clone(world),
        })
    }

    /// Another handle of the same side, for `actor`.
    pub fn another(&self, actor: usize) -> Arc<End> {
        let handle = match self.handle() {
            Handle::Sender(tx) => Handle::Sender(tx.clone()),
            Handle::Receiver(rx) => Handle::Receiver(rx.clone()),
        };
        End::new(handle, self.side, actor, &self.world)
    }

    pub fn handle(&self) -> &Handle {
        self.handle.as_ref().unwrap()
    }

    pub fn sender(&self) -> &Sender<Counted> {
        match self.handle() {
            Handle::Sender(tx) => tx,
            Handle::Receiver(_) => unreachable!("a receiver where senders are"),
        }
    }

    pub fn receiver(&self) -> &Receiver<Counted> {
        match self.handle() {
            Handle::Receiver(rx) => rx,
            Handle::Sender(_) => unreachable!("a sender where receivers are"),
        }
    }

    pub fn len(&self) -> usize {
        match self.handle() {
            Handle::Sender(tx) => tx.len(),
            Handle::Receiver(rx) => rx.len(),
        }
    }

    /// Closes the channel.
    pub fn close(&self, actor: usize) {
        let start = self.world.now();
        let channel = self.side.channel();
        match self.handle() {
            Handle::Sender(tx) => tx.close(),
            Handle::Receiver(rx) => rx.close(),
        };
        self.world.channels[channel]
            .closed
            .store(true, Ordering::SeqCst);
        self.world.note(actor, start, Did::Closed(channel), false);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let start = self.world.now();
        drop(self.handle.take());
        self.world.ends(self.side).fetch_sub(1, Ordering::SeqCst);
        self.world
            .note(self.actor, start, Did::Dropped(self.side), false);
    }
}

/// What others can see of an actor.
#[derive(Default)]
pub struct Seat {
    /// Its ends of each channel: senders and receivers.
    ends: Mutex<Vec<[Vec<Arc<End>>; 2]>>,
    /// What it waits for, for as long as it takes.
    waits: Mutex<Vec<Case>>,
    finished: AtomicBool,
}

impl Seat {
    pub fn new(channels: usize) -> Seat {
        let ends = (0..channels).map(|_| Default::default()).collect();
        Seat {
            ends: Mutex::new(ends),
            ..Seat::default()
        }
    }

    /// The end that it would use; this is no further handle.
    pub fn end(&self, side: Case) -> Option<Arc<End>> {
        let ends = self.ends.lock().unwrap();
        // It may have left meanwhile.
        ends.get(side.channel())?[index(side)].last().cloned()
    }

    pub fn add(&self, side: Case, end: Arc<End>) {
        self.ends.lock().unwrap()[side.channel()][index(side)].push(end);
    }

    /// Dropped by the caller, when nothing is locked.
    pub fn remove(&self, side: Case) -> Option<Arc<End>> {
        self.ends.lock().unwrap()[side.channel()][index(side)].pop()
    }

    pub fn leave(&self) {
        let ends = mem::take(&mut *self.ends.lock().unwrap());
        drop(ends);
        self.finished.store(true, Ordering::SeqCst);
    }

    pub fn is_finished(&self) -> bool {
        self.finished.load(Ordering::SeqCst)
    }

    /// Empty again, when it waits no more.
    pub fn set_waits(&self, cases: &[Case]) {
        *self.waits.lock().unwrap() = cases.to_vec();
    }

    pub fn waits(&self) -> Vec<Case> {
        self.waits.lock().unwrap().clone()
    }

    /// Any end of this channel.
    pub fn any_end(&self, channel: usize) -> Option<Arc<End>> {
        let both = [Case::Send(channel), Case::Recv(channel)];
        if self.is_finished() {
            return None;
        }
        let ends = self.ends.lock().unwrap();
        let of_channel = ends.get(channel)?;
        both.iter()
            .find_map(|&side| of_channel[index(side)].last().cloned())
    }
}

fn index(side: Case) -> usize {
    match side {
        Case::Send(_) => 0,
        Case::Recv(_) => 1,
    }
}
