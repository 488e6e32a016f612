//! A limit on how often something happens.

use std::{
    fmt,
    sync::PoisonError,
    time::{Duration, Instant},
};

use super::{Mutex, MutexGuard};
use crate::{
    context::{Context, ContextError},
    thread::sleep_until,
};

/// Lets events happen at a rate, and some of them at once: a token bucket, as Go's `x/time/rate`.
///
/// A bucket holds up to `burst` tokens, and is full at first. Each event takes one; a new one comes each `every`. Who
/// waits is served in the order of the calls.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::sync::Limiter;
/// use std::time::{Duration, Instant};
///
/// let limiter = Limiter::new(Duration::from_millis(2), 5);
/// let start = Instant::now();
/// (0..10).for_each(|_| limiter.wait());
/// assert!(start.elapsed() >= Duration::from_millis(10));
/// ```
pub struct Limiter {
    every: Duration,
    /// The time in which an empty bucket fills up, but for one token.
    slack: Duration,
    /// When the bucket is full, if nothing is taken until then. Reservations move it into the future.
    full: Mutex<Instant>,
}

impl Limiter {
    /// An event each `every` in the long run, at most `burst` of them at once. With an `every` of zero there is no limit.
    ///
    /// # Panics
    ///
    /// When `burst` is 0, with which nothing could ever happen; and when a full bucket is more than [`Duration`] can hold.
    #[track_caller]
    pub fn new(every: Duration, burst: u32) -> Limiter {
        assert!(
            burst > 0,
            "Limiter::new: with a burst of 0 nothing could ever happen; allow at least 1"
        );
        let Some(filling) = every.checked_mul(burst) else {
            panic!("Limiter::new: {burst} times {every:?} is more than a Duration can hold");
        };
        Limiter {
            every,
            slack: filling - every,
            full: Mutex::new(Instant::now()),
        }
    }

    fn full(&self) -> MutexGuard<'_, Instant> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a token if there is one, and returns whether there was.
    pub fn allow(&self) -> bool {
        let now = Instant::now();
        let mut full = self.full();
        let from = (*full).max(now);
        if from.duration_since(now) > self.slack {
            return false;
        }
        match from.checked_add(self.every) {
            Some(next) => *full = next,
            None => return false,
        }
        true
    }

    /// Takes the next token, and returns when it is there: the event must not happen before. `None` if that is beyond
    /// what an [`Instant`] can hold; then none was taken.
    pub fn reserve(&self) -> Option<Instant> {
        self.take(None).ok()
    }

    /// Takes the next token, if it is there by `deadline`.
    fn take(&self, deadline: Option<Instant>) -> Result<Instant, ()> {
        let now = Instant::now();
        let mut full = self.full();
        let from = (*full).max(now);
        let next = from.checked_add(self.every).ok_or(())?;
        let due = from.checked_sub(self.slack).map_or(now, |due| due.max(now));
        if deadline.is_some_and(|deadline| due > deadline) {
            return Err(());
        }
        *full = next;
        Ok(due)
    }

    /// Waits for the next token and takes it.
    ///
    /// # Parks
    ///
    /// Until the token is there. A plain OS thread sleeps. It does not end with the caller's context; see
    /// [`wait_ctx`](Limiter::wait_ctx).
    pub fn wait(&self) {
        Context::background().run(|| match self.reserve() {
            Some(due) => sleep_until(due),
            None => crate::sleep(Duration::MAX),
        });
    }

    /// As [`wait`](Limiter::wait), until `context` is done at most. If the token comes after the deadline of the context,
    /// it does not wait.
    ///
    /// # Parks
    ///
    /// Until the token is there, or the context is done. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// Why the context is done, or that its deadline would pass. No token was taken then, unless others have reserved later
    /// ones meanwhile.
    pub fn wait_ctx(&self, context: &Context) -> Result<(), ContextError> {
        if let Some(error) = context.err() {
            return Err(error);
        }
        let due = self
            .take(context.deadline())
            .map_err(|()| ContextError::DeadlineExceeded)?;
        let waited = context.sleep(due.saturating_duration_since(Instant::now()));
        if waited.is_err() {
            self.give_back(due);
        }
        waited
    }

    /// The token that is there at `due` was not used. It is the next one again, if it was the last that was taken.
    fn give_back(&self, due: Instant) {
        let mut full = self.full();
        if due.checked_add(self.slack + self.every) == Some(*full) {
            *full -= self.every;
        }
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}
