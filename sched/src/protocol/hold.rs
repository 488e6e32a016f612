//! Holding goroutines that are off their stacks, so that another thread can read the stacks: the word of shrink_word.rs
//! with a second user.
//!
//! ```text
//! reader, some goroutines at a time                      M that runs one of them: R1 and R2 of shrink.rs
//! D1 status is parked or Runnable: word = WANTED         status = Running          a plain store
//! D2 membarrier                                          word != FREE ? settle     a plain load
//! D3 status is so again, and word: WANTED -> BUSY
//! D4 read context, stack, reason                         settle: word: WANTED -> FREE, or wait while it is BUSY
//! D5 word = FREE
//! ```
//!
//! The word has one user at a time, the shrinker or a reader: the lock of all_gs.rs decides. A reader keeps a goroutine
//! that is about to run waiting for some microseconds; it keeps its place in its queue. Until D5 the goroutine does not
//! end, so its stack, its identity and what it waits on stay.
//!
//! That a goroutine may have run between D1 and D3 does no harm. If R1 (shrink.rs) of that run came before D2, D3 sees
//! Running or a status that was stored after the run; its next R1 comes after D2, so its R2 sees the word. The status that D3 sees was
//! stored after the context: D3 acquires, and its partners are ST-2 (status.rs) and the store of Runnable.
//!
//! A goroutine that is woken and runs at once is met at D3 in few looks of a hundred; it is then reported as running.

use crate::protocol::{shrink_word::ShrinkWord, status::StatusCell, sync::heavy_fence};

/// A goroutine, as a reader of its stack sees it.
pub(crate) trait Holds {
    fn status(&self) -> &StatusCell;

    fn word(&self) -> &ShrinkWord;
}

/// The most goroutines that are held at a time.
pub(crate) const BATCH: usize = 32;

/// D1 to D5, for goroutines that share a barrier, at most [`BATCH`]. `read` is called once for each with its place in
/// `batch`, and whether it is held. The caller has the right to the words (all_gs.rs). Returns whether the kernel has
/// made the barrier; without it none is held.
pub(crate) fn hold<T: Holds>(batch: &[&T], mut read: impl FnMut(usize, bool)) -> bool {
    debug_assert!(batch.len() <= BATCH);
    let mut wanted = Wanted::of(batch);
    let fenced = wanted.bits == 0 || heavy_fence(true);
    for (place, g) in batch.iter().enumerate() {
        let held = fenced
            && wanted.bits & 1 << place != 0
            && g.status().is_off_stack()
            && g.word().begin();
        read(place, held);
        wanted.free(place);
    }
    fenced
}

/// As [`hold`], for goroutines that are read together: `read` is called while all of them are held. `None` if one could not
/// be. They are kept from running for as long as that takes.
pub(crate) fn hold_all<T: Holds, R>(all: &[&T], read: impl FnOnce() -> R) -> Option<R> {
    let mut batches: Vec<Wanted<'_, T>> = Vec::with_capacity(all.len() / BATCH + 1);
    for batch in all.chunks(BATCH) {
        let wanted = Wanted::of(batch);
        if (wanted.bits.count_ones() as usize) < batch.len() {
            return None;
        }
        batches.push(wanted);
    }
    let fenced = all.is_empty() || heavy_fence(true);
    let held = fenced
        && all
            .iter()
            .all(|g| g.status().is_off_stack() && g.word().begin());
    held.then(read)
}

/// The goroutines whose words are not FREE; freed also where `read` panics.
struct Wanted<'a, T: Holds> {
    batch: &'a [&'a T],
    bits: u32,
}

impl<'a, T: Holds> Wanted<'a, T> {
    /// D1.
    fn of(batch: &'a [&'a T]) -> Wanted<'a, T> {
        let mut wanted = Wanted { batch, bits: 0 };
        for (place, g) in batch.iter().enumerate() {
            if g.status().is_off_stack() {
                g.word().want();
                wanted.bits |= 1 << place;
            }
        }
        wanted
    }

    /// D5.
    fn free(&mut self, place: usize) {
        if self.bits & 1 << place != 0 {
            self.bits &= !(1 << place);
            self.batch[place].word().end();
        }
    }
}

impl<T: Holds> Drop for Wanted<'_, T> {
    fn drop(&mut self) {
        (0..self.batch.len()).for_each(|place| self.free(place));
    }
}
