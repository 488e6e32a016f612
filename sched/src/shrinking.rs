//! The word through which a parked goroutine's stack is shrunk, or is not: see shrink.rs for the steps.

use crate::sync::{AtomicU8, Ordering, light_fence, nap};

/// Nobody works on the stack.
const FREE: u8 = 0;
/// The shrinker would like to, if the goroutine stays parked.
const WANTED: u8 = 1;
/// It does.
const BUSY: u8 = 2;

/// The word of a G.
pub(crate) struct Shrinking(AtomicU8);

impl Shrinking {
    pub(crate) fn new() -> Shrinking {
        Shrinking(AtomicU8::new(FREE))
    }

    /// R2: before the goroutine runs, after its status says so.
    #[inline(always)]
    pub(crate) fn settle(&self) {
        // The order of R1 and R2 for this thread; S3 makes it one for the shrinker.
        light_fence(true);
        // Acquire: partners are S2, by way of S3, and S7, after which the stack may be used.
        if self.0.load(Ordering::Acquire) != FREE {
            self.settle_slow();
        }
    }

    #[cold]
    fn settle_slow(&self) {
        loop {
            // Relaxed (both): against S5, on one word. On success nothing was done to the stack.
            let withdrawn = self.0.compare_exchange(
                WANTED,
                FREE,
                Ordering::Relaxed,
                // Acquire: partner is S7, after which the stack may be used.
                Ordering::Acquire,
            );
            match withdrawn {
                Ok(_) | Err(FREE) => return,
                Err(_) => nap(1), // some microseconds of madvise
            }
        }
    }

    /// S2. Relaxed: S3 follows.
    pub(crate) fn want(&self) {
        self.0.store(WANTED, Ordering::Relaxed);
    }

    /// S5. Relaxed: nothing was written that the other side of the race would have to see.
    pub(crate) fn begin(&self) -> bool {
        self.0
            .compare_exchange(WANTED, BUSY, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// S7, and the end of an attempt that S4 gave up.
    pub(crate) fn end(&self) {
        // Release: partner is the Acquire in `settle_slow`.
        self.0.store(FREE, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{sync::atomic::AtomicBool, thread};

    use super::*;

    #[test]
    fn a_goroutine_that_goes_on_first_keeps_its_stack() {
        let word = Shrinking::new();
        assert!(!word.begin(), "nobody wanted it");
        word.want();
        word.settle();
        assert!(!word.begin());
        word.want();
        assert!(word.begin());
        word.end();
        word.settle();
    }

    #[test]
    fn a_goroutine_waits_while_its_stack_is_worked_on() {
        for _ in 0..200 {
            let word = Shrinking::new();
            let done = AtomicBool::new(false);
            word.want();
            assert!(word.begin());
            thread::scope(|scope| {
                let waiter = scope.spawn(|| {
                    word.settle();
                    // Relaxed: settle's Acquire, partner of `end`, orders it.
                    assert!(done.load(Ordering::Relaxed), "it did not wait");
                });
                thread::yield_now();
                done.store(true, Ordering::Relaxed); // Relaxed: as above.
                word.end();
                waiter.join().unwrap();
            });
        }
    }
}
