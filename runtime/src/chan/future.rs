//! Channels for futures: `recv_async`, `send_async`, `stream`. How they wait stands in proxy.rs.

use std::{
    convert::Infallible,
    fmt,
    mem::{self, ManuallyDrop, MaybeUninit},
    pin::Pin,
    ptr,
    task::{Context, Poll, Waker},
    time::Instant,
};

use futures_core::{FusedStream, Stream};
use goroutines_sched::wake;

use super::{
    Receiver, RecvError, RecvTimeoutError, SendError, Sender, bounded,
    counter::Side,
    locked::{RecvStep, SendStep},
    proxy::Owned,
    waiter::End,
};
use crate::{context, go};

/// Wakes a future at a moment that no counterpart tells it: when the message of an `after` is there. It is a
/// goroutine, which ends when this is dropped.
struct Alarm {
    _stop: Sender<Infallible>,
}

impl Alarm {
    fn new(moment: Instant, waker: Waker) -> Alarm {
        let (stop, stopped) = bounded::<Infallible>(0);
        // It is not the caller's business and does not end with it.
        context::Context::background().run(|| {
            go(move || {
                if let Err(RecvTimeoutError::Timeout) = stopped.recv_deadline(moment) {
                    wake(waker);
                }
            })
        });
        Alarm { _stop: stop }
    }
}

/// A future in the queue.
struct Waiting<T> {
    proxy: Owned<T>,
    alarm: Option<Alarm>,
}

impl<T> Receiver<T> {
    /// The next message, as a future: [`recv`](Receiver::recv) for executors.
    ///
    /// It stands in line with all others who wait, goroutines and threads. It may be dropped at any time, also in
    /// the moment when it gets a message: no message is lost, and none overtakes another.
    /// ([`len`](Receiver::len) can be larger than the capacity by the messages that came back so.)
    /// A pending future that is neither polled nor dropped keeps what it was given.
    ///
    /// Waiting costs an allocation. The future of an [`after`](super::after) or a [`tick`](super::tick) needs the
    /// running runtime.
    ///
    /// # Errors
    ///
    /// When the channel is empty and every sender is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{block_on, chan, go};
    ///
    /// let (tx, rx) = chan::bounded(0);
    /// go(move || tx.send(5).unwrap());
    /// block_on(async {
    ///     assert_eq!(rx.recv_async().await, Ok(5));
    ///     assert!(rx.recv_async().await.is_err());
    /// });
    /// ```
    pub fn recv_async(&self) -> RecvFut<'_, T> {
        RecvFut {
            receiver: self,
            waiting: None,
            alarms: true,
        }
    }

    /// The messages until the channel is empty and disconnected, as a [`Stream`].
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use futures::StreamExt;
    /// use goroutines::{block_on, chan, go};
    ///
    /// let (tx, rx) = chan::bounded(0);
    /// go(move || (1..=3).for_each(|n| tx.send(n).unwrap()));
    /// let doubled: Vec<i32> = block_on(rx.stream().map(|n| n * 2).collect());
    /// assert_eq!(doubled, [2, 4, 6]);
    /// ```
    pub fn stream(&self) -> RecvStream<'_, T> {
        RecvStream {
            next: self.recv_async(),
            ended: false,
        }
    }
}

/// See [`Receiver::recv_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct RecvFut<'a, T> {
    receiver: &'a Receiver<T>,
    waiting: Option<Waiting<T>>,
    /// Does it see to moments by itself?
    alarms: bool,
}

// SAFETY: it is a receiver's reference and a place for a message that it gets from another thread.
unsafe impl<T: Send> Send for RecvFut<'_, T> {}
// SAFETY: nothing can be done with a shared one.
unsafe impl<T: Send> Sync for RecvFut<'_, T> {}

impl<T> RecvFut<'_, T> {
    /// It is polled whenever a moment of the channel's has come.
    pub(crate) fn without_alarms(mut self) -> Self {
        self.alarms = false;
        self
    }

    /// What came of the wait so far; `None`: nobody waits (any more).
    fn outcome(&mut self, waker: &Waker) -> Option<Poll<Result<T, RecvError>>> {
        let one = self.waiting.take()?;
        match one.proxy.poll(waker) {
            None if one.alarm.is_none() => {
                self.waiting = Some(one);
                Some(Poll::Pending)
            }
            // Perhaps the alarm: look again.
            None => {
                one.proxy.abandon(&self.receiver.handle);
                None
            }
            // SAFETY: it is done, and was served.
            Some(End::Served) => Some(Poll::Ready(Ok(unsafe { one.proxy.message() }))),
            Some(end) => {
                // SAFETY: it is done; no message came.
                unsafe { one.proxy.free() };
                (end == End::Disconnected).then_some(Poll::Ready(Err(RecvError)))
            }
        }
    }

    /// Receives what is there, or goes into the queue as `proxy`; `None`: it needs one.
    fn receive(
        &mut self,
        mut proxy: Option<Owned<T>>,
        waker: &Waker,
    ) -> Option<Poll<Result<T, RecvError>>> {
        let mut message = MaybeUninit::uninit();
        let mut core = self.receiver.handle.channel().lock();
        let result = match core.recv_step() {
            RecvStep::Pop => {
                // SAFETY: the step says that there is a message.
                unsafe { core.pop(message.as_mut_ptr()) };
                // SAFETY: it was just moved there.
                Ok(unsafe { message.assume_init() })
            }
            RecvStep::Collect(sender) => {
                drop(core);
                // SAFETY: `sendq` holds senders; the step says that it is no promise.
                unsafe { sender.collect(message.as_mut_ptr()) };
                // SAFETY: as above.
                Ok(unsafe { message.assume_init() })
            }
            RecvStep::Disconnected => {
                drop(core);
                Err(RecvError)
            }
            RecvStep::Await(promise) => {
                core.turns += 1;
                let turn = core.turns;
                drop(core);
                let proxy = proxy.unwrap_or_else(|| Owned::new(Side::Receiver, waker.clone()));
                proxy.set_turn(turn);
                promise.meet(proxy.node());
                promise.served();
                self.waiting = Some(Waiting { proxy, alarm: None });
                return Some(Poll::Pending);
            }
            RecvStep::Wait => {
                let proxy = proxy.take()?;
                core.turns += 1;
                proxy.set_turn(core.turns);
                let moment = core.buffer.next_moment().filter(|_| self.alarms);
                // SAFETY: the box stays where it is until it was taken out, or unlinked by `abandon`.
                unsafe { core.queue(Side::Receiver).push_back(proxy.node()) };
                drop(core);
                let waiting = self.waiting.insert(Waiting { proxy, alarm: None });
                waiting.alarm = moment.map(|moment| Alarm::new(moment, waker.clone()));
                return Some(Poll::Pending);
            }
        };
        if let Some(proxy) = proxy {
            // SAFETY: it was in no queue.
            unsafe { proxy.free() };
        }
        Some(Poll::Ready(result))
    }
}

impl<T> Future for RecvFut<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        if let Some(outcome) = self.outcome(cx.waker()) {
            return outcome;
        }
        // Nothing is allocated if there is a message.
        if let Some(polled) = self.receive(None, cx.waker()) {
            return polled;
        }
        let proxy = Owned::new(Side::Receiver, cx.waker().clone());
        match self.receive(Some(proxy), cx.waker()) {
            Some(polled) => polled,
            None => unreachable!("goroutines: a future has a proxy and needs one"),
        }
    }
}

impl<T> Drop for RecvFut<'_, T> {
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.proxy.abandon(&self.receiver.handle);
        }
    }
}

impl<T> fmt::Debug for RecvFut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("RecvFut { .. }")
    }
}

/// See [`Receiver::stream`].
#[must_use = "streams do nothing unless they are polled"]
#[derive(Debug)]
pub struct RecvStream<'a, T> {
    next: RecvFut<'a, T>,
    ended: bool,
}

impl<T> Stream for RecvStream<'_, T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.next).poll(cx);
        polled.map(|received| {
            self.ended = received.is_err();
            received.ok()
        })
    }
}

impl<T> FusedStream for RecvStream<'_, T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<T> Sender<T> {
    /// Sends `msg`, as a future: [`send`](Sender::send) for executors.
    ///
    /// It stands in line with all others who wait, goroutines and threads. Nothing is sent before it is polled. When
    /// it is dropped while it is pending, the message either was received already, or is dropped with it.
    ///
    /// Waiting costs an allocation.
    ///
    /// # Errors
    ///
    /// When every receiver is gone. The message is in the error.
    ///
    /// # Panics
    ///
    /// When it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{block_on, chan, go};
    ///
    /// let (tx, rx) = chan::bounded(0);
    /// let first = go(move || rx.recv());
    /// block_on(async {
    ///     assert_eq!(tx.send_async(5).await, Ok(()));
    ///     assert_eq!(tx.send_async(6).await.unwrap_err().into_inner(), 6);
    /// });
    /// assert_eq!(first.join().unwrap(), Ok(5));
    /// ```
    pub fn send_async(&self, msg: T) -> SendFut<'_, T> {
        SendFut {
            sender: self,
            stage: Stage::Begin(msg),
        }
    }
}

/// See [`Sender::send_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct SendFut<'a, T> {
    sender: &'a Sender<T>,
    stage: Stage<T>,
}

enum Stage<T> {
    Begin(T),
    Waits(Owned<T>),
    Over,
}

// SAFETY: it is a sender's reference and a message for another thread.
unsafe impl<T: Send> Send for SendFut<'_, T> {}
// SAFETY: nothing can be done with a shared one.
unsafe impl<T: Send> Sync for SendFut<'_, T> {}
// The message is moved, never pinned.
impl<T> Unpin for SendFut<'_, T> {}

impl<T> SendFut<'_, T> {
    fn begin(&mut self, msg: T, waker: &Waker) -> Poll<Result<(), SendError<T>>> {
        let channel = self.sender.handle.channel();
        let mut proxy = None;
        let msg = ManuallyDrop::new(msg);
        let sent = loop {
            let mut core = channel.lock();
            match core.send_step() {
                SendStep::Deliver(receiver) => {
                    drop(core);
                    // SAFETY: `recvq` holds receivers; the message is given up.
                    unsafe { receiver.deliver(&raw const *msg) };
                    break Ok(());
                }
                SendStep::Push => {
                    // SAFETY: the step says that there is room; the message is given up.
                    unsafe { core.buffer.push(&raw const *msg) };
                    break Ok(());
                }
                SendStep::BringBlock => {
                    drop(core);
                    channel.bring_block();
                }
                SendStep::Disconnected => break Err(()),
                SendStep::Wait => match proxy.take() {
                    None => {
                        drop(core);
                        proxy = Some(Owned::new(Side::Sender, waker.clone()));
                    }
                    Some(one) => {
                        // SAFETY: the place is empty, and the message given up; the box stays where it is until
                        // it was taken out, or unlinked by `abandon`.
                        unsafe {
                            ptr::copy_nonoverlapping(&raw const *msg, one.place(), 1);
                            core.queue(Side::Sender).push_back(one.node());
                        }
                        drop(core);
                        self.stage = Stage::Waits(one);
                        return Poll::Pending;
                    }
                },
            }
        };
        if let Some(proxy) = proxy {
            // SAFETY: it was in no queue, and has no message.
            unsafe { proxy.free() };
        }
        Poll::Ready(sent.map_err(|()| SendError(ManuallyDrop::into_inner(msg))))
    }
}

impl<T> Future for SendFut<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Begin(msg) => self.begin(msg, cx.waker()),
            Stage::Waits(proxy) => match proxy.poll(cx.waker()) {
                None => {
                    self.stage = Stage::Waits(proxy);
                    Poll::Pending
                }
                Some(End::Served) => {
                    // SAFETY: it is done, and the message is gone.
                    unsafe { proxy.free() };
                    Poll::Ready(Ok(()))
                }
                // SAFETY: it is done, and the message is where it was.
                Some(_) => Poll::Ready(Err(SendError(unsafe { proxy.message() }))),
            },
            Stage::Over => panic!("Sender::send_async: the future was polled after it was ready"),
        }
    }
}

impl<T> Drop for SendFut<'_, T> {
    fn drop(&mut self) {
        if let Stage::Waits(proxy) = mem::replace(&mut self.stage, Stage::Over) {
            proxy.abandon(&self.sender.handle);
        }
    }
}

impl<T> fmt::Debug for SendFut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("SendFut { .. }")
    }
}
