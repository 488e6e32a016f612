//! Where an M looks for work: the order of `sched/src/schedule/find_runnable.rs`.

use super::costs::{Time, US};
use super::load::Work;
use super::poll::{FAIR_AGE, IDLE_AGE};
use super::world::{Act, Id, Place, Step, World};

/// One of so many rounds is fair.
const FAIR_ROUND: u64 = 61;
/// How long the spinner looks.
const SPIN: Time = 15 * US;
/// A look at a ring, beside its lines.
pub(super) const LOOK: Time = 3_000;
/// One word that moves, without its line.
const WORD: Time = 1_500;

impl World {
    pub(super) fn is_shared(&self) -> bool {
        self.ps.len() > 1
    }

    pub(super) fn global_of(&self, p: usize) -> usize {
        match self.design.queue_of {
            0 => 0,
            of => p / of,
        }
    }

    pub(super) fn act(&mut self, p: usize, act: Act) {
        match act {
            Act::Find => self.find(p),
            Act::FairTake => self.fair_take(p),
            Act::TakeNext => match self.ps[p].next.take() {
                Some(g) => self.take(p, g),
                None => self.find_rest(p),
            },
            Act::Pop => match self.ps[p].ring.pop_front() {
                Some(g) => self.take(p, g),
                None => self.find_rest(p),
            },
            Act::PopGlobal => self.pop_global(p),
            Act::TakeBatch => self.take_batch(p),
            Act::MoveGlobal => self.move_global(p),
            Act::EndBatch => match self.ps[p].carried.take() {
                Some(g) => self.first(p, &[Step::Do(Act::Found(g))]),
                None => self.after_queues(p),
            },
            Act::Harvest(n) => self.harvest(p, n),
            Act::TrySteal(victim) => self.try_steal(p, victim),
            Act::Steal(victim) => self.steal(p, victim),
            Act::StartSpin => self.start_spin(p),
            Act::SpinLook => self.look_global(p),
            Act::ClaimSpin => self.claim_spin(p),
            Act::PutIdle => self.put_idle(p),
            Act::LookOnce => self.look_once(p),
            Act::LeaveIdle => self.leave_idle(p),
            Act::Sleep => self.sleep(p),
            Act::Found(g) => self.found(p, g),
            Act::SpinnerFound(g) => self.spinner_found(p, g),
            Act::MaybeWake => {
                if self.may_wake() {
                    self.first(p, &[Step::Write(Place::Idle), Step::Do(Act::ClaimWake)]);
                }
            }
            Act::ClaimWake => {
                if self.may_wake() {
                    self.idle.spinners += 1;
                    self.first(p, &[Step::IdleLock, Step::Do(Act::PopIdle)]);
                }
            }
            Act::PopIdle => self.pop_idle(p),
            Act::Notify(other) => self.notify(other),
            Act::Go(work) => self.go(p, work),
        }
    }

    pub(super) fn find(&mut self, p: usize) {
        self.ps[p].rounds += 1;
        if std::mem::take(&mut self.ps[p].turn_of_ring) && !self.ps[p].ring.is_empty() {
            return self.pop_ring(p);
        }
        if !self.ps[p].rounds.is_multiple_of(FAIR_ROUND) {
            return self.find_rest(p);
        }
        let n = self.global_of(p);
        let steps = [
            Step::Read(Place::GlobalHead(n)),
            Step::Read(Place::GlobalTail(n)),
            Step::Do(Act::FairTake),
        ];
        self.first(p, &steps);
        if self.load.is_watching() && self.due(p, FAIR_AGE) {
            self.begin_poll(p);
        }
    }

    pub(super) fn fair_take(&mut self, p: usize) {
        let n = self.global_of(p);
        if self.globals[n].queue.is_empty() {
            return match self.ps[p].ring.is_empty() {
                true => self.find_rest(p),
                false => self.pop_ring(p),
            };
        }
        let steps = [Step::Write(Place::GlobalHead(n)), Step::Do(Act::PopGlobal)];
        self.first(p, &steps);
    }

    pub(super) fn pop_global(&mut self, p: usize) {
        let n = self.global_of(p);
        match self.globals[n].queue.pop_front() {
            Some(g) => {
                self.ps[p].turn_of_ring = true;
                self.first(p, &[Step::Do(Act::Found(g))]);
            }
            None => self.find_rest(p),
        }
    }

    /// What a change of a word costs that thieves change too: nothing more where there are none.
    fn locked_if_shared(&self) -> u64 {
        if self.is_shared() {
            self.costs.locked
        } else {
            0
        }
    }

    pub(super) fn pop_ring(&mut self, p: usize) {
        let steps = [
            Step::Spend(self.locked_if_shared()),
            Step::Write(Place::Head(p)),
            Step::Do(Act::Pop),
        ];
        self.first(p, &steps);
    }

    /// `runnext`, the ring, the global queue.
    pub(super) fn find_rest(&mut self, p: usize) {
        if self.ps[p].next.is_some() {
            let steps = [
                Step::Spend(self.locked_if_shared()),
                Step::Write(Place::Next(p)),
                Step::Do(Act::TakeNext),
            ];
            return self.first(p, &steps);
        }
        if !self.ps[p].ring.is_empty() {
            return self.pop_ring(p);
        }
        self.look_global(p);
    }

    pub(super) fn look_global(&mut self, p: usize) {
        let n = self.global_of(p);
        let steps = [
            Step::Read(Place::GlobalHead(n)),
            Step::Read(Place::GlobalTail(n)),
            Step::Do(Act::TakeBatch),
        ];
        self.first(p, &steps);
    }

    /// `g` comes from a queue of `p` itself: what is behind it is looked at.
    pub(super) fn take(&mut self, p: usize, g: Id) {
        self.first(p, &[Step::Do(Act::Found(g))]);
        if !self.ps[p].ring.is_empty() {
            self.first(p, &[Step::Read(Place::Idle), Step::Do(Act::MaybeWake)]);
        }
    }

    /// The share of `p` of the global queue: one locked instruction for each goroutine.
    pub(super) fn take_batch(&mut self, p: usize) {
        let n = self.global_of(p);
        let length = self.globals[n].queue.len();
        if length == 0 {
            return self.after_queues(p);
        }
        let sharers = self.ps.len().div_ceil(self.globals.len());
        let share = 1 + (length / sharers).min(self.design.ring / 2);
        self.first(p, &[Step::Do(Act::EndBatch)]);
        for _ in 0..share {
            let steps = [
                Step::Write(Place::GlobalHead(n)),
                Step::Spend(self.costs.locked),
                Step::Do(Act::MoveGlobal),
            ];
            self.first(p, &steps);
        }
    }

    pub(super) fn move_global(&mut self, p: usize) {
        let n = self.global_of(p);
        if let Some(g) = self.globals[n].queue.pop_front() {
            match self.ps[p].carried {
                None => self.ps[p].carried = Some(g),
                Some(_) => self.ps[p].ring.push_back(g),
            }
        }
    }

    pub(super) fn after_queues(&mut self, p: usize) {
        match self.load.is_watching() && self.due(p, IDLE_AGE) {
            true => self.begin_poll(p),
            false => self.begin_scan(p),
        }
    }

    pub(super) fn begin_scan(&mut self, p: usize) {
        self.ps[p].asked = 0;
        self.ps[p].start = self.random.below(self.ps.len() as u64) as usize;
        self.scan(p);
    }

    /// The next victim of a look for work.
    pub(super) fn scan(&mut self, p: usize) {
        let count = self.ps.len();
        let limit = match self.design.victims {
            0 => count,
            limit => limit.min(count),
        };
        loop {
            let asked = self.ps[p].asked;
            if asked == limit {
                return self.end_of_scan(p);
            }
            self.ps[p].asked += 1;
            let victim = self.victim(p, asked);
            if victim != p {
                let steps = [
                    Step::Spend(LOOK),
                    Step::Read(Place::Head(victim)),
                    Step::Read(Place::Tail(victim)),
                    Step::Do(Act::TrySteal(victim)),
                ];
                return self.first(p, &steps);
            }
        }
    }

    /// Where the number of victims is limited, half of them are of the thief's own group.
    pub(super) fn victim(&mut self, p: usize, asked: usize) -> usize {
        let count = self.ps.len();
        if self.design.victims == 0 {
            return (self.ps[p].start + asked) % count;
        }
        let group = self.costs.group.min(count);
        match asked < self.design.victims / 2 {
            true => (p / group * group + self.random.below(group as u64) as usize).min(count - 1),
            false => self.random.below(count as u64) as usize,
        }
    }

    pub(super) fn try_steal(&mut self, p: usize, victim: usize) {
        let length = self.ps[victim].ring.len();
        if length == 0 {
            return self.scan(p);
        }
        let count = length.div_ceil(2).min(self.design.steal);
        let (from, to) = (self.cpu_of(victim), self.cpu_of(p));
        // Eight slots a line; the CPU fetches lines in a row ahead of time, so that a quarter of their time is seen.
        let slots = self.costs.transfer(from, to) * (count as Time / 8) / 4;
        let steps = [
            Step::Spend(slots + WORD * count as Time),
            Step::Write(Place::Head(victim)),
            Step::Do(Act::Steal(victim)),
        ];
        self.first(p, &steps);
    }

    pub(super) fn steal(&mut self, p: usize, victim: usize) {
        let length = self.ps[victim].ring.len();
        let count = length.div_ceil(2).min(self.design.steal);
        if count == 0 {
            return self.scan(p);
        }
        let mut taken = self.ps[victim].ring.drain(..count);
        let first = taken.next_back();
        let rest: Vec<Id> = taken.collect();
        self.ps[p].ring.extend(rest);
        self.first(p, &[Step::Write(Place::Tail(p))]);
        if let Some(g) = first {
            self.ps[p].steps.push_back(Step::Do(Act::Found(g)));
        }
    }

    pub(super) fn end_of_scan(&mut self, p: usize) {
        let now = self.now;
        if self.ps[p].spinning {
            let end = *self.ps[p].spin_end.get_or_insert(now + SPIN);
            if now < end {
                let steps = [Step::Spend(self.costs.pauses), Step::Do(Act::SpinLook)];
                return self.first(p, &steps);
            }
            return self.rest(p);
        }
        let waits_for_the_kernel =
            self.load.is_watching() && self.idle.ps.len() + 1 >= self.ps.len();
        if waits_for_the_kernel || self.idle.spinners >= self.design.spinners {
            return self.rest(p);
        }
        self.first(p, &[Step::Write(Place::Idle), Step::Do(Act::StartSpin)]);
    }

    pub(super) fn start_spin(&mut self, p: usize) {
        if self.idle.spinners >= self.design.spinners {
            return self.rest(p);
        }
        self.idle.spinners += 1;
        self.ps[p].spinning = true;
        self.ps[p].spin_end = Some(self.now + SPIN);
        self.look_global(p);
    }

    pub(super) fn found(&mut self, p: usize, g: Id) {
        if !self.ps[p].spinning {
            return self.run_on(p, g);
        }
        let steps = [
            Step::Write(Place::Idle),
            Step::Spend(self.costs.locked),
            Step::Do(Act::SpinnerFound(g)),
        ];
        self.first(p, &steps);
    }

    pub(super) fn run_on(&mut self, p: usize, g: Id) {
        self.ps[p].current = Some(g);
        self.first(p, &[Step::Do(Act::Go(Work::Resume))]);
    }
}
