//! Sums of equal samples, made where nothing may wait: for samples of which there may be more than a ring has room for.
//!
//! ```text
//!  a writer                                      profile's thread
//!  S1 busy = true (swap); it was: another table  T1 busy = true (swap); it was: again
//!  S2 the sample, into the spare record          T2 read the records, and forget them
//!  S3 an equal record: add to it; a free place:  T3 busy = false
//!     write it there; else it is lost
//!  S4 busy = false
//! ```
//!
//! A writer waits for nobody: it has several tables to try. The profile's thread waits for a writer, which takes some
//! microseconds. What has room is [`PLACES`] different stacks between two looks of that thread, not so many samples.

use std::{
    cell::UnsafeCell,
    hash::{Hash, Hasher},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use crate::{profile::Amount, record::Record};

/// Different samples of a table.
const PLACES: usize = 128;

/// A table of samples. `W` is what its writer walks with.
pub(crate) struct Sums<W> {
    busy: AtomicBool,
    lost: AtomicU64,
    inside: UnsafeCell<Inside<W>>,
}

struct Inside<W> {
    walker: W,
    spare: Record,
    /// The hash of each record; the others are free.
    hashes: Vec<u64>,
    records: Box<[Record]>,
}

// SAFETY: what is inside is used between S1 and S4, and T1 and T3: by one thread at a time.
unsafe impl<W: Send> Sync for Sums<W> {}

impl<W> Sums<W> {
    pub(crate) fn new(walker: W) -> Sums<W> {
        Sums {
            busy: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            inside: UnsafeCell::new(Inside {
                walker,
                spare: Record::new(),
                hashes: Vec::with_capacity(PLACES),
                records: (0..PLACES).map(|_| Record::new()).collect(),
            }),
        }
    }

    /// S1 to S4. Returns false, and does nothing, if another thread is at the table. Allocates nothing if `write`, which
    /// does not panic, does not.
    pub(crate) fn add(&self, amount: Amount, write: impl FnOnce(&mut Record, &mut W)) -> bool {
        // Acquire: partner is the Release below and in `drain`, of who was at it before.
        if self.busy.swap(true, Ordering::Acquire) {
            return false;
        }
        // SAFETY: `busy` makes this the one thread at the table until S4.
        let inside = unsafe { &mut *self.inside.get() };
        write(&mut inside.spare, &mut inside.walker);
        if !inside.add(amount) {
            // Relaxed: a count.
            self.lost.fetch_add(amount.count, Ordering::Relaxed);
        }
        // S4. Release: partners are the swaps.
        self.busy.store(false, Ordering::Release);
        true
    }

    /// T1 to T3. `each` does not panic.
    pub(crate) fn drain(&self, mut each: impl FnMut(&Record)) {
        // Acquire: as in `add`.
        while self.busy.swap(true, Ordering::Acquire) {
            thread::yield_now();
        }
        // SAFETY: `busy` makes this the one thread at the table until T3.
        let inside = unsafe { &mut *self.inside.get() };
        inside.records[..inside.hashes.len()]
            .iter()
            .for_each(&mut each);
        inside.hashes.clear();
        // T3. Release: partners are the swaps.
        self.busy.store(false, Ordering::Release);
    }

    /// How many samples there was no room for.
    pub(crate) fn lost(&self) -> u64 {
        // Relaxed: a count.
        self.lost.load(Ordering::Relaxed)
    }
}

impl<W> Inside<W> {
    /// S3. Returns false where there is no room.
    fn add(&mut self, amount: Amount) -> bool {
        let hash = hash_of(&self.spare);
        let known = (0..self.hashes.len())
            .find(|&at| self.hashes[at] == hash && is_equal(&self.records[at], &self.spare));
        if let Some(at) = known {
            let sum = &mut self.records[at].amount;
            sum.count += amount.count;
            sum.nanoseconds += amount.nanoseconds;
            return true;
        }
        let Some(place) = self.records.get_mut(self.hashes.len()) else {
            return false;
        };
        place.clone_from(&self.spare);
        place.amount = amount;
        // Within its capacity.
        self.hashes.push(hash);
        true
    }
}

fn is_equal(one: &Record, other: &Record) -> bool {
    one.reason == other.reason && one.who == other.who && one.walk == other.walk
}

fn hash_of(record: &Record) -> u64 {
    let mut hasher = Folding(0);
    (record.reason, record.who).hash(&mut hasher);
    record.walk.hash(&mut hasher);
    hasher.0
}

/// A quick hash of few words: what has the same is compared.
struct Folding(u64);

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = (self.0.rotate_left(5) ^ u64::from_ne_bytes(word))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::Who,
        walk::{End, Walk},
    };

    fn amount(count: u64) -> Amount {
        Amount {
            count,
            nanoseconds: 10 * count,
        }
    }

    /// A stack of so many frames, of a goroutine of this name.
    fn stack(frames: u64, name: &str) -> impl FnOnce(&mut Record, &mut ()) {
        move |record, ()| {
            record.who = Who::goroutine(0, "app::f", Some(name));
            record.walk = Walk::new(End::Root, 1000);
            (1..=frames).for_each(|address| record.walk.push(address));
        }
    }

    fn all(sums: &Sums<()>) -> Vec<(u64, u64)> {
        let mut all = Vec::new();
        sums.drain(|record| all.push((record.amount.count, record.amount.nanoseconds)));
        all.sort();
        all
    }

    #[test]
    fn equal_samples_are_one_sum_and_others_are_not() {
        let sums = Sums::new(());
        for _ in 0..1000 {
            assert!(sums.add(amount(1), stack(3, "a")));
            assert!(sums.add(amount(2), stack(3, "b")));
        }
        // What an earlier, deeper walk has left in the record is no part of a stack.
        assert!(sums.add(amount(5), stack(200, "a")));
        assert!(sums.add(amount(7), stack(3, "a")));
        assert_eq!(all(&sums), [(5, 50), (1007, 10_070), (2000, 20_000)]);
        assert_eq!((all(&sums), sums.lost()), (vec![], 0));
    }

    #[test]
    fn stacks_without_room_are_counted() {
        let sums = Sums::new(());
        for round in 1..=2 {
            for frames in 0..PLACES as u64 + 3 {
                assert!(sums.add(amount(2), stack(frames, "")));
            }
            assert_eq!(sums.lost(), 6 * round);
            assert_eq!(all(&sums).len(), PLACES);
        }
    }

    #[test]
    fn a_table_has_one_writer() {
        let sums = Sums::new(());
        let mut second = true;
        assert!(sums.add(amount(1), |_, ()| second = sums.add(amount(1), |_, ()| {})));
        assert!(!second);
        assert_eq!(all(&sums), [(1, 10)]);
    }

    #[test]
    fn what_threads_add_is_all_there() {
        const EACH: u64 = 5_000;
        let sums = Sums::new(());
        let (mut seen, ended) = (0, AtomicU64::new(0));
        thread::scope(|scope| {
            for name in ["a", "b"] {
                let (sums, ended) = (&sums, &ended);
                scope.spawn(move || {
                    for number in 0..EACH {
                        while !sums.add(amount(1), stack(number % 50, name)) {
                            thread::yield_now();
                        }
                    }
                    // Release: partner is the load below.
                    ended.fetch_add(1, Ordering::Release);
                });
            }
            loop {
                // Acquire: partner is the addition above; what was added before is drained now.
                let is_last = ended.load(Ordering::Acquire) == 2;
                seen += all(&sums).iter().map(|sum| sum.0).sum::<u64>();
                if is_last {
                    break;
                }
            }
        });
        assert_eq!((seen, sums.lost()), (2 * EACH, 0));
    }
}
