//! The ring of events: a reader that copies beside the writer gets whole slots, in order, and counts what it lost.

use loom::{sync::Arc, thread};

use super::explore;
use crate::protocol::trace_ring::{Slot, TraceRing};

fn slot(n: u64) -> Slot {
    Slot {
        first: n + 100,
        second: n + 200,
    }
}

/// Copies once from `from` on; returns where the next copy goes on.
fn read(ring: &TraceRing, from: u64) -> u64 {
    let mut to = Vec::new();
    let copied = ring.copy(from, &mut to);
    let first = from + copied.lost;
    let whole: Vec<Slot> = (first..copied.next).map(slot).collect();
    assert_eq!(to, whole);
    copied.next
}

/// The writer goes around the ring while the reader copies.
#[test]
fn what_a_reader_keeps_is_whole_and_in_order() {
    explore(Some(4), || {
        let ring = Arc::new(TraceRing::new(1));
        ring.push(slot(0));
        let writer = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || {
                (1..4).for_each(|n| {
                    ring.push(slot(n));
                })
            })
        };
        let next = read(&ring, 0);
        read(&ring, next);
        writer.join().unwrap();
        let mut rest = Vec::new();
        assert_eq!(ring.copy(next, &mut rest).next, 4);
        assert!(rest.ends_with(&[slot(3)]) || next == 4);
    });
}

/// The same in a ring of four slots, from which the reader keeps more than one.
#[test]
fn a_copy_of_several_slots_is_whole_although_they_are_overwritten() {
    explore(Some(3), || {
        let ring = Arc::new(TraceRing::new(2));
        (0..4).for_each(|n| {
            ring.push(slot(n));
        });
        let writer = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || {
                (4..6).for_each(|n| {
                    ring.push(slot(n));
                })
            })
        };
        let next = read(&ring, 0);
        writer.join().unwrap();
        assert_eq!(read(&ring, next), 6);
    });
}
