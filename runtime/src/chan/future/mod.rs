//! Channels for futures: `recv_async`, `send_async`, `stream`. How they wait stands in core/future_wait.rs.

use std::{
    fmt,
    mem::{self, ManuallyDrop, MaybeUninit},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_core::{FusedStream, Stream};

use super::{
    core::{
        future_wait::{FutureWait, Polled, RecvWait},
        waiter::End,
    },
    error::{RecvError, SendError},
    receiver::Receiver,
    sender::Sender,
};
use alarm::Alarm;

mod alarm;

impl<T> Receiver<T> {
    /// The next message, as a future: [`recv`](Receiver::recv) for executors.
    ///
    /// The future queues with all other receivers, goroutines and threads. When its turn comes it is woken, and takes
    /// the oldest message when it is polled. Until then any other receiver can take the message, and if the future is
    /// dropped the message goes to the next waiter: no message is lost, and none overtakes another. A message that a
    /// future was woken for counts as sent, and takes no place in the buffer ([`len`](Receiver::len) can be larger than
    /// the capacity by such messages). A future that was overtaken stays the first in the queue.
    ///
    /// Waiting costs an allocation. The future of an [`after`](super::after) or a [`tick`](super::tick) needs a started
    /// runtime, and also an entry in a map of moments.
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
            wait: None,
            alarms: true,
            is_timed: false,
            alarm: None,
        }
    }

    /// The messages until the channel is empty and disconnected, as a
    /// [`Stream`](https://docs.rs/futures-core/0.3/futures_core/stream/trait.Stream.html).
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
    wait: Option<RecvWait>,
    /// Whether it sets alarms for moments itself.
    alarms: bool,
    /// It waits for a moment as well, and looks whether it has come whenever it is polled.
    is_timed: bool,
    alarm: Option<Alarm>,
}

// SAFETY: it is a receiver's reference, and a node that is reached under the channel's lock only; the messages that it
// gets may come from another thread, so T is Send.
unsafe impl<T: Send> Send for RecvFut<'_, T> {}
// SAFETY: nothing can be done with a shared one.
unsafe impl<T: Send> Sync for RecvFut<'_, T> {}

impl<T> RecvFut<'_, T> {
    /// The caller polls it whenever a moment of the channel has come.
    pub(crate) fn without_alarms(mut self) -> Self {
        self.alarms = false;
        self
    }

    /// One try to receive; `waker` is for a wait that continues.
    fn look(&mut self, waker: Option<Waker>, message: &mut MaybeUninit<T>) -> Polled {
        let mut waker = waker;
        let channel = self.receiver.handle.channel();
        // SAFETY: the wait is of this channel; the place may be written. A pending wait is polled again, or abandoned
        // by the drop.
        unsafe {
            channel.poll_recv(
                self.wait.as_ref(),
                &mut waker,
                self.is_timed,
                message.as_mut_ptr(),
            )
        }
    }
}

impl<T> Future for RecvFut<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        let mut message = MaybeUninit::uninit();
        // Nothing is allocated, and no waker cloned, for a message that is there at once. A waker is cloned before
        // anything is taken.
        let waker = self.wait.is_some().then(|| cx.waker().clone());
        let mut polled = self.look(waker, &mut message);
        if let Polled::NeedsWait = polled {
            self.wait = Some(RecvWait::receiver(cx.waker().clone()));
            polled = self.look(None, &mut message);
        }
        let end = match polled {
            Polled::Ready(end) => end,
            Polled::NeedsWait => unreachable!("goroutines: a future has a node and needs one"),
            Polled::Pending(moment) => {
                let moment = moment.filter(|_| self.alarms);
                self.is_timed = moment.is_some();
                let old = self.alarm.take();
                self.alarm = moment.map(|moment| Alarm::set(old, moment, cx.waker().clone()));
                return Poll::Pending;
            }
        };
        (self.alarm, self.is_timed) = (None, false);
        // SAFETY: it was moved there.
        let received = (end == End::Served).then(|| unsafe { message.assume_init() });
        if let Some(wait) = self.wait.take() {
            // SAFETY: a poll that is ready leaves the node in no queue.
            unsafe { wait.free() };
        }
        Poll::Ready(received.ok_or(RecvError))
    }
}

impl<T> Drop for RecvFut<'_, T> {
    fn drop(&mut self) {
        if let Some(wait) = self.wait.take() {
            self.receiver.handle.channel().abandon_recv(wait);
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
    /// The future queues with all other senders, goroutines and threads. Nothing is sent before it is polled. When
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
    Waits(FutureWait<T>),
    Over,
}

// SAFETY: it is a sender's reference, a message for another thread, and a node that is reached under the channel's lock
// only.
unsafe impl<T: Send> Send for SendFut<'_, T> {}
// SAFETY: nothing can be done with a shared one.
unsafe impl<T: Send> Sync for SendFut<'_, T> {}
// The message is moved, never pinned.
impl<T> Unpin for SendFut<'_, T> {}

impl<T> SendFut<'_, T> {
    /// Sends the message with which it began, or puts it into `wait`. `None`: it needs one.
    fn begin(&mut self, wait: Option<FutureWait<T>>) -> Option<Poll<Result<(), SendError<T>>>> {
        let Stage::Begin(msg) = mem::replace(&mut self.stage, Stage::Over) else {
            panic!("Sender::send_async: the future was polled after it was ready");
        };
        let msg = ManuallyDrop::new(msg);
        let channel = self.sender.handle.channel();
        // SAFETY: a message, given up if it was sent, or moved; the wait is new.
        let sent = match unsafe { channel.poll_send(&raw const *msg, wait.as_ref()) } {
            Polled::Pending(_) => {
                self.stage = wait.map_or(Stage::Over, Stage::Waits);
                return Some(Poll::Pending);
            }
            Polled::NeedsWait => {
                self.stage = Stage::Begin(ManuallyDrop::into_inner(msg));
                return None;
            }
            Polled::Ready(End::Served) => Ok(()),
            Polled::Ready(_) => Err(SendError(ManuallyDrop::into_inner(msg))),
        };
        if let Some(wait) = wait {
            // SAFETY: it was in no queue, and has no message.
            unsafe { wait.free() };
        }
        Some(Poll::Ready(sent))
    }
}

impl<T> Future for SendFut<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        let Stage::Waits(wait) = &self.stage else {
            // Nothing is allocated if it need not wait; and while the waker is cloned the message is still in `self`.
            if let Some(polled) = self.begin(None) {
                return polled;
            }
            let wait = FutureWait::sender(cx.waker().clone());
            return match self.begin(Some(wait)) {
                Some(polled) => polled,
                None => unreachable!("goroutines: a future has a node and needs one"),
            };
        };
        let mut waker = Some(cx.waker().clone());
        let polled = self.sender.handle.channel().poll_sent(wait, &mut waker);
        let Polled::Ready(end) = polled else {
            return Poll::Pending;
        };
        let Stage::Waits(wait) = mem::replace(&mut self.stage, Stage::Over) else {
            unreachable!("goroutines: a future that waits does not");
        };
        // SAFETY: the node was taken out; the message is where it was unless it was sent.
        match unsafe { wait.end(end == End::Served) } {
            None => Poll::Ready(Ok(())),
            Some(msg) => Poll::Ready(Err(SendError(msg))),
        }
    }
}

impl<T> Drop for SendFut<'_, T> {
    fn drop(&mut self) {
        if let Stage::Waits(wait) = mem::replace(&mut self.stage, Stage::Over) {
            drop(self.sender.handle.channel().abandon_send(wait));
        }
    }
}

impl<T> fmt::Debug for SendFut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("SendFut { .. }")
    }
}
