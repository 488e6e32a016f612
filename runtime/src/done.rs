//! The end of a goroutine as an event of a `select!`.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
    thread,
};

use crate::{
    chan::{self, Receiver, Sender},
    future::{Join, block_on},
    go::JoinHandle,
};

/// A goroutine whose end a `select!` can wait for: what [`JoinHandle::done`] makes of the handle.
///
/// Dropping it detaches the goroutine.
pub struct Done<T> {
    state: State<T>,
    ended: Receiver<Infallible>,
    /// Disconnects `ended` with the goroutine's end, and at the latest when this is dropped.
    _signal: Arc<Signal>,
}

enum State<T> {
    Waits(Join<T>),
    Here(thread::Result<T>),
}

/// A waker that disconnects a receiver.
struct Signal(Mutex<Option<Sender<Infallible>>>);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Dropped outside of the lock.
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(sender);
    }
}

impl<T> JoinHandle<T> {
    /// The goroutine's end as an event of a `select!`: [`Done::receiver`] is disconnected then. Costs three allocations.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{chan::{select, tick}, go};
    /// use std::time::Duration;
    ///
    /// let worker = go(|| goroutines::sleep(Duration::from_millis(10))).done();
    /// let clock = tick(Duration::from_millis(3));
    /// let result = loop {
    ///     select! {
    ///         recv(worker.receiver()) -> _ => break worker.join(),
    ///         recv(clock) -> _ => println!("it works"),
    ///     }
    /// };
    /// assert!(result.is_ok());
    /// ```
    pub fn done(self) -> Done<T> {
        let (sender, ended) = chan::bounded(0);
        let signal = Arc::new(Signal(Mutex::new(Some(sender))));
        let waker = Waker::from(Arc::clone(&signal));
        let mut join = self.into_future();
        let state = match Pin::new(&mut join).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => {
                waker.wake();
                State::Here(result)
            }
            Poll::Pending => State::Waits(join),
        };
        Done {
            state,
            ended,
            _signal: signal,
        }
    }
}

impl<T> Done<T> {
    /// A receiver that never gets a message, and is disconnected when the goroutine has ended. Clones are as well, and
    /// also when this is dropped.
    pub fn receiver(&self) -> &Receiver<Infallible> {
        &self.ended
    }

    /// Waits for the end of the goroutine, as [`JoinHandle::join`].
    ///
    /// # Parks
    ///
    /// Until the goroutine has ended. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// The payload, when the goroutine panicked.
    pub fn join(self) -> thread::Result<T> {
        match self.state {
            State::Here(result) => result,
            State::Waits(join) => match join.into_handle() {
                Ok(handle) => handle.join(),
                Err(join) => block_on(join),
            },
        }
    }

    /// The handle again, if the goroutine has not ended. The receiver is disconnected then.
    ///
    /// # Errors
    ///
    /// This, when the goroutine has ended or is about to: [`join`](Done::join) gives the result.
    pub fn into_handle(self) -> Result<JoinHandle<T>, Done<T>> {
        match self.state {
            State::Waits(join) => join.into_handle().map_err(|join| Done {
                state: State::Waits(join),
                ended: self.ended,
                _signal: self._signal,
            }),
            State::Here(_) => Err(self),
        }
    }
}

impl<T> fmt::Debug for Done<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Done").finish_non_exhaustive()
    }
}
