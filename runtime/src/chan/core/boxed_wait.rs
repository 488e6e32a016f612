//! Where a goroutine waits whose stack is copied out meanwhile: message and node lie on the heap.

use std::{mem::MaybeUninit, ptr::NonNull};

use super::{
    counter::Side,
    door::{Instant, Ticket, arm, caller, current, waitq::Node},
    locked::{Locked, Patience},
    waiter::{End, Waiter, Who},
};

/// A place for a message, and the node of one who waits with it. It has the same rights to the message
/// as a place on the stack: dropping the shelter does not drop what is in it.
pub(super) struct Shelter<T> {
    /// From a box; reached by counterparts through the node.
    message: NonNull<MaybeUninit<T>>,
    node: Box<Node<Waiter>>,
    /// For a wait with a deadline.
    ticket: Option<Ticket>,
}

impl<T> Shelter<T> {
    /// For one operation of the caller that waits as long as `patience` says.
    pub(super) fn new(patience: Patience) -> Shelter<T> {
        let ticket = matches!(patience, Patience::Until(_)).then(arm);
        let who = ticket.map_or_else(|| Who::Alone(current()), Who::Shared);
        let message = NonNull::from(Box::leak(Box::new(MaybeUninit::uninit())));
        Shelter {
            message,
            node: Box::new(Waiter::node(who, message.as_ptr().cast())),
            ticket,
        }
    }

    /// Where the message lies or is to go.
    pub(super) fn place(&self) -> *mut T {
        self.message.as_ptr().cast()
    }

    /// # Safety
    ///
    /// As for [`Locked::wait`], of the place of this shelter, which was made for this patience.
    pub(super) unsafe fn wait(&self, core: Locked<'_, T>, patience: Patience, side: Side) -> End {
        match (patience, self.ticket) {
            (Patience::Until(deadline), _) if Instant::now() >= deadline => End::OutOfPatience,
            // SAFETY: passed on; the ticket is the node's.
            (Patience::Until(deadline), Some(ticket)) => unsafe {
                core.wait_until(side, &self.node, ticket, Some(deadline))
            },
            // SAFETY: passed on.
            _ => unsafe { core.wait(caller(), side, &self.node) },
        }
    }
}

impl<T> Drop for Shelter<T> {
    fn drop(&mut self) {
        // SAFETY: leaked in `new`; the wait is over, so nobody has the address any more.
        drop(unsafe { Box::from_raw(self.message.as_ptr()) });
    }
}
