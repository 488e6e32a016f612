//! A channel in which each receiver gets each message.
//!
//! The last messages are kept, as many as the capacity says. A receiver that is slower loses the oldest, and is told how
//! many it has lost; a sender never waits.
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::{go, sync::broadcast};
//!
//! let (sender, mut first) = broadcast::channel(16);
//! let mut second = sender.subscribe();
//! let reader = go(move || (second.recv().unwrap(), second.recv().unwrap()));
//! sender.send("one").unwrap();
//! sender.send("two").unwrap();
//! assert_eq!(reader.join().unwrap(), ("one", "two"));
//! assert_eq!(first.recv(), Ok("one"));
//! ```
//!
//! In a `select!` beside other channels, [`Receiver::changes`] is a case.

use std::{
    collections::VecDeque,
    error::Error,
    fmt,
    sync::{Arc, PoisonError},
};

use super::{
    Mutex, MutexGuard,
    tokens::{Registered, Tokens},
};
use crate::chan::{self, SendError};

/// A channel that keeps the last `capacity` messages for receivers that are slower.
///
/// # Panics
///
/// When `capacity` is 0: no message could be kept for anybody.
#[track_caller]
pub fn channel<T: Clone>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(
        capacity > 0,
        "broadcast::channel: with a capacity of 0 no message could be kept for a receiver; give it at least 1"
    );
    let shared = Arc::new(Shared {
        kept: Mutex::new(Kept {
            slots: VecDeque::new(),
            first: 0,
            receivers: 0,
        }),
        capacity,
        tokens: Tokens::new(),
    });
    let receiver = Receiver::new(&shared);
    (Sender { shared }, receiver)
}

struct Shared<T> {
    kept: Mutex<Kept<T>>,
    capacity: usize,
    tokens: Tokens,
}

/// The messages that are kept.
struct Kept<T> {
    slots: VecDeque<Slot<T>>,
    /// The number of the first one.
    first: u64,
    receivers: usize,
}

struct Slot<T> {
    message: Arc<T>,
    /// How many receivers have not had it.
    left: usize,
}

impl<T> Shared<T> {
    /// No code of the message's type runs under this lock.
    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Kept<T> {
    /// The number that the next message gets.
    fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// Counts a receiver off the message with this number, and returns the message, for good if it was the last.
    fn take(&mut self, number: u64) -> Arc<T> {
        let place = usize::try_from(number - self.first).unwrap_or(usize::MAX);
        let slot = &mut self.slots[place];
        slot.left -= 1;
        let message = Arc::clone(&slot.message);
        while self.slots.front().is_some_and(|slot| slot.left == 0) {
            self.slots.pop_front();
            self.first += 1;
        }
        message
    }
}

/// The side that sends. Clones send into the same channel.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Sends `message` to all receivers, and returns how many there are. Does not wait for them: where the channel is full,
    /// the oldest message is lost for those that have not received it.
    ///
    /// # Parks
    ///
    /// While another goroutine or thread is in the middle of a send or receive.
    ///
    /// # Errors
    ///
    /// The message, when there is no receiver.
    pub fn send(&self, message: T) -> Result<usize, SendError<T>> {
        let mut kept = self.shared.kept();
        let left = kept.receivers;
        if left == 0 {
            return Err(SendError(message));
        }
        let message = Arc::new(message);
        kept.slots.push_back(Slot { message, left });
        let lost = match kept.slots.len() > self.shared.capacity {
            true => {
                kept.first += 1;
                kept.slots.pop_front()
            }
            false => None,
        };
        drop(kept);
        self.shared.tokens.put();
        // Its destructor is code of others.
        drop(lost);
        Ok(left)
    }

    /// One more receiver, which gets what is sent from now on.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(&self.shared)
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.shared.kept().receivers
    }

    /// How many messages are kept, because a receiver has not received them.
    pub fn len(&self) -> usize {
        self.shared.kept().slots.len()
    }

    /// Returns whether all receivers have received all messages.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.shared.tokens.sender_comes();
        Sender {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.tokens.sender_goes();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("receivers", &self.receiver_count())
            .field("len", &self.len())
            .finish()
    }
}

/// Why [`Receiver::recv`] has no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecvError {
    /// All messages were received, and all senders are gone; or the caller's [context](crate::context) is done.
    Closed,
    /// The receiver was too slow: so many messages were lost. The next one is the oldest that is kept.
    Lagged(u64),
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvError::Closed => f.write_str("channel closed"),
            RecvError::Lagged(n) => write!(f, "channel lagged by {n}"),
        }
    }
}

impl Error for RecvError {}

/// Why [`Receiver::try_recv`] has no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryRecvError {
    /// All messages were received.
    Empty,
    /// As [`RecvError::Closed`].
    Closed,
    /// As [`RecvError::Lagged`].
    Lagged(u64),
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryRecvError::Empty => f.write_str("channel empty"),
            TryRecvError::Closed => RecvError::Closed.fmt(f),
            TryRecvError::Lagged(n) => RecvError::Lagged(*n).fmt(f),
        }
    }
}

impl Error for TryRecvError {}

/// The side that receives.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    token: Registered,
    /// The number of the next message.
    next: u64,
}

impl<T> Receiver<T> {
    fn new(shared: &Arc<Shared<T>>) -> Receiver<T> {
        let token = shared.tokens.register(false);
        let mut kept = shared.kept();
        kept.receivers += 1;
        let next = kept.end();
        drop(kept);
        Receiver {
            shared: Arc::clone(shared),
            token,
            next,
        }
    }

    /// For a `select!`: a message comes while there is one to be received, and the channel is disconnected when all
    /// senders are gone. [`try_recv`](Receiver::try_recv) follows it. A message may come although there is nothing. After
    /// the last sender, what is left is received with [`recv`](Receiver::recv).
    pub fn changes(&self) -> &chan::Receiver<()> {
        self.token.receiver()
    }

    /// One more receiver, which gets what is sent from now on.
    pub fn resubscribe(&self) -> Receiver<T> {
        Receiver::new(&self.shared)
    }

    /// How many messages there are to be received.
    pub fn len(&self) -> usize {
        let kept = self.shared.kept();
        usize::try_from(kept.end() - self.next.max(kept.first)).unwrap_or(usize::MAX)
    }

    /// Returns whether there is no message to be received.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next message, `None` without one. While there are further ones, there is a token.
    fn take(&mut self) -> Option<Result<Arc<T>, u64>> {
        if let Some(taken) = self.look() {
            return Some(taken);
        }
        // What is sent after the second look puts another one.
        self.token.take();
        self.look()
    }

    fn look(&mut self) -> Option<Result<Arc<T>, u64>> {
        let mut kept = self.shared.kept();
        let taken = if self.next < kept.first {
            let lost = kept.first - self.next;
            self.next = kept.first;
            Err(lost)
        } else if self.next == kept.end() {
            return None;
        } else {
            self.next += 1;
            Ok(kept.take(self.next - 1))
        };
        let is_last = self.next == kept.end();
        drop(kept);
        if !is_last && self.token.receiver().is_empty() {
            self.shared.tokens.put_for(&self.token);
        }
        Some(taken)
    }
}

impl<T: Clone> Receiver<T> {
    /// Waits for the next message.
    ///
    /// # Parks
    ///
    /// While there is none. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// - [`Lagged`](RecvError::Lagged), once, when messages were lost for this receiver.
    /// - [`Closed`](RecvError::Closed), when all were received and all senders are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::sync::broadcast::{RecvError, channel};
    ///
    /// let (sender, mut receiver) = channel(2);
    /// (1..=3).for_each(|n| drop(sender.send(n)));
    /// drop(sender);
    /// assert_eq!(receiver.recv(), Err(RecvError::Lagged(1)));
    /// assert_eq!(receiver.recv(), Ok(2));
    /// assert_eq!(receiver.recv(), Ok(3));
    /// assert_eq!(receiver.recv(), Err(RecvError::Closed));
    /// ```
    pub fn recv(&mut self) -> Result<T, RecvError> {
        loop {
            if let Some(taken) = self.take() {
                return own(taken);
            }
            if self.token.receiver().recv().is_err() {
                return self.take().map_or(Err(RecvError::Closed), own);
            }
        }
    }

    /// As [`recv`](Receiver::recv), as a future. No message is lost when it is dropped.
    ///
    /// # Errors
    ///
    /// As [`recv`](Receiver::recv).
    pub async fn recv_async(&mut self) -> Result<T, RecvError> {
        loop {
            if let Some(taken) = self.take() {
                return own(taken);
            }
            if self.token.receiver().recv_async().await.is_err() {
                return self.take().map_or(Err(RecvError::Closed), own);
            }
        }
    }

    /// The next message, if there is one.
    ///
    /// # Errors
    ///
    /// As [`recv`](Receiver::recv), and [`Empty`](TryRecvError::Empty) where that would wait.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        // Asked before the look: what was sent before the end is found.
        let is_over = self.token.receiver().is_closed();
        match self.take().map(own) {
            Some(Ok(message)) => Ok(message),
            Some(Err(RecvError::Lagged(n))) => Err(TryRecvError::Lagged(n)),
            Some(Err(RecvError::Closed)) => Err(TryRecvError::Closed),
            None if is_over => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }
}

/// The last receiver gets the message itself, the others a clone, which is not made under the lock.
fn own<T: Clone>(taken: Result<Arc<T>, u64>) -> Result<T, RecvError> {
    taken.map(Arc::unwrap_or_clone).map_err(RecvError::Lagged)
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.tokens.forget(&self.token);
        let mut kept = self.shared.kept();
        kept.receivers -= 1;
        let unread = self.next.max(kept.first)..kept.end();
        // Dropped after the lock: destructors are code of others.
        let messages: Vec<_> = unread.map(|number| kept.take(number)).collect();
        drop(kept);
        drop(messages);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
