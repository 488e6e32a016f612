//! What a select needs to know of a sender or a receiver, without knowing the type of its messages.

use std::{alloc::Layout, mem::ManuallyDrop, ptr::NonNull, time::Instant};

use goroutines_sched::current;

use super::{
    Receiver, RecvError, SendError, Sender,
    counter::Side,
    locked::{Patience, SendStep},
    stash::Stash,
    waiter::{End, Taken, Waiter},
};
use crate::sync::waitq::Node;

/// A sender or a receiver in a select.
#[derive(Clone, Copy)]
pub struct Arm<'a>(pub(super) &'a dyn SelectHandle);

/// What was won when an operation was chosen. It must be used: for the operation, or to undo it.
#[derive(Clone, Copy)]
pub(super) enum Won {
    /// The other side is gone.
    Disconnected,
    /// A message, in the stash.
    Message,
    /// Room for a message, in the buffer.
    Room,
    /// A receiver, taken out of its queue: it waits for the message.
    Partner(NonNull<Node<Waiter>>),
}

/// What came of putting a node into a queue.
pub(super) enum Enlisted {
    /// It was not put there: there is something to do.
    Ready,
    /// It is there. If nobody comes: the moment when to look again.
    Waiting(Option<Instant>),
}

/// One side of a channel, as a select sees it.
pub(super) trait SelectHandle {
    /// Chooses this operation if it need not wait. The stash is prepared for what is received.
    fn begin(&self, stash: &mut Stash) -> Option<Won>;

    /// Need it not wait?
    fn is_ready(&self) -> bool;

    /// What it receives.
    fn message(&self) -> Option<Layout>;

    /// Puts `node` into the queue, unless there is something to do. (Our own nodes do not count.)
    ///
    /// # Safety
    ///
    /// `node` is of a case whose place fits, and stays until [`SelectHandle::withdraw`].
    unsafe fn enlist(&self, node: &Node<Waiter>) -> Enlisted;

    /// Takes `node` out of the queue if it is still in: afterwards nobody looks at it.
    ///
    /// # Safety
    ///
    /// It was put there by [`SelectHandle::enlist`] of this handle.
    unsafe fn withdraw(&self, node: &Node<Waiter>);

    /// Undoes what was won: nobody waits for it any more. A message in the stash is forgotten: a
    /// [`Select`](super::Select) may be on a thread where it must not be dropped.
    ///
    /// # Safety
    ///
    /// It was won here, and is not used again.
    unsafe fn abandon(&self, won: Won);
}

impl<T> SelectHandle for Receiver<T> {
    #[inline(always)]
    fn begin(&self, stash: &mut Stash) -> Option<Won> {
        let layout = Layout::new::<T>();
        if !Stash::fits(layout) && !self.is_ready() {
            return None;
        }
        stash.prepare(layout, false);
        let place = stash.place().cast();
        // SAFETY: the place fits, and stays while a promise is waited for.
        match unsafe { self.handle.channel().recv(place, Patience::None) } {
            End::Served => Some(Won::Message),
            End::Disconnected => Some(Won::Disconnected),
            End::OutOfPatience | End::Again | End::UnderContext => None,
        }
    }

    fn is_ready(&self) -> bool {
        let me = current();
        self.handle.channel().lock().recv_is_ready(me)
    }

    fn message(&self) -> Option<Layout> {
        Some(Layout::new::<T>())
    }

    unsafe fn enlist(&self, node: &Node<Waiter>) -> Enlisted {
        let me = current();
        let mut core = self.handle.channel().lock();
        if core.recv_is_ready(me) {
            return Enlisted::Ready;
        }
        // SAFETY: passed on.
        unsafe { core.enlist(Side::Receiver, node) };
        Enlisted::Waiting(core.buffer.next_moment())
    }

    unsafe fn withdraw(&self, node: &Node<Waiter>) {
        let mut core = self.handle.channel().lock();
        // SAFETY: passed on.
        unsafe { core.queue(Side::Receiver).unlink(node) };
    }

    unsafe fn abandon(&self, _won: Won) {}
}

impl<T> Receiver<T> {
    /// # Safety
    ///
    /// `won` was won here, with this stash, and is not used again.
    #[inline(always)]
    pub(super) unsafe fn complete(&self, won: Won, stash: &Stash) -> Result<T, RecvError> {
        match won {
            // SAFETY: a message of ours is there, and is moved.
            Won::Message => Ok(unsafe { stash.place().cast::<T>().read() }),
            _ => Err(RecvError),
        }
    }
}

impl<T> SelectHandle for Sender<T> {
    #[inline(always)]
    fn begin(&self, _stash: &mut Stash) -> Option<Won> {
        let mut core = self.handle.channel().lock();
        match core.send_step() {
            SendStep::Deliver(receiver) => Some(Won::Partner(receiver.into_raw())),
            SendStep::Push => {
                core.buffer.reserve();
                Some(Won::Room)
            }
            SendStep::BringBlock => Some(Won::Room),
            SendStep::Wait => None,
            SendStep::Disconnected => Some(Won::Disconnected),
        }
    }

    fn is_ready(&self) -> bool {
        let me = current();
        self.handle.channel().lock().send_is_ready(me)
    }

    fn message(&self) -> Option<Layout> {
        None
    }

    unsafe fn enlist(&self, node: &Node<Waiter>) -> Enlisted {
        let me = current();
        let mut core = self.handle.channel().lock();
        if core.send_is_ready(me) {
            return Enlisted::Ready;
        }
        // SAFETY: passed on.
        unsafe { core.enlist(Side::Sender, node) };
        Enlisted::Waiting(None)
    }

    unsafe fn withdraw(&self, node: &Node<Waiter>) {
        let mut core = self.handle.channel().lock();
        // SAFETY: passed on.
        unsafe { core.queue(Side::Sender).unlink(node) };
    }

    unsafe fn abandon(&self, won: Won) {
        match won {
            Won::Room => self.handle.channel().give_back_room(),
            // SAFETY: taken from this channel, and not used again.
            Won::Partner(partner) => unsafe { Taken::<T>::from_raw(partner) }.let_down(),
            Won::Disconnected | Won::Message => {}
        }
    }
}

impl<T> Sender<T> {
    /// # Safety
    ///
    /// `won` was won here, and is not used again.
    #[inline(always)]
    pub(super) unsafe fn complete(&self, won: Won, msg: T) -> Result<(), SendError<T>> {
        let msg = ManuallyDrop::new(msg);
        let end = match won {
            Won::Partner(partner) => {
                // SAFETY: taken from this channel's `recvq`; the message is given up.
                unsafe { Taken::<T>::from_raw(partner).deliver(&raw const *msg) };
                End::Served
            }
            // SAFETY: the room is ours; `msg` is a message, and given up unless it comes back.
            Won::Room => unsafe { self.handle.channel().send_to_room(&raw const *msg) },
            Won::Disconnected | Won::Message => End::Disconnected,
        };
        match end {
            End::Served => Ok(()),
            _ => Err(SendError(ManuallyDrop::into_inner(msg))),
        }
    }
}
