//! Promises: what a select owes whose send case was chosen, before there is a message.
//!
//! The expression of a message is evaluated when its case was chosen. Meanwhile the case has either *room* in the buffer
//! (`Ring::reserve`), or, where there is none, a *promise*: a receiver waits for the message.
//!
//! ```text
//!  select, about to send                              receiver
//!  P1  a receiver waits: from recvq to engaged        Q1  a select waits in sendq: takes it out, wakes it, and
//!  P2  or it waits itself, and is called (Q1)             waits in engaged
//!  P3  makes its message, without the lock            Q2  its time is up, or another case of its was served: leaves
//!  P4  keeps the promise: the message to the first        engaged, unmet += 1
//!      in engaged; none: unmet -= 1, and to the       Q3  woken with the message
//!      first in recvq, or ahead of the buffer         Q4  woken with Again: looks anew
//!  P5  or breaks it (there is no message): unmet
//!      -= 1; if it is 0, one of engaged: Again
//! ```
//!
//! There are as many promises as receivers in `engaged` plus `unmet`. Which promise is whose does not matter, so neither
//! side refers to the other, and each may leave at any time. So a receiver can withdraw: a deadline holds, however long
//! the message takes. The message of a select whose receiver has left lies ahead of the buffer for the next receive, since
//! the case has been chosen, and must not wait.
//!
//! A receiver without a deadline is bound to its promise, as it is in `crossbeam-channel`: it cannot be served otherwise.
//! So is a select, unless it has a deadline or a context.
//!
//! A call that does not wait, and one whose deadline is near, stays for [`GRACE`] when it calls a select, since most
//! messages are there at once.

use std::{mem::MaybeUninit, ptr, ptr::NonNull, time::Duration};

use super::{
    buffer::Room,
    door::{
        Instant, ParkState, TIMED_OUT, Ticket, WaitReason, arm, current, park_until, waitq::Node,
    },
    locked::Channel,
    side::Side,
    state::Core,
    steps::{SendStep, Waiting},
    timeout::Timeout,
    waiter::{self, End, Taken, Waiter, Who},
};

/// How long a receiver with `Timeout::Now` waits for the message of a select that it has called.
pub(super) const GRACE: Duration = Duration::from_millis(1);

impl Timeout {
    /// The timeout for a message that is being made.
    pub(crate) fn with_grace(self) -> Timeout {
        let grace = Instant::now().checked_add(GRACE);
        match (self, grace) {
            (Timeout::Never, _) | (_, None) => Timeout::Never,
            (Timeout::Now, Some(grace)) => Timeout::Until(grace),
            (Timeout::Until(deadline), Some(grace)) => Timeout::Until(deadline.max(grace)),
        }
    }
}

/// What a select has whose send case was chosen.
pub(crate) enum Begun {
    /// A promise.
    Promise,
    /// Room in the buffer.
    Room,
    Disconnected,
}

/// The node of a receiver that may be served before it has parked.
fn node<T>(ticket: Ticket, landing: &ParkState, place: *mut T) -> Node<Waiter> {
    let case = waiter::Case {
        ticket,
        number: 0,
        watches: false,
        revocable: true,
        landing: NonNull::from(landing),
    };
    Waiter::node(Who::Case(case), place.cast())
}

impl<T> Core<T> {
    /// P1: promises a message to the first waiting receiver. `Err`: a waiter that watches, to be woken first.
    fn engage(&mut self) -> Result<bool, Taken<T>> {
        while let Some(node) = self.recvq.pop_front() {
            // SAFETY: a waiter leaves its node only after it was woken, or after it took the lock that we hold and
            // unlinked it.
            let node = unsafe { node.as_ref() };
            if !node.data.takes_part() {
                if node.data.claim() {
                    // SAFETY: just taken out, and claimed.
                    return Err(unsafe { Taken::new(NonNull::from(node)) });
                }
            } else if node.data.engage() {
                // SAFETY: just taken out of its queue; it stays until it was taken out of this one (`Locked::leave`).
                unsafe { self.engaged.push_back(node) };
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes the select out that waits to send, if it is the first waiter.
    pub(super) fn call(&mut self) -> Option<Taken<T>> {
        while self.sendq.first()?.is_promise() {
            let node = self.sendq.pop_front()?;
            // SAFETY: a waiter leaves its node only after it was woken, or after it took the lock that we
            // hold and unlinked it.
            if unsafe { &node.as_ref().data }.claim() {
                // SAFETY: just taken out, and claimed.
                return Some(unsafe { Taken::new(node) });
            }
        }
        None
    }

    /// Puts the node of a receiver to `engaged`.
    ///
    /// # Safety
    ///
    /// As for `Queue::push_back`: until [`Locked::leave`](super::locked::Locked::leave).
    pub(super) unsafe fn engage_node(&mut self, node: &Node<Waiter>) {
        node.data.set_end(End::Promised);
        // SAFETY: the caller keeps the node where it is until it was taken out.
        unsafe { self.engaged.push_back(node) };
    }
}

impl<T> Channel<T> {
    /// Begins a send whose message is still to come. `None`: it would wait.
    pub(crate) fn begin_send(&self) -> Option<Begun> {
        loop {
            let mut core = self.lock();
            if core.receivers_gone {
                return Some(Begun::Disconnected);
            }
            match core.room() {
                Room::Yes => core.main_mut().reserve(),
                Room::NeedsBlock => {}
                _ if !core.is_rendezvous() => return None,
                _ => match core.engage() {
                    Ok(engaged) => return engaged.then_some(Begun::Promise),
                    Err(watcher) => {
                        drop(core);
                        watcher.wake_last(End::Served);
                        continue;
                    }
                },
            }
            return Some(Begun::Room);
        }
    }

    /// P4. Does not wait.
    ///
    /// # Safety
    ///
    /// `msg` points at a message; after `Served` it is gone. The promise is the caller's, and used up.
    pub(crate) unsafe fn keep_promise(&self, msg: *const T) -> End {
        loop {
            let mut core = self.lock();
            if core.receivers_gone {
                return End::Disconnected;
            }
            let mut step = core.step_to(Waiting::Engaged);
            let is_unmet = step.is_none();
            if is_unmet {
                step = core.step_to(Waiting::InLine);
            }
            match step {
                Some(SendStep::Deliver(receiver)) => {
                    core.unmet -= usize::from(is_unmet);
                    drop(core);
                    // SAFETY: a receiver; the message is the caller's to give.
                    unsafe { receiver.deliver(msg) };
                    return End::Served;
                }
                Some(SendStep::PutAhead(receiver)) => {
                    core.unmet -= usize::from(is_unmet);
                    // SAFETY: a receiver; the message is the caller's to give, and the step says that there
                    // is room ahead.
                    unsafe { core.put_ahead(receiver, msg) };
                    return End::Served;
                }
                None if core.ahead.has_room() => {
                    core.unmet -= 1;
                    // SAFETY: there is room; the message is the caller's to give.
                    unsafe { core.push_ahead(msg) };
                    return End::Served;
                }
                Some(SendStep::Tell(watcher)) => {
                    drop(core);
                    watcher.wake_last(End::Served);
                }
                _ => {
                    drop(core);
                    self.bring_ahead();
                }
            }
        }
    }

    /// P5.
    pub(crate) fn break_promise(&self) {
        let mut core = self.lock();
        if core.receivers_gone {
            return;
        }
        if core.unmet > 0 {
            core.unmet -= 1;
            return;
        }
        let Some(node) = core.engaged.pop_front() else {
            return;
        };
        // SAFETY: a waiter leaves its node only after it was woken, or after it took the lock that we hold
        // and unlinked it.
        if unsafe { &node.as_ref().data }.claim() {
            // SAFETY: just taken out, and claimed.
            core.finish(unsafe { Taken::new(node) }, End::Again);
        }
    }

    /// Q1, for a select that waits in other queues meanwhile: calls the select that waits to send, if one does.
    pub(crate) fn call_promise(&self) -> bool {
        let mut core = self.lock();
        let Some(promise) = core.call() else {
            return false;
        };
        core.unmet += 1;
        drop(core);
        promise.complete();
        true
    }

    /// Puts the node of one that has called a select to `engaged`, if that message is still to come.
    ///
    /// # Safety
    ///
    /// As for `Queue::push_back`: until [`Locked::leave`](super::locked::Locked::leave).
    pub(crate) unsafe fn enlist_engaged(&self, node: &Node<Waiter>) -> bool {
        let mut core = self.lock();
        if core.unmet == 0 || core.buffer.len() > 0 {
            return false;
        }
        core.unmet -= 1;
        // SAFETY: the caller keeps the node where it is until it was taken out.
        unsafe { core.engage_node(node) };
        true
    }

    /// Q1 to Q4: calls the select that waits to send, and waits for its message. `Again`: there is none (any more).
    ///
    /// # Safety
    ///
    /// `out` may be written; after `Served` the message there is the caller's.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn recv_promised(&self, out: *mut T, timeout: Timeout) -> End {
        let deadline = match timeout.with_grace() {
            Timeout::Until(deadline) => Some(deadline),
            Timeout::Now | Timeout::Never => None,
        };
        let ticket = arm();
        if !current().is_copied_out() {
            let landing = ParkState::new();
            let node = node(ticket, &landing, out);
            // SAFETY: the node, the `ParkState` and the place stay where they are while we wait.
            return unsafe { self.wait_engaged(&node, &landing, ticket, deadline) };
        }
        let landing = Box::new(ParkState::new());
        let place = Box::into_raw(Box::new(MaybeUninit::<T>::uninit()));
        let node = Box::new(node(ticket, &landing, place.cast::<T>()));
        // SAFETY: all three are on the heap until below.
        unsafe {
            let end = self.wait_engaged(&node, &landing, ticket, deadline);
            if end == End::Served {
                ptr::copy_nonoverlapping(place.cast::<T>(), out, 1);
            }
            drop(Box::from_raw(place));
            end
        }
    }

    /// # Safety
    ///
    /// `node` is of `ticket`, the caller's last one, and of `landing`, and in no queue; all three and the place of the
    /// message stay where they are while the caller is parked, and can be reached then.
    unsafe fn wait_engaged(
        &self,
        node: &Node<Waiter>,
        landing: &ParkState,
        ticket: Ticket,
        deadline: Option<Instant>,
    ) -> End {
        let mut core = self.lock();
        let Some(promise) = core.call() else {
            return End::Again; // another receiver was faster
        };
        // SAFETY: it stays until it was taken out, by the counterpart that serves us or below.
        unsafe { core.engage_node(node) };
        drop(core);
        promise.complete();
        // SAFETY: what claims the ticket makes us ready if the `ParkState` says that we have parked; a commit that returns
        // false has read there that the ticket was claimed.
        let ended_by = unsafe {
            park_until(WaitReason::ChanReceive.on(self), ticket, deadline, || {
                landing.park()
            })
        };
        if ended_by == TIMED_OUT {
            // SAFETY: it was put into `engaged`, a queue of this channel's receivers.
            return unsafe { self.lock().leave_late(Side::Receiver, node) };
        }
        node.data.end()
    }
}
