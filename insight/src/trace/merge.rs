//! The events of all rings in the order of the clock.
//!
//! In a ring they are in order, so only the heads are compared. A goroutine that was made ready on one CPU, and runs on
//! another at once, may seem to run first, because the counters differ a little: [`Merge::take_ready`] finds the event
//! behind.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use goroutines_sched::{Event, What};

#[derive(Default)]
pub(super) struct Merge {
    rings: Vec<VecDeque<Event>>,
    /// The ticks of the head of each ring that has one, and the ring: one entry a ring.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
}

impl Merge {
    /// Events of `ring`, behind those that it has.
    pub(super) fn push(&mut self, ring: usize, events: impl IntoIterator<Item = Event>) {
        if self.rings.len() <= ring {
            self.rings.resize_with(ring + 1, VecDeque::new);
        }
        let queue = &mut self.rings[ring];
        let was_empty = queue.is_empty();
        queue.extend(events);
        if was_empty && let Some(head) = queue.front() {
            self.heads.push(Reverse((head.ticks, ring)));
        }
    }

    /// The earliest event and its ring, if it is before `end`.
    pub(super) fn pop(&mut self, end: u64) -> Option<(usize, Event)> {
        let &Reverse((ticks, ring)) = self.heads.peek()?;
        if ticks >= end {
            return None;
        }
        self.heads.pop();
        let event = self.rings[ring].pop_front()?;
        if let Some(next) = self.rings[ring].front() {
            self.heads.push(Reverse((next.ticks, ring)));
        }
        Some((ring, event))
    }

    /// Takes the event that makes `goroutine` ready out of its ring, if there is one up to `until`. Returns the ring.
    pub(super) fn take_ready(&mut self, goroutine: u64, until: u64) -> Option<usize> {
        for (ring, queue) in self.rings.iter_mut().enumerate() {
            let near = queue.iter().take_while(|event| event.ticks <= until);
            let found = near.enumerate().find(
                |(_, event)| matches!(event.what, What::Ready { goroutine: g } if g == goroutine),
            );
            if let Some((at, _)) = found {
                queue.remove(at);
                if at == 0 {
                    let next = queue.front().map(|event| Reverse((event.ticks, ring)));
                    self.heads.retain(|&Reverse((_, other))| other != ring);
                    self.heads.extend(next);
                }
                return Some(ring);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(ticks: u64, goroutine: u64) -> Event {
        let what = What::Ready { goroutine };
        Event { ticks, what }
    }

    fn popped(merge: &mut Merge, end: u64) -> Vec<(usize, u64)> {
        std::iter::from_fn(|| merge.pop(end))
            .map(|(ring, event)| (ring, event.ticks))
            .collect()
    }

    #[test]
    fn events_come_in_the_order_of_the_clock_up_to_an_end() {
        let mut merge = Merge::default();
        merge.push(1, [event(5, 0), event(9, 0)]);
        merge.push(0, [event(1, 0), event(6, 0), event(6, 0)]);
        merge.push(1, [event(12, 0)]);
        assert_eq!(popped(&mut merge, 9), [(0, 1), (1, 5), (0, 6), (0, 6)]);
        assert_eq!(popped(&mut merge, 9), []);
        merge.push(0, [event(10, 0)]);
        assert_eq!(popped(&mut merge, u64::MAX), [(1, 9), (0, 10), (1, 12)]);
    }

    #[test]
    fn an_event_close_by_is_taken_out_of_its_ring() {
        let mut merge = Merge::default();
        merge.push(0, [event(1, 1), event(8, 7)]);
        merge.push(1, [event(3, 7)]);
        assert_eq!(merge.take_ready(7, 2), None);
        assert_eq!(merge.take_ready(7, 3), Some(1));
        assert_eq!(merge.take_ready(7, 8), Some(0));
        assert_eq!(popped(&mut merge, u64::MAX), [(0, 1)]);
    }

    #[test]
    fn what_follows_an_event_that_was_taken_comes_in_its_order() {
        let mut merge = Merge::default();
        merge.push(0, [event(8, 7), event(1000, 0)]);
        merge.push(1, [event(9, 0), event(10, 0)]);
        assert_eq!(merge.take_ready(7, 8), Some(0));
        assert_eq!(popped(&mut merge, 1000), [(1, 9), (1, 10)]);
        assert_eq!(popped(&mut merge, u64::MAX), [(0, 1000)]);
        // The ring has nothing left, and then more.
        merge.push(0, [event(1001, 7)]);
        assert_eq!(merge.take_ready(7, 1001), Some(0));
        assert_eq!(popped(&mut merge, u64::MAX), []);
        merge.push(0, [event(1010, 0), event(1011, 0)]);
        merge.push(1, [event(1005, 0)]);
        assert_eq!(
            popped(&mut merge, u64::MAX),
            [(1, 1005), (0, 1010), (0, 1011)]
        );
    }
}
