//! One run of the model, and what it says.

use serde::Serialize;

use super::costs::{Costs, Design, MS, NS, Time};
use super::load::{Kind, Load};
use super::world::World;

/// What a run has shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// How many Ps.
    pub procs: usize,
    /// Operations in a second, in millions.
    pub rate: f64,
    /// What all CPUs together wait for most: its name, and the share of the time that it is busy.
    pub busiest: &'static str,
    /// That share, from 0 to 1.
    pub share: f64,
    /// The share of every resource.
    pub shares: Vec<(&'static str, f64)>,
}

impl Outcome {
    /// The wall time of an operation, in nanoseconds.
    pub fn nanoseconds(&self) -> f64 {
        1000.0 / self.rate
    }
}

/// What is counted of a run that goes on.
struct Meters {
    now: Time,
    done: u64,
    busy: Vec<(&'static str, Time)>,
}

impl Meters {
    fn read(world: &World) -> Meters {
        let globals = world.globals.iter();
        let queue = globals.map(|global| global.head.busy.max(global.tail.busy));
        let polls = world.polls.iter().map(|poll| poll.lock.busy);
        let spawner = match world.load.kind {
            Kind::FanOut(..) => world.load.spawner,
            _ => 0,
        };
        Meters {
            now: world.now,
            done: world.done,
            busy: vec![
                ("global queue", queue.max().unwrap_or(0)),
                ("idle line", world.idle.line.busy),
                ("idle lock", world.idle.lock.busy),
                ("channel lock", world.load.channel.lock.busy),
                ("epoll", polls.max().unwrap_or(0)),
                ("a ring", world.busiest_line_of_a_p()),
                ("interrupts", world.interrupt_time),
                ("the spawner", spawner),
            ],
        }
    }
}

/// Runs `kind` on `procs` Ps until so many operations are done after a first quarter that is not counted.
///
/// # Panics
///
/// If a goroutine was lost, or is in two places.
pub fn simulate(
    costs: &Costs,
    design: Design,
    procs: usize,
    kind: Kind,
    operations: u64,
    seed: u64,
) -> Outcome {
    let mut world = World::new(costs.clone(), design, procs, Load::new(kind), seed);
    let all = world.gs.len();
    assert_eq!(world.census(), all, "at the beginning");
    world.run(operations / 4, LONGEST);
    let before = Meters::read(&world);
    world.run(operations / 4 + operations, before.now + LONGEST);
    assert_eq!(world.census(), all, "at the end");
    let after = Meters::read(&world);
    let time = (after.now - before.now).max(1) as f64;
    let mut shares: Vec<(&'static str, f64)> = after
        .busy
        .iter()
        .zip(&before.busy)
        .map(|((name, after), (_, before))| (*name, (after - before) as f64 / time))
        .collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (busiest, share) = shares[0];
    Outcome {
        procs,
        rate: (after.done - before.done) as f64 / (time / (1000 * NS) as f64),
        busiest,
        share,
        shares,
    }
}

/// No run lasts longer, in the time of the model.
const LONGEST: Time = 2000 * MS;

#[cfg(test)]
mod tests {
    use super::super::costs::US;
    use super::*;

    const ALL: [Kind; 6] = [
        Kind::Yield(500),
        Kind::FanOut(200, US),
        Kind::Pairs(9),
        Kind::OneChannel(6),
        Kind::Echo(300),
        Kind::Deep(50, 100),
    ];

    fn run(procs: usize, kind: Kind) -> Outcome {
        simulate(&Costs::server(), Design::TODAY, procs, kind, 5000, 1)
    }

    #[test]
    fn a_run_is_the_same_each_time_and_no_goroutine_is_lost_or_doubled() {
        for procs in [1, 2, 7, 32] {
            for kind in ALL {
                let first = run(procs, kind);
                assert!(first.rate > 0.0 && first.rate.is_finite(), "{kind:?}");
                assert_eq!(first, run(procs, kind), "{kind:?} on {procs}");
            }
        }
    }

    #[test]
    fn one_p_costs_what_was_measured() {
        let costs = Costs::server();
        let near = |outcome: Outcome, time: Time| {
            let measured = time as f64 / NS as f64;
            let ratio = outcome.nanoseconds() / measured;
            assert!((0.95..1.1).contains(&ratio), "{outcome:?}, {measured}");
        };
        near(run(1, Kind::Yield(100)), costs.yields);
        near(run(1, Kind::Pairs(5)), costs.message);
        let fan_out = run(1, Kind::FanOut(1000, 0));
        near(fan_out, costs.spawn + costs.run + costs.join);
    }

    #[test]
    fn what_shares_nothing_gets_faster_with_the_ps() {
        let one = run(1, Kind::Yield(40)).rate;
        let many = run(32, Kind::Yield(32 * 40)).rate;
        // A locked instruction is added.
        let costs = Costs::server();
        let locked = (costs.yields + costs.locked) as f64 / costs.yields as f64;
        let gain = many / one * locked;
        assert!((30.0..34.0).contains(&gain), "{gain}");
    }

    #[test]
    fn one_channel_carries_a_message_in_two_holds_and_transfers_at_best() {
        let costs = Costs::server();
        let outcome = simulate(&costs, Design::TODAY, 64, Kind::OneChannel(200), 40_000, 1);
        // The next holder is any of 64 CPUs, seven of which are in the holder's group.
        let transfer = (7 * costs.lines[0] + 56 * costs.lines[1]) / 63;
        let least = 2.0 * (costs.channel_hold + transfer) as f64 / NS as f64;
        let ratio = outcome.nanoseconds() / least;
        assert!((0.9..1.1).contains(&ratio), "{ratio}");
        assert_eq!(outcome.busiest, "channel lock");
    }

    #[test]
    fn interrupts_cannot_exceed_what_the_receivers_handle() {
        let costs = Costs::server();
        let outcome = simulate(&costs, Design::TODAY, 64, Kind::Deep(640, 10), 20_000, 1);
        let all = 1e3 / (costs.interrupt_handler as f64 / NS as f64) * 10.0;
        assert!(outcome.rate < all, "{} of {all}", outcome.rate);
        assert_eq!(outcome.busiest, "interrupts");
    }
}
