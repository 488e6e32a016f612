//! How an M without work gives its P up and sleeps: the idler's side of idle.rs, which numbers the steps.

use super::{Machine, Processor, Scheduler, is_time_untended, see_to_time, wake};
use crate::protocol::{
    idle::{PutIdle, Retire, SelfWake, WakeThis},
    timers::NEVER,
};

/// There is nothing to run for `m` at once: it searches and sleeps until there is. `None` if its thread shall end.
pub(crate) fn steal_or_sleep<S: Scheduler>(s: S, m: S::M) -> Option<usize> {
    loop {
        if let Some(p) = m.p()
            && let Some(word) = s.steal_or_spin(m, p)
        {
            return Some(found(s, m, word));
        }
        // On the idle list: nothing was found, or its P was passed to an M that waited for one.
        if m.is_over() || !stop_m(s, m) {
            return None;
        }
        if let Some(word) = s.try_now(m) {
            return Some(found(s, m, word));
        }
    }
}

/// `m`, which may be the spinner, has found `word`: F1 to F3.
pub(crate) fn found<S: Scheduler>(s: S, m: S::M, word: usize) -> usize {
    if m.is_spinning() {
        stop_spinning(s, m);
    }
    word
}

/// F1 to F3, and T4 of steps/mod.rs: `m` is no longer the spinner.
pub(super) fn stop_spinning<S: Scheduler>(s: S, m: S::M) {
    m.set_spinning(false);
    s.idle().stop_spinning();
    if s.idle().may_wake() && (s.any_work() || is_time_untended(s, None)) {
        wake(s);
    }
}

/// Gives up `p` (I1 to I3), or passes it to an M that waits for one.
pub(crate) fn put_idle<S: Scheduler>(s: S, m: S::M, p: S::P) {
    m.give_up_p();
    let was_spinner = m.is_spinning();
    m.set_spinning(false);
    match s.idle().put_idle(m.id(), p.id(), was_spinner) {
        PutIdle::Idle => {}
        // SAFETY: the line for a P holds words of Ms, and this one was taken out of it.
        PutIdle::Waiting(waiting) => unsafe { s.m(waiting) }.wake_with(p, false),
        // This M looks at all queues and timers before it sleeps.
        PutIdle::Left => {
            s.leave(p);
        }
    }
}

/// After `put_idle`: I4 to I6. False if the thread shall end.
#[cold]
fn stop_m<S: Scheduler>(s: S, m: S::M) -> bool {
    if m.inbox().any() {
        take_p_for_bound(s, m);
        return true;
    }
    // I4: once more, after the fence.
    if s.any_work() || s.next_wake() <= s.now() {
        match s.idle().try_leave_idle(m.id()) {
            SelfWake::Take(p) => {
                take(s, m, p);
                // I5: submitters relied on this M while it was the spinner.
                m.set_spinning(s.idle().start_spinning());
                return true;
            }
            SelfWake::Woken | SelfWake::Stay => {}
        }
    }
    s.rouse();
    let stays = sleep_until_woken(s, m);
    s.rouse();
    stays
}

/// I6: sleeps until woken with a P; as the timekeeper until the earliest timer is due; in the kernel's poll until
/// there is an event. False if it was not needed for so long that its thread shall end.
fn sleep_until_woken<S: Scheduler>(s: S, m: S::M) -> bool {
    let due = s.next_wake();
    let mut timekeeper = due != NEVER && s.idle().keep_time(m.id(), due);
    if s.is_watching() && s.idle().keep_poll(m.id()) {
        match sleep_in_poll(s, m, timekeeper.then_some(due)) {
            Polled::HasP => return true,
            Polled::Asleep { keeps_time } => timekeeper = keeps_time,
        }
    }
    let mut end = if s.idle().has_spare_m() {
        s.end_of_sleep()
    } else {
        NEVER
    };
    loop {
        if m.wait(if timekeeper { due } else { end }, timekeeper) {
            return true;
        }
        if timekeeper {
            timekeeper = false;
            match s.idle().try_leave_idle(m.id()) {
                SelfWake::Take(p) => {
                    take(s, m, p);
                    return true;
                }
                SelfWake::Woken | SelfWake::Stay => {}
            }
            continue;
        }
        if s.is_home(m) {
            // It is not notified when the last of them has left, so it looks again.
            end = s.end_of_sleep();
            continue;
        }
        match s.idle().retire(m.id()) {
            Retire::End => return false,
            Retire::Woken | Retire::Stay => end = NEVER,
        }
    }
}

/// H2 to H5 of inbox.rs, for `m`, which has put itself on the idle list and has goroutines that only it may run.
#[cold]
fn take_p_for_bound<S: Scheduler>(s: S, m: S::M) {
    match s.idle().wake_this_m(m.id()) {
        WakeThis::Take { p, was_timekeeper } => {
            take(s, m, p);
            if was_timekeeper {
                see_to_time(s, None);
            }
        }
        WakeThis::Awake | WakeThis::Waiting => {
            m.wait(NEVER, false);
        }
    }
}

/// `m` becomes the owner of the P with the word `p`, which it took from the idle lists.
pub(super) fn take<S: Scheduler>(s: S, m: S::M, p: usize) {
    s.sysmon().note_busy(|| s.now());
    // SAFETY: the caller took `p` from the idle lists, which hold words of Ps.
    m.take(unsafe { s.p(p) });
}

/// How the sleep in the kernel's poll ended.
enum Polled {
    HasP,
    /// It sleeps on, without the poll, or is being woken with a P.
    Asleep {
        keeps_time: bool,
    },
}

/// K2 to K6 of poll.rs, for `m`, which has the part; `due` if it keeps the time.
fn sleep_in_poll<S: Scheduler>(s: S, m: S::M, due: Option<u64>) -> Polled {
    loop {
        let handed = m.poll(due.unwrap_or(NEVER), due.is_some());
        s.idle().end_poll(m.id());
        if handed {
            s.deliver(m);
            return Polled::HasP;
        }
        let works = m.has_found() || s.any_work();
        if works || due.is_some_and(|due| due <= s.now()) {
            let left = match s.idle().try_leave_idle(m.id()) {
                SelfWake::Take(p) => {
                    take(s, m, p);
                    if works {
                        // I5: there may be more than one.
                        m.set_spinning(s.idle().start_spinning());
                    }
                    Polled::HasP
                }
                SelfWake::Woken | SelfWake::Stay => Polled::Asleep { keeps_time: false },
            };
            s.deliver(m);
            return left;
        }
        // Interrupted for nothing.
        if !s.idle().keep_poll(m.id()) {
            return Polled::Asleep {
                keeps_time: due.is_some(),
            };
        }
    }
}
