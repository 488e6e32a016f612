//! Receivers without senders, whose messages are moments: `after`, `at`, `tick`, and `never`. The clock that fills their
//! buffer is in core/clock.rs.

use std::time::{Duration, Instant};

use super::{
    core::{buffer::Buffer, clock::Clock, counter, locked::Channel},
    receiver::Receiver,
};

fn clock(next: Instant, period: Option<Duration>) -> Receiver<Instant> {
    let clock = Clock::new(next, period);
    Receiver {
        handle: counter::new_receiver(Channel::new(Buffer::Clock(clock), Some(1))),
    }
}

/// A receiver that gets one message, after `duration`: the moment when it was due.
///
/// It is never disconnected. Nothing runs meanwhile: a goroutine that waits for it has a deadline. A `duration` beyond
/// what an [`Instant`] can hold makes a [`never`](fn@never).
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::chan::{after, select, unbounded};
/// use std::time::Duration;
///
/// let (tx, rx) = unbounded::<i32>();
/// select! {
///     recv(rx) -> _ => unreachable!("no message was sent"),
///     recv(after(Duration::from_millis(5))) -> due => assert!(due.is_ok()),
/// }
/// # drop(tx);
/// ```
pub fn after(duration: Duration) -> Receiver<Instant> {
    Instant::now().checked_add(duration).map_or_else(never, at)
}

/// A receiver that gets one message at the moment `when`: `when` itself.
///
/// It is never disconnected. If `when` is in the past, the message is there.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use std::time::{Duration, Instant};
///
/// let when = Instant::now() + Duration::from_millis(5);
/// let rx = goroutines::chan::at(when);
/// assert!(rx.is_empty());
/// assert_eq!(rx.recv(), Ok(when));
/// assert!(Instant::now() >= when);
/// assert!(rx.try_recv().is_err());
/// ```
pub fn at(when: Instant) -> Receiver<Instant> {
    clock(when, None)
}

/// A receiver that never gets a message and is never disconnected: for a case of a select that is not
/// wanted this time.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::chan::{after, never, select, unbounded};
/// use std::time::Duration;
///
/// let (tx, rx) = unbounded();
/// tx.send(1).unwrap();
/// let limit = None::<Duration>;
/// select! {
///     recv(rx) -> msg => assert_eq!(msg, Ok(1)),
///     recv(limit.map_or_else(never, after)) -> _ => unreachable!("there is no limit"),
/// }
/// ```
pub fn never<T>() -> Receiver<T> {
    Receiver {
        handle: counter::new_receiver(Channel::new(Buffer::Never, Some(0))),
    }
}

/// A receiver that gets a message every `duration`: the moment when it was due.
///
/// It is never disconnected. There is room for one message: a late receive gets the first message that was
/// missed, and the next receive the next that is due. Messages are due at multiples of `duration` after the call,
/// whenever they are received. Clones share the messages. A `duration` of zero makes a receiver whose message is
/// always there.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use std::time::Duration;
///
/// let beat = Duration::from_millis(2);
/// let ticks: Vec<_> = goroutines::chan::tick(beat).iter().take(3).collect();
/// assert!(ticks[1] - ticks[0] >= beat);
/// assert!(ticks[2] - ticks[1] >= beat);
/// ```
pub fn tick(duration: Duration) -> Receiver<Instant> {
    match Instant::now().checked_add(duration) {
        Some(first) => clock(first, Some(duration)),
        None => never(),
    }
}
