//! A sender or a receiver as a select sees it, without the type of its messages.

use std::{alloc::Layout, mem::ManuallyDrop, time::Instant};

use goroutines_sched::current;

use super::stash::Stash;
use crate::chan::{
    core::{
        promise::Begun,
        side::Side,
        timeout::Timeout,
        waiter::{End, Waiter},
    },
    door::waitq::Node,
    error::{RecvError, SendError},
    receiver::Receiver,
    sender::Sender,
};

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
    /// A promise: a receiver waits for the message (promise.rs).
    Promise,
}

/// The result of beginning an operation.
pub(super) enum Begin {
    Won(Won),
    /// A select that has yet to make its message was called. It may come while the wait goes on.
    Called,
    Waits,
}

/// How a receive treats a select that has yet to make its message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Meeting {
    /// Waits for it, and for nothing else.
    Bound,
    /// Calls it, and waits for other cases as well.
    Revocable,
    /// Does not wait for it: the receive has waited long enough.
    TooLate,
}

/// The result of putting a node into a queue.
pub(super) enum Enlisted {
    /// It was not put there: there is something to do.
    Ready,
    /// It is there. The moment at which to look again, if no counterpart comes before.
    Waiting(Option<Instant>),
}

/// One side of a channel, as a select sees it.
pub(super) trait SelectHandle {
    /// Chooses this operation if it need not wait. The stash is prepared for what is received.
    fn begin(&self, stash: &mut Stash, meeting: Meeting) -> Begin;

    /// Returns whether the operation need not wait. For a select that only watches: nothing is changed.
    fn is_ready(&self) -> bool;

    /// What it receives.
    fn message(&self) -> Option<Layout>;

    /// Puts `node` into the queue, unless there is something to do. (Our own nodes do not count.) `has_called`: by
    /// [`Begin::Called`] it has called a select here.
    ///
    /// # Safety
    ///
    /// `node` is of a case whose place fits, and stays until [`SelectHandle::withdraw`].
    unsafe fn enlist(&self, node: &Node<Waiter>, has_called: bool) -> Enlisted;

    /// Takes `node` out of the queue if it is still in: afterwards no counterpart looks at it.
    ///
    /// # Safety
    ///
    /// It was put there by [`SelectHandle::enlist`] of this handle.
    unsafe fn withdraw(&self, node: &Node<Waiter>);

    /// What a send has won when its node was taken out of the queue.
    fn won_in_queue(&self) -> Won;

    /// Undoes what was won: no counterpart waits for it any more. A message in the stash is leaked: a
    /// [`Select`](super::Select) may be on a thread where it must not be dropped.
    ///
    /// # Safety
    ///
    /// It was won here, and is not used again.
    unsafe fn abandon(&self, won: Won);
}

impl<T> SelectHandle for Receiver<T> {
    #[inline(always)]
    fn begin(&self, stash: &mut Stash, meeting: Meeting) -> Begin {
        let layout = Layout::new::<T>();
        if !Stash::fits(layout) && !self.is_ready() {
            return Begin::Waits;
        }
        stash.prepare(layout, false);
        let place = stash.place().cast();
        let channel = self.handle.channel();
        loop {
            // SAFETY: the place fits, and stays while a promise is waited for.
            let end = unsafe {
                match channel.recv_now(place) {
                    End::Promised if meeting == Meeting::Bound => {
                        channel.recv_promised(place, Timeout::Never)
                    }
                    end => end,
                }
            };
            return match end {
                End::Served => Begin::Won(Won::Message),
                End::Disconnected => Begin::Won(Won::Disconnected),
                End::Promised if meeting == Meeting::TooLate => Begin::Waits,
                End::Promised if channel.call_promise() => Begin::Called,
                End::Promised | End::Again => continue,
                End::TimedOut | End::UnderContext => Begin::Waits,
            };
        }
    }

    fn is_ready(&self) -> bool {
        let me = current();
        self.handle.channel().lock().recv_is_ready(me)
    }

    fn message(&self) -> Option<Layout> {
        Some(Layout::new::<T>())
    }

    unsafe fn enlist(&self, node: &Node<Waiter>, has_called: bool) -> Enlisted {
        let me = current();
        let channel = self.handle.channel();
        // SAFETY: the node stays where it is until `withdraw`, which takes it out of `engaged` too.
        if has_called && unsafe { channel.enlist_engaged(node) } {
            return Enlisted::Waiting(None);
        }
        let mut core = channel.lock();
        if core.recv_is_ready(me) {
            return Enlisted::Ready;
        }
        let moment = core.buffer.next_moment();
        // SAFETY: the node stays where it is until `withdraw`, and is in no queue.
        let told = unsafe { core.enlist(Side::Receiver, node) };
        drop(core);
        if let Some(watchers) = told {
            watchers.wake();
        }
        Enlisted::Waiting(moment)
    }

    unsafe fn withdraw(&self, node: &Node<Waiter>) {
        let mut core = self.handle.channel().lock();
        // SAFETY: the node was put into a queue of this channel's receivers by `enlist`.
        unsafe { core.leave(Side::Receiver, node) };
    }

    fn won_in_queue(&self) -> Won {
        unreachable!("goroutines: a receive has won a message")
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
    fn begin(&self, _stash: &mut Stash, _meeting: Meeting) -> Begin {
        match self.handle.channel().begin_send() {
            Some(Begun::Promise) => Begin::Won(Won::Promise),
            Some(Begun::Room) => Begin::Won(Won::Room),
            Some(Begun::Disconnected) => Begin::Won(Won::Disconnected),
            None => Begin::Waits,
        }
    }

    fn is_ready(&self) -> bool {
        let me = current();
        self.handle.channel().lock().send_is_ready(me, false)
    }

    fn message(&self) -> Option<Layout> {
        None
    }

    unsafe fn enlist(&self, node: &Node<Waiter>, _has_called: bool) -> Enlisted {
        let me = current();
        let mut core = self.handle.channel().lock();
        if core.send_is_ready(me, node.data.takes_part()) {
            return Enlisted::Ready;
        }
        // SAFETY: the node stays where it is until `withdraw`, and is in no queue.
        let told = unsafe { core.enlist(Side::Sender, node) };
        drop(core);
        if let Some(watchers) = told {
            watchers.wake();
        }
        Enlisted::Waiting(None)
    }

    unsafe fn withdraw(&self, node: &Node<Waiter>) {
        let mut core = self.handle.channel().lock();
        // SAFETY: the node was put into the queue of this channel's senders by `enlist`.
        unsafe { core.leave(Side::Sender, node) };
    }

    fn won_in_queue(&self) -> Won {
        match self.handle.channel().capacity() {
            Some(0) => Won::Promise,
            _ => Won::Room,
        }
    }

    unsafe fn abandon(&self, won: Won) {
        match won {
            Won::Room => self.handle.channel().give_back_room(),
            Won::Promise => self.handle.channel().break_promise(),
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
            // SAFETY: the promise is ours; `msg` is a message, and given up if the end is `Served`.
            Won::Promise => unsafe { self.handle.channel().keep_promise(&raw const *msg) },
            // SAFETY: the room is ours; `msg` is a message, and given up if the end is `Served`.
            Won::Room => unsafe { self.handle.channel().send_to_room(&raw const *msg) },
            Won::Disconnected | Won::Message => End::Disconnected,
        };
        match end {
            End::Served => Ok(()),
            _ => Err(SendError(ManuallyDrop::into_inner(msg))),
        }
    }
}
