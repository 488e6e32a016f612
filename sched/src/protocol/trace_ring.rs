//! The ring into which one thread writes events, and which any thread may copy meanwhile.
//!
//! The writer never waits: it overwrites the oldest slots. A reader copies, and drops what may have been overwritten
//! while it did:
//!
//! ```text
//! writer, for slot n                           reader, of the slots from `from` on
//! V1 the two words into slot n % capacity      C1 end = written
//! V2 written = n + 1                           C2 copies the slots max(from, end - capacity) to end
//!                                              C3 now = written; a slot that is not above now - capacity may have
//!                                                 been overwritten, the one that is being written included
//! ```
//!
//! - *C1 sees V2*: what was written before is whole.
//! - *C2 reads a word of slot n where it wanted n - capacity*: then it sees at C3 that `written` is at least n, because
//!   the word was stored after that, and drops the slot.
//! - What a reader does not get it counts as lost.
//!
//! A slot has 16 bytes, two words of which the first may be anything. The highest byte of the second is a kind, which is
//! no business of the ring.

use crate::protocol::sync::{AtomicU64, Ordering};

/// A slot, as it is copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Slot {
    /// The first word; of an event the ticks of the clock.
    pub(crate) first: u64,
    /// The second word: a kind in the highest byte, and an argument.
    pub(crate) second: u64,
}

struct Words {
    first: AtomicU64,
    second: AtomicU64,
}

/// What a copy found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Copied {
    /// Where the next copy goes on.
    pub(crate) next: u64,
    /// How many slots were overwritten before they were read.
    pub(crate) lost: u64,
}

pub(crate) struct TraceRing {
    /// How many slots have been written, since the ring was made.
    written: AtomicU64,
    /// A power of two of them.
    slots: Box<[Words]>,
}

impl TraceRing {
    /// A ring of `1 << log` slots.
    pub(crate) fn new(log: u32) -> TraceRing {
        TraceRing {
            written: AtomicU64::new(0),
            slots: zeroed(1 << log),
        }
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.slots.len() as u64
    }

    /// How many slots have been written.
    pub(crate) fn written(&self) -> u64 {
        // Acquire: partner is V2.
        self.written.load(Ordering::Acquire)
    }

    /// V1 and V2. Returns how many slots have been written now. For the one thread that writes.
    #[inline(always)]
    pub(crate) fn push(&self, slot: Slot) -> u64 {
        // Relaxed: the writer reads what it has stored.
        let n = self.written.load(Ordering::Relaxed);
        let words = &self.slots[n as usize & (self.slots.len() - 1)];
        // Release (both): partners are the loads of C2, after which C3 must see V2 of the slot before.
        words.first.store(slot.first, Ordering::Release);
        words.second.store(slot.second, Ordering::Release);
        // Release: partner is C1.
        self.written.store(n + 1, Ordering::Release);
        n + 1
    }

    /// C1 to C3: appends the slots from number `from` on to `to`.
    pub(crate) fn copy(&self, from: u64, to: &mut Vec<Slot>) -> Copied {
        let end = self.written();
        let start = from.max(end.saturating_sub(self.capacity())).min(end);
        let before = to.len();
        to.extend((start..end).map(|n| {
            let words = &self.slots[n as usize & (self.slots.len() - 1)];
            Slot {
                // Acquire (both): partners are the stores of V1; C3 comes after.
                first: words.first.load(Ordering::Acquire),
                second: words.second.load(Ordering::Acquire),
            }
        }));
        // C3. Relaxed: the loads of C2 acquire, so it comes after them.
        let now = self.written.load(Ordering::Relaxed);
        // The slot `now` may be half written, over the one that is a capacity before it.
        let whole = (now + 1).saturating_sub(self.capacity()).clamp(start, end);
        to.drain(before..before + (whole - start) as usize);
        Copied {
            next: end,
            lost: whole - from.min(whole),
        }
    }
}

/// Memory that the system gives page by page, as it is written.
#[cfg(not(goroutines_loom))]
fn zeroed(count: usize) -> Box<[Words]> {
    let slots = Box::new_zeroed_slice(count);
    // SAFETY: zero is a value of atomic integers, of which `Words` consists.
    unsafe { slots.assume_init() }
}

#[cfg(goroutines_loom)]
fn zeroed(count: usize) -> Box<[Words]> {
    let words = |_| Words {
        first: AtomicU64::new(0),
        second: AtomicU64::new(0),
    };
    (0..count).map(words).collect()
}

#[cfg(all(test, not(goroutines_loom)))]
mod tests {
    use super::*;

    fn slot(n: u64) -> Slot {
        Slot {
            first: n,
            second: !n,
        }
    }

    fn copied(ring: &TraceRing, from: u64) -> (Vec<u64>, Copied) {
        let mut to = Vec::new();
        let copied = ring.copy(from, &mut to);
        assert!(to.iter().all(|&s| s == slot(s.first)), "{to:?}");
        (to.iter().map(|s| s.first).collect(), copied)
    }

    #[test]
    fn what_is_not_overwritten_is_read_in_order_and_the_rest_is_counted() {
        let ring = TraceRing::new(3);
        assert_eq!(copied(&ring, 0), (vec![], Copied { next: 0, lost: 0 }));
        (0..5).for_each(|n| assert_eq!(ring.push(slot(n)), n + 1));
        let all = (vec![0, 1, 2, 3, 4], Copied { next: 5, lost: 0 });
        assert_eq!(copied(&ring, 0), all);
        assert_eq!(copied(&ring, 5).0, []);
        (5..20).for_each(|n| {
            ring.push(slot(n));
        });
        // One less than the capacity: the writer may be about to write slot 20 over slot 12.
        let rest = (
            vec![13, 14, 15, 16, 17, 18, 19],
            Copied { next: 20, lost: 8 },
        );
        assert_eq!(copied(&ring, 5), rest);
        assert_eq!(copied(&ring, 18).0, [18, 19]);
    }

    #[test]
    fn a_reader_beside_a_busy_writer_sees_whole_slots_in_order() {
        let ring = TraceRing::new(6);
        const MANY: u64 = 200_000;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..MANY).for_each(|n| {
                    ring.push(slot(n));
                });
            });
            let (mut from, mut seen, mut lost) = (0, 0, 0);
            while from < MANY {
                let (read, copied) = copied(&ring, from);
                let first = from + copied.lost;
                assert!(read.iter().copied().eq(first..first + read.len() as u64));
                seen += read.len() as u64;
                lost += copied.lost;
                from = copied.next;
            }
            assert_eq!(seen + lost, MANY);
        });
    }
}
