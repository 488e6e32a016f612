//! What sysmon does for a P whose rounds stand still: its M is blocked in the kernel, or its goroutine computes.
//!
//! A thread that has used no CPU time for a while may be blocked. The kernel is asked only then, because asking costs
//! as much as a look. A thread that waits for a CPU keeps its P: another thread would wait for that CPU as well.

use crate::{
    global::{retake, sched::Sched, start_m},
    gmp::{m::M, p::P},
    protocol::timers::NEVER,
    sysmon::seen::{Look, SLICE, STUCK, Seen, UNUSED, Used},
};

/// How long a thread must have used no CPU time, in nanoseconds, before the kernel is asked whether it is blocked.
/// Shorter gaps are interrupts, and sysmon itself.
const STANDSTILL: u64 = 45_000;

/// How long a P is looked at closely after something was done for it, in nanoseconds, because the same is likely to
/// happen again.
const SUSPICION: u64 = 2_000_000;

/// The rounds of `p` stand still although there is something to do: an M with an idle P shall take part, or, where no
/// P is idle, the P is taken from its M.
pub(crate) fn check_stuck(
    sched: &'static Sched,
    p: &'static P,
    seen: &mut Seen,
    time: u64,
) -> Look {
    if seen.call.is_some() {
        return Look::Nothing; // `since` is the beginning of the call
    }
    let Some(m) = p.owner() else {
        (seen.tick, seen.since, seen.cpu, seen.next) = (p.tick(), time, None, false);
        return Look::Nothing;
    };
    let had_next = std::mem::replace(&mut seen.next, p.ring.has_next());
    if p.tick() != seen.tick {
        (seen.tick, seen.since, seen.cpu) = (p.tick(), time, None);
        if time - seen.acted >= SUSPICION {
            return Look::Nothing;
        }
        seen.cpu = Some(Used::new(m, m.cpu_time(), time));
        return Look::Close;
    }
    if seen.next && p.ring.is_shared() && sched.idle.idle_ps() > 0 {
        return free_next(sched, p, seen, had_next, time);
    }
    let (old, cpu) = (seen.cpu, m.cpu_time());
    let still = old.filter(|old| (old.m, old.used) == (m.id(), cpu));
    seen.cpu = still.or(Some(Used::new(m, cpu, time)));
    // It has used no CPU time since then: its thread is blocked, or was taken off its CPU.
    let stopped = still.is_some_and(|since| time - since.at >= STANDSTILL);
    let wanted = p.timers.next() <= time
        || p.has_work()
        || sched.any_injected()
        || p.is_leaving()
        || sched.idle.any_m_waits_for_p()
        // What an idle P holds for want of a thread waits for the Ms that exist.
        || start_m::is_crowded() && sched.lacks_threads();
    if !wanted && !is_due_soon(sched, p, time) {
        if stopped
            && time - seen.since >= UNUSED
            && !m.is_runnable()
            && retake::retake_from_unaware(p, m)
        {
            // With timers it goes to an M, which keeps their time when it goes to sleep.
            sched.pass_on_p(p, p.timers.next() != NEVER);
        }
        return Look::Watchful;
    }
    let blocked = stopped && !m.is_runnable();
    if stopped && !blocked {
        // Another thread has its CPU. Taking the P does not help against that; the kernel is asked again after a
        // while.
        seen.cpu = Some(Used::new(m, cpu, time));
    }
    match (old, wanted) {
        (None, _) => Look::Close,
        _ if still.is_some() && !stopped => Look::Close,
        (Some(_), false) if !blocked => Look::Watchful,
        _ => retake_or_wake(sched, p, m, seen, time, wanted, blocked),
    }
}

/// `p` stands still on `m`, which is `blocked` or computes, and something waits for it now if `wanted`, or will soon.
fn retake_or_wake(
    sched: &'static Sched,
    p: &'static P,
    m: &'static M,
    seen: &mut Seen,
    time: u64,
    wanted: bool,
    blocked: bool,
) -> Look {
    let lasts = time - seen.since;
    // Idle Ps help only where there are threads for them.
    let needed = p.is_leaving() || sched.idle.idle_ps() == 0 || sched.lacks_threads();
    if !blocked && needed && lasts >= SLICE && m.raise(seen.tick) {
        return Look::Soon; // it has until the next look to yield
    }
    if lasts < STUCK && !blocked {
        return Look::Soon;
    }
    seen.since = time;
    if wanted && !needed {
        if sched.idle.may_wake() {
            sched.wake();
        }
        return Look::Acted;
    }
    if retake::retake_from_unaware(p, m) {
        if blocked {
            seen.acted = time;
        }
        sched.handoff_p(p);
        return Look::Acted;
    }
    Look::Soon
}

/// Returns whether a timer is due soon for which no M but the owner of `p` could wake. Then the owner, which is
/// blocked, must lose `p` before that.
fn is_due_soon(sched: &Sched, p: &P, time: u64) -> bool {
    let soon = time + UNUSED;
    p.timers.next() < soon || sched.idle.idle_ps() == 0 && sched.earliest_timer() < soon
}

/// `p` has a `runnext`, and had one at the last look in the same round if `had_next`: an M with an idle P shall run
/// it.
fn free_next(
    sched: &'static Sched,
    p: &'static P,
    seen: &mut Seen,
    had_next: bool,
    time: u64,
) -> Look {
    if !had_next {
        return Look::Close;
    }
    seen.acted = time;
    // Its owner may have taken it at the same time.
    if let Some(word) = p.ring.take_next() {
        sched.inject(word);
        if sched.idle.should_wake() {
            sched.wake();
        }
    }
    Look::Acted
}
