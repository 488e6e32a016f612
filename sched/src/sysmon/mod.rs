//! The wing `sysmon`: the monitor, a thread without a P that acts for goroutines and timers which no M serves.
//! Imported by `start`.
//!
//! stuck.rs has what it does for a P whose rounds stand still, seen.rs what it remembers of a P, pace.rs when it looks,
//! handlers.rs the checks of the handling of faults, periodic.rs what it does at fixed times.
//!
//! | what it sees | what it does |
//! |---|---|
//! | a P lent to a blocking call since its last look, with work waiting | retakes it and passes it to another M |
//! | a P whose rounds have stood still for [`STUCK`](seen::STUCK) while something waits for it, and an idle P | wakes an M, which steals what waits |
//! | a `runnext` at two looks in the same round, and an idle P | puts it into the global queue and wakes an M |
//! | a goroutine, or an M without a P, that has waited for a P for a [`SLICE`](seen::SLICE) | asks for a fair round (fairness.rs) |
//! | a round that has lasted a [`SLICE`](seen::SLICE) while something waits for its P, and no idle P, or no thread for one | raises its flag (checkpoint.rs) |
//! | no idle P, and a P whose rounds have stood still for [`STUCK`](seen::STUCK) while something waits for it | takes the P from its M, which does not know (gate.rs), and passes it to another |
//! | a P whose rounds stand still while something waits for it, on an M whose thread has used no CPU time for 45 us and is not runnable | wakes an M, or takes the P, at once: the thread is blocked |
//! | a thread that is blocked so, and a timer due soon for which no other M could wake | takes its P before the timer is due |
//!
//! It looks every 20 us while it finds something to do, plus some 50 us that the kernel adds to a short sleep. After
//! 50 looks that found nothing the pause doubles, up to 10 ms, or 2 ms while a P's rounds stand still or a goroutine
//! waits for a fair round. Where the next look decides and a goroutine waits for that, the pause is really 20 us: a
//! blocked thread loses its P some 100 us after it blocked, and a lone `runnext` is with another P after 60 to 130
//! us, if sysmon was in its short period. A P for which there is no work is taken after 20 ms ([`UNUSED`](seen::UNUSED)). For
//! a while after something was done for a P each look at it is of that kind, because the same is likely to happen
//! again.
//!
//! The short period begins anew when every P has been idle for 10 ms, and when something was done. When every P is idle
//! sysmon sleeps; a P that is busy after that is looked at when it has been so for 50 us; for up to 2 ms after 50 sleeps in a
//! row that ended with nothing to do. Shorter bursts of work are not noticed (sysmon_sleep.rs).
//!
//! While sockets are registered and no M sleeps in the kernel's poll it looks at least each millisecond, and polls
//! itself if no M has (poll.rs).
//!
//! It also wakes an M for timers of Ps that no M holds, where no M wakes for them (steps/mod.rs), and releases
//! goroutines whose home does not run them (home_wait.rs). When every P is idle it sleeps (sysmon_sleep.rs); before, it
//! looks whether anything can ever wake a goroutine again (observe/deadlock.rs).

#![cfg(not(goroutines_loom))]

pub(crate) mod periodic;
pub(crate) mod seen;
pub(crate) mod stuck;

mod handlers;
mod pace;

use std::time::Duration;

use handlers::Handlers;

use crate::{
    global::sched::Sched,
    gmp::{counters::GLOBAL, g::GRef, m::M, p::P, trace_event::EventKind, tracer},
    observe::{
        deadlock::{Detector, Rule},
        reporter::Sightings,
    },
    protocol::{
        home_wait::Home,
        steps::{self, Scheduler, TimeWatch},
        timers::NEVER,
    },
    sys::clock::now,
    sysmon::{
        pace::{Pace, SHORTEST, STUCK_LOOK},
        periodic::Periodic,
        seen::{Look, SLICE, Seen, UNUSED},
        stuck::check_stuck,
    },
};

/// The loop of sysmon. `schedtrace`: how often a line on the scheduler goes to stderr; `hogs`: where the hogs go that
/// it finds; `deadlock`: what happens when nothing can wake a goroutine again.
pub(crate) fn watch(
    sched: &'static Sched,
    schedtrace: Option<Duration>,
    hogs: Option<&'static Sightings>,
    deadlock: Rule,
) -> ! {
    let mut seen: Vec<Option<Seen>> = Vec::new();
    let mut handlers = Handlers::new();
    let mut periodic = Periodic::new(schedtrace, hogs);
    let mut pace = Pace::new();
    let mut time_watch = TimeWatch::default();
    let mut deadlocks = Detector::new(deadlock);
    loop {
        pace.pause();
        periodic.run_due(sched);
        if pace.sleep(sched, periodic.due(), &mut deadlocks) {
            continue;
        }
        deadlocks.reset();
        GLOBAL.looks.add();
        let mut look = Look::Nothing;
        let mut longest = None;
        let time = now();
        let mut close = false;
        let ps = sched.procs.all();
        seen.resize(ps.len(), None);
        for (number, seen) in seen.iter_mut().enumerate() {
            let Some(p) = ps.get(number) else {
                continue;
            };
            let seen = seen.get_or_insert_with(|| Seen::first(p, time));
            if retake(sched, p, seen, time) {
                look = Look::Acted;
            }
            let standing = check_stuck(sched, p, seen, time);
            close |= standing == Look::Close;
            look = look.max(standing);
            if seen.turns.look(sched, p, time, SLICE) {
                look = look.max(Look::Watchful);
            }
        }
        sched.retry_refused(time);
        handlers.look(sched, time);
        if sched.poller.is_watching() && !sched.idle.has_poller() {
            // An M computes, or looks for work: it may be long until it polls. Events that are found here are no reason
            // to look more often: where each P has many to serve, there are always some.
            sched.poll_late(time);
            look = look.max(Look::Watchful);
            longest = Some(STUCK_LOOK);
        }
        if look_at_time_and_homes(sched, &mut time_watch) {
            look = Look::Acted;
        } else if time_watch.is_alarmed() || !sched.home_waits.is_empty() {
            look = look.max(Look::Watchful);
        }
        if let Some(procs) = sched.update_procs.look(time) {
            sched.follow_to(procs);
        }
        pace.looked(look, close, longest, until_timer(sched, time));
    }
}

/// What concerns no single P. True if something was done.
fn look_at_time_and_homes(sched: &'static Sched, time_watch: &mut TimeWatch) -> bool {
    let home = |m: &'static M| Home {
        used: m.cpu_time(),
        comes: sched.idle.knows(m.id()) || m.is_runnable(),
    };
    let freed = |g: GRef| {
        GLOBAL.sent_back_expired.add();
        g.get().set_last(0);
    };
    let sent_back_expired = steps::look_for_homes(sched, home, freed);
    time_watch.look(sched) || sent_back_expired
}

/// The time until a timer is due, and a little more: an M should have fired it by then.
fn until_timer(sched: &'static Sched, time: u64) -> Duration {
    let due = Duration::from_nanos(sched.next_wake().saturating_sub(time));
    due.saturating_add(SHORTEST)
}

/// Takes `p` from a blocking call that has lasted since the last look, if there is work for it; after [`UNUSED`] in
/// any case, so that a program that only waits in such calls becomes idle.
fn retake(sched: &'static Sched, p: &'static P, seen: &mut Seen, time: u64) -> bool {
    let call = p.lending.lent();
    if call != seen.call {
        (seen.call, seen.since) = (call, time);
        return false;
    }
    let wanted = is_wanted(sched, p);
    let Some(call) = call.filter(|_| wanted || time - seen.since >= UNUSED) else {
        return false;
    };
    let retaken = p.lending.retake(call);
    if retaken {
        seen.call = None;
        GLOBAL.retakes.add();
        tracer::note(EventKind::Retake, p.number as u64);
        sched.pass_on_p(p, wanted);
    }
    retaken
}

/// Returns whether there is work for `p` that no other P takes.
fn is_wanted(sched: &Sched, p: &P) -> bool {
    p.has_work()
        || p.timers.next() != NEVER
        || p.is_leaving()
        || sched.idle.any_m_waits_for_p()
        || sched.idle.idle_ps() == 0 && sched.any_work()
}
