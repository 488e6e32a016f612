//! The Ps, and how their number changes while the program runs.
//!
//! Nothing is stopped. Ps that are too many leave when they are put down, and run goroutines until then:
//!
//! ```text
//! changer (any thread), under the lock of `numbers`      M with a P that goes, or sysmon
//! C1 which Ps come, stay, go                           L1 sees the flag: at the next 61st round, or without
//! C2 under the lock of the idle lists: those that         work; sysmon takes the P from hogs and blocked Ms
//!    come are idle, idle ones that go have left,       L2 puts it down. Under the lock of the idle lists:
//!    the others are listed as leaving                     listed as leaving? then it has left and is this side's
//! C3 flags for the Ps that go                            L3 under the lock of `numbers`: wanted again? back to the
//! C4 clears out those that have left                      idle ones as it is. Else clear it out: goroutines into
//! C5 wakes an M if there is work for Ps that came         the global queue, timers to a P that stays
//! C6 waits until the last one has left                 L4 was it the last? ready those that wait at C6
//! ```
//!
//! - *A P has one owner*: it leaves under the lock of the idle lists, where it is on one list or on none. The caller
//!   that was told that it left owns it until it is free (C4, L3), and it comes back only from there: C1 sees that
//!   its number is still taken and does not make it idle a second time.
//! - *Nothing is lost*: what is in a P that leaves is put where other Ms look, before the P counts as gone. No other
//!   M puts anything into it: none owns a P that has left, and an M without a P inserts its timers under the lock of
//!   `numbers` into a P that is wanted, which is cleared out later if at all.
//! - *Other Ms look*: L3 is followed by steps I4 to I6 of idle.rs if an M put its P down; otherwise an idle P is
//!   passed to an M, which takes these steps.
//! - *Ms that wait for a P* get one at C2 and L3, as long as there are idle ones. A P that is put down goes to the
//!   first in line, unless it leaves, and after it there may be none that is put down.
//! - *C2 against L2*: the lock decides. A P put down before C2 is idle and leaves at C2; one put down after it leaves
//!   at L2.

use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicPtr, AtomicUsize, Ordering},
};

use crate::{
    global::{ready::ready, sched::Sched},
    gmp::{g::GRef, m::M, p::P},
    protocol::{idle::Change, p_numbers::PNumbers, sync::lock},
    sys::{clock::now, fatal},
};

/// More Ps than any machine has CPUs; a larger number is rejected as a mistake.
pub(crate) const MAX_PROCS: usize = 4096;

/// Every P that was ever made, by number. A P that has left is kept, and used again.
static SLOTS: [AtomicPtr<P>; MAX_PROCS + 1] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; MAX_PROCS + 1];

pub(crate) struct Procs {
    /// How many Ps there shall be.
    count: AtomicUsize,
    /// No P has this number or a higher one.
    end: AtomicUsize,
    numbers: Mutex<Waiting>,
}

struct Waiting {
    numbers: PNumbers,
    /// The goroutines that wait at C6.
    waiters: Vec<GRef>,
}

/// Some of the Ps: those in force, or all that were ever made.
#[derive(Clone, Copy)]
pub(crate) struct Ps(&'static [AtomicPtr<P>]);

impl Ps {
    pub(crate) fn len(self) -> usize {
        self.0.len()
    }

    /// The P at `index`, if it was made.
    pub(crate) fn get(self, index: usize) -> Option<&'static P> {
        // Acquire: partner is the store in `made`.
        let p = self.0[index].load(Ordering::Acquire);
        // SAFETY: null, or a P that `made` leaked.
        unsafe { p.as_ref() }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = &'static P> {
        (0..self.len()).filter_map(move |index| self.get(index))
    }
}

impl Procs {
    pub(crate) fn new() -> Procs {
        Procs {
            count: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            numbers: Mutex::new(Waiting {
                numbers: PNumbers::new(),
                waiters: Vec::new(),
            }),
        }
    }

    /// How many Ps there shall be.
    #[inline]
    pub(crate) fn count(&self) -> usize {
        // Relaxed: a caller that acts on it does so under a lock, or looks again.
        self.count.load(Ordering::Relaxed)
    }

    /// The Ps in force, without those that are about to leave.
    pub(crate) fn now(&self) -> Ps {
        Ps(&SLOTS[PNumbers::numbers(self.count())])
    }

    /// Every P that was ever made.
    pub(crate) fn all(&self) -> Ps {
        // Relaxed: the pointers are acquired one by one.
        Ps(&SLOTS[..self.end.load(Ordering::Relaxed)])
    }

    /// The P of this number; under the lock of `numbers`.
    fn made(&self, number: usize) -> &'static P {
        let slot = &SLOTS[number..=number];
        if let Some(p) = Ps(slot).get(0) {
            return p;
        }
        let p = P::leaked(number, number != 0);
        // Release: partner is the load in `Ps::get`.
        slot[0].store(std::ptr::from_ref(p).cast_mut(), Ordering::Release);
        // Relaxed: see `all`.
        self.end.fetch_max(number + 1, Ordering::Relaxed);
        p
    }
}

impl Sched {
    /// C1 to C5. Returns the previous number.
    pub(crate) fn resize(&'static self, target: usize) -> usize {
        self.resize_locked(lock(&self.procs.numbers), target)
    }

    /// The machine gives `target` CPUs from now on. Does nothing if the number of Ps was set by the program.
    pub(crate) fn follow_to(&'static self, target: usize) {
        let waiting = lock(&self.procs.numbers);
        if self.update_procs.is_on() {
            self.resize_locked(waiting, target.min(self.threads.max()).min(MAX_PROCS));
        }
    }

    /// As [`resize`](Sched::resize), for a number that the program sets: the machine is not followed any more.
    pub(crate) fn resize_for_good(&'static self, target: usize) -> usize {
        let waiting = lock(&self.procs.numbers);
        self.update_procs.stop();
        self.resize_locked(waiting, target)
    }

    /// Returns whether all Ps that were to leave have left.
    pub(crate) fn is_settled(&self) -> bool {
        lock(&self.procs.numbers).numbers.settled()
    }

    /// C6, as the last step of a commit: L4 makes `g` ready, which is off its stack. False if there is nothing to
    /// wait for.
    pub(crate) fn await_settled(&self, g: GRef) -> bool {
        let mut waiting = lock(&self.procs.numbers);
        let waits = !waiting.numbers.settled();
        if waits {
            waiting.waiters.push(g);
        }
        waits
    }

    fn resize_locked(&'static self, mut waiting: MutexGuard<'_, Waiting>, target: usize) -> usize {
        let before = waiting.numbers.target();
        if before == target {
            return before;
        }
        let plan = waiting.numbers.plan(target);
        let ids = |numbers: &[usize]| numbers.iter().map(|&n| self.procs.made(n).id()).collect();
        let change = Change {
            // The last P of the list is taken first: it has the lowest number.
            come: ids(&plan.come.iter().rev().copied().collect::<Vec<_>>()),
            stay: ids(&plan.stay),
            go: ids(&plan.go),
            come_used: 0,
        };
        // Relaxed: partner is the load in `count`. An M that looks for work in the new Ps got one of them under the
        // lock of the idle lists, or is woken at C5.
        self.procs.count.store(target, Ordering::Relaxed);
        let changed = self.idle.change(&change);
        for (numbers, goes) in [(&plan.come, false), (&plan.stay, false), (&plan.go, true)] {
            numbers
                .iter()
                .for_each(|&n| self.procs.made(n).set_leaving(goes));
        }
        let mut moved = false;
        for p in changed.left {
            // SAFETY: the id is one of those above.
            moved |= self.clear_out(&mut waiting, unsafe { P::from_id(p) });
        }
        let ready = waiting.over();
        drop(waiting);
        self.serve(changed.served);
        self.settle(ready);
        self.look_after(moved);
        before
    }

    /// L3 and L4, for the caller that was told that `p` left. True if timers moved, for which an M must look before
    /// it sleeps.
    pub(crate) fn leave(&'static self, p: &'static P) -> bool {
        let mut waiting = lock(&self.procs.numbers);
        let (changed, moved) = if waiting.numbers.wants(p.number) {
            let back = Change {
                come: vec![p.id()],
                come_used: 1,
                ..Change::default()
            };
            // Its timers stay in it.
            (self.idle.change(&back), true)
        } else {
            // A change that came in between may have marked it as leaving again.
            let stay = Change {
                stay: vec![p.id()],
                ..Change::default()
            };
            (self.idle.change(&stay), self.clear_out(&mut waiting, p))
        };
        let ready = waiting.over();
        drop(waiting);
        self.serve(changed.served);
        self.settle(ready);
        moved
    }

    /// The second half of C2: wakes the Ms that waited for a P, each with one.
    fn serve(&self, served: Vec<(usize, usize)>) {
        for (m, p) in served {
            self.sysmon_sleep.note_busy(now);
            // SAFETY: the idle lists hold words of Ms and Ps, and `change` took these off them together.
            let (m, p) = unsafe { (M::from_id(m), P::from_id(p)) };
            m.wake_with(p, false);
        }
    }

    /// Moves everything that is in `p`, which has left, to where other Ms find it. True if there were timers.
    fn clear_out(&'static self, waiting: &mut Waiting, p: &'static P) -> bool {
        while let Some(word) = p.ring.take_next().or_else(|| p.ring.pop()) {
            self.inject(word);
        }
        let heir = self.heir();
        let moved = p.timers.move_to(&heir.timers);
        // SAFETY: `p` has left and is owned by the caller, and nothing here parks.
        let local = unsafe { p.local() };
        local.stacks.drain();
        self.free_all(&mut local.free);
        waiting.numbers.free(p.number);
        moved
    }

    /// A P that is wanted; under the lock of `numbers`.
    fn heir(&self) -> &'static P {
        match self.procs.now().get(0) {
            Some(p) => p,
            None => fatal::throw(format_args!("a scheduler without a P")),
        }
    }

    /// For an M without a P: runs `insert` with a P that stays while it does.
    pub(crate) fn with_some_p<R>(&self, insert: impl FnOnce(&'static P) -> R) -> R {
        let _seats = lock(&self.procs.numbers);
        insert(self.heir())
    }

    /// C5, and I4 for work and timers that were moved by a caller that does not go to sleep now.
    pub(crate) fn look_after(&'static self, timers: bool) {
        if timers && let Some(p) = self.take_idle_p() {
            self.handoff_p(p);
        } else if self.any_work() && self.idle.may_wake() {
            self.wake();
        }
    }

    fn settle(&self, waiters: Vec<GRef>) {
        for g in waiters {
            // SAFETY: its commit put it on the list, from which it was taken once.
            unsafe { ready(g) };
        }
    }
}

impl Waiting {
    /// L4: the goroutines whose wait at C6 is over.
    fn over(&mut self) -> Vec<GRef> {
        if self.numbers.settled() {
            std::mem::take(&mut self.waiters)
        } else {
            Vec::new()
        }
    }
}
