//! The timers of a P: a heap of moments, each with a sleeper to wake.
//!
//! Only the M that owns the P inserts; any M may take what is due (an M without work looks at all Ps). Cancelling is
//! not needed: an entry whose wait ended otherwise is *dead* (its claim fails), is counted, and is removed in a sweep
//! when the dead outnumber the living.
//!
//! Waking a sleeping M costs more than making a goroutine ready, so timers that lie close together wake it together:
//! [`Timers::coalesced_wake`]. An M that is awake fires what is due in its next round.
//!
//! An entry must not be taken before its goroutine is off its stack. [`Timers::insert_and`] therefore
//! holds the heap's lock while the goroutine's commit runs.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::protocol::sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock};

/// A moment that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

/// Dead entries below this number are not worth a sweep.
const SWEEP_FROM: usize = 64;

/// Entries within [`SLACK`] of the earliest one wait for each other if there are so many of them.
const COALESCE_FROM: usize = 16;

/// The largest number of entries that are looked at.
const LOOKS: usize = 64;

/// Entries that are copied at a time.
#[cfg(not(goroutines_loom))]
const PIECE: usize = 128;

/// How late a sleeping M may be for an entry that waits for others, in nanoseconds.
const SLACK: u64 = 500_000;

/// What a heap needs to know of the sleepers in it.
pub(crate) trait Sleeper: Copy {
    /// Returns whether waking it would still end a wait.
    fn is_waiting(&self) -> bool;
}

pub(crate) struct Timers<S> {
    /// The earliest moment in the heap, or [`NEVER`]; written under the lock.
    next: AtomicU64,
    /// Entries known to be dead.
    dead: AtomicU32,
    heap: Mutex<BinaryHeap<Reverse<Entry<S>>>>,
}

struct Entry<S> {
    when: u64,
    sleeper: S,
}

impl<S> PartialEq for Entry<S> {
    fn eq(&self, other: &Self) -> bool {
        self.when == other.when
    }
}
impl<S> Eq for Entry<S> {}
impl<S> PartialOrd for Entry<S> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<S> Ord for Entry<S> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.when.cmp(&other.when)
    }
}

impl<S: Sleeper> Timers<S> {
    pub(crate) fn new() -> Timers<S> {
        Timers {
            next: AtomicU64::new(NEVER),
            dead: AtomicU32::new(0),
            heap: Mutex::new(BinaryHeap::new()),
        }
    }

    /// The earliest moment, or [`NEVER`].
    #[inline]
    pub(crate) fn next(&self) -> u64 {
        // Relaxed: partner is the store under the lock in `publish`. An M that goes to sleep reads
        // it after the SeqCst fence of the idle protocol; the owner reads its own writes.
        self.next.load(Ordering::Relaxed)
    }

    /// When an M without work should wake up for this heap: at the earliest moment, or, where many lie within
    /// [`SLACK`], at the last of those.
    pub(crate) fn coalesced_wake(&self) -> u64 {
        if self.next() == NEVER {
            return NEVER;
        }
        let heap = lock(&self.heap);
        // An array with the children of `i` at `2i + 1` and `2i + 2`, none earlier than its parent. If that were not
        // so, some entries would be overlooked.
        let entries = heap.as_slice();
        let Some(Reverse(first)) = entries.first() else {
            return NEVER;
        };
        let (mut met, mut last) = (0, first.when);
        let mut open = [0; LOOKS + 1];
        let mut count = 1;
        while count > 0 && met < LOOKS {
            count -= 1;
            let index = open[count];
            let Some(Reverse(entry)) = entries.get(index) else {
                continue;
            };
            if entry.when - first.when > SLACK {
                continue;
            }
            met += 1;
            last = last.max(entry.when);
            // Each entry that is close adds one to the list of entries whose children are still to be looked at.
            open[count] = 2 * index + 1;
            open[count + 1] = 2 * index + 2;
            count += 2;
        }
        if met < COALESCE_FROM {
            first.when
        } else {
            last
        }
    }

    /// Inserts `sleeper` for `when`, then runs `commit` with the heap still locked, and returns what `commit`
    /// returned. An entry whose wait ended otherwise is reported with [`Timers::note_dead`].
    pub(crate) fn insert_and(&self, when: u64, sleeper: S, commit: impl FnOnce() -> bool) -> bool {
        let mut heap = lock(&self.heap);
        // Relaxed: a count for deciding when to sweep.
        if self.dead.load(Ordering::Relaxed) as usize > SWEEP_FROM.max(heap.len() / 2) {
            heap.retain(|Reverse(entry)| entry.sleeper.is_waiting());
            // Relaxed: a count. Deaths counted meanwhile may be lost: the next sweep finds them.
            self.dead.store(0, Ordering::Relaxed);
        }
        heap.push(Reverse(Entry { when, sleeper }));
        self.publish(&heap);
        commit()
    }

    /// Counts an entry of this heap whose wait ended otherwise.
    pub(crate) fn note_dead(&self) {
        // Relaxed: a count for deciding when to sweep.
        self.dead.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes everything due at `now` and gives each to `wake`, which runs without the lock.
    /// Entries that were dead already (`wake` says false) are uncounted.
    pub(crate) fn fire(&self, now: u64, mut wake: impl FnMut(S) -> bool) -> bool {
        let mut woke = false;
        loop {
            let mut batch = [None; 32];
            let mut count = 0;
            let mut heap = lock(&self.heap);
            while count < batch.len() && heap.peek().is_some_and(|top| top.0.when <= now) {
                batch[count] = heap.pop().map(|top| top.0.sleeper);
                count += 1;
            }
            self.publish(&heap);
            drop(heap);
            for sleeper in batch.iter().take(count).copied().flatten() {
                if wake(sleeper) {
                    woke = true;
                } else {
                    self.bury_one();
                }
            }
            if count < batch.len() {
                return woke;
            }
        }
    }

    /// Moves the living to `heir`. True if there were any.
    pub(crate) fn move_to(&self, heir: &Timers<S>) -> bool {
        let mut heap = lock(&self.heap);
        let mut living = std::mem::take(&mut *heap);
        self.publish(&heap);
        // Relaxed: a count for deciding when to sweep.
        self.dead.store(0, Ordering::Relaxed);
        drop(heap);
        living.retain(|Reverse(entry)| entry.sleeper.is_waiting());
        let any = !living.is_empty();
        let mut heap = lock(&heir.heap);
        heap.append(&mut living);
        heir.publish(&heap);
        any
    }

    /// Calls `visit` with the moment and the sleeper of each entry, without the lock. The heap is copied in pieces: one that
    /// changes meanwhile may show an entry twice, or not.
    #[cfg(not(goroutines_loom))]
    pub(crate) fn each(&self, mut visit: impl FnMut(u64, S)) {
        let mut from = 0;
        loop {
            let mut piece = [None; PIECE];
            let heap = lock(&self.heap);
            let rest = heap.as_slice().get(from..).unwrap_or_default();
            for (place, Reverse(entry)) in piece.iter_mut().zip(rest) {
                *place = Some((entry.when, entry.sleeper));
            }
            let is_last = rest.len() <= PIECE;
            drop(heap);
            for (when, sleeper) in piece.into_iter().flatten() {
                visit(when, sleeper);
            }
            if is_last {
                return;
            }
            from += PIECE;
        }
    }

    /// How many entries the heap holds, dead ones included.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        lock(&self.heap).len()
    }

    /// A dead entry left the heap because it was due. A sweep may have reset the count.
    fn bury_one(&self) {
        // Relaxed (all): a count for deciding when to sweep.
        let _ = self
            .dead
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    }

    fn publish(&self, heap: &BinaryHeap<Reverse<Entry<S>>>) {
        let next = heap.peek().map_or(NEVER, |top| top.0.when);
        // Relaxed: see `next`.
        self.next.store(next, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(goroutines_loom)))]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[derive(Clone, Copy)]
    struct Probe<'a>(u32, &'a Cell<bool>);

    impl Sleeper for Probe<'_> {
        fn is_waiting(&self) -> bool {
            self.1.get()
        }
    }

    #[test]
    fn fires_in_order_and_only_what_is_due() {
        let waiting = Cell::new(true);
        let timers = Timers::new();
        for when in [50, 10, 40, 20, 30] {
            assert!(timers.insert_and(when, Probe(when as u32, &waiting), || true));
        }
        assert_eq!(timers.next(), 10);
        let mut fired = Vec::new();
        assert!(timers.fire(30, |probe| {
            fired.push(probe.0);
            true
        }));
        assert_eq!(fired, [10, 20, 30]);
        assert_eq!(timers.next(), 40);
        assert!(!timers.fire(39, |_| true));
    }

    #[test]
    fn each_entry_is_shown_and_stays() {
        let waiting = Cell::new(true);
        let timers = Timers::new();
        for count in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            while timers.len() < count {
                let number = timers.len() as u32;
                timers.insert_and(u64::from(number), Probe(number, &waiting), || true);
            }
            let mut shown = Vec::new();
            timers.each(|when, probe| {
                assert_eq!(when, u64::from(probe.0));
                shown.push(probe.0);
            });
            shown.sort_unstable();
            assert_eq!(shown, (0..count as u32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn more_than_a_batch_is_fired_at_once() {
        let waiting = Cell::new(true);
        let timers = Timers::new();
        for when in 0..1000 {
            assert!(timers.insert_and(when, Probe(0, &waiting), || true));
        }
        let mut fired = 0;
        timers.fire(1000, |_| {
            fired += 1;
            true
        });
        assert_eq!(fired, 1000);
        assert_eq!(timers.next(), NEVER);
    }

    #[test]
    fn the_living_move_and_the_dead_do_not() {
        let (waiting, dead) = (Cell::new(true), Cell::new(false));
        let (old, new) = (Timers::new(), Timers::new());
        for when in [30, 10] {
            old.insert_and(when, Probe(when as u32, &waiting), || true);
            old.insert_and(when - 5, Probe(0, &dead), || false);
        }
        new.insert_and(20, Probe(20, &waiting), || true);
        assert!(old.move_to(&new));
        assert_eq!((old.next(), new.next()), (NEVER, 10));
        let mut fired = Vec::new();
        new.fire(30, |probe| {
            fired.push(probe.0);
            true
        });
        assert_eq!(fired, [10, 20, 30]);
        assert!(!old.move_to(&new));
    }

    #[test]
    fn a_crowd_wakes_an_m_once_and_a_few_wake_it_each() {
        let waiting = Cell::new(true);
        let timers = Timers::new();
        assert_eq!(timers.coalesced_wake(), NEVER);
        let insert = |when| timers.insert_and(when, Probe(0, &waiting), || true);
        for n in 1..COALESCE_FROM as u64 {
            insert(1000 + 10 * n);
        }
        assert_eq!(timers.coalesced_wake(), 1010);
        insert(1000);
        assert_eq!(timers.coalesced_wake(), 990 + 10 * COALESCE_FROM as u64);
        // One that is too late does not belong to it, however many there are.
        insert(1001 + SLACK);
        assert_eq!(timers.coalesced_wake(), 990 + 10 * COALESCE_FROM as u64);
        for n in 0..100_000 {
            insert(1000 + SLACK + n);
            insert(1000 + n);
        }
        assert!(timers.coalesced_wake() > 1000 && timers.coalesced_wake() <= 1000 + SLACK);
    }

    #[test]
    fn dead_entries_do_not_pile_up() {
        let dead = Cell::new(false);
        let timers = Timers::new();
        for when in 0..100_000 {
            assert!(!timers.insert_and(when, Probe(0, &dead), || false));
            timers.note_dead();
        }
        assert!(timers.len() < 1000, "{} entries left", timers.len());
    }
}
