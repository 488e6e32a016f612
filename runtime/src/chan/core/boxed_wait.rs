//! The wait of a goroutine whose stack is copied out meanwhile: message and node lie on the heap.

use std::{mem::MaybeUninit, ptr::NonNull};

use super::{
    door::{Ticket, arm, current, waitq::Node},
    timeout::Timeout,
    waiter::{Waiter, Who},
};

/// A place for a message, and the node of the goroutine that waits with it. It has the same rights to the message
/// as a place on the stack: dropping the boxed wait does not drop what is in it.
pub(super) struct BoxedWait<T> {
    /// From a box; reached by counterparts through the node.
    message: NonNull<MaybeUninit<T>>,
    pub(super) node: Box<Node<Waiter>>,
    /// For a wait with a deadline.
    pub(super) ticket: Option<Ticket>,
}

impl<T> BoxedWait<T> {
    /// For one operation of the caller that waits as long as `timeout` says.
    pub(super) fn new(timeout: Timeout) -> BoxedWait<T> {
        let ticket = matches!(timeout, Timeout::Until(_)).then(arm);
        let who = ticket.map_or_else(|| Who::Alone(current()), Who::Shared);
        let message = NonNull::from(Box::leak(Box::new(MaybeUninit::uninit())));
        BoxedWait {
            message,
            node: Box::new(Waiter::node(who, message.as_ptr().cast())),
            ticket,
        }
    }

    /// Where the message lies or is to go.
    pub(super) fn place(&self) -> *mut T {
        self.message.as_ptr().cast()
    }
}

impl<T> Drop for BoxedWait<T> {
    fn drop(&mut self) {
        // SAFETY: leaked in `new`; the wait is over, so no counterpart has the address any more.
        drop(unsafe { Box::from_raw(self.message.as_ptr()) });
    }
}
