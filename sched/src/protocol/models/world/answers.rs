//! The implementation of the steps' traits for the scheduler of the models.

use loom::sync::atomic::Ordering;

use super::{GRACE, Goroutine, ModelM, ModelP, World};
use crate::protocol::{
    home_wait::HomeWaits,
    idle::Idle,
    inbox::Inbox,
    steps::{self, Doze, Machine, Processor, Scheduler},
    sysmon_sleep::{Slept, SysmonSleep},
    timers::NEVER,
    window_lock::Linked,
};

impl Processor for &ModelP {
    fn id(self) -> usize {
        self.number
    }
    fn has_work(self) -> bool {
        !self.ring.is_empty()
    }
    fn next_timer(self) -> u64 {
        self.timers.next()
    }
    fn is_leaving(self) -> bool {
        false
    }
    fn next_tick(self) {}
}

impl<'a> Machine for &'a ModelM {
    type P = &'a ModelP;
    fn id(self) -> usize {
        self.number
    }
    fn inbox(&self) -> &Inbox {
        &self.inbox
    }
    fn p(self) -> Option<&'a ModelP> {
        let p = self.p.load(Ordering::Relaxed) as *const ModelP;
        // SAFETY: null, or stored from a reference in `take`; Ms and Ps live in one world.
        unsafe { p.as_ref() }
    }
    fn take(self, p: &'a ModelP) {
        assert_eq!(
            p.owner.swap(self.number, Ordering::Release),
            0,
            "two own {}",
            p.number
        );
        self.p
            .store(std::ptr::from_ref(p) as usize, Ordering::Relaxed);
    }
    fn give_up_p(self) -> Option<&'a ModelP> {
        let p = Machine::p(self)?;
        p.owner.store(0, Ordering::Release);
        self.p.store(0, Ordering::Relaxed);
        Some(p)
    }
    fn is_spinning(self) -> bool {
        self.spinning.load(Ordering::Relaxed) & 1 != 0
    }
    fn set_spinning(self, spinning: bool) {
        let habit = self.spinning.load(Ordering::Relaxed) & NEVER_SPINS;
        self.spinning
            .store(habit | usize::from(spinning), Ordering::Relaxed);
    }
    fn is_tainted(self) -> bool {
        self.tainted.load(Ordering::Relaxed) == 1
    }
    fn end(self) {
        self.inbox.set_locked(false);
        self.tainted.store(2, Ordering::Relaxed);
    }
    fn is_over(self) -> bool {
        self.tainted.load(Ordering::Relaxed) == 2
    }
    fn wake_with(self, p: &'a ModelP, as_spinner: bool) {
        let word = std::ptr::from_ref(p) as usize | usize::from(as_spinner);
        let before = self.handed.swap(word, Ordering::Relaxed);
        assert_eq!(before, 0, "two Ps for one M");
        self.parker.notify_or(|| self.kernel.kick());
    }
    fn wait(self, until: u64, _sharply: bool) -> bool {
        let handed = self.parker.wait(|| (until != NEVER).then_some(0));
        if !handed {
            self.clock.fetch_max(until, Ordering::Relaxed);
        }
        if handed {
            self.accept();
        }
        handed
    }
    fn poll(self, until: u64, _sharply: bool) -> bool {
        let handed = self.parker.poll(|| match self.kernel.wait(until != NEVER) {
            Some(words) => self.found.lock().unwrap().extend(words),
            None => {
                self.clock.fetch_max(until, Ordering::Relaxed);
            }
        });
        if handed {
            self.accept();
        }
        handed
    }
    fn has_found(self) -> bool {
        !self.found.lock().unwrap().is_empty()
    }
}

/// In the word `spinning` of an M.
const NEVER_SPINS: usize = 2;

impl ModelM {
    /// From now on it rests without a spin when it runs out of work, unless it was woken as the spinner.
    pub(in super::super) fn spins_no_more(&self) {
        self.spinning.fetch_or(NEVER_SPINS, Ordering::Relaxed);
    }

    fn spins(&self) -> bool {
        self.spinning.load(Ordering::Relaxed) & NEVER_SPINS == 0
    }
}

impl World {
    /// sysmon sleeps while it may, at most until `due`; `bursts` as in [`Doze`].
    pub(in super::super) fn doze(&self, due: u64, bursts: bool) -> Slept {
        let grace = GRACE;
        steps::sleep_while_idle(self, Doze { due, grace, bursts })
    }
}

impl<'a> Scheduler for &'a World {
    type P = &'a ModelP;
    type M = &'a ModelM;
    type G = Goroutine;
    fn idle(&self) -> &Idle {
        &self.idle
    }
    fn sysmon(&self) -> &SysmonSleep {
        &self.sysmon
    }
    fn homes(&self) -> &HomeWaits {
        &self.homes
    }
    unsafe fn m(self, id: usize) -> &'a ModelM {
        self.m_of(id)
    }
    unsafe fn p(self, id: usize) -> &'a ModelP {
        self.p_of(id)
    }
    fn now(self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }
    /// Other threads let the time pass.
    fn remaining(self, moment: u64) -> u64 {
        loom::thread::yield_now();
        moment.saturating_sub(Scheduler::now(self))
    }
    fn is_watching(self) -> bool {
        self.kernel.is_watched()
    }
    fn any_work(self) -> bool {
        self.any_injected() || self.ps.iter().any(|p| !p.ring.is_empty())
    }
    fn any_injected(self) -> bool {
        !self.kernel.global.lock().unwrap().is_empty()
    }
    fn inject(self, g: Goroutine) {
        self.kernel.global.lock().unwrap().push(g.word());
    }
    fn next_wake(self) -> u64 {
        let wakes = self.ps.iter().map(|p| p.timers.coalesced_wake());
        wakes.min().unwrap_or(NEVER)
    }
    fn unheld_wake(self, except: Option<&'a ModelP>) -> u64 {
        let except = except.map(Processor::id);
        let held = |p: &&ModelP| p.owner.load(Ordering::Acquire) != 0 || Some(p.number) == except;
        let unheld = self.ps.iter().filter(|p| !held(p));
        unheld
            .map(|p| p.timers.coalesced_wake())
            .min()
            .unwrap_or(NEVER)
    }
    /// As find_runnable.rs, where a queue of the M goes after that of its P.
    fn try_now(self, m: &'a ModelM) -> Option<usize> {
        if m.inbox.is_locked() {
            return Some(steps::wait_locked(self, m)?.word());
        }
        let Some(p) = Machine::p(m) else {
            self.idle.put_idle_m(m.number);
            return None;
        };
        self.fire_due(p, p);
        let own = p.ring.pop();
        own.or_else(|| self.kernel.global.lock().unwrap().pop())
            .or_else(|| m.inbox.pop().map(Goroutine::word))
            .or_else(|| self.kernel.poll())
    }
    /// As find_runnable.rs, without the spinning.
    fn steal_or_spin(self, m: &'a ModelM, p: &'a ModelP) -> Option<usize> {
        let found = self.steal(p, true).or_else(|| {
            if !m.is_spinning() && m.spins() {
                m.set_spinning(self.idle.start_spinning());
            }
            match m.is_spinning() {
                true => self.steal(p, false),
                false => None,
            }
        });
        if found.is_none() {
            steps::put_idle(self, m, p);
        }
        found
    }
    fn may_start_m(self) -> bool {
        !self.spare.lock().unwrap().is_empty()
    }
    fn start_m(self, p: &'a ModelP, as_spinner: bool) {
        let spare = self.spare.lock().unwrap().pop();
        let m = spare.expect("only one thread starts Ms at a time");
        self.m_of(m).wake_with(p, as_spinner);
    }
    fn idle_p_for_want_of_thread(self, p: &'a ModelP) {
        steps::put_idle_p(self, p);
    }
    fn is_refused(self) -> bool {
        false
    }
    fn wants_retry(self) -> bool {
        false
    }
    fn leave(self, _p: &'a ModelP) -> bool {
        unreachable!("no P leaves");
    }
    fn deliver(self, m: &'a ModelM) {
        let found = std::mem::take(&mut *m.found.lock().unwrap());
        if found.is_empty() {
            return;
        }
        match Machine::p(m) {
            Some(p) => found
                .into_iter()
                .for_each(|word| p.ring.push(word).unwrap()),
            None => self.kernel.global.lock().unwrap().extend(found),
        }
        self.publish();
    }
    fn look_after(self, _timers: bool) {
        unreachable!("no P leaves");
    }
    fn rouse(self) {}
    fn end_of_sleep(self) -> u64 {
        NEVER
    }
    fn own_first(self, _m: &'a ModelM, _p: &'a ModelP) -> Option<Goroutine> {
        None
    }
    /// One look in time for what comes, then none.
    fn look_again(self, looks: u32) -> u64 {
        if looks == 0 { 1 } else { NEVER }
    }
    fn is_home(self, _m: &'a ModelM) -> bool {
        true
    }
}
