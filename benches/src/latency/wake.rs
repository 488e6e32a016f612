//! From ready to running: how long it takes until a goroutine that waits for a message has it.

use std::time::{Duration, Instant};

use super::beside::compute;
use super::world::{Running, Threads, World};

/// Between two messages: the waiter is asleep by then.
const PAUSE: Duration = Duration::from_millis(1);

/// For how long a waker that computes on computes.
const GOES_ON: Duration = Duration::from_micros(500);

/// The sender of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waker {
    /// One of the same kind, which then sleeps.
    Peer,
    /// One of the same kind, which then computes on.
    BusyPeer,
    /// An OS thread.
    Outside,
}

impl Waker {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Waker::Peer => "woken by one that sleeps then",
            Waker::BusyPeer => "woken by one that computes on",
            Waker::Outside => "woken by a thread",
        }
    }
}

/// How long each of so many wakes took, in nanoseconds.
///
/// # Errors
///
/// When a goroutine or thread cannot be started or has failed.
pub fn run<W: World>(waker: Waker, wakes: usize) -> Result<Vec<u64>, String> {
    let (send, mut receive) = W::channel();
    let waiter = W::run(move || {
        let mut late = Vec::with_capacity(wakes);
        while let Some(time) = receive() {
            late.push(time.elapsed().as_nanos() as u64);
        }
        late
    })?;
    let wake = move |sleep: fn(Duration), then: Duration| {
        for _ in 0..wakes {
            sleep(PAUSE);
            if !send(Instant::now()) {
                return;
            }
            compute(then);
        }
    };
    let waking: Running<()> = match waker {
        Waker::Peer => W::run(move || wake(W::sleep, Duration::ZERO))?,
        Waker::BusyPeer => W::run(move || wake(W::sleep, GOES_ON))?,
        Waker::Outside => Threads::run(move || wake(Threads::sleep, Duration::ZERO))?,
    };
    waking.join()?;
    let late = waiter.join()?;
    match late.len() == wakes {
        true => Ok(late),
        false => Err(format!("{} of {wakes} messages arrived", late.len())),
    }
}
