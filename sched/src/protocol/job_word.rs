//! The word of a job: where the goroutine that runs it and the owner that waits for it meet.
//!
//! A job is the second closure of a fork-join. It lies in a frame of its owner, with this word and the place of its
//! outcome. While the owner runs the first closure, the job's address lies in a deque (job_deque.rs), and the deque
//! decides who runs it: the owner pops the address, or a thief steals it, never both. Only a job that was stolen uses
//! the word:
//!
//! ```text
//! goroutine that runs the job               owner, which found the deque empty
//! J1 run it, put the outcome into the frame J3 word == DONE: take the outcome, leave the frame
//! J2 swap(DONE); there was a waiter:        J4 park; the commit does CAS(0 -> itself),
//!      make it ready                           and if J2 was first the owner goes on
//! ```
//!
//! The frame ends when the owner has seen DONE, so J2 is the last access to it by the other side: making the owner
//! ready touches its G, which is never freed. And no deque has the address any more: it was stolen.

use crate::protocol::sync::{AtomicUsize, Ordering};

const DONE: usize = 1;

pub(crate) struct JobWord(AtomicUsize);

impl JobWord {
    #[inline(always)]
    pub(crate) fn new() -> JobWord {
        JobWord(AtomicUsize::new(0))
    }

    /// J3: returns whether the job has run. Then the outcome is the owner's.
    pub(crate) fn is_done(&self) -> bool {
        // Acquire: partner is J2.
        self.0.load(Ordering::Acquire) == DONE
    }

    /// J4, by the commit of the owner, whose word `waiter` is: false if the job has run.
    pub(crate) fn wait(&self, waiter: usize) -> bool {
        debug_assert!(waiter > DONE);
        // Release: partner is J2, which makes the owner ready, whose context is saved. Relaxed on failure: J3 follows.
        self.0
            .compare_exchange(0, waiter, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// J2: the job has run, and its outcome is in its place. Returns the word of the owner, if it waits; the caller makes
    /// it ready. Nothing of the frame may be touched from here on.
    pub(crate) fn finish(&self) -> Option<usize> {
        // Release: partner is J3. Acquire: partner is J4.
        let waiter = self.0.swap(DONE, Ordering::AcqRel);
        debug_assert_ne!(waiter, DONE, "a job ran twice");
        (waiter != 0).then_some(waiter)
    }
}
