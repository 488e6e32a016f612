//! The machine and the scheduler on it: CPUs, Ps, goroutines, and the events that drive them.
//!
//! A P carries a list of [`Step`]s: time that it spends, lines and locks that it passes, and decisions. Each line and each lock
//! is an event of its own, so that all CPUs come to it in the order of time. An M stays with its P.
//!
//! Where there are more Ps than CPUs, their Ms take turns on them in slices, as threads do.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::costs::{Costs, Design, Time};
use super::line::{Line, Lock};
use super::load::{Load, Work};
use crate::random::Random;

/// The number of a goroutine.
pub(super) type Id = usize;

/// What a P does next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Spend(Time),
    Read(Place),
    Write(Place),
    /// The idle lists, for as long.
    IdleLock,
    /// The lock of the shared channel.
    ChannelLock,
    /// The lock of an epoll, for so many events.
    PollLock(usize, usize),
    /// An interrupt to all other CPUs.
    Interrupt,
    Do(Act),
}

/// A line.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Head(usize),
    Tail(usize),
    Next(usize),
    GlobalHead(usize),
    GlobalTail(usize),
    /// `idle_ps`, `spinning` and the lists of idle.rs, which lie together.
    Idle,
}

/// A decision.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Find,
    FairTake,
    TakeNext,
    Pop,
    PopGlobal,
    TakeBatch,
    MoveGlobal,
    EndBatch,
    Harvest(usize),
    TrySteal(usize),
    Steal(usize),
    StartSpin,
    SpinLook,
    ClaimSpin,
    PutIdle,
    LookOnce,
    LeaveIdle,
    Sleep,
    Found(Id),
    SpinnerFound(Id),
    MaybeWake,
    ClaimWake,
    PopIdle,
    Notify(usize),
    /// The next part of what the goroutine that runs does.
    Go(Work),
}

pub(super) struct P {
    pub(super) ring: VecDeque<Id>,
    pub(super) next: Option<Id>,
    pub(super) current: Option<Id>,
    pub(super) steps: VecDeque<Step>,
    pub(super) rounds: u64,
    pub(super) turn_of_ring: bool,
    pub(super) spinning: bool,
    pub(super) spin_end: Option<Time>,
    /// The victims of a look for work, from which one on, and how many were asked.
    pub(super) start: usize,
    pub(super) asked: usize,
    /// What was taken from the global queue to run.
    pub(super) carried: Option<Id>,
    pub(super) asleep: bool,
    /// Notified while it was on its way to sleep.
    pub(super) notified: bool,
    cpu: usize,
    lines: [Line; 3],
}

#[derive(Clone, Debug)]
pub(super) struct G {
    pub(super) cpu: Option<usize>,
    /// Whether it was in the global queue, and so in no look-ahead.
    pub(super) is_cold: bool,
}

/// A queue that several Ps share.
#[derive(Default)]
pub(super) struct Global {
    pub(super) queue: VecDeque<Id>,
    pub(super) head: Line,
    pub(super) tail: Line,
}

#[derive(Default)]
pub(super) struct Idle {
    pub(super) spinners: usize,
    /// Ps whose Ms are on the list of sleepers.
    pub(super) ps: Vec<usize>,
    pub(super) line: Line,
    pub(super) lock: Lock,
}

/// A poll of the kernel.
#[derive(Default)]
pub(super) struct Poll {
    pub(super) ready: VecDeque<Id>,
    pub(super) last: Time,
    pub(super) sleeper: Option<usize>,
    pub(super) lock: Lock,
}

#[derive(Default)]
struct Cpu {
    current: Option<usize>,
    waiting: VecDeque<usize>,
    slice_end: Time,
    /// Interrupts that came since its last step.
    interrupts: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Step(usize),
    Arrive(Id),
    Monitor,
}

pub(super) struct World {
    pub(super) costs: Costs,
    pub(super) design: Design,
    pub(super) now: Time,
    pub(super) ps: Vec<P>,
    pub(super) gs: Vec<G>,
    pub(super) globals: Vec<Global>,
    pub(super) idle: Idle,
    pub(super) polls: Vec<Poll>,
    pub(super) load: Load,
    pub(super) random: Random,
    /// What was done, by the load's own measure.
    pub(super) done: u64,
    pub(super) interrupt_time: Time,
    cpus: Vec<Cpu>,
    events: BinaryHeap<Reverse<(Time, u64, Event)>>,
    number: u64,
}

impl World {
    pub(super) fn new(costs: Costs, design: Design, procs: usize, load: Load, seed: u64) -> World {
        let cpus = costs.cpus.min(128);
        let shares = |of: usize| if of == 0 { 1 } else { procs.div_ceil(of) };
        let p = |number: usize| P {
            ring: VecDeque::new(),
            next: None,
            current: None,
            steps: VecDeque::from([Step::Do(Act::Find)]),
            rounds: number as u64 * 17,
            turn_of_ring: false,
            spinning: false,
            spin_end: None,
            start: 0,
            asked: 0,
            carried: None,
            asleep: false,
            notified: false,
            cpu: number % cpus,
            lines: Default::default(),
        };
        let mut world = World {
            design,
            now: 0,
            ps: (0..procs).map(p).collect(),
            gs: Vec::new(),
            globals: (0..shares(design.queue_of))
                .map(|_| Global::default())
                .collect(),
            idle: Idle::default(),
            polls: (0..design.polls).map(|_| Poll::default()).collect(),
            load,
            random: Random::seeded(seed),
            done: 0,
            interrupt_time: 0,
            cpus: (0..cpus).map(|_| Cpu::default()).collect(),
            events: BinaryHeap::new(),
            number: 0,
            costs,
        };
        world.begin();
        for number in 0..procs {
            world.give_cpu(number, 0);
        }
        world.push(0, Event::Monitor);
        world
    }

    fn push(&mut self, time: Time, event: Event) {
        self.number += 1;
        self.events.push(Reverse((time, self.number, event)));
    }

    /// Handles events until `done` is at least `goal`, or nothing happens any more, or `until` is over.
    pub(super) fn run(&mut self, goal: u64, until: Time) {
        while self.done < goal && self.now < until {
            let Some(Reverse((time, _, event))) = self.events.pop() else {
                return;
            };
            self.now = time;
            match event {
                Event::Step(p) => self.step(p),
                Event::Arrive(g) => self.arrive(g),
                Event::Monitor => {
                    self.monitor();
                    self.push(time + MONITOR, Event::Monitor);
                }
            }
        }
    }

    /// The connection of `g` has a request in `time` from now.
    pub(super) fn arrive_in(&mut self, g: Id, time: Time) {
        self.push(self.now + time, Event::Arrive(g));
    }

    /// Puts `steps` before what `p` does next.
    pub(super) fn first(&mut self, p: usize, steps: &[Step]) {
        for &step in steps.iter().rev() {
            self.ps[p].steps.push_front(step);
        }
    }

    /// `p` does what is next, up to the first step that takes time.
    fn step(&mut self, p: usize) {
        loop {
            let step = self.ps[p].steps.pop_front();
            let end = match step.unwrap_or(Step::Do(Act::Find)) {
                Step::Do(act) => {
                    self.act(p, act);
                    if self.ps[p].asleep {
                        return self.leave_cpu(p);
                    }
                    continue;
                }
                timed => self.pass(p, timed),
            };
            let cpu = self.ps[p].cpu;
            let end = end + std::mem::take(&mut self.cpus[cpu].interrupts);
            if self.ps[p].current == Some(0) {
                self.load.spawner += end - self.now;
            }
            if end > self.now || !self.cpus[cpu].waiting.is_empty() {
                return self.continue_at(p, end);
            }
        }
    }

    /// When `p` is through a step that takes time.
    fn pass(&mut self, p: usize, step: Step) -> Time {
        let (now, cpu) = (self.now, self.ps[p].cpu);
        let costs = &self.costs;
        match step {
            Step::Spend(time) => now + time,
            Step::Read(place) => {
                let line = line_at(&mut self.ps, &mut self.globals, &mut self.idle, place);
                line.read(costs, cpu, now)
            }
            Step::Write(place) => {
                let line = line_at(&mut self.ps, &mut self.globals, &mut self.idle, place);
                line.write(costs, cpu, now)
            }
            Step::IdleLock => {
                let have = self.idle.line.write(costs, cpu, now);
                let idle = &mut self.idle.lock;
                idle.pass(costs, cpu, have, costs.idle_hold, true)
            }
            Step::ChannelLock => {
                let lock = &mut self.load.channel.lock;
                lock.pass(costs, cpu, now, costs.channel_hold, false)
            }
            Step::PollLock(poll, events) => {
                let hold = costs.poll + costs.poll_event * events as Time;
                self.polls[poll].lock.pass(costs, cpu, now, hold, true)
            }
            Step::Interrupt => self.interrupt(cpu),
            Step::Do(_) => now,
        }
    }

    /// CPU `from` interrupts all others on which an M runs. Returns when it goes on.
    fn interrupt(&mut self, from: usize) -> Time {
        let mut others = 0;
        for (number, cpu) in self.cpus.iter_mut().enumerate() {
            if number != from && cpu.current.is_some() {
                cpu.interrupts += self.costs.interrupt_handler;
                others += 1;
            }
        }
        let time = self.costs.interrupt_all(others);
        self.interrupt_time += self.costs.interrupt_handler;
        self.now + time
    }

    fn continue_at(&mut self, p: usize, end: Time) {
        let number = self.ps[p].cpu;
        let cpu = &mut self.cpus[number];
        if cpu.waiting.is_empty() || end < cpu.slice_end {
            return self.push(end, Event::Step(p));
        }
        cpu.waiting.push_back(p);
        self.next_on(number, end);
    }

    /// The next that waits for CPU `number` has it from `time` on.
    fn next_on(&mut self, number: usize, time: Time) {
        let cpu = &mut self.cpus[number];
        cpu.current = cpu.waiting.pop_front();
        if let Some(next) = cpu.current {
            let start = time + self.costs.switch_threads;
            cpu.slice_end = start + self.costs.slice;
            self.push(start, Event::Step(next));
        }
    }

    /// `p` sleeps.
    fn leave_cpu(&mut self, p: usize) {
        self.next_on(self.ps[p].cpu, self.now);
    }

    /// `p` is awake, and runs from `delay` on if it finds a CPU.
    pub(super) fn give_cpu(&mut self, p: usize, delay: Time) {
        self.ps[p].asleep = false;
        let home = self.ps[p].cpu;
        let is_free = |cpu: &Cpu| cpu.current.is_none();
        let place = match is_free(&self.cpus[home]) {
            true => Some(home),
            false => self.cpus.iter().position(is_free),
        };
        let number = place.unwrap_or(home);
        self.ps[p].cpu = number;
        let (start, cpu) = (self.now + delay, &mut self.cpus[number]);
        if cpu.current.is_some() {
            return cpu.waiting.push_back(p);
        }
        cpu.current = Some(p);
        cpu.slice_end = start + self.costs.slice;
        self.push(start, Event::Step(p));
    }

    pub(super) fn cpu_of(&self, p: usize) -> usize {
        self.ps[p].cpu
    }

    /// How long the busiest line of the Ps was on its way.
    pub(super) fn busiest_line_of_a_p(&self) -> Time {
        let lines = self.ps.iter().flat_map(|p| &p.lines);
        lines.map(|line| line.busy).max().unwrap_or(0)
    }
}

/// How often the monitor looks.
const MONITOR: Time = super::costs::MS;

fn line_at<'a>(
    ps: &'a mut [P],
    globals: &'a mut [Global],
    idle: &'a mut Idle,
    place: Place,
) -> &'a mut Line {
    match place {
        Place::Head(p) => &mut ps[p].lines[0],
        Place::Tail(p) => &mut ps[p].lines[1],
        Place::Next(p) => &mut ps[p].lines[2],
        Place::GlobalHead(n) => &mut globals[n].head,
        Place::GlobalTail(n) => &mut globals[n].tail,
        Place::Idle => &mut idle.line,
    }
}
