//! The two worlds that are compared: what runs, how it sleeps, and how one wakes another.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use goroutines::{chan, go, sleep, yield_now};

/// Puts the time of the wake into a message. Returns false if the receiver is gone.
pub type Send = Box<dyn Fn(Instant) -> bool + std::marker::Send>;
/// Waits for it.
pub type Receive = Box<dyn FnMut() -> Option<Instant> + std::marker::Send>;

/// Something that runs, and is waited for.
pub struct Running<T>(Box<dyn FnOnce() -> thread::Result<T>>);

impl<T> Running<T> {
    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// When it has panicked.
    pub fn join(self) -> Result<T, String> {
        (self.0)().map_err(|_| "what was measured has panicked".to_owned())
    }
}

/// Goroutines, or OS threads.
pub trait World {
    /// Its name in the report.
    const NAME: &'static str;

    /// Runs `f` as one of its kind.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    fn run<T: std::marker::Send + 'static>(
        f: impl FnOnce() -> T + std::marker::Send + 'static,
    ) -> Result<Running<T>, String>;

    /// Sleeps as its kind does.
    fn sleep(duration: Duration);

    /// Lets others of its kind go first.
    fn give_way();

    /// A channel for one message.
    fn channel() -> (Send, Receive);
}

/// Goroutines, with the channels of this library.
pub struct Goroutines;

impl World for Goroutines {
    const NAME: &'static str = "ours";

    fn run<T: std::marker::Send + 'static>(
        f: impl FnOnce() -> T + std::marker::Send + 'static,
    ) -> Result<Running<T>, String> {
        let handle = go(f);
        Ok(Running(Box::new(move || handle.join())))
    }

    fn sleep(duration: Duration) {
        sleep(duration);
    }

    fn give_way() {
        yield_now();
    }

    fn channel() -> (Send, Receive) {
        let (send, receive) = chan::bounded(1);
        (
            Box::new(move |time| send.send(time).is_ok()),
            Box::new(move || receive.recv().ok()),
        )
    }
}

/// OS threads, with std's channels.
pub struct Threads;

impl World for Threads {
    const NAME: &'static str = "threads";

    fn run<T: std::marker::Send + 'static>(
        f: impl FnOnce() -> T + std::marker::Send + 'static,
    ) -> Result<Running<T>, String> {
        let handle = thread::Builder::new()
            .stack_size(64 << 10)
            .spawn(f)
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Running(Box::new(move || handle.join())))
    }

    fn sleep(duration: Duration) {
        thread::sleep(duration);
    }

    fn give_way() {
        thread::yield_now();
    }

    fn channel() -> (Send, Receive) {
        let (send, receive) = mpsc::sync_channel(1);
        (
            Box::new(move |time| send.send(time).is_ok()),
            Box::new(move || receive.recv().ok()),
        )
    }
}
