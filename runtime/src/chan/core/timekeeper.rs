//! Receivers that wait for one clock: one of them has a timer for its next moment.
//!
//! That one is the *keeper*, and `Core::is_kept` says that there is one. The others stand in `recvq` behind it, with a
//! timer for their own deadline only. Who comes to wait and finds no keeper becomes it. A keeper that leaves, with the
//! message or without, hands the timekeeping to the first in line, who is woken for that and arms its own timer.
//!
//! ```text
//! receiver                                           pass on, under the same lock
//! K1 lock; the message is there, or the channel is    P1 no moment is to come, or nobody is in line:
//!    closed, or the time is up: if it keeps, P1;         there is no keeper
//!    done                                             P2 claim the ticket of the first in line that is
//! K2 nobody keeps: it does                               no select and no future; take its node out
//! K3 into the queue; unlock; park until its deadline  P3 unlock; wake it: it keeps, and is at K1
//!    or, if it keeps, the moment; K1
//! ```
//!
//! The moment of a clock only moves to later ones. So the keeper's timer is never too late, whoever takes a message
//! meanwhile: the keeper finds none, and goes on for the next moment. One who is woken at P3 is the keeper from then on:
//! between P3 and its K1 nobody else becomes it, and at K1 it waits for the moment or passes on.
//!
//! Selects keep their own time, and so do futures (alarm.rs), and who waits for the deadline of a context: that wakes all.

use super::{
    buffer::Buffer,
    door::{Instant, arm, current, waitq::Place},
    locked::{Channel, Locked},
    side::Side,
    steps::RecvStep,
    timeout::Patience,
    waiter::{End, Taken, Waiter, Who},
};

impl<T> Channel<T> {
    /// Receives into `out` from a clock, or what tells the deadline of a context, that had nothing at the last look.
    ///
    /// # Safety
    ///
    /// As for [`Channel::recv`].
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn recv_from_clock(&self, out: *mut T, patience: Patience) -> End {
        if matches!(patience, Patience::None) {
            return End::OutOfPatience;
        }
        // SAFETY: it is the caller's G.
        if unsafe { current().has_heritage() } {
            return End::UnderContext;
        }
        let mut keeps = false;
        loop {
            let mut core = self.lock();
            let end = match core.recv_step() {
                RecvStep::Wait if !patience.is_over() => {
                    keeps = core.wait_in_line(patience, keeps);
                    continue;
                }
                RecvStep::Wait => End::OutOfPatience,
                RecvStep::Pop => {
                    // SAFETY: the step says that there is a message; `out` may be written, says the caller. A clock
                    // leaves no memory over.
                    drop(unsafe { core.buffer.pop(out) });
                    End::Served
                }
                RecvStep::Disconnected => End::Disconnected,
                _ => unreachable!("goroutines: a sender waits in a clock"),
            };
            if keeps {
                core.pass_on();
            }
            return end;
        }
    }
}

impl<T> Locked<'_, T> {
    /// K2, K3: waits for a clock without a message. Whether the caller keeps afterwards; `keeps`: it did before.
    fn wait_in_line(mut self, patience: Patience, mut keeps: bool) -> bool {
        let moment = self.buffer.next_moment();
        let deadline = match patience {
            Patience::Until(deadline) => Some(deadline),
            _ => None,
        };
        let until = if matches!(self.buffer, Buffer::Clock(_)) {
            if moment.is_none() {
                // Nothing is to come: nobody needs a keeper.
                self.is_kept &= !keeps;
                keeps = false;
            } else if !self.is_kept {
                self.is_kept = true;
                keeps = true;
            }
            earlier(deadline, moment.filter(|_| keeps))
        } else {
            earlier(deadline, moment)
        };
        let ticket = arm();
        // No message is delivered to one in line, who takes it from the clock: the node has no place.
        let waiter = Waiter::new(Who::Shared(ticket), std::ptr::null_mut());
        let node = Place::of(ticket.g(), waiter);
        // SAFETY: the place is not used: the channel has no senders. The node stays where it is.
        let end = unsafe { self.wait_until(Side::Receiver, &node, ticket, until) };
        // What is served to one in line is the timekeeping (P3).
        keeps || end == End::Served
    }

    /// P1 to P3, by the keeper.
    fn pass_on(mut self) {
        self.is_kept = false;
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
        self.is_kept = true;
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
