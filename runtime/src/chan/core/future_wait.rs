//! Futures that wait in a channel.
//!
//! A goroutine that waits is parked, and its frame stays until it is woken. A future may be polled again, with another
//! waker, or dropped at any time. So its node is a box of its own, and everything about it is done under the channel's
//! lock, by the future and by counterparts alike.
//!
//! ```text
//!  future                                              counterpart, under the same lock
//!  F1 pushes the node into its queue                   F4 takes the node out
//!  F2 polled, the node still in: another waker         F5 a future that sends: moves its message
//!     polled, not in any more: sees how it ended          a future that receives: the message goes ahead of
//!  F3 dropped, the node still in: takes it out            the buffer (ahead.rs), the future is told
//!     dropped, told: its message is unclaimed          F6 says how it ended, and takes the waker along
//!                                                      F7 unlocks, calls the waker
//! ```
//!
//! After F7 the counterpart has no reference to the future, and the future none to the counterpart.
//!
//! Wakers are user code: they are cloned, called and dropped without any lock, and cloned before anything is taken,
//! since a clone may panic.

use std::{
    cell::{Cell, UnsafeCell},
    mem::MaybeUninit,
    ptr::{self, NonNull},
    task::Waker,
};

use super::{
    door::{Instant, waitq::Node},
    locked::Channel,
    side::Side,
    steps::{RecvStep, SendStep},
    waiter::{End, Waiter, Who},
};

/// A future's node, and the message of one that sends; `P` is `()` for one that receives.
#[repr(C)]
struct Waiting<P> {
    node: Node<Waiter>,
    place: UnsafeCell<MaybeUninit<P>>,
}

/// The future's right to its [`Waiting`]. It ends with [`FutureWait::free`].
pub(crate) struct FutureWait<P>(NonNull<Waiting<P>>);

/// One that receives.
pub(crate) type RecvWait = FutureWait<()>;

impl FutureWait<()> {
    pub(crate) fn receiver(waker: Waker) -> RecvWait {
        let wait = FutureWait::new(waker, |_| ptr::null_mut());
        // In no queue, and nothing was done for it.
        wait.node().data.set_end(End::Again);
        wait
    }
}

impl<P> FutureWait<P> {
    /// Its message is still to be put there.
    pub(crate) fn sender(waker: Waker) -> FutureWait<P> {
        FutureWait::new(waker, |place: *mut P| place.cast())
    }

    fn new(waker: Waker, place_of: impl FnOnce(*mut P) -> *mut ()) -> FutureWait<P> {
        let boxed = NonNull::from(Box::leak(Box::<Waiting<P>>::new_uninit())).cast::<Waiting<P>>();
        // SAFETY: fresh memory of the right layout; the place is a field of it.
        unsafe {
            let place = (&raw mut (*boxed.as_ptr()).place).cast::<P>();
            boxed.write(Waiting {
                node: Waiter::node(Who::Future(Cell::new(Some(waker))), place_of(place)),
                place: UnsafeCell::new(MaybeUninit::uninit()),
            });
        }
        FutureWait(boxed)
    }

    fn node(&self) -> &Node<Waiter> {
        // SAFETY: the box is freed when this right is used up.
        unsafe { &self.0.as_ref().node }
    }

    fn place(&self) -> *mut P {
        // SAFETY: the box is freed when this right is used up.
        unsafe { self.0.as_ref() }.place.get().cast()
    }

    /// A message in the place is not dropped.
    ///
    /// # Safety
    ///
    /// The node is in no queue.
    pub(crate) unsafe fn free(self) {
        // SAFETY: leaked in `new`; it is in no queue, so no counterpart can find it.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// The result of a poll.
pub(crate) enum Polled {
    Ready(End),
    /// The node is in a queue. The moment of the next poll, if no counterpart comes before.
    Pending(Option<Instant>),
    /// The future has to wait, and has brought no node. Nothing was taken.
    NeedsWait,
}

impl<T> Channel<T> {
    /// Receives for a future, if that can be done without waiting; puts the node of `wait` into the queue if not.
    /// `waker` is what it is woken with from then on. `is_due`: the moment that the channel named has come, so it looks
    /// even if no counterpart has told it.
    ///
    /// # Safety
    ///
    /// `wait` is of this channel, and with a waker; `out` may be written, and the message there is the caller's after
    /// `Ready(Served)`. After `Pending` the wait is ended by [`Channel::abandon_recv`], or by a poll that is ready.
    pub(crate) unsafe fn poll_recv(
        &self,
        wait: Option<&RecvWait>,
        waker: &mut Option<Waker>,
        is_due: bool,
        out: *mut T,
    ) -> Polled {
        let mut is_first = false;
        let mut core = self.lock();
        if let Some(wait) = wait {
            let node = wait.node();
            match node.data.end() {
                End::TimedOut | End::Promised if is_due => {
                    // SAFETY: it was put into this channel's queue, if into any.
                    unsafe { core.leave(Side::Receiver, node) };
                }
                // It waits already.
                End::TimedOut | End::Promised => {
                    *waker = node.data.set_waker(waker.take());
                    return Polled::Pending(None);
                }
                End::Served => {
                    core.ahead.told -= 1;
                    // Another receiver was faster: this one came before those that wait now.
                    is_first = true;
                }
                End::Again | End::Disconnected | End::UnderContext => {}
            }
            node.data.set_end(End::Again);
        }
        loop {
            match core.recv_step() {
                step @ (RecvStep::Promise | RecvStep::Wait) => {
                    let Some(wait) = wait else {
                        return Polled::NeedsWait;
                    };
                    let node = wait.node();
                    if waker.is_some() {
                        *waker = node.data.set_waker(waker.take());
                    }
                    if let RecvStep::Promise = step {
                        let Some(promise) = core.call() else {
                            continue; // another thread has just ended it
                        };
                        // SAFETY: the box stays where it is until it was taken out, or has left.
                        unsafe { core.engage_node(node) };
                        drop(core);
                        promise.complete();
                        return Polled::Pending(None);
                    }
                    node.data.set_end(End::TimedOut);
                    // SAFETY: the box stays where it is until its node was taken out, or has left.
                    unsafe {
                        if is_first {
                            core.recvq.push_front(node);
                        } else {
                            core.recvq.push_back(node);
                        }
                    }
                    return Polled::Pending(core.buffer.next_moment());
                }
                // SAFETY: the step is of this lock, which is still held; the caller lets us write `out`.
                step => match unsafe { core.recv_by(step, out) } {
                    End::Again => core = self.lock(),
                    end => return Polled::Ready(end),
                },
            }
        }
    }

    /// The future is gone. A message of which it was told goes to another receiver, or stays for the next one.
    pub(crate) fn abandon_recv(&self, wait: RecvWait) {
        let mut core = self.lock();
        let node = wait.node();
        let was_told = node.data.end() == End::Served;
        core.ahead.told -= usize::from(was_told);
        // SAFETY: it was put into this channel's queue, if into any.
        unsafe { core.leave(Side::Receiver, node) };
        drop(core);
        if was_told {
            self.settle();
        }
        // SAFETY: it is in no queue. (Last: the drop of its waker is user code.)
        unsafe { wait.free() };
    }

    /// Sends the message at `msg` for a future, if that can be done without waiting; if not, it moves to `wait`, whose
    /// node goes into the queue.
    ///
    /// # Safety
    ///
    /// `msg` points at a message; after `Ready(Served)` and `Pending` it is gone. `wait` is new; after `Pending` the wait
    /// is ended by [`Channel::poll_sent`] or [`Channel::abandon_send`].
    pub(crate) unsafe fn poll_send(&self, msg: *const T, wait: Option<&FutureWait<T>>) -> Polled {
        loop {
            let mut core = self.lock();
            match core.send_step() {
                SendStep::Deliver(receiver) => {
                    drop(core);
                    // SAFETY: `recvq` holds receivers; the message is given up.
                    unsafe { receiver.deliver(msg) };
                    return Polled::Ready(End::Served);
                }
                SendStep::PutAhead(receiver) => {
                    // SAFETY: `recvq` holds receivers; the message is given up, and the step says that there
                    // is room ahead.
                    unsafe { core.put_ahead(receiver, msg) };
                    return Polled::Ready(End::Served);
                }
                SendStep::Push => {
                    // SAFETY: the step says that there is room; the message is given up.
                    unsafe { core.buffer.push(msg) };
                    return Polled::Ready(End::Served);
                }
                SendStep::PushBehind => {
                    // SAFETY: the step says that messages are ahead and that the buffer behind has room; the
                    // message is given up.
                    unsafe { core.push_behind(msg) };
                    return Polled::Ready(End::Served);
                }
                SendStep::BringBlock => {
                    drop(core);
                    self.bring_block();
                }
                SendStep::BringAhead => {
                    drop(core);
                    self.bring_ahead();
                }
                SendStep::Tell(watcher) => {
                    drop(core);
                    watcher.wake_last(End::Served);
                }
                SendStep::Disconnected => return Polled::Ready(End::Disconnected),
                SendStep::Wait => {
                    let Some(wait) = wait else {
                        return Polled::NeedsWait;
                    };
                    // SAFETY: the place is empty, and the message given up; the box stays where it is until its node
                    // was taken out.
                    unsafe {
                        ptr::copy_nonoverlapping(msg, wait.place(), 1);
                        core.sendq.push_back(wait.node());
                    }
                    return Polled::Pending(None);
                }
            }
        }
    }

    /// The result of a send that waits; `waker` is what it is woken with from now on. After `Ready` of anything but
    /// `Served` the message is still in the place, and may be moved out.
    pub(crate) fn poll_sent(&self, wait: &FutureWait<T>, waker: &mut Option<Waker>) -> Polled {
        let core = self.lock();
        let polled = match wait.node().data.end() {
            End::TimedOut => {
                *waker = wait.node().data.set_waker(waker.take());
                Polled::Pending(None)
            }
            end => Polled::Ready(end),
        };
        drop(core);
        polled
    }

    /// The future is gone. Its message, if it was not sent, is the caller's.
    pub(crate) fn abandon_send(&self, wait: FutureWait<T>) -> Option<T> {
        let mut core = self.lock();
        // SAFETY: it was put into this channel's queue.
        unsafe { core.leave(Side::Sender, wait.node()) };
        let is_sent = wait.node().data.end() == End::Served;
        drop(core);
        // SAFETY: the message is in the place if it was not sent; the node is in no queue.
        unsafe { wait.end(is_sent) }
    }
}

impl<T> FutureWait<T> {
    /// Frees it, and returns the message if it was not sent.
    ///
    /// # Safety
    ///
    /// It is of one that sends, and its node is in no queue; the message was sent, or is in the place.
    pub(crate) unsafe fn end(self, is_sent: bool) -> Option<T> {
        // SAFETY: the message is in the place if it was not sent; the node is in no queue, so no counterpart has
        // the box.
        unsafe {
            let message = (!is_sent).then(|| self.place().read());
            self.free();
            message
        }
    }
}
