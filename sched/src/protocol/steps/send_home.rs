//! Sending a goroutine home, and releasing it where home does not run it in time: B1 to B4 of inbox.rs, W1 to W4 of
//! home_wait.rs.

use super::{Machine, Scheduler, see_to_time, wake};
use crate::protocol::{home_wait::Home, idle::WakeThis};

/// B1 to B4, and W1: only `home` shall run `g`. The caller is on g0 and holds a P, or `g` is no visitor.
pub(crate) fn send_home<S: Scheduler>(s: S, home: S::M, g: S::G) {
    let sent = home.inbox().push(g);
    if sent.is_first_visitor {
        s.homes().add(home.id(), s.now());
    }
    let summons = match sent.waits {
        true => match s.idle().take_p_or_wait(home.id()) {
            Some(p) => WakeThis::Take {
                p,
                was_timekeeper: false,
            },
            None => WakeThis::Waiting,
        },
        false => s.idle().wake_this_m(home.id()),
    };
    if let WakeThis::Take { p, was_timekeeper } = summons {
        s.sysmon().note_busy(|| s.now());
        // SAFETY: the idle lists hold words of Ps, and this one was taken off them.
        let p = unsafe { s.p(p) };
        home.wake_with(p, false);
        if was_timekeeper {
            see_to_time(s, Some(p)); // T4 of steps/mod.rs
        }
    }
}

/// W2 to W4, by sysmon: goroutines that have waited long enough for their home may run on any M. `home` returns the
/// state of an M, `freed` is called for each goroutine that is released. True if there was one.
pub(crate) fn look_for_homes<S: Scheduler>(
    s: S,
    home: impl Fn(S::M) -> Home,
    freed: impl Fn(S::G),
) -> bool {
    if s.homes().is_empty() {
        return false;
    }
    // SAFETY: `send_home` adds words of Ms.
    let free: Vec<S::G> = s.homes().look(s.now(), |id| unsafe { s.m(id) }, home);
    let any = !free.is_empty();
    for g in free {
        freed(g);
        s.inject(g);
    }
    if any && s.idle().should_wake() {
        wake(s);
    }
    any
}
