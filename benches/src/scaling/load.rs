//! What the goroutines do: the workloads.

use std::collections::VecDeque;

use super::costs::Time;
use super::line::Lock;
use super::world::{Act, G, Id, Place, Step, World};

/// A workload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// So many goroutines in all that yield. Counted: yields.
    Yield(usize),
    /// One goroutine spawns so many, each of which works for so long, and joins them, again and again. Counted: goroutines.
    FanOut(usize, Time),
    /// So many pairs that pass messages over a channel of their own. Counted: messages.
    Pairs(usize),
    /// So many senders and so many receivers on one channel with a buffer of 128. Counted: messages.
    OneChannel(usize),
    /// So many connections, each with one request at a time. Counted: answers.
    Echo(usize),
    /// So many goroutines that grow deep once in so many yields, and give the pages back: an `madvise` that interrupts all
    /// CPUs. Counted: yields.
    Deep(usize, u64),
}

/// What a goroutine does next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// It has been given a P.
    Resume,
    /// It yields: to the tail.
    Requeue,
    /// The spawner makes its next child, or joins it.
    Spawn,
    Join,
    /// A child has ended.
    End,
    /// The message went over: the partner runs, this one waits.
    PassOn,
    /// The channel is locked.
    Channel,
    /// The answer is sent.
    Answered,
}

#[derive(Default)]
pub(super) struct Channel {
    pub(super) lock: Lock,
    length: usize,
    waiting: [VecDeque<Id>; 2],
}

const BUFFER: usize = 128;

pub(super) struct Load {
    pub(super) kind: Kind,
    pub(super) channel: Channel,
    /// Of the fan-out: how many were spawned and joined in this round, and which have ended.
    spawned: usize,
    joined: usize,
    ended: Vec<bool>,
    joiner_waits: bool,
    /// How many goroutines are parked, for the census.
    pub(super) parked: usize,
    pub(super) dead: usize,
    turns: Vec<u64>,
    /// How long the spawner ran.
    pub(super) spawner: Time,
}

impl Load {
    pub(super) fn new(kind: Kind) -> Load {
        Load {
            kind,
            channel: Channel::default(),
            spawned: 0,
            joined: 0,
            ended: Vec::new(),
            joiner_waits: false,
            parked: 0,
            dead: 0,
            turns: Vec::new(),
            spawner: 0,
        }
    }

    pub(super) fn is_watching(&self) -> bool {
        matches!(self.kind, Kind::Echo(_))
    }
}

impl World {
    /// The goroutines that there are at the beginning. They are spread over the Ps, as they are after a while, except in the
    /// fan-out, which begins with one.
    pub(super) fn begin(&mut self) {
        let (count, runnable) = match self.load.kind {
            Kind::Yield(count) | Kind::Deep(count, _) => (count, count),
            Kind::FanOut(children, _) => (1 + children, 1),
            Kind::Pairs(pairs) => (2 * pairs, pairs),
            Kind::OneChannel(each) => (2 * each, 2 * each),
            Kind::Echo(connections) => (connections, 0),
        };
        let g = G {
            cpu: None,
            is_cold: false,
        };
        self.gs = vec![g; count];
        self.load.ended = vec![true; count];
        self.load.turns = vec![0; count];
        for id in 0..runnable {
            let p = id % self.ps.len();
            let id = if matches!(self.load.kind, Kind::Pairs(_)) {
                2 * id
            } else {
                id
            };
            self.enqueue(p, id);
        }
        match self.load.kind {
            Kind::FanOut(children, _) => self.load.dead = children,
            Kind::Pairs(pairs) => self.load.parked = pairs,
            Kind::Echo(connections) => {
                self.load.parked = connections;
                for id in 0..connections {
                    let time = self.random.below(self.costs.round_trip);
                    self.arrive_in(id, time);
                }
            }
            _ => {}
        }
    }

    /// To the tail of `p`; half of a full ring goes to the global queue.
    fn enqueue(&mut self, p: usize, g: Id) {
        if self.ps[p].ring.len() < self.design.ring {
            self.ps[p].ring.push_back(g);
            return self.first(p, &[Step::Write(Place::Tail(p))]);
        }
        let n = self.global_of(p);
        let half = self.design.ring / 2;
        let spilled: Vec<Id> = self.ps[p].ring.drain(..half).chain([g]).collect();
        for g in spilled {
            self.gs[g].is_cold = true;
            self.globals[n].queue.push_back(g);
            let push = [
                Step::Write(Place::GlobalTail(n)),
                Step::Spend(self.costs.locked),
            ];
            self.first(p, &push);
        }
    }

    /// Makes `g` the `runnext` of `p`.
    fn put_next(&mut self, p: usize, g: Id) {
        if let Some(old) = self.ps[p].next.replace(g) {
            self.published(p);
            self.enqueue(p, old);
        }
        let locked = if self.ps.len() > 1 {
            self.costs.locked
        } else {
            0
        };
        self.first(p, &[Step::Spend(locked), Step::Write(Place::Next(p))]);
    }

    /// The lines of `g` come to `p`, which is about to run it: its G, and the top of its stack.
    fn fetch(&mut self, p: usize, g: Id) {
        let cpu = self.cpu_of(p);
        let from = self.gs[g].cpu.replace(cpu);
        let mut time = from.map_or(0, |from| self.costs.transfer(from, cpu)) * 2;
        if std::mem::take(&mut self.gs[g].is_cold) {
            time = time.max(self.costs.cold);
        }
        if time != 0 {
            self.first(p, &[Step::Spend(time)]);
        }
    }

    /// The goroutine that runs on `p` goes on.
    pub(super) fn go(&mut self, p: usize, work: Work) {
        let Some(g) = self.ps[p].current else {
            return;
        };
        match work {
            Work::Resume => {
                self.begin_turn(p, g);
                self.fetch(p, g);
            }
            Work::Requeue => {
                self.done += 1;
                self.ps[p].current = None;
                self.enqueue(p, g);
            }
            Work::Spawn => self.spawn(p),
            Work::Join => self.join(p, g),
            Work::End => self.end(p, g),
            Work::PassOn => {
                self.done += 1;
                self.ps[p].current = None;
                self.put_next(p, g ^ 1);
            }
            Work::Channel => self.pass_message(p, g),
            Work::Answered => {
                self.done += 1;
                self.load.parked += 1;
                self.ps[p].current = None;
                let trip = self.costs.round_trip;
                let time = trip * 3 / 4 + self.random.below(trip / 2);
                self.arrive_in(g, time);
            }
        }
    }

    fn begin_turn(&mut self, p: usize, g: Id) {
        let costs = &self.costs;
        let then = |time, work| [Step::Spend(time), Step::Do(Act::Go(work))];
        let steps = match self.load.kind {
            Kind::Yield(_) => then(costs.yields, Work::Requeue),
            Kind::Deep(_, every) => {
                self.load.turns[g] += 1;
                let steps = then(costs.yields, Work::Requeue);
                if (self.load.turns[g] + g as u64).is_multiple_of(every) {
                    self.first(p, &steps);
                    let grow = [Step::Spend(2 * self.costs.fault), Step::Interrupt];
                    return self.first(p, &grow);
                }
                steps
            }
            Kind::FanOut(..) if g == 0 => then(0, Work::Spawn),
            Kind::FanOut(_, work) => then(costs.run + work, Work::End),
            Kind::Pairs(_) => then(costs.message, Work::PassOn),
            Kind::OneChannel(_) => return self.use_channel(p),
            Kind::Echo(_) => then(costs.echo, Work::Answered),
        };
        self.first(p, &steps);
    }

    fn spawn(&mut self, p: usize) {
        if self.load.spawned + 1 == self.gs.len() {
            return self.first(p, &[Step::Do(Act::Go(Work::Join))]);
        }
        self.load.spawned += 1;
        self.load.dead -= 1;
        let child = self.load.spawned;
        self.load.ended[child] = false;
        self.gs[child].cpu = Some(self.cpu_of(p));
        self.first(p, &[Step::Do(Act::Go(Work::Spawn))]);
        self.published(p);
        self.enqueue(p, child);
        self.first(p, &[Step::Spend(self.costs.spawn)]);
    }

    fn join(&mut self, p: usize, g: Id) {
        if self.load.joined == self.load.spawned {
            (self.load.spawned, self.load.joined) = (0, 0);
            // The next round begins behind what others left.
            self.ps[p].current = None;
            return self.enqueue(p, g);
        }
        let child = self.load.joined + 1;
        if !self.load.ended[child] {
            self.load.joiner_waits = true;
            self.load.parked += 1;
            self.ps[p].current = None;
            return;
        }
        self.load.joined += 1;
        let (from, to) = (self.gs[child].cpu, self.cpu_of(p));
        let line = from.map_or(0, |from| self.costs.transfer(from, to));
        let steps = [
            Step::Spend(self.costs.join + line),
            Step::Do(Act::Go(Work::Join)),
        ];
        self.first(p, &steps);
    }

    fn end(&mut self, p: usize, g: Id) {
        self.done += 1;
        self.load.dead += 1;
        self.load.ended[g] = true;
        self.ps[p].current = None;
        if self.load.joiner_waits && self.load.joined + 1 == g {
            self.load.joiner_waits = false;
            self.load.parked -= 1;
            // It goes on with `Resume`, and finds the rest of its children ended or not.
            self.put_next(p, 0);
        }
    }

    fn use_channel(&mut self, p: usize) {
        // At random, so that the order at the lock is none that the CPUs' numbers make.
        let time = self.random.below(2 * self.costs.buffered);
        let steps = [
            Step::Spend(time),
            Step::ChannelLock,
            Step::Do(Act::Go(Work::Channel)),
        ];
        self.first(p, &steps);
    }

    /// One side of a message: even goroutines send, odd ones receive.
    fn pass_message(&mut self, p: usize, g: Id) {
        let (me, other) = (g % 2, 1 - g % 2);
        let channel = &mut self.load.channel;
        let blocked = if me == 0 {
            channel.length == BUFFER
        } else {
            channel.length == 0
        };
        if blocked {
            channel.waiting[me].push_back(g);
            self.load.parked += 1;
            self.ps[p].current = None;
            return self.first(p, &[Step::Spend(self.costs.yields)]);
        }
        if me == 0 {
            channel.length += 1;
        } else {
            channel.length -= 1;
            self.done += 1;
        }
        let waiter = channel.waiting[other].pop_front();
        self.use_channel(p);
        if let Some(waiter) = waiter {
            self.load.parked -= 1;
            self.put_next(p, waiter);
        }
    }

    /// How many goroutines there are, by looking where they are.
    pub(super) fn census(&self) -> usize {
        let in_step = |step: &&Step| matches!(step, Step::Do(Act::Found(_) | Act::SpinnerFound(_)));
        let on_ps = |p: &super::world::P| {
            let held = [p.next, p.current, p.carried];
            p.ring.len() + held.iter().flatten().count() + p.steps.iter().filter(in_step).count()
        };
        let queued: usize = self.globals.iter().map(|global| global.queue.len()).sum();
        let found: usize = self.ps.iter().map(on_ps).sum();
        found + queued + self.load.parked + self.load.dead
    }
}
