//! What each side has to do next.
//!
//! A step looks at the queues and the buffer, and takes the waiter that it concerns out of its queue. What is not the
//! common case (a counterpart that is no plain goroutine or thread, messages that lie ahead of the buffer) stands in
//! functions of its own that are never inlined.

use super::{
    buffer::Room,
    door::{GRef, waitq::Node},
    side::Side,
    state::Core,
    waiter::{Taken, Waiter, Watchers, take_watchers},
};

/// What a sender has to do next.
pub(super) enum SendStep<T> {
    /// Move the message to this receiver, without the lock.
    Deliver(Taken<T>),
    /// `Locked::put_ahead`: a future, or a waiter that gets the oldest of the messages ahead of the buffer.
    PutAhead(Taken<T>),
    Push,
    /// `Core::push_behind`: the buffer is behind messages that lie ahead.
    PushBehind,
    /// Bring a block for the buffer, then look again.
    BringBlock,
    /// Bring a block for the messages ahead of it, then look again.
    BringAhead,
    /// Wake a waiter that only watches, without the lock, then look again.
    Tell(Taken<T>),
    Wait,
    Disconnected,
}

/// What a receiver has to do next.
pub(super) enum RecvStep<T> {
    Pop,
    /// Move the message of this sender, without the lock.
    Collect(Taken<T>),
    /// `Locked::collect`: the sender is a future.
    CollectLocked(Taken<T>),
    /// A select waits that has yet to make its message (promise.rs). It is still in its queue.
    Promise,
    /// Wake a waiter that only watches, without the lock, then look again.
    Tell(Taken<T>),
    Wait,
    Disconnected,
}

impl<T> Core<T> {
    #[inline(always)]
    pub(super) fn send_step(&mut self) -> SendStep<T> {
        if self.receivers_gone {
            return SendStep::Disconnected;
        }
        if let Some(first) = self.recvq.first() {
            if first.is_alone() && !self.is_ahead() {
                if let Some(node) = self.recvq.pop_front() {
                    // SAFETY: just taken out; a wait without a ticket is ended by its taker only.
                    return SendStep::Deliver(unsafe { Taken::new(node) });
                }
            } else if let Some(step) = self.step_to(Waiting::InLine) {
                return step;
            }
        }
        match self.buffer.room() {
            Room::Yes => SendStep::Push,
            Room::No => SendStep::Wait,
            Room::NeedsBlock => SendStep::BringBlock,
            Room::Behind => self.step_behind(),
        }
    }

    /// What a sender does without a receiver, while messages lie ahead of the buffer.
    #[cold]
    #[inline(never)]
    fn step_behind(&mut self) -> SendStep<T> {
        match self.room() {
            Room::Yes => SendStep::PushBehind,
            Room::NeedsBlock => SendStep::BringBlock,
            Room::No | Room::Behind => SendStep::Wait,
        }
    }

    /// What a sender does for the first receiver that waits there.
    #[cold]
    #[inline(never)]
    pub(super) fn step_to(&mut self, waiting: Waiting) -> Option<SendStep<T>> {
        loop {
            let is_ahead = self.is_ahead();
            let queue = match waiting {
                Waiting::InLine => &mut self.recvq,
                Waiting::Engaged => &mut self.engaged,
            };
            let put_ahead = is_ahead || queue.first()?.is_future();
            if put_ahead && !self.ahead.has_room() {
                return Some(SendStep::BringAhead);
            }
            let node = queue.pop_front()?;
            // SAFETY: a waiter leaves its node only after it was woken, or after it took the lock that we hold and
            // unlinked it.
            let waiter = unsafe { &node.as_ref().data };
            if !waiter.claim() {
                // It has left already; if a promise was for it, that is unmet now.
                self.unmet += usize::from(waiting == Waiting::Engaged);
                continue;
            }
            let takes_part = waiter.takes_part();
            // SAFETY: just taken out, and claimed.
            let taken = unsafe { Taken::new(node) };
            return Some(match (takes_part, put_ahead) {
                (false, _) => SendStep::Tell(taken),
                (true, false) => SendStep::Deliver(taken),
                (true, true) => SendStep::PutAhead(taken),
            });
        }
    }

    #[inline(always)]
    pub(super) fn recv_step(&mut self) -> RecvStep<T> {
        if self.buffer.len() > 0 {
            return RecvStep::Pop;
        }
        if let Some(first) = self.sendq.first() {
            if first.is_alone() {
                if let Some(node) = self.sendq.pop_front() {
                    // SAFETY: just taken out; a wait without a ticket is ended by its taker only.
                    return RecvStep::Collect(unsafe { Taken::new(node) });
                }
            } else if let Some(step) = self.step_from_sender(Promises::Leave) {
                return step;
            }
        }
        if self.senders_gone || self.buffer.is_over() {
            RecvStep::Disconnected
        } else {
            RecvStep::Wait
        }
    }

    /// What a receiver does with the first sender that waits. `None`: with none.
    #[cold]
    #[inline(never)]
    pub(super) fn step_from_sender(&mut self, promises: Promises) -> Option<RecvStep<T>> {
        loop {
            let first = self.sendq.first()?;
            if promises == Promises::Leave && first.is_promise() && first.is_open() {
                // Where there is a buffer, all of it is kept for selects: their messages come first.
                return self.is_rendezvous().then_some(RecvStep::Promise);
            }
            let node = self.sendq.pop_front()?;
            // SAFETY: a waiter leaves its node only after it was woken, or after it took the lock that we
            // hold and unlinked it.
            let waiter = unsafe { &node.as_ref().data };
            if !waiter.claim() {
                continue;
            }
            let (takes_part, is_future) = (waiter.takes_part(), waiter.is_future());
            // SAFETY: just taken out, and claimed.
            let taken = unsafe { Taken::new(node) };
            return Some(match (takes_part, is_future) {
                (false, _) => RecvStep::Tell(taken),
                (true, false) => RecvStep::Collect(taken),
                (true, true) => RecvStep::CollectLocked(taken),
            });
        }
    }

    /// Puts the node of a select into the queue of `side`. Waiters that watch the other side are to be woken without the
    /// lock: they have looked before.
    ///
    /// # Safety
    ///
    /// As for `Queue::push_back`.
    pub(crate) unsafe fn enlist(&mut self, side: Side, node: &Node<Waiter>) -> Option<Watchers<T>> {
        let told = node
            .data
            .takes_part()
            .then(|| take_watchers(self.queue(side.other())));
        // SAFETY: the caller keeps the node where it is until it was taken out, and it is in no queue.
        unsafe { self.queue(side).push_back(node) };
        told
    }

    /// Returns whether `close` was called, or one side is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.senders_gone || self.receivers_gone || self.buffer.is_over()
    }

    /// Returns whether a send of `me` need not wait. Nothing is changed. A select that sends wants room where there is a
    /// buffer: a receiver that waits is served when the message comes.
    pub(crate) fn send_is_ready(&self, me: GRef, by_select: bool) -> bool {
        let wants_receiver = !by_select || self.is_rendezvous();
        self.receivers_gone
            || !matches!(self.room(), Room::No)
            || wants_receiver && self.recvq.any(|waiter| waiter.would_meet(me))
    }

    /// As [`Core::send_is_ready`], of a receive.
    pub(crate) fn recv_is_ready(&self, me: GRef) -> bool {
        self.senders_gone
            || self.buffer.len() > 0
            || self.buffer.is_over()
            || self.a_sender_waits(me)
    }

    fn a_sender_waits(&self, me: GRef) -> bool {
        let mut would_meet = false;
        self.sendq.any(|waiter| {
            let is_counterpart = waiter.would_meet(me);
            would_meet = is_counterpart && (!waiter.is_promise() || self.is_rendezvous());
            is_counterpart
        });
        would_meet
    }
}

/// Which receivers a message is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    InLine,
    /// Those that a select has promised one.
    Engaged,
}

/// What becomes of a select that waits to send.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Promises {
    Leave,
    /// Out of its queue: it is collected, if there is no message yet.
    Take,
}
