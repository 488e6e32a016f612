//! Cache lines and locks: where one CPU waits for another.
//!
//! A line is a server with a queue: a CPU that has no valid copy waits until the transfers before its own are done. So a
//! word that all CPUs change is changed once per transfer, however many they are.

use super::costs::{Costs, Time, US};

/// A cache line.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// The CPU that wrote it last.
    owner: usize,
    /// The CPUs that have a valid copy, a bit each.
    valid: u128,
    /// When its last transfer is done.
    free: Time,
    /// How long it was on its way in all.
    pub(super) busy: Time,
    /// How many transfers there were.
    transfers: u64,
}

impl Line {
    /// `cpu` reads it. Returns when it has.
    pub(super) fn read(&mut self, costs: &Costs, cpu: usize, now: Time) -> Time {
        let me = 1_u128 << cpu;
        if self.valid & me != 0 {
            return now;
        }
        if self.valid == 0 {
            // Never used: it comes from memory, which this model does not count.
            (self.owner, self.valid) = (cpu, me);
            return now;
        }
        let is_first = self.valid.count_ones() == 1;
        let time = costs.transfer(self.owner, cpu);
        let start = now.max(self.free);
        self.valid |= me;
        self.transfers += 1;
        if is_first {
            // Copies of what is shared already come from the cache that the CPUs share, and do not wait for each other.
            self.free = start + time;
            self.busy += time;
        }
        start + time
    }

    /// `cpu` writes it. Returns when it has: all other copies are invalid then.
    pub(super) fn write(&mut self, costs: &Costs, cpu: usize, now: Time) -> Time {
        let me = 1_u128 << cpu;
        if self.valid & !me == 0 {
            (self.owner, self.valid) = (cpu, me);
            return now;
        }
        let mut time = costs.transfer(self.owner, cpu);
        let mut others = self.valid & !me;
        while others != 0 {
            // Invalidations are sent at once; the farthest one decides.
            time = time.max(costs.transfer(others.trailing_zeros() as usize, cpu));
            others &= others - 1;
        }
        let start = now.max(self.free);
        (self.owner, self.valid) = (cpu, me);
        self.free = start + time;
        self.busy += time;
        self.transfers += 1;
        self.free
    }
}

/// A lock, with the line that it is on. Its waiters are served in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Lock {
    holder: Option<usize>,
    free: Time,
    /// How long it was held, or on its way to the next holder, in all.
    pub(super) busy: Time,
}

/// How long a waiter for a mutex spins before it sleeps: 100 looks, in std.
const SPINS: Time = 2 * US;

impl Lock {
    /// `cpu` takes the lock, holds it for `hold` and releases it. Returns when it has. With `sleeps`, a waiter that waits
    /// for long pays for its sleep; another one takes the lock meanwhile.
    pub(super) fn pass(
        &mut self,
        costs: &Costs,
        cpu: usize,
        now: Time,
        hold: Time,
        sleeps: bool,
    ) -> Time {
        let from = self.holder.replace(cpu).unwrap_or(cpu);
        let time = costs.transfer(from, cpu) + hold;
        let start = now.max(self.free);
        self.free = start + time;
        self.busy += time;
        let slept = sleeps && start - now > SPINS;
        self.free + if slept { costs.wake_delay } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::scaling::costs::NS;

    #[test]
    fn a_word_that_two_cpus_change_costs_a_transfer_each_time_and_one_alone_none() {
        let costs = Costs::server();
        let mut line = Line::default();
        assert_eq!(line.write(&costs, 0, 0), 0);
        assert_eq!(line.write(&costs, 0, 10), 10);
        assert_eq!(line.write(&costs, 64, 10), 10 + costs.lines[2]);
        assert_eq!(line.write(&costs, 0, 10), 10 + 2 * costs.lines[2]);
        assert_eq!(line.transfers, 2);
    }

    #[test]
    fn readers_share_a_line_and_a_writer_takes_it_from_all() {
        let costs = Costs::server();
        let mut line = Line::default();
        line.write(&costs, 0, 0);
        let first = line.read(&costs, 1, 0);
        assert_eq!(line.read(&costs, 1, first), first);
        assert_eq!(line.read(&costs, 2, first), first + costs.lines[0]);
        let far = line.read(&costs, 100, first);
        assert_eq!(far, first + costs.lines[2]);
        let wrote = line.write(&costs, 0, far);
        assert_eq!(wrote, far + costs.lines[2]);
        assert!(line.read(&costs, 1, wrote) > wrote);
    }

    #[test]
    fn a_lock_that_is_always_wanted_is_passed_on_once_in_a_hold_and_a_transfer() {
        let costs = Costs::server();
        let (mut lock, hold, mut end) = (Lock::default(), 100 * NS, 0);
        for turn in 0..1000 {
            end = lock.pass(&costs, turn % 8, 0, hold, false);
        }
        assert_eq!(end, 1000 * hold + 999 * costs.lines[0]);
        assert_eq!(lock.busy, end);
    }

    #[test]
    fn waits_for_a_lock_are_those_of_a_queue_with_one_server() {
        // Arrivals at random, service of a fixed time S, a share R of the server used: a mean wait of S*R/(2*(1-R)),
        // by Pollaczek and Khinchine. One CPU, so that nothing is transferred.
        let (costs, hold) = (Costs::server(), 1000 * NS);
        for share in [0.3, 0.6, 0.8] {
            let (mut lock, mut random) = (Lock::default(), Random::seeded(1));
            let (mut now, mut waits, turns) = (0.0, 0.0, 400_000);
            for _ in 0..turns {
                let uniform = (random.below(1 << 40) as f64 + 1.0) / (1_u64 << 40) as f64;
                now += -uniform.ln() * hold as f64 / share;
                let end = lock.pass(&costs, 0, now as Time, hold, false);
                waits += (end - hold - now as Time) as f64;
            }
            let expected = hold as f64 * share / (2.0 * (1.0 - share));
            let ratio = waits / f64::from(turns) / expected;
            assert!((0.97..1.03).contains(&ratio), "{share}: {ratio}");
        }
    }
}
