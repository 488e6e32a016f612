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
#[doc(alias = "throttle")]
#[doc(alias = "token_bucket")]
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
        self.take(now, Some(now)).is_some()
    }

    /// Takes the next token, and returns when it is there: the event must not happen before. `None` if that is beyond
    /// what an [`Instant`] can hold; then none was taken.
    pub fn reserve(&self) -> Option<Instant> {
        self.take(Instant::now(), None).map(|token| token.due)
    }

    /// Takes the next token, if it is there by `deadline`.
    fn take(&self, now: Instant, deadline: Option<Instant>) -> Option<Token> {
        let mut full = self.full();
        let from = (*full).max(now);
        let next = from.checked_add(self.every)?;
        let due = from.checked_sub(self.slack).map_or(now, |due| due.max(now));
        if deadline.is_some_and(|deadline| due > deadline) {
            return None;
        }
        *full = next;
        Some(Token { due, full: next })
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
        let Some(token) = self.take(Instant::now(), context.deadline()) else {
            return match context.deadline() {
                Some(_) => Err(ContextError::DeadlineExceeded),
                // Beyond what a clock can hold.
                None => context.sleep(Duration::MAX),
            };
        };
        let waited = context.sleep_until(Some(token.due));
        if waited.is_err() {
            self.give_back(&token);
        }
        waited
    }

    /// The token was not used. It is the next one again, if it was the last that was taken.
    fn give_back(&self, token: &Token) {
        let mut full = self.full();
        if *full == token.full {
            *full -= self.every;
        }
    }
}

/// A token that was taken.
struct Token {
    /// When it is there.
    due: Instant,
    /// When the bucket is full after it.
    full: Instant,
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}
