//! The poll of the kernel: `sched/src/global/poll.rs`.

use super::costs::{Time, US};
use super::world::{Act, Id, Place, Step, World};

/// The shortest time between two polls of Ms that look for work.
pub(super) const IDLE_AGE: Time = 5 * US;
/// The same in fair rounds.
pub(super) const FAIR_AGE: Time = 50 * US;
/// The age of the last poll at which the monitor sees to it.
const RELAY_AGE: Time = 200 * US;
/// Events of one call.
const BATCH: usize = 128;

impl World {
    pub(super) fn poll_of(&self, p: usize) -> usize {
        p % self.polls.len()
    }

    /// The sleeper in the poll has an event: K4 to K6 of `sched/src/global/poll.rs`.
    pub(super) fn wake_from_poll(&mut self, p: usize, poll: usize, slept: bool) {
        if let Some(place) = self.idle.ps.iter().position(|&other| other == p) {
            self.idle.ps.swap_remove(place);
        }
        self.polls[poll].last = self.now;
        let count = self.polls[poll].ready.len().min(BATCH);
        let steps = [
            Step::PollLock(poll, count),
            Step::IdleLock,
            Step::Do(Act::ClaimSpin),
            Step::Do(Act::Harvest(poll)),
        ];
        self.first(p, &steps);
        if slept {
            self.give_cpu(p, self.costs.wake_delay);
        }
    }

    pub(super) fn due(&self, p: usize, age: Time) -> bool {
        let poll = &self.polls[self.poll_of(p)];
        self.now - poll.last >= age
    }

    pub(super) fn begin_poll(&mut self, p: usize) {
        let poll = self.poll_of(p);
        self.polls[poll].last = self.now;
        let count = self.polls[poll].ready.len().min(BATCH);
        let steps = [Step::PollLock(poll, count), Step::Do(Act::Harvest(poll))];
        self.first(p, &steps);
    }

    /// What the poll has found goes into the ring of `p`.
    pub(super) fn harvest(&mut self, p: usize, poll: usize) {
        let count = self.polls[poll].ready.len().min(BATCH);
        let found: Vec<Id> = self.polls[poll].ready.drain(..count).collect();
        self.load.parked -= count;
        let any = count != 0;
        self.ps[p].ring.extend(found);
        if any {
            self.first(p, &[Step::Write(Place::Tail(p))]);
            self.published(p);
        } else if self.ps[p].steps.is_empty() {
            self.begin_scan(p);
        }
    }

    /// The connection of `g` has a request.
    pub(super) fn arrive(&mut self, g: Id) {
        let poll = g % self.polls.len();
        self.polls[poll].ready.push_back(g);
        if let Some(sleeper) = self.polls[poll].sleeper.take() {
            self.wake_from_poll(sleeper, poll, true);
        }
    }

    /// sysmon: nobody has polled for long.
    pub(super) fn monitor(&mut self) {
        for poll in 0..self.polls.len() {
            let late = self.now - self.polls[poll].last >= RELAY_AGE;
            if late && self.load.is_watching() && !self.polls[poll].ready.is_empty() {
                let count = self.polls[poll].ready.len().min(BATCH);
                let found: Vec<Id> = self.polls[poll].ready.drain(..count).collect();
                self.load.parked -= count;
                self.globals[0].queue.extend(found);
                self.polls[poll].last = self.now;
            }
        }
    }
}
