//! One goroutine, as a report sees it at one moment.

use std::{any::Any, fmt, os::fd::RawFd, time::Duration};

use crate::{
    gmp::{
        g::{G, GRef},
        m::M,
        poll_desc::PollDesc,
    },
    observe::{
        running::{self, Found, Silence},
        stack_view::StackView,
    },
    protocol::{
        channel_head::{ChannelCounts, ChannelHead},
        status::Status,
        wait_reason::WaitReason,
    },
};

/// What a goroutine does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum State {
    /// It is in a run queue and has not run yet.
    New,
    /// It is in a run queue.
    Runnable,
    /// It is on a thread.
    Running,
    /// It is in a blocking call, on a thread of its own.
    InCall,
    /// It waits.
    Waiting(WaitReason),
    /// It waits and keeps its thread, because it unwinds or is in a blocking call.
    Blocked(WaitReason),
}

impl State {
    pub(crate) fn of(status: Status, reason: Option<WaitReason>) -> Option<State> {
        Some(match (status, reason) {
            (Status::Dead, _) => return None,
            (Status::Fresh, _) => State::New,
            (Status::Runnable, _) => State::Runnable,
            (Status::Running, Some(WaitReason::BlockingCall)) => State::InCall,
            (Status::Running, _) => State::Running,
            (Status::Blocked | Status::Timed, Some(reason)) => State::Blocked(reason),
            (Status::Blocked | Status::Timed, None) => State::Running,
            (_, Some(reason)) => State::Waiting(reason),
            // It yields or ends: its M is about to queue it, or to free it.
            (_, None) => State::Runnable,
        })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::New => f.pad("runnable, has not run yet"),
            State::Runnable => f.pad("runnable"),
            State::Running => f.pad("running"),
            State::InCall => f.pad("blocking call"),
            State::Waiting(reason) => reason.fmt(f),
            State::Blocked(reason) => write!(f, "{reason}, keeps its thread"),
        }
    }
}

/// One goroutine, seen at one moment.
#[derive(Debug)]
#[non_exhaustive]
pub struct Sight<'a> {
    /// Its number.
    pub id: u64,
    /// Its name; known only while it is held.
    pub name: Option<&'a str>,
    /// The type of the closure that it was spawned as.
    pub spawned_as: &'static str,
    /// What it does.
    pub state: State,
    /// The address of what it waits on; 0 where there is none.
    pub object: usize,
    /// The number of the goroutine whose end it waits for.
    pub joins: Option<u64>,
    /// The descriptor that it waits for, and whether to write.
    pub descriptor: Option<(RawFd, bool)>,
    /// The counts of the channel that it waits to send or receive on; known only while it is held.
    pub channel: Option<ChannelCounts>,
    /// Whether it has been parked for an idle time of stacks (`Config::stack_idle`) at least.
    pub waits_long: bool,
    /// How long it has been parked, at least. Known from the first look at idle stacks on (`Config::stack_idle`).
    pub parked_for: Option<Duration>,
    /// In how long its wait ends, if that has a time; known only while it is held. The wait may end earlier.
    pub ends_in: Option<Duration>,
    /// What it has inherited, or set since; known only while it is held.
    pub inherited: Option<&'a (dyn Any + Send + Sync)>,
    /// The thread that it is on: the kernel's number.
    pub thread: Option<i32>,
    /// The number of the P with which it runs there.
    pub proc: Option<usize>,
    /// Its stack, if it is held.
    pub stack: Option<StackView<'a>>,
    /// Why its thread, which was asked, has not answered.
    pub silence: Option<Silence>,
}

/// The M that `g` is on, as a snapshot.
pub(crate) fn thread_of(g: &'static G) -> Option<&'static M> {
    let state = State::of(g.status().get(), g.status().reason())?;
    let last = g.last();
    let is_on = matches!(state, State::Running | State::InCall | State::Blocked(_));
    // SAFETY: not 0, so it is the mark of the M that has run it last.
    (is_on && last != 0).then(|| unsafe { M::home_of(last) })
}

fn joined(reason: Option<WaitReason>, object: usize) -> Option<u64> {
    (reason == Some(WaitReason::Join) && object != 0).then(|| {
        // SAFETY: a join waits on a G (task/handle.rs, task/fork_join.rs), and Gs are never freed.
        unsafe { GRef::from_word(object) }.id()
    })
}

fn descriptor(reason: Option<WaitReason>, object: usize) -> Option<(RawFd, bool)> {
    // SAFETY: a wait for a socket is in a line of a record (park/io_wait.rs).
    (reason == Some(WaitReason::Io) && object != 0)
        .then(|| unsafe { PollDesc::descriptor_of(object) })
}

/// Of a goroutine that is held.
fn channel(reason: Option<WaitReason>, object: usize) -> Option<ChannelCounts> {
    let is_channel = matches!(reason, Some(WaitReason::ChanSend | WaitReason::ChanReceive));
    // SAFETY: these reasons are given with the address of a channel, which its waiter borrows, and that is held; its block
    // has exposed its provenance (runtime/src/chan/core/counter.rs).
    (is_channel && object != 0).then(|| unsafe { ChannelHead::read(object) })
}

impl<'a> Sight<'a> {
    /// `g` as it is now; it is held or else may do anything, and then what it waits for is not read. `None`: it has ended.
    pub(crate) fn of(g: &'static G, is_held: bool) -> Option<Sight<'a>> {
        let status = g.status().get();
        let reason = g.status().reason();
        let state = State::of(status, reason)?;
        let waits = matches!(state, State::Waiting(_) | State::Blocked(_));
        let object = if waits { GRef::new(g).wait_object() } else { 0 };
        // SAFETY: it is held, so it does not run, and no other thread changes its stacks.
        let stack = is_held.then(|| unsafe { StackView::of(g) }).flatten();
        let identity = is_held.then(|| g.identity.get()).flatten();
        let m = thread_of(g);
        Some(Sight {
            id: g.id.get(),
            name: identity.and_then(|identity| identity.name()),
            spawned_as: g.spawned_as(),
            state,
            object,
            // Of one that may have gone on, the object may be another wait's.
            joins: joined(reason.filter(|_| is_held), object),
            descriptor: descriptor(reason.filter(|_| is_held), object),
            channel: channel(reason.filter(|_| is_held), object),
            waits_long: status == Status::Shrunk,
            parked_for: g.parked_for(),
            ends_in: None,
            // SAFETY: it is held, so it does not run.
            inherited: identity.and_then(|identity| unsafe { identity.inherited_of_held() }),
            thread: m.map(M::thread),
            proc: m.and_then(running::proc_of),
            stack,
            silence: None,
        })
    }

    /// A goroutine as the thread of `m` has found it. `None`: it has ended.
    pub(crate) fn found(found: &'a Found, m: &'static M) -> Option<Sight<'a>> {
        let state = State::of(found.status, found.reason)?;
        let waits = matches!(state, State::Blocked(_));
        let object = if waits { found.object } else { 0 };
        Some(Sight {
            id: found.id,
            name: found.name(),
            spawned_as: found.spawned_as,
            state,
            object,
            joins: joined(found.reason, object),
            descriptor: descriptor(found.reason, object),
            channel: None,
            waits_long: false,
            parked_for: None,
            ends_in: None,
            inherited: None,
            thread: Some(m.thread()),
            proc: found.proc,
            stack: None,
            silence: None,
        })
    }
}
