//! Receivers that wait for one clock: one of them has a timer for its next moment.
//!
//! That one is the *timekeeper*, and `Core::has_timekeeper` says that there is one. The others stand in `recvq` behind it,
//! with a timer for their own deadline only. A receiver that comes to wait and finds no timekeeper becomes it. A
//! timekeeper that leaves, with the message or without, passes the timekeeping to the first in line, which is woken for
//! that and arms its own timer.
//!
//! ```text
//! receiver                                           timekeeper that leaves, under the same lock
//! K1 lock; the message is there, or the channel is    K4 no moment is to come, or none is in line:
//!    closed, or the time is up: the timekeeper           there is no timekeeper
//!    goes to K4; done                                 K5 claim the ticket of the first in line that is
//! K2 there is no timekeeper: it becomes it               no select and no future; take its node out
//! K3 into the queue; unlock; park until its deadline  K6 unlock; wake it: it is the timekeeper, and at K1
//!    or, of the timekeeper, the moment; K1
//! ```
//!
//! The moment of a clock only moves to later ones. So the timekeeper's timer is never too late, whatever receiver takes a
//! message meanwhile: the timekeeper finds none, and waits for the next moment. The one that is woken at K6 is the
//! timekeeper from then on: between K6 and its K1 no other becomes it, and at K1 it waits for the moment or goes to K4.
//!
//! Selects have timers of their own, and so have futures (future/alarm.rs), and receivers that wait for the deadline of a
//! context, because that wakes all of them.

use super::{
    buffer::Buffer,
    door::{Instant, arm, current, waitq::Place},
    locked::{Channel, Locked},
    side::Side,
    steps::RecvStep,
    timeout::Timeout,
    waiter::{End, Taken, Waiter, Who},
};

impl<T> Channel<T> {
    /// Receives into `out` from a clock, or from the channel of a context's deadline, that had nothing at the last look.
    ///
    /// # Safety
    ///
    /// As for [`Channel::recv`].
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn recv_from_clock(&self, out: *mut T, timeout: Timeout) -> End {
        if matches!(timeout, Timeout::Now) {
            return End::TimedOut;
        }
        // SAFETY: it is the caller's G.
        if unsafe { current().has_inherited() } {
            return End::UnderContext;
        }
        let mut keeps_time = false;
        loop {
            let mut core = self.lock();
            let end = match core.recv_step() {
                RecvStep::Wait if !timeout.is_over() => {
                    keeps_time = core.wait_in_line(timeout, keeps_time);
                    continue;
                }
                RecvStep::Wait => End::TimedOut,
                RecvStep::Pop => {
                    // SAFETY: the step says that there is a message; the caller lets us write `out`. (A clock leaves no memory
                    // over.)
                    drop(unsafe { core.buffer.pop(out) });
                    End::Served
                }
                RecvStep::Disconnected => End::Disconnected,
                _ => unreachable!("goroutines: a sender waits in a clock"),
            };
            if keeps_time {
                core.pass_on();
            }
            return end;
        }
    }
}

impl<T> Locked<'_, T> {
    /// K2, K3: waits for a clock without a message. Returns whether the caller is the timekeeper
    /// afterwards; `keeps_time`: it was before.
    fn wait_in_line(mut self, timeout: Timeout, mut keeps_time: bool) -> bool {
        let moment = self.buffer.next_moment();
        let deadline = match timeout {
            Timeout::Until(deadline) => Some(deadline),
            _ => None,
        };
        let until = if matches!(self.buffer, Buffer::Clock(_)) {
            if moment.is_none() {
                // Nothing is to come: no timekeeper is needed.
                self.has_timekeeper &= !keeps_time;
                keeps_time = false;
            } else if !self.has_timekeeper {
                self.has_timekeeper = true;
                keeps_time = true;
            }
            earlier(deadline, moment.filter(|_| keeps_time))
        } else {
            earlier(deadline, moment)
        };
        let ticket = arm();
        // A waiter in line takes its message from the clock, and none is delivered to it: the node has no place.
        let waiter = Waiter::new(Who::Shared(ticket), std::ptr::null_mut());
        let node = Place::of(ticket.g(), waiter);
        // SAFETY: the place is not used: the channel has no senders. The node stays where it is.
        let end = unsafe { self.wait_until(Side::Receiver, &node, ticket, until) };
        // To a waiter in line `Served` means the timekeeping (K6).
        keeps_time || end == End::Served
    }

    /// K4 to K6, by the timekeeper.
    fn pass_on(mut self) {
        self.has_timekeeper = false;
        if self.buffer.next_moment().is_none() {
            return;
        }
        let Some(node) = self.recvq.find(Waiter::claim_in_line) else {
            return;
        };
        // SAFETY: it is in this queue, so its owner is there: it leaves only with the lock that we hold.
        unsafe { self.recvq.unlink(node.as_ref()) };
        // SAFETY: just taken out, and claimed.
        let next = unsafe { Taken::<T>::new(node) };
        self.has_timekeeper = true;
        drop(self);
        next.wake_last(End::Served);
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
