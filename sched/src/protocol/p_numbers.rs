//! Which Ps the scheduler has, by number: the bookkeeping of procs.rs, under its lock.
//!
//! A P that is the only one needs no locked instructions for its queue. So it is a P of its own: number 0 is for a
//! single P, and 1 to n for n of them.

use std::ops::RangeInclusive;

pub(crate) struct PNumbers {
    target: usize,
    /// By number: whether this P is one of the scheduler's. A P that is about to leave still is.
    taken: Vec<bool>,
}

/// The numbers of the Ps that a change concerns.
#[derive(Default, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) come: Vec<usize>,
    pub(crate) stay: Vec<usize>,
    pub(crate) go: Vec<usize>,
}

impl PNumbers {
    /// No P yet, and none wanted.
    pub(crate) fn new() -> PNumbers {
        PNumbers {
            target: 0,
            taken: Vec::new(),
        }
    }

    /// The numbers of `count` Ps.
    pub(crate) fn numbers(count: usize) -> RangeInclusive<usize> {
        if count == 1 { 0..=0 } else { 1..=count }
    }

    /// How many Ps there shall be.
    pub(crate) fn target(&self) -> usize {
        self.target
    }

    pub(crate) fn wants(&self, number: usize) -> bool {
        PNumbers::numbers(self.target).contains(&number)
    }

    /// C1: from now on there shall be `target` of them.
    pub(crate) fn plan(&mut self, target: usize) -> Plan {
        self.target = target;
        let most = target.max(self.taken.len()) + 1;
        self.taken.resize(most, false);
        let mut plan = Plan::default();
        for number in 0..most {
            match (self.wants(number), self.taken[number]) {
                (true, false) => plan.come.push(number),
                (true, true) => plan.stay.push(number),
                (false, true) => plan.go.push(number),
                (false, false) => {}
            }
        }
        plan.come
            .iter()
            .for_each(|&number| self.taken[number] = true);
        plan
    }

    /// C4: `number` is no longer one of the scheduler's.
    pub(crate) fn free(&mut self, number: usize) {
        self.taken[number] = false;
    }

    /// Returns whether all Ps have left that are not wanted.
    pub(crate) fn settled(&self) -> bool {
        let taken = |number: &usize| self.taken[*number];
        (0..self.taken.len())
            .filter(taken)
            .all(|number| self.wants(number))
    }
}

#[cfg(all(test, not(goroutines_loom)))]
mod tests {
    use super::*;

    #[test]
    fn one_p_is_another_than_those_that_share() {
        let mut numbers = PNumbers::new();
        assert_eq!(numbers.plan(1).come, [0]);
        let plan = numbers.plan(3);
        assert_eq!(
            (plan.come, plan.stay, plan.go),
            (vec![1, 2, 3], vec![], vec![0])
        );
        assert!(!numbers.settled());
        numbers.free(0);
        assert!(numbers.settled());
    }

    #[test]
    fn a_p_that_has_not_left_yet_can_be_called_back() {
        let mut numbers = PNumbers::new();
        assert_eq!(numbers.plan(4).come, [1, 2, 3, 4]);
        assert_eq!(numbers.plan(2).go, [3, 4]);
        numbers.free(4);
        let plan = numbers.plan(4);
        assert_eq!(
            (plan.come, plan.stay, plan.go),
            (vec![4], vec![1, 2, 3], vec![])
        );
        assert!(numbers.settled());
    }
}
