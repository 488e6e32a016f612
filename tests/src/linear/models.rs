//! What the channels and locks of the runtime promise to a caller, one call after the other.

use std::collections::{BTreeSet, VecDeque};

use super::Model;

/// A channel with room for `capacity` messages; without a limit if that is `None`.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    /// Room for messages.
    pub capacity: Option<usize>,
    /// Handles that send, at the beginning.
    pub senders: usize,
    /// Handles that receive, at the beginning.
    pub receivers: usize,
}

/// A call of a channel.
#[derive(Clone, Copy, Debug)]
pub enum ChannelOp {
    /// This message was sent.
    Sent(u64),
    /// This message was received.
    Received(u64),
    /// A send found no room.
    Full,
    /// A receive found no message.
    Empty,
    /// A send was told that nobody will receive.
    SendCut,
    /// A receive was told that nothing will come.
    ReceiveCut,
    /// The channel was closed.
    Closed,
    /// A handle that sends was dropped.
    SenderGone,
    /// A handle that receives was dropped.
    ReceiverGone,
}

/// What a channel remembers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Buffered {
    messages: VecDeque<u64>,
    senders: usize,
    receivers: usize,
    closed: bool,
}

impl Buffered {
    fn takes(&self) -> bool {
        !self.closed && self.receivers > 0
    }

    fn ends(&self) -> bool {
        (self.closed || self.senders == 0) && self.messages.is_empty()
    }
}

impl Model for Channel {
    type State = Buffered;
    type Op = ChannelOp;

    fn initial(&self) -> Buffered {
        Buffered {
            messages: VecDeque::new(),
            senders: self.senders,
            receivers: self.receivers,
            closed: false,
        }
    }

    fn step(&self, state: &Buffered, op: &ChannelOp) -> Option<Buffered> {
        let mut after = state.clone();
        let has_room = self
            .capacity
            .is_none_or(|capacity| state.messages.len() < capacity);
        let holds = match *op {
            ChannelOp::Sent(message) => {
                after.messages.push_back(message);
                state.takes() && has_room
            }
            ChannelOp::Received(message) => after.messages.pop_front() == Some(message),
            // Who waits on the other side of a channel without a buffer is not in the state.
            ChannelOp::Full => state.takes() && (!has_room || self.capacity == Some(0)),
            ChannelOp::Empty => state.messages.is_empty() && !state.ends(),
            ChannelOp::SendCut => !state.takes(),
            ChannelOp::ReceiveCut => state.ends(),
            ChannelOp::Closed => {
                after.closed = true;
                true
            }
            ChannelOp::SenderGone => {
                after.senders = state.senders.checked_sub(1)?;
                true
            }
            ChannelOp::ReceiverGone => {
                after.receivers = state.receivers.checked_sub(1)?;
                if after.receivers == 0 {
                    after.messages.clear();
                }
                true
            }
        };
        holds.then_some(after)
    }

    fn pair(&self, state: &Buffered, first: &ChannelOp, second: &ChannelOp) -> Option<Buffered> {
        match (first, second) {
            (ChannelOp::Sent(sent), ChannelOp::Received(received))
                if self.capacity == Some(0) && sent == received && state.takes() =>
            {
                Some(state.clone())
            }
            _ => None,
        }
    }
}

/// A lock of readers and writers; a mutex is one without readers.
#[derive(Clone, Copy, Debug)]
pub struct Lock;

/// A call of a lock.
#[derive(Clone, Copy, Debug)]
pub enum LockOp {
    /// A reader or writer asks: over the same span as its `Read`, `Write` or `GivesUp`. New readers wait behind readers
    /// that wait.
    Asks,
    /// It asks no longer: its time was over.
    GivesUp,
    /// A writer, or who locks a mutex, has it.
    Write,
    /// It was given back.
    WriteDone,
    /// A reader has it.
    Read,
    /// It was given back.
    ReadDone,
    /// Who does not wait was told that it is taken, or asked for.
    WriteRefused,
    /// A reader who does not wait was told so.
    ReadRefused,
}

/// Who has a lock, and who asks for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Held {
    written: bool,
    readers: usize,
    asking: usize,
}

impl Model for Lock {
    type State = Held;
    type Op = LockOp;

    fn initial(&self) -> Held {
        Held::default()
    }

    fn step(&self, state: &Held, op: &LockOp) -> Option<Held> {
        let mut after = *state;
        let holds = match op {
            LockOp::Asks => {
                after.asking += 1;
                true
            }
            LockOp::GivesUp => {
                after.asking = state.asking.checked_sub(1)?;
                true
            }
            LockOp::Write => {
                after.written = true;
                after.asking = state.asking.checked_sub(1)?;
                !state.written && state.readers == 0
            }
            LockOp::WriteDone => {
                after.written = false;
                state.written
            }
            LockOp::Read => {
                after.readers += 1;
                after.asking = state.asking.checked_sub(1)?;
                !state.written
            }
            LockOp::ReadDone => {
                after.readers = state.readers.checked_sub(1)?;
                true
            }
            LockOp::WriteRefused => state.written || state.readers > 0 || state.asking > 0,
            LockOp::ReadRefused => state.written || state.asking > 0,
        };
        holds.then_some(after)
    }
}

/// A semaphore with this many permits at the beginning.
#[derive(Clone, Copy, Debug)]
pub struct Permits(pub usize);

/// A call of a semaphore.
#[derive(Clone, Copy, Debug)]
pub enum PermitsOp {
    /// Somebody asks for permits: over the same span as its `Taken` or `GivesUp`.
    Asks,
    /// Somebody asks no longer: its time was over.
    GivesUp,
    /// So many permits were taken.
    Taken(usize),
    /// So many were given back.
    Given(usize),
    /// Who does not wait did not get so many.
    Refused(usize),
}

impl Model for Permits {
    /// Free permits, and how many ask.
    type State = (usize, usize);
    type Op = PermitsOp;

    fn initial(&self) -> (usize, usize) {
        (self.0, 0)
    }

    fn step(&self, &(free, asking): &(usize, usize), op: &PermitsOp) -> Option<(usize, usize)> {
        match *op {
            PermitsOp::Asks => Some((free, asking + 1)),
            PermitsOp::GivesUp => Some((free, asking.checked_sub(1)?)),
            PermitsOp::Taken(n) => Some((free.checked_sub(n)?, asking.checked_sub(1)?)),
            PermitsOp::Given(n) => Some((free + n, asking)),
            PermitsOp::Refused(n) => (free < n || asking > 0).then_some((free, asking)),
        }
    }
}

/// A condition variable, whose waiters are notified in the order in which they came, and never without a reason.
#[derive(Clone, Copy, Debug)]
pub struct Condition;

/// A call of a condition variable. Waiters have the number of their actor.
#[derive(Clone, Copy, Debug)]
pub enum ConditionOp {
    /// It waits: over the same span as its `Woken` or `TimedOut`.
    Waits(usize),
    /// It was notified.
    Woken(usize),
    /// Its time was over before it was notified.
    TimedOut(usize),
    /// One was notified, if any waited.
    One,
    /// All who waited were.
    All,
}

impl Model for Condition {
    /// Who waits, first to last, and who was notified and has not returned.
    type State = (Vec<usize>, BTreeSet<usize>);
    type Op = ConditionOp;

    fn initial(&self) -> Self::State {
        Default::default()
    }

    fn step(&self, state: &Self::State, op: &ConditionOp) -> Option<Self::State> {
        let (mut waiting, mut notified) = state.clone();
        let holds = match *op {
            ConditionOp::Waits(actor) => {
                waiting.push(actor);
                !state.0.contains(&actor)
            }
            ConditionOp::Woken(actor) => notified.remove(&actor),
            ConditionOp::TimedOut(actor) => {
                waiting.retain(|waiter| *waiter != actor);
                state.0.contains(&actor)
            }
            ConditionOp::One => {
                if !waiting.is_empty() {
                    notified.insert(waiting.remove(0));
                }
                true
            }
            ConditionOp::All => {
                notified.extend(waiting.drain(..));
                true
            }
        };
        holds.then_some((waiting, notified))
    }

    /// Who was notified returns.
    fn can_end(&self, (_, notified): &Self::State) -> bool {
        notified.is_empty()
    }
}
