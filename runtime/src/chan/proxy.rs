//! Proxies: who stands in a channel's queue for a future.
//!
//! A goroutine that waits is parked, and its frame stays until it is woken. A future may be polled again, with
//! another waker, or dropped at any time. So what stands in the queue, and where its message lies or goes, is a box
//! of its own. To counterparts it is a waiter as any other: it is served in its turn, and at once.
//!
//! ```text
//!  future                                              counterpart
//!  F1 pushes the node, under the channel's lock        C1 takes the node out, under the channel's lock
//!  F2 polled: Waits? then another waker                C2 moves the message, without the lock
//!             Done? then it ends                       C3 Waits -> Done: calls the waker
//!  F3 dropped, the node still in its queue:               Orphan: disposes of the message and the box
//!             takes it out; nobody has seen it
//!  F4 dropped, Waits, but taken out: -> Orphan
//!  F5 dropped, Done: disposes of the message
//! ```
//!
//! To dispose of a message that was delivered to a future that is gone is to give it back: to the receiver that
//! waits longest, or else before everything that is buffered (given_back.rs). It was the oldest message when it was
//! delivered, and several are put back in the order in which they were delivered, so no receiver sees its messages in
//! another order than that in which they were sent, and none is lost.
//!
//! The other design is to tell a future that there is something, and to let it take that when it is polled. Then a
//! message could not be handed to a future where there is no buffer, others could overtake who was told, and a future
//! that was told and is dropped owes its turn to the next one.
//!
//! Wakers are the code of others: they are cloned, called and dropped without any lock.

use std::{
    cell::{Cell, UnsafeCell},
    mem::{self, MaybeUninit},
    ptr::NonNull,
    task::Waker,
};

use super::{
    counter::{Handle, Side},
    door::{ByteLock, waitq::Node, wake},
    waiter::{End, Waiter, Who},
};

/// A proxy whose type is forgotten: the head of a [`ProxyOf`].
pub(super) struct Proxy {
    lock: ByteLock,
    /// Under `lock`.
    state: UnsafeCell<State>,
    /// Did a counterpart take the node out? (It may put it into a list of its own then.) Under the channel's lock.
    taken: Cell<bool>,
    dispose: unsafe fn(NonNull<Proxy>),
}

enum State {
    Waits(Waker),
    Done,
    /// The future is gone, and the box is the counterpart's.
    Orphan,
}

impl Proxy {
    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        self.lock.lock();
        // SAFETY: the lock is held, and `f` is one of the short closures below.
        let result = f(unsafe { &mut *self.state.get() });
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        result
    }

    /// C1. Under the channel's lock.
    ///
    /// # Safety
    ///
    /// The caller has just taken the proxy's node out of its queue.
    #[cold]
    pub(super) unsafe fn take(this: NonNull<Proxy>) {
        // SAFETY: it was in its queue, so it is alive.
        unsafe { this.as_ref() }.taken.set(true);
    }

    /// C3. The node says how it ended.
    ///
    /// # Safety
    ///
    /// The caller has taken the proxy's node out, and has no use for it any more.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn finish(this: NonNull<Proxy>) {
        // SAFETY: alive until the state says Done, or for ourselves if it says Orphan.
        let before = unsafe { this.as_ref() }.with(|state| {
            let done = match state {
                State::Orphan => State::Orphan,
                State::Waits(_) | State::Done => State::Done,
            };
            mem::replace(state, done)
        });
        match before {
            State::Waits(waker) => wake(waker),
            // SAFETY: nobody else has it any more, and the dispose is of its type.
            State::Orphan => unsafe { (this.as_ref().dispose)(this) },
            State::Done => unreachable!("goroutines: a future was served twice"),
        }
    }
}

/// A future's node, and its message.
#[repr(C)]
struct ProxyOf<T> {
    head: Proxy,
    node: Node<Waiter>,
    /// A sender's message until it is served, a receiver's from then on.
    place: UnsafeCell<MaybeUninit<T>>,
    side: Side,
    /// A receiver's place in the order of deliveries.
    turn: Cell<u64>,
    /// Of an orphan: keeps the channel, to which the message goes back.
    home: Cell<Option<Handle<T>>>,
}

/// The future's right to its proxy. It must be ended by [`Owned::message`] or [`Owned::abandon`].
pub(super) struct Owned<T>(NonNull<ProxyOf<T>>);

impl<T> Owned<T> {
    /// For one who waits on this side; a sender's place is still to be filled.
    pub(super) fn new(side: Side, waker: Waker) -> Owned<T> {
        let boxed = NonNull::from(Box::leak(Box::<ProxyOf<T>>::new_uninit())).cast::<ProxyOf<T>>();
        // SAFETY: fresh memory of the right layout; the place is a field of it.
        unsafe {
            let place = (&raw mut (*boxed.as_ptr()).place).cast();
            boxed.write(ProxyOf {
                head: Proxy {
                    lock: ByteLock::new(),
                    state: UnsafeCell::new(State::Waits(waker)),
                    taken: Cell::new(false),
                    dispose: dispose::<T>,
                },
                node: Waiter::node(Who::Future(boxed.cast()), place),
                place: UnsafeCell::new(MaybeUninit::uninit()),
                side,
                turn: Cell::new(0),
                home: Cell::new(None),
            });
        }
        Owned(boxed)
    }

    fn proxy(&self) -> &ProxyOf<T> {
        // SAFETY: the box is freed when this right is used up, or by the counterpart after.
        unsafe { self.0.as_ref() }
    }

    pub(super) fn node(&self) -> &Node<Waiter> {
        &self.proxy().node
    }

    /// Where the message lies or is to go.
    pub(super) fn place(&self) -> *mut T {
        self.proxy().place.get().cast()
    }

    /// Before the node can be found.
    pub(super) fn set_turn(&self, turn: u64) {
        self.proxy().turn.set(turn);
    }

    /// F2: how it ended, if it has.
    pub(super) fn poll(&self, waker: &Waker) -> Option<End> {
        let mut waker = waker.clone();
        let done = self.proxy().head.with(|state| match state {
            State::Waits(old) => {
                mem::swap(old, &mut waker);
                false
            }
            State::Done | State::Orphan => true,
        });
        done.then(|| self.node().data.end())
    }

    /// Frees the box and returns what was in the place.
    ///
    /// # Safety
    ///
    /// Nobody else has the proxy: it is done, or was never in a queue; and there is a message.
    pub(super) unsafe fn message(self) -> T {
        // SAFETY: says the caller.
        unsafe {
            let message = self.place().read();
            self.free();
            message
        }
    }

    /// Frees the box, and leaves a message in it to whoever has it now.
    ///
    /// # Safety
    ///
    /// Nobody else has the proxy.
    pub(super) unsafe fn free(self) {
        // SAFETY: leaked in `new`; the caller says that nobody else has it.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }

    /// F3 to F5: the future is gone. A message that it was given goes back; one that was not sent is dropped.
    pub(super) fn abandon(self, channel: &Handle<T>) {
        let proxy = self.proxy();
        let mut core = channel.channel().lock();
        // SAFETY: if it was put into a queue, then into this one, where it still is if nobody has taken it.
        let waited =
            !proxy.head.taken.get() && unsafe { core.queue(proxy.side).unlink(&proxy.node) };
        drop(core);
        if !waited {
            if let Side::Receiver = proxy.side {
                proxy.home.set(Some(channel.acquire(Side::Receiver)));
            }
            let before = proxy.head.with(|state| match state {
                State::Done => State::Done,
                other => mem::replace(other, State::Orphan),
            });
            if let State::Waits(waker) = before {
                return drop(waker); // the box is the counterpart's now
            }
        }
        // SAFETY: out of its queue, or done: nobody else has it.
        unsafe { dispose::<T>(self.0.cast()) };
    }
}

/// The future and the counterpart are both through with it.
///
/// # Safety
///
/// It is a `ProxyOf<T>`, and the caller alone has it.
unsafe fn dispose<T>(proxy: NonNull<Proxy>) {
    let owned = Owned::<T>(proxy.cast());
    let served = owned.node().data.end() == End::Served;
    let (side, turn, home) = {
        let proxy = owned.proxy();
        (proxy.side, proxy.turn.get(), proxy.home.take())
    };
    // SAFETY: the caller alone has it. A receiver has a message if it was served, a sender if it was not.
    unsafe {
        match side {
            Side::Receiver if served => {
                let message = owned.message();
                if let Some(home) = &home {
                    home.channel().put_back(turn, message);
                }
            }
            Side::Sender if !served => drop(owned.message()),
            Side::Receiver | Side::Sender => owned.free(),
        }
        if let Some(home) = home {
            // A receiver's handle, acquired in `abandon`.
            home.release(Side::Receiver);
        }
    }
}
