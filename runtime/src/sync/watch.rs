//! A channel that keeps its latest value: receivers see what is, and not all that was.
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::{go, sync::watch};
//!
//! let (settings, mut watched) = watch::channel("slow");
//! let worker = go(move || {
//!     let mut seen = vec![*watched.borrow()];
//!     while watched.changed().is_ok() {
//!         seen.push(*watched.borrow());
//!     }
//!     seen
//! });
//! settings.send("fast").unwrap();
//! drop(settings);
//! assert_eq!(worker.join().unwrap().last(), Some(&"fast"));
//! ```
//!
//! In a `select!` beside other channels, [`Receiver::changes`] is a case.

use std::{
    fmt, mem,
    ops::Deref,
    sync::{Arc, PoisonError},
};

use super::{
    RwLock, RwLockReadGuard,
    tokens::{Registered, Tokens},
};
use crate::chan::{self, RecvError, SendError};

/// A channel whose value is `first`, which receivers count as seen.
pub fn channel<T>(first: T) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        value: RwLock::new(Versioned {
            value: first,
            version: 0,
        }),
        tokens: Tokens::new(),
    });
    let receiver = Receiver::new(&shared);
    (Sender { shared }, receiver)
}

struct Shared<T> {
    value: RwLock<Versioned<T>>,
    tokens: Tokens,
}

struct Versioned<T> {
    value: T,
    /// How often the value was replaced or changed.
    version: u64,
}

impl<T> Shared<T> {
    fn read(&self) -> RwLockReadGuard<'_, Versioned<T>> {
        self.value.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the value, and tells the receivers, also when `change` panics.
    fn modify<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        struct Tell<'a>(&'a Tokens);
        impl Drop for Tell<'_> {
            fn drop(&mut self) {
                self.0.put();
            }
        }
        let _tell = Tell(&self.tokens);
        let mut all = self.value.write().unwrap_or_else(PoisonError::into_inner);
        all.version += 1;
        change(&mut all.value)
    }
}

/// The side that sets the value. Clones set the same.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Replaces the value, and tells all receivers.
    ///
    /// # Parks
    ///
    /// While a receiver [borrows](Receiver::borrow) the value.
    ///
    /// # Errors
    ///
    /// The new value, when there is no receiver: the old one stays. [`send_replace`](Sender::send_replace) sets it all
    /// the same.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.receiver_count() == 0 {
            return Err(SendError(value));
        }
        drop(self.send_replace(value));
        Ok(())
    }

    /// Replaces the value, tells all receivers, and returns the old one.
    ///
    /// # Parks
    ///
    /// While a receiver [borrows](Receiver::borrow) the value.
    pub fn send_replace(&self, value: T) -> T {
        self.shared.modify(|old| mem::replace(old, value))
    }

    /// Changes the value in its place, and tells all receivers. They see what `change` has made of it also if it panics.
    ///
    /// # Parks
    ///
    /// While a receiver [borrows](Receiver::borrow) the value.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = goroutines::sync::watch::channel(1);
    /// sender.send_modify(|n| *n += 1);
    /// assert_eq!(*receiver.borrow(), 2);
    /// ```
    pub fn send_modify(&self, change: impl FnOnce(&mut T)) {
        self.shared.modify(change);
    }

    /// The value. Until the guard is dropped nobody can set it.
    ///
    /// # Parks
    ///
    /// While the value is being set.
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref(self.shared.read())
    }

    /// One more receiver, which counts the present value as seen.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(&self.shared)
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.shared.tokens.count()
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

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("receivers", &self.receiver_count())
            .finish_non_exhaustive()
    }
}

/// The side that looks at the value. Clones have seen what this one has.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    token: Registered,
    /// The version that was seen.
    seen: u64,
}

impl<T> Receiver<T> {
    fn new(shared: &Arc<Shared<T>>) -> Receiver<T> {
        let token = shared.tokens.register(false);
        Receiver {
            shared: Arc::clone(shared),
            token,
            seen: shared.read().version,
        }
    }

    /// The value. It does not count as seen by that.
    ///
    /// Until the guard is dropped nobody can set the value: it should not be kept over a wait for a sender. A second guard
    /// while the first lives may wait for a sender that waits for the first.
    ///
    /// # Parks
    ///
    /// While the value is being set.
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref(self.shared.read())
    }

    /// The value, which counts as seen.
    ///
    /// # Parks
    ///
    /// While the value is being set.
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        self.token.take();
        let all = self.shared.read();
        self.seen = all.version;
        Ref(all)
    }

    /// Returns whether the value was set since it was seen.
    pub fn has_changed(&self) -> bool {
        self.shared.read().version != self.seen
    }

    /// Waits until the value has been set since it was seen; it counts as seen then.
    ///
    /// # Parks
    ///
    /// Until the value is set, or all senders are gone. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// When all senders are gone, and the value was seen; and when the caller's [context](crate::context) is done.
    pub fn changed(&mut self) -> Result<(), RecvError> {
        loop {
            if self.update() {
                return Ok(());
            }
            if self.token.receiver().recv().is_err() {
                return self.at_end();
            }
        }
    }

    /// As [`changed`](Receiver::changed), as a future. Nothing is lost when it is dropped.
    ///
    /// # Errors
    ///
    /// When all senders are gone, and the value was seen.
    pub async fn changed_async(&mut self) -> Result<(), RecvError> {
        loop {
            if self.update() {
                return Ok(());
            }
            if self.token.receiver().recv_async().await.is_err() {
                return self.at_end();
            }
        }
    }

    /// Waits until the value is as `condition` says, and returns it. It counts as seen.
    ///
    /// # Parks
    ///
    /// Until the value is so, or all senders are gone. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// As [`changed`](Receiver::changed).
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{go, sync::watch};
    ///
    /// let (count, mut watched) = watch::channel(0);
    /// go(move || (1..=10).for_each(|n| count.send(n).unwrap_or_default()));
    /// assert!(*watched.wait_for(|&n| n >= 10).unwrap() >= 10);
    /// ```
    pub fn wait_for(
        &mut self,
        mut condition: impl FnMut(&T) -> bool,
    ) -> Result<Ref<'_, T>, RecvError> {
        let Receiver {
            shared,
            token,
            seen,
        } = self;
        let shared: &Shared<T> = shared;
        loop {
            token.take();
            let all = shared.read();
            *seen = all.version;
            if condition(&all.value) {
                return Ok(Ref(all));
            }
            drop(all);
            if token.receiver().recv().is_err() && shared.read().version == *seen {
                return Err(RecvError);
            }
        }
    }

    /// For a `select!`: a message comes when the value is set, and the channel is disconnected when all senders are gone.
    /// [`borrow_and_update`](Receiver::borrow_and_update) follows it. A message may come although its value was seen.
    pub fn changes(&self) -> &chan::Receiver<()> {
        self.token.receiver()
    }

    /// Returns whether there is a new value, which counts as seen.
    fn update(&mut self) -> bool {
        let before = self.seen;
        drop(self.borrow_and_update());
        self.seen != before
    }

    /// A value that was set last, before the end, is still told.
    fn at_end(&mut self) -> Result<(), RecvError> {
        match self.update() {
            true => Ok(()),
            false => Err(RecvError),
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        Receiver {
            shared: Arc::clone(&self.shared),
            // What this one has not seen is news for the clone.
            token: self.shared.tokens.register(true),
            seen: self.seen,
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.tokens.forget(&self.token);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

/// The value of a watch channel, borrowed.
pub struct Ref<'a, T>(RwLockReadGuard<'a, Versioned<T>>);

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
