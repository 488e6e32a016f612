//! How an M sleeps and is woken: the steps S, I and F of `sched/src/protocol/idle.rs`.

use super::load::Work;
use super::search::LOOK;
use super::world::{Act, Id, Place, Step, World};

impl World {
    pub(super) fn may_wake(&self) -> bool {
        !self.idle.ps.is_empty() && self.idle.spinners < self.design.spinners
    }

    pub(super) fn any_work(&self) -> bool {
        self.globals.iter().any(|global| !global.queue.is_empty())
            || self.ps.iter().any(|p| !p.ring.is_empty())
    }

    pub(super) fn rest(&mut self, p: usize) {
        self.first(p, &[Step::IdleLock, Step::Do(Act::PutIdle)]);
        if self.design.barrier_at_rest {
            self.first(p, &[Step::Interrupt]);
        }
    }

    /// I1 to I4.
    pub(super) fn put_idle(&mut self, p: usize) {
        self.stop_spinning(p);
        self.idle.ps.push(p);
        self.ps[p].notified = false;
        self.first(p, &[Step::Do(Act::LookOnce)]);
        self.read_all_queues(p);
    }

    pub(super) fn stop_spinning(&mut self, p: usize) {
        if std::mem::take(&mut self.ps[p].spinning) {
            self.idle.spinners -= 1;
        }
        self.ps[p].spin_end = None;
    }

    /// Reads what `any_work` reads: all rings up to the first that is not empty.
    pub(super) fn read_all_queues(&mut self, p: usize) {
        for n in 0..self.globals.len() {
            let queue = [
                Step::Read(Place::GlobalHead(n)),
                Step::Read(Place::GlobalTail(n)),
            ];
            self.first(p, &queue);
        }
        let found = self.ps.iter().position(|other| !other.ring.is_empty());
        let count = found.map_or(self.ps.len(), |place| place + 1);
        for other in 0..count {
            let ring = [
                Step::Spend(LOOK),
                Step::Read(Place::Head(other)),
                Step::Read(Place::Tail(other)),
            ];
            self.first(p, &ring);
        }
    }

    pub(super) fn look_once(&mut self, p: usize) {
        if self.any_work() && !self.ps[p].notified {
            return self.first(p, &[Step::IdleLock, Step::Do(Act::LeaveIdle)]);
        }
        self.first(p, &[Step::Do(Act::Sleep)]);
    }

    /// I5.
    pub(super) fn leave_idle(&mut self, p: usize) {
        let Some(place) = self.idle.ps.iter().position(|&other| other == p) else {
            return self.sleep(p);
        };
        self.idle.ps.swap_remove(place);
        self.claim_spin(p);
        self.first(p, &[Step::Write(Place::Idle)]);
    }

    /// `p` continues as the spinner, if there is none.
    pub(super) fn claim_spin(&mut self, p: usize) {
        if self.idle.spinners < self.design.spinners {
            self.idle.spinners += 1;
            self.ps[p].spinning = true;
        }
    }

    /// I6.
    pub(super) fn sleep(&mut self, p: usize) {
        if std::mem::take(&mut self.ps[p].notified) {
            self.ps[p].spinning = true;
            return self.first(p, &[Step::Do(Act::Find)]);
        }
        let poll = self.poll_of(p);
        let is_listed = self.idle.ps.contains(&p);
        if is_listed && self.load.is_watching() && self.polls[poll].sleeper.is_none() {
            if !self.polls[poll].ready.is_empty() {
                return self.wake_from_poll(p, poll, false);
            }
            self.polls[poll].sleeper = Some(p);
            self.polls[poll].last = self.now;
        }
        self.ps[p].asleep = true;
    }

    /// F1 to F3.
    pub(super) fn spinner_found(&mut self, p: usize, g: Id) {
        self.stop_spinning(p);
        self.ps[p].current = Some(g);
        self.first(p, &[Step::Do(Act::Go(Work::Resume))]);
        if self.may_wake() {
            if self.any_work() {
                self.first(p, &[Step::Write(Place::Idle), Step::Do(Act::ClaimWake)]);
            }
            self.read_all_queues(p);
        }
    }

    /// `p` is being woken, or is awake: it does not sleep in a poll.
    pub(super) fn leave_poll(&mut self, p: usize) {
        for poll in &mut self.polls {
            poll.sleeper = poll.sleeper.filter(|&sleeper| sleeper != p);
        }
    }

    /// S5 and S6.
    pub(super) fn pop_idle(&mut self, p: usize) {
        let is_poller = |&other: &usize| self.polls.iter().any(|poll| poll.sleeper == Some(other));
        let spare = self.idle.ps.iter().rposition(|other| !is_poller(other));
        let place = spare.or_else(|| self.idle.ps.len().checked_sub(1));
        let Some(place) = place else {
            self.idle.spinners -= 1;
            return;
        };
        let other = self.idle.ps.swap_remove(place);
        self.leave_poll(other);
        let steps = [Step::Spend(self.costs.wake), Step::Do(Act::Notify(other))];
        self.first(p, &steps);
    }

    pub(super) fn notify(&mut self, other: usize) {
        self.leave_poll(other);
        if self.ps[other].asleep {
            self.ps[other].spinning = true;
            self.first(other, &[Step::Do(Act::Find)]);
            self.give_cpu(other, self.costs.wake_delay);
        } else {
            self.ps[other].notified = true;
        }
    }

    /// After work was published in the ring of `p`: S2 and S3.
    pub(super) fn published(&mut self, p: usize) {
        if !self.is_shared() {
            return;
        }
        let fence = if self.design.barrier_at_rest {
            0
        } else {
            self.costs.locked
        };
        let steps = [
            Step::Spend(fence),
            Step::Read(Place::Idle),
            Step::Do(Act::MaybeWake),
        ];
        self.first(p, &steps);
    }
}
