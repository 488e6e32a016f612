//! The implementation of the steps' traits for the real scheduler, its Ms and its Ps.

use std::time::Duration;

use crate::protocol::steps::{Machine, Processor, Scheduler};
use crate::{
    global::sched::{self, Sched},
    gmp::{
        g::GRef,
        m::{Fitness, M},
        p::P,
        trace_event::EventKind,
        tracer,
    },
    protocol::{
        home_wait::HomeWaits, idle::Idle, inbox::Inbox, sysmon_sleep::SysmonSleep, timers::NEVER,
    },
    schedule::{find_runnable, locked, migrate},
    sys::clock::{now, sharply},
};

impl Processor for &'static P {
    #[inline]
    fn id(self) -> usize {
        P::id(self)
    }

    fn has_work(self) -> bool {
        P::has_work(self)
    }

    fn next_timer(self) -> u64 {
        self.timers.next()
    }

    fn is_leaving(self) -> bool {
        P::is_leaving(self)
    }

    fn next_tick(self) {
        P::next_tick(self);
    }
}

/// A sleep that is shorter is sharp where that is asked for.
const SOON: Duration = Duration::from_millis(100);

/// Returns whether a sleep until `moment` is so short that the kernel's timer slack, 50 us, would count.
fn is_soon(moment: u64) -> bool {
    moment.saturating_sub(now()) < SOON.as_nanos() as u64
}

impl Machine for &'static M {
    type P = &'static P;

    #[inline]
    fn id(self) -> usize {
        M::id(self)
    }

    #[inline]
    fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    #[inline]
    fn p(self) -> Option<&'static P> {
        M::p(self)
    }

    fn take(self, p: &'static P) {
        self.gate.unwatch();
        self.set_p(p);
        self.note_start_p();
    }

    fn give_up_p(self) -> Option<&'static P> {
        M::give_up_p(self).inspect(|p| tracer::note(EventKind::StopP, p.number as u64))
    }

    #[inline]
    fn is_spinning(self) -> bool {
        self.spinning.get()
    }

    #[inline]
    fn set_spinning(self, spinning: bool) {
        self.spinning.set(spinning);
    }

    fn is_tainted(self) -> bool {
        locked::is_tainted(self)
    }

    fn end(self) {
        locked::end(self);
    }

    fn is_over(self) -> bool {
        self.fitness.get() == Fitness::Over
    }

    fn wake_with(self, p: &'static P, as_spinner: bool) {
        M::wake_with(self, p, as_spinner);
    }

    fn wait(self, until: u64, sharp: bool) -> bool {
        tracer::note(EventKind::Sleeps, 0);
        let remaining = || (until != NEVER).then(|| until.saturating_sub(now()));
        let handed = match sharp && is_soon(until) {
            true => sharply(|| self.parker.wait(remaining)),
            false => self.parker.wait(remaining),
        };
        tracer::note(EventKind::Rises, 0);
        self.spin_habit.woke(handed, now());
        if handed {
            self.accept();
        }
        handed
    }

    fn poll(self, until: u64, sharp: bool) -> bool {
        tracer::note(EventKind::Sleeps, 1);
        let handed = sched::running().sleep_in_poll(self, until, sharp && is_soon(until));
        tracer::note(EventKind::Rises, 0);
        self.spin_habit.woke(handed || self.has_found(), now());
        if handed {
            self.accept();
        }
        handed
    }

    fn has_found(self) -> bool {
        !self.found.borrow().is_empty()
    }
}

impl Scheduler for &'static Sched {
    type P = &'static P;
    type M = &'static M;
    type G = GRef;

    #[inline]
    fn idle(&self) -> &Idle {
        &self.idle
    }

    #[inline]
    fn sysmon(&self) -> &SysmonSleep {
        &self.sysmon_sleep
    }

    fn homes(&self) -> &HomeWaits {
        &self.home_waits
    }

    #[inline]
    unsafe fn m(self, id: usize) -> &'static M {
        // SAFETY: the steps ask for words of the idle lists and of `HomeWaits`, which come from `M::id`.
        unsafe { M::from_id(id) }
    }

    #[inline]
    unsafe fn p(self, id: usize) -> &'static P {
        // SAFETY: the steps ask for words of the idle lists, which come from `P::id`.
        unsafe { P::from_id(id) }
    }

    fn now(self) -> u64 {
        now()
    }

    fn remaining(self, moment: u64) -> u64 {
        moment.saturating_sub(now())
    }

    fn is_watching(self) -> bool {
        self.poller.is_watching()
    }

    fn any_work(self) -> bool {
        Sched::any_work(self) || self.any_job()
    }

    fn any_injected(self) -> bool {
        Sched::any_injected(self)
    }

    fn inject(self, g: GRef) {
        Sched::inject(self, g.to_word());
    }

    fn next_wake(self) -> u64 {
        let wakes = self.procs.all().iter().map(|p| p.timers.coalesced_wake());
        wakes.min().unwrap_or(NEVER)
    }

    fn unheld_wake(self, except: Option<&'static P>) -> u64 {
        let ps = self.procs.all().iter();
        let unheld = ps.filter(|p| {
            p.owner().is_none()
                && p.lending.lent().is_none()
                && except.is_none_or(|except| !std::ptr::eq(*p, except))
        });
        unheld
            .map(|p| p.timers.coalesced_wake())
            .min()
            .unwrap_or(NEVER)
    }

    fn try_now(self, m: &'static M) -> Option<usize> {
        find_runnable::try_now(self, m, false)
    }

    fn own_first(self, m: &'static M, p: &'static P) -> Option<GRef> {
        locked::own_first(self, m, p)
    }

    fn look_again(self, looks: u32) -> u64 {
        locked::look_again(looks)
    }

    fn steal_or_spin(self, m: &'static M, p: &'static P) -> Option<usize> {
        find_runnable::steal_or_spin(self, m, p)
    }

    fn may_start_m(self) -> bool {
        !self.threads.is_too_early()
    }

    fn start_m(self, p: &'static P, as_spinner: bool) {
        self.request_m(p, as_spinner);
    }

    fn idle_p_for_want_of_thread(self, p: &'static P) {
        Sched::idle_p_for_want_of_thread(self, p);
    }

    fn is_refused(self) -> bool {
        self.threads.is_refused()
    }

    fn wants_retry(self) -> bool {
        Sched::wants_retry(self)
    }

    fn leave(self, p: &'static P) -> bool {
        Sched::leave(self, p)
    }

    fn look_after(self, timers: bool) {
        Sched::look_after(self, timers);
    }

    fn rouse(self) {
        self.rouse_shrinker();
    }

    fn deliver(self, m: &'static M) {
        Sched::deliver(self, m);
    }

    fn end_of_sleep(self) -> u64 {
        self.threads.end_of_sleep()
    }

    fn is_home(self, m: &'static M) -> bool {
        migrate::is_home(m)
    }
}
