//! The ring and `runnext`: every word is taken exactly once.

use loom::{sync::Arc, thread};

use super::explore;
use crate::protocol::ring::{CAPACITY, Ring};

/// Everything the owner can still take, `runnext` first.
fn drain(ring: &Ring) -> Vec<usize> {
    let mut words: Vec<usize> = ring.take_next().into_iter().collect();
    words.extend(std::iter::from_fn(|| ring.pop()));
    words
}

/// The result of one attempt of a thief: the word to run and what lies in its ring.
fn rob(victim: &Ring, take_next: bool) -> Vec<usize> {
    let own = Ring::new(true);
    let mut words: Vec<usize> = victim.steal_into(&own, take_next).into_iter().collect();
    words.extend(drain(&own));
    words
}

fn assert_exactly_once(mut taken: Vec<usize>, words: impl Iterator<Item = usize>) {
    taken.sort_unstable();
    assert_eq!(taken, words.collect::<Vec<_>>());
}

#[test]
fn owner_and_thief_take_each_word_once() {
    explore(None, || {
        let ring = Arc::new(Ring::new(true));
        ring.push(1).unwrap();
        let thief = thread::spawn({
            let ring = ring.clone();
            move || rob(&ring, false)
        });
        ring.push(2).unwrap();
        let mut taken: Vec<usize> = ring.pop().into_iter().collect();
        ring.push(3).unwrap();
        taken.extend(thief.join().unwrap());
        taken.extend(drain(&ring));
        assert_exactly_once(taken, 1..=3);
    });
}

#[test]
fn two_thieves_and_the_owner_take_each_word_once() {
    explore(Some(3), || {
        let ring = Arc::new(Ring::new(true));
        for word in 1..=3 {
            ring.push(word).unwrap();
        }
        let thieves = [0, 1].map(|_| {
            let ring = ring.clone();
            thread::spawn(move || rob(&ring, false))
        });
        let mut taken: Vec<usize> = ring.pop().into_iter().collect();
        for thief in thieves {
            taken.extend(thief.join().unwrap());
        }
        taken.extend(drain(&ring));
        assert_exactly_once(taken, 1..=3);
    });
}

#[test]
fn a_full_ring_that_wraps_loses_nothing_to_a_thief() {
    explore(Some(3), || {
        let ring = Arc::new(Ring::new(true));
        for word in 1..=CAPACITY as usize {
            ring.push(word).unwrap();
        }
        let thief = thread::spawn({
            let ring = ring.clone();
            move || rob(&ring, false)
        });
        let mut taken = Vec::new();
        // The slots that the thief reads are overwritten as soon as there is room.
        for word in CAPACITY as usize + 1..=CAPACITY as usize + 2 {
            if let Err(word) = ring.push(word) {
                taken.extend(ring.spill());
                taken.push(word);
            }
        }
        taken.extend(thief.join().unwrap());
        taken.extend(drain(&ring));
        assert_exactly_once(taken, 1..=CAPACITY as usize + 2);
    });
}

#[test]
fn runnext_is_taken_once_by_owner_or_thief() {
    explore(None, || {
        let ring = Arc::new(Ring::new(true));
        assert_eq!(ring.put_next(1), None);
        let thief = thread::spawn({
            let ring = ring.clone();
            move || rob(&ring, true)
        });
        let mut taken: Vec<usize> = ring.put_next(2).into_iter().collect();
        taken.extend(ring.take_next());
        taken.extend(thief.join().unwrap());
        taken.extend(drain(&ring));
        assert_exactly_once(taken, 1..=2);
    });
}

#[test]
fn runnext_is_taken_once_by_owner_thief_or_sysmon() {
    explore(Some(3), || {
        let ring = Arc::new(Ring::new(true));
        assert_eq!(ring.put_next(1), None);
        let thief = thread::spawn({
            let ring = ring.clone();
            move || rob(&ring, true)
        });
        // sysmon takes nothing but `runnext`, and queues it globally.
        let sysmon = thread::spawn({
            let ring = ring.clone();
            move || ring.take_next()
        });
        // The owner's round ends: it makes another one ready, and runs what is next.
        let mut taken: Vec<usize> = ring.put_next(2).into_iter().collect();
        for word in taken.clone() {
            ring.push(word).unwrap();
        }
        taken.clear();
        taken.extend(thief.join().unwrap());
        taken.extend(sysmon.join().unwrap());
        taken.extend(drain(&ring));
        assert_exactly_once(taken, 1..=2);
    });
}

#[test]
fn what_a_word_stands_for_is_visible_to_the_thief() {
    use loom::cell::UnsafeCell;
    explore(None, || {
        // Plain memory, as the context in a G: loom reports a race if the ring does not order accesses to it.
        let desc = Arc::new(UnsafeCell::new(0_u32));
        let ring = Arc::new(Ring::new(true));
        let thief = thread::spawn({
            let (ring, desc) = (ring.clone(), desc.clone());
            move || {
                if ring.steal_into(&Ring::new(true), true).is_some() {
                    // SAFETY: only this thread has the word now; loom checks exactly that.
                    desc.with(|value| assert_eq!(unsafe { *value }, 7));
                }
            }
        });
        // SAFETY: the word is not queued yet, so only this thread has it; loom checks exactly that.
        desc.with_mut(|value| unsafe { *value = 7 });
        ring.push(1).unwrap();
        thief.join().unwrap();
    });
}
