//! The word that decides whether a parked goroutine's stack is shrunk, and the steps of both sides: see shrink.rs. A
//! second user of the word reads stacks: see hold.rs.

use crate::protocol::{
    hold::Holds,
    status::{Status, StatusCell},
    sync::{AtomicU8, Ordering, heavy_fence, light_fence, nap},
};

/// A goroutine, as the shrinker sees it.
pub(crate) trait Shrinks: Holds {
    /// S6.
    ///
    /// The goroutine is parked, and stays so until the caller has set the word free.
    unsafe fn trim(&self);

    /// S1: the status is about to say that it was marked. The goroutine may run.
    fn stamp(&self) {}

    /// S7: the status says that the stack was shrunk.
    fn note_shrunk(&self);
}

/// What a look at a goroutine finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// It was parked, and is marked now.
    Marks,
    /// It has been parked since the last look: it is to be shrunk.
    Shrinks,
    /// There is nothing to do.
    Passes,
}

/// S1.
pub(crate) fn look(g: &impl Shrinks) -> Look {
    match g.status().get() {
        Status::Waiting => {
            g.stamp();
            match g.status().change(Status::Waiting, Status::Marked) {
                true => Look::Marks,
                false => Look::Passes,
            }
        }
        Status::Marked => Look::Shrinks,
        _ => Look::Passes,
    }
}

/// S2 to S7, for goroutines that share a barrier.
pub(crate) fn shrink<T: Shrinks>(batch: &[&T]) {
    if batch.is_empty() {
        return;
    }
    batch.iter().for_each(|g| g.word().want());
    // Where the kernel refuses the fence, the shrinker cannot tell that a goroutine is still parked: none is shrunk.
    let fenced = heavy_fence(true);
    for g in batch {
        if fenced && g.status().get() == Status::Marked && g.word().begin() {
            // SAFETY: it was parked after the barrier, and BUSY keeps it there until `end`.
            unsafe { g.trim() };
            g.note_shrunk();
        }
        g.word().end();
    }
}

/// The shrinker does not use the stack.
const FREE: u8 = 0;
/// The shrinker will work on the stack if the goroutine stays parked.
const WANTED: u8 = 1;
/// The shrinker works on the stack.
const BUSY: u8 = 2;

/// The shrink word of a G.
pub(crate) struct ShrinkWord(AtomicU8);

impl ShrinkWord {
    pub(crate) fn new() -> ShrinkWord {
        ShrinkWord(AtomicU8::new(FREE))
    }

    /// R1 and R2: before the goroutine whose `status` it is runs, or gives up its stack.
    #[inline(always)]
    pub(crate) fn take_up(&self, status: &StatusCell, new: Status) {
        status.set(new);
        self.settle();
    }

    /// R2.
    #[inline(always)]
    fn settle(&self) {
        // The compiler's fence between R1 and R2; S3 makes the order one for the shrinker too.
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
                Err(_) => nap(1), // the shrinker is in madvise, or a reader on its way, for some microseconds
            }
        }
    }

    /// S2, and D1 of hold.rs. Relaxed: the fence at S3, or D2, follows.
    pub(super) fn want(&self) {
        self.0.store(WANTED, Ordering::Relaxed);
    }

    /// S5, and D3 of hold.rs. Relaxed: nothing was written that the resuming side would have to see.
    pub(super) fn begin(&self) -> bool {
        self.0
            .compare_exchange(WANTED, BUSY, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// S7, and D5 of hold.rs; or an attempt that was given up.
    pub(super) fn end(&self) {
        // Release: partner is the Acquire in `settle_slow`.
        self.0.store(FREE, Ordering::Release);
    }
}

#[cfg(all(test, not(goroutines_loom)))]
mod tests {
    use std::{sync::atomic::AtomicBool, thread};

    use super::*;

    #[test]
    fn a_goroutine_that_goes_on_first_keeps_its_stack() {
        let word = ShrinkWord::new();
        assert!(!word.begin(), "not wanted before");
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
            let word = ShrinkWord::new();
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
                done.store(true, Ordering::Relaxed); // Relaxed: ordered as the load.
                word.end();
                waiter.join().unwrap();
            });
        }
    }
}
