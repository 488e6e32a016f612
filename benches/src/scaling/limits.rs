//! Limits that need no simulation: sysmon is one thread, and what it does for each P takes longer the more there are.

use super::costs::{Costs, MS, NS, Time};

/// How long a P stands still before it is taken, in the time of the model.
pub const STUCK: Time = 5 * MS;

/// A look at one P: its round, its owner, both ends of its ring and its timers, all written by another CPU.
const LINES_OF_A_LOOK: Time = 4;

/// How long sysmon needs for one look at `procs` Ps.
pub fn look(costs: &Costs, procs: usize) -> Time {
    procs as Time * (LINES_OF_A_LOOK * costs.lines[1] + 20 * NS)
}

/// How long sysmon needs to take every one of `procs` Ps whose goroutines never call: a barrier in all CPUs for each, or one
/// barrier for all if `batched`, and a wake for each.
pub fn takes(costs: &Costs, procs: usize, batched: bool) -> Time {
    let barriers = if batched { 1 } else { procs as Time };
    let barrier = costs.interrupt_all(procs.saturating_sub(1));
    look(costs, procs) + barriers * barrier + procs as Time * costs.wake
}

/// From how many Ps on sysmon cannot take each of them within [`STUCK`].
pub fn most_taken(costs: &Costs, batched: bool) -> usize {
    (1..)
        .find(|&procs| takes(costs, procs, batched) > STUCK)
        .unwrap_or(usize::MAX)
}

/// The share of its time that each CPU spends on the barriers of such takes.
pub fn barrier_share(costs: &Costs, procs: usize) -> f64 {
    let time = takes(costs, procs, false).max(STUCK);
    procs as f64 * costs.interrupt_handler as f64 / time as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_barrier_for_all_lets_sysmon_serve_more_ps() {
        let costs = Costs::server();
        let (today, batched) = (most_taken(&costs, false), most_taken(&costs, true));
        assert!(takes(&costs, today - 1, false) <= STUCK);
        assert!(takes(&costs, today, false) > STUCK);
        assert!(batched > 2 * today, "{today}, {batched}");
    }

    #[test]
    fn receivers_lose_less_than_the_time_that_there_is() {
        let share = |procs| barrier_share(&Costs::server(), procs);
        assert!(share(2) < share(64) && share(64) < share(128));
        assert!(share(128) < 0.1);
    }
}
