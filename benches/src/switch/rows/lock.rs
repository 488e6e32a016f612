//! What a lock that really passes protects: its last holder, and how often it has passed.
//!
//! Locks like std's may be taken again at once by the holder that released them, and then nothing has passed. So the holder
//! of the lock yields while it holds it (the next to run has to block on the lock), and yields again after the release:
//!
//! ```text
//!   A                            B
//!   lock, yield ──────────────►
//!                                lock: blocks
//!               ◄──────────────
//!   unlock (B is ready), yield ►
//!                                has the lock, yields
//!               ◄──────────────
//!   lock: blocks ...                                     one pass a three switches
//! ```
//!
//! [`Baton::take`] counts how often the holder changed; a pass is the operation. The clock starts once the lock has passed
//! as often as there are participants: by then they are all there, and their start is not what is measured.

use std::io;
use std::time::{Duration, Instant};

use crate::sample::Sample;

/// The value behind the lock.
#[derive(Debug)]
pub struct Baton {
    holder: Option<usize>,
    takes: u64,
    passes: u64,
    /// The passes before the clock starts.
    warm_up: u64,
    /// The passes to be timed.
    wanted: u64,
    start: Instant,
    elapsed: Option<Duration>,
}

impl Baton {
    /// A baton to be passed among so many, `wanted` times, at least once.
    pub fn new(participants: usize, wanted: u64) -> Self {
        Self {
            holder: None,
            takes: 0,
            passes: 0,
            warm_up: participants as u64,
            wanted: wanted.max(1),
            start: Instant::now(),
            elapsed: None,
        }
    }

    /// Called by the holder of the lock; returns whether it is enough. Gives up on a lock that does not pass.
    pub fn take(&mut self, holder: usize) -> bool {
        self.takes += 1;
        if self
            .holder
            .replace(holder)
            .is_some_and(|last| last != holder)
        {
            self.passes += 1;
            if self.passes == self.warm_up {
                self.start = Instant::now();
            } else if self.passes == self.warm_up + self.wanted {
                self.elapsed = Some(self.start.elapsed());
            }
        }
        self.elapsed.is_some() || self.takes > 1_000_000 + 1000 * self.wanted
    }

    /// How long the passes took.
    ///
    /// # Errors
    ///
    /// If the lock passed less often than wanted.
    pub fn sample(&self) -> io::Result<Sample> {
        let Self {
            takes,
            passes,
            wanted,
            ..
        } = *self;
        let never = || {
            let message =
                format!("the lock passed {passes} times only while it was taken {takes} times");
            io::Error::other(message)
        };
        Ok(Sample {
            elapsed: self.elapsed.ok_or_else(never)?,
            operations: wanted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_of_holder_is_a_pass() {
        let mut baton = Baton::new(2, 2);
        for holder in [1, 1, 1, 2, 2, 1, 2] {
            assert!(!baton.take(holder));
        }
        assert!(baton.take(1));
        assert_eq!(baton.sample().unwrap().operations, 2);
    }

    #[test]
    fn it_stays_enough_for_late_callers() {
        let mut baton = Baton::new(2, 1);
        assert_eq!(
            [1, 2, 1, 2, 1, 1].map(|holder| baton.take(holder)),
            [false, false, false, true, true, true]
        );
        let before = baton.sample().unwrap().elapsed;
        baton.take(2);
        assert_eq!(baton.sample().unwrap().elapsed, before);
    }

    #[test]
    fn a_lock_that_never_passes_is_an_error_and_not_a_fast_row() {
        let mut baton = Baton::new(2, 1);
        while !baton.take(1) {}
        let error = baton.sample().unwrap_err().to_string();
        assert!(
            error.starts_with("the lock passed 0 times only while it was taken 1001001 times"),
            "{error}"
        );
    }
}
