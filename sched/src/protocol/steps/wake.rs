//! Waking an M, and passing a P on: S4 to S6 of idle.rs, T3 to T6 of steps/mod.rs.

use super::{Machine, Processor, Scheduler, is_poll_untended, is_time_untended};
use crate::protocol::{
    idle::PutIdle,
    sync::{Ordering, fence},
    sysmon_sleep::{Limit, Slept},
    timers::NEVER,
};

/// Wakes an M for work that was just published, if one should be: S4 to S6. True if there was an idle P for it.
#[cold]
pub(crate) fn wake<S: Scheduler>(s: S) -> bool {
    let wake = s.idle().claim_wake(s.may_start_m());
    // Also where it is too early to ask for a thread: sysmon asks for one later.
    s.sysmon().note_busy(|| s.now());
    let Some(wake) = wake else {
        return false;
    };
    // SAFETY: the idle lists hold words of Ps, and `claim_wake` took this one off them.
    let p = unsafe { s.p(wake.p) };
    match wake.m {
        // SAFETY: the idle lists hold the words of Ms, and this one was taken off them.
        Some(m) => unsafe { s.m(m) }.wake_with(p, true),
        None => s.start_m(p, true),
    }
    true
}

/// Passes `p`, which its M gives up in the middle of a goroutine, to another M.
pub(crate) fn handoff_p<S: Scheduler>(s: S, p: S::P) {
    if s.idle().any_m_waits_for_p() || p.is_leaving() {
        put_idle_p(s, p);
    } else if let Some(sleeper) = s.idle().take_m() {
        // SAFETY: the idle lists hold words of Ms, and `take_m` took this one off them.
        unsafe { s.m(sleeper.m) }.wake_with(p, false);
        if sleeper.was_timekeeper {
            see_to_time(s, Some(p)); // T4
        }
    } else if s.may_start_m() {
        s.start_m(p, false);
    } else {
        s.idle_p_for_want_of_thread(p);
    }
}

/// Takes an idle P for an M that has none.
pub(crate) fn take_idle_p<S: Scheduler>(s: S) -> Option<S::P> {
    let p = s.idle().take_p()?;
    s.sysmon().note_busy(|| s.now());
    // SAFETY: the idle lists hold words of Ps, and this one was taken off them.
    Some(unsafe { s.p(p) })
}

/// Puts `p` on the idle list without an M, and makes sure that work and timers left in it are found.
pub(crate) fn put_idle_p<S: Scheduler>(s: S, p: S::P) {
    match s.idle().put_idle_p(p.id()) {
        // SAFETY: the line for a P holds words of Ms, and this one was taken out of it.
        PutIdle::Waiting(waiting) => unsafe { s.m(waiting) }.wake_with(p, false),
        PutIdle::Left => {
            let timers = s.leave(p);
            s.look_after(timers);
        }
        // I4 of idle.rs: work was published while this P did not count as idle; and T3. If no thread can be had,
        // sysmon tries again.
        PutIdle::Idle => {
            let untended = || is_time_untended(s, None) || is_poll_untended(s);
            if s.idle().may_wake() && !s.is_refused() && (s.any_work() || untended()) {
                wake(s);
            }
        }
    }
}

/// T3 and T4: wakes an M if there are timers in Ps that no M holds, and no sleeping M wakes for them. `handed` is on
/// its way to an M.
pub(crate) fn see_to_time<S: Scheduler>(s: S, handed: Option<S::P>) {
    if s.idle().should_wake() && is_time_untended(s, handed) {
        wake(s);
    }
}

/// What sysmon remembers of the time: whether no M kept it at the last look.
#[derive(Default)]
pub(crate) struct TimeWatch(bool);

impl TimeWatch {
    /// T5 and T6. True if an M was woken.
    ///
    /// It takes two looks, because an M may be about to keep the time, or to fire what is due.
    pub(crate) fn look<S: Scheduler>(&mut self, s: S) -> bool {
        let due = s.unheld_wake(None);
        let matters = due != NEVER && (due <= s.now() || s.idle().all_idle());
        let untended =
            matters && !s.idle().keeps_time(due) || is_poll_untended(s) && s.idle().all_idle();
        let before = std::mem::replace(&mut self.0, untended);
        before && untended && s.idle().may_wake() && wake(s)
    }

    /// Returns whether no M kept the time at the last look.
    pub(crate) fn is_alarmed(&self) -> bool {
        self.0
    }
}

/// How sysmon sleeps while all Ps are idle.
#[derive(Clone, Copy)]
pub(crate) struct Doze {
    /// It gets up at this moment, or [`NEVER`].
    pub(crate) due: u64,
    /// How long a P may be busy before sysmon gets up.
    pub(crate) grace: u64,
    /// Whether there were bursts of work in its last sleep: then it expects more.
    pub(crate) bursts: bool,
}

impl Doze {
    /// The limit of a sleep that begins at `now`, where the timekeeper gets up at `kept`.
    fn limit(self, now: u64, kept: u64) -> Limit {
        let until = match kept {
            NEVER if !self.bursts => NEVER,
            NEVER => now.saturating_add(self.grace),
            // It may be late.
            kept => kept.max(now).saturating_add(self.grace),
        };
        Limit {
            until: until.min(self.due),
            grace: self.grace,
        }
    }
}

/// Z1 to Z3 of sysmon_sleep.rs, by sysmon: sleeps while all Ps are idle and nothing else keeps it awake.
pub(crate) fn sleep_while_idle<S: Scheduler>(s: S, doze: Doze) -> Slept {
    s.sysmon().sleep_while(
        || {
            if !s.idle().all_idle() {
                return false;
            }
            // Work may have been published before the last P was put down, by a thread that saw a spinner which then
            // got no thread. It is visible from here on: partner is the fence in `stop_spinning`.
            fence(Ordering::SeqCst);
            let untended = || is_time_untended(s, None) || is_poll_untended(s);
            s.homes().is_empty() && !s.wants_retry() && !untended()
        },
        || doze.limit(s.now(), s.idle().kept_until()),
        |moment| s.remaining(moment),
    )
}
