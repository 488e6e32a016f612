//! The waiters in the line of a socket: goroutines and futures.
//!
//! A goroutine is made ready by the thread that claimed it. The waker of a future is user code, so that thread lists it
//! (waker_list.rs) for a service goroutine, which the first future that waits for a socket starts (io_poll.rs).
//!
//! A future's wait is counted: one count is the future's, one belongs to the line while the node is in it. The second goes
//! to the thread that takes the node out, and from there to the list of wakers.

use std::{
    ptr::NonNull,
    sync::{Arc, OnceLock, Weak},
    task::Waker,
};

use crate::{
    gmp::{flag_waker::FlagWaker, g::GRef, ticket::Ticket},
    protocol::{
        io_line::{Node, Waiter},
        waker_list::{HasSlot, WakerList, WakerSlot},
    },
    sys::fatal,
};

/// A waiter.
#[derive(Clone, Copy)]
pub(crate) enum IoWaiter {
    Goroutine(Ticket),
    /// Once claimed, it owns a count.
    Future(NonNull<FutureWait>),
}

// SAFETY: any thread may use a ticket, and a `FutureWait` is `Sync`.
unsafe impl Send for IoWaiter {}

impl Waiter for IoWaiter {
    fn claim(self, outcome: u32) -> bool {
        match self {
            IoWaiter::Goroutine(ticket) => ticket.claim(outcome),
            // A future has no timer: the thread that takes it out of the line has claimed it.
            IoWaiter::Future(_) => true,
        }
    }

    fn takes_event(self) -> bool {
        matches!(self, IoWaiter::Goroutine(_))
    }
}

/// The wait of a future for one direction of a socket.
pub(crate) struct FutureWait {
    pub(crate) node: Node<IoWaiter>,
    pub(crate) slot: WakerSlot<Waker>,
}

// SAFETY: the node is touched under the lock of its line only; the rest is a lock and atomics.
unsafe impl Send for FutureWait {}
// SAFETY: of the node, threads use nothing outside the lock of its line; the slot is atomics and a lock.
unsafe impl Sync for FutureWait {}

impl HasSlot for FutureWait {
    type Waker = Waker;

    fn slot(&self) -> &WakerSlot<Waker> {
        &self.slot
    }
}

impl FutureWait {
    pub(crate) fn new() -> Arc<FutureWait> {
        Arc::new_cyclic(|this: &Weak<FutureWait>| {
            let Some(this) = NonNull::new(this.as_ptr().cast_mut()) else {
                fatal::throw(format_args!("a counted wait has no address"));
            };
            FutureWait {
                node: Node::new(IoWaiter::Future(this)),
                slot: WakerSlot::new(),
            }
        })
    }
}

/// Wakers to be called.
pub(crate) static WAKERS: WakerList<FutureWait> = WakerList::new();

/// The service goroutine: set before the first future waits.
pub(crate) static SERVICE: OnceLock<FlagWaker> = OnceLock::new();

impl IoWaiter {
    /// Serves a waiter that the caller has claimed. Returns the goroutine that the caller makes ready, if any.
    pub(crate) fn served(self) -> Option<GRef> {
        match self {
            IoWaiter::Goroutine(ticket) => Some(ticket.g()),
            IoWaiter::Future(wait) => list_waker(wait),
        }
    }
}

/// X1 to X3.
fn list_waker(wait: NonNull<FutureWait>) -> Option<GRef> {
    // SAFETY: the claim gave this function the line's count; a listed wait keeps it until the service goroutine drops it.
    if unsafe { WAKERS.push(wait) } {
        return SERVICE.get()?.wake();
    }
    // No waker is dropped here: a future that gives up takes its waker before it drops its count.
    // SAFETY: the line's count, which the list has not taken.
    drop(unsafe { Arc::from_raw(wait.as_ptr()) });
    None
}
