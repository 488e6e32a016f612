//! What a program is: channels, and actors that do something with them one step after the other.

use std::{fmt, time::Duration};

use proptest::prelude::*;

use crate::common::On;

/// What a channel is made with; `None` is unbounded.
pub type Capacity = Option<usize>;

#[derive(Clone)]
pub struct Program {
    pub procs: usize,
    pub channels: Vec<Capacity>,
    pub actors: Vec<Actor>,
}

#[derive(Clone, Debug)]
pub struct Actor {
    pub on: On,
    /// Which ends of each channel it has to begin with: sender, receiver.
    pub ends: Vec<[bool; 2]>,
    pub steps: Vec<Step>,
}

/// A step on an end that the actor has not, or no more, is none.
#[derive(Clone)]
pub enum Step {
    Do(Case, Patience),
    /// The same by a future. One that receives and waits no longer is polled once, or twice with a time between, and
    /// dropped.
    Await(Case, Patience),
    Select(Vec<Case>, Patience),
    Clone(Case),
    Drop(Case),
    Close(Case),
    Yield,
}

/// One side of a channel, by its index; and what is done there, if it is an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    Send(usize),
    Recv(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    None,
    For(Duration),
    Forever,
}

impl Case {
    pub fn channel(self) -> usize {
        match self {
            Case::Send(channel) | Case::Recv(channel) => channel,
        }
    }

    pub fn other_side(self) -> Case {
        match self {
            Case::Send(channel) => Case::Recv(channel),
            Case::Recv(channel) => Case::Send(channel),
        }
    }

    fn map(self, f: impl Fn(usize) -> usize) -> Case {
        match self {
            Case::Send(channel) => Case::Send(f(channel)),
            Case::Recv(channel) => Case::Recv(f(channel)),
        }
    }
}

/// A line for each channel, and one for each step of an actor.
impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "on {} Ps", self.procs)?;
        for (channel, capacity) in self.channels.iter().enumerate() {
            writeln!(f, "channel {channel}: {}", Named(*capacity))?;
        }
        for (me, actor) in self.actors.iter().enumerate() {
            write!(f, "actor {me}, a {:?} with", actor.on)?;
            for (channel, ends) in actor.ends.iter().enumerate() {
                let [tx, rx] = ends.map(u8::from);
                let ends = format!("{}{}", &" tx"[..3 * tx as usize], &" rx"[..3 * rx as usize]);
                write!(f, "{}", ends.replace('x', &format!("x{channel}")))?;
            }
            writeln!(f, ":")?;
            for step in &actor.steps {
                writeln!(f, "    {step:?}")?;
            }
        }
        Ok(())
    }
}

struct Named(Capacity);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(capacity) => write!(f, "bounded({capacity})"),
            None => f.write_str("unbounded()"),
        }
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Do(case, patience) => write!(f, "{case:?}, {patience:?}"),
            Step::Await(case, patience) => write!(f, "await {case:?}, {patience:?}"),
            Step::Select(cases, patience) => write!(f, "select of {cases:?}, {patience:?}"),
            Step::Clone(side) => write!(f, "clone the end of {side:?}"),
            Step::Drop(side) => write!(f, "drop the end of {side:?}"),
            Step::Close(side) => write!(f, "close by the end of {side:?}"),
            Step::Yield => f.write_str("yield"),
        }
    }
}

const CHANNELS: usize = 4;

fn capacity() -> impl Strategy<Value = Capacity> {
    prop_oneof![3 => Just(Some(0)), 4 => (1_usize..=4).prop_map(Some), 1 => Just(None)]
}

fn case() -> impl Strategy<Value = Case> {
    prop_oneof![
        (0..CHANNELS).prop_map(Case::Send),
        (0..CHANNELS).prop_map(Case::Recv)
    ]
}

fn patience() -> impl Strategy<Value = Patience> {
    prop_oneof![
        2 => Just(Patience::None),
        3 => (0_u64..150).prop_map(|us| Patience::For(Duration::from_micros(us))),
        4 => Just(Patience::Forever),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Yield),
        12 => (case(), patience()).prop_map(|(case, patience)| Step::Do(case, patience)),
        6 => (case(), patience()).prop_map(|(case, patience)| Step::Await(case, patience)),
        6 => (prop::collection::vec(case(), 1..5), patience())
            .prop_map(|(cases, patience)| Step::Select(cases, patience)),
        1 => case().prop_map(Step::Clone),
        2 => case().prop_map(Step::Drop),
        1 => case().prop_map(Step::Close),
    ]
}

fn actor() -> impl Strategy<Value = Actor> {
    let on = prop_oneof![3 => Just(On::Goroutine), 1 => Just(On::Thread)];
    let end = || prop::bool::weighted(0.8);
    let ends = prop::collection::vec([end(), end()], CHANNELS);
    let steps = prop::collection::vec(step(), 0..24);
    (on, ends, steps).prop_map(|(on, ends, steps)| Actor { on, ends, steps })
}

/// Any program.
pub fn any() -> impl Strategy<Value = Program> {
    let channels = prop::collection::vec(capacity(), 1..=CHANNELS);
    let actors = prop::collection::vec(actor(), 1..7);
    (1_usize..=3, channels, actors).prop_map(|(procs, channels, mut actors)| {
        for actor in &mut actors {
            fit(actor, channels.len());
        }
        Program {
            procs,
            channels,
            actors,
        }
    })
}

/// An actor that knows of so many channels only.
fn fit(actor: &mut Actor, channels: usize) {
    actor.ends.truncate(channels);
    for step in &mut actor.steps {
        match step {
            Step::Do(case, _)
            | Step::Await(case, _)
            | Step::Clone(case)
            | Step::Drop(case)
            | Step::Close(case) => {
                *case = case.map(|channel| channel % channels);
            }
            Step::Select(cases, _) => {
                for case in cases {
                    *case = case.map(|channel| channel % channels);
                }
            }
            Step::Yield => {}
        }
    }
}
