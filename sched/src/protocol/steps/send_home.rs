//! Sending a goroutine home, and letting it go where home does not come: B1 to B4 of inbox.rs, W1 to W4 of home_wait.rs.

use super::{Machine, Scheduler, see_to_time, wake};
use crate::protocol::{home_wait::Home, idle::Summons};

/// B1 to B4, and W1: `home`, and no other M, shall run `g`. The caller is on g0 and holds a P, or `g` may not be let go.
pub(crate) fn send_home<S: Scheduler>(s: S, home: S::M, g: S::G) {
    let sent = home.bound().push(g);
    if sent.is_first_visitor {
        s.homes().add(home.id(), s.now());
    }
    let summons = match sent.waits {
        true => match s.idle().take_p_or_starve(home.id()) {
            Some(p) => Summons::Take {
                p,
                was_keeper: false,
            },
            None => Summons::Hungry,
        },
        false => s.idle().summon(home.id()),
    };
    if let Summons::Take { p, was_keeper } = summons {
        s.sysmon().note_busy();
        // SAFETY: ids in the idle lists are Ps'.
        let p = unsafe { s.p(p) };
        home.hand(p, false);
        if was_keeper {
            see_to_time(s, Some(p)); // T4 of steps/mod.rs
        }
    }
}

/// W2 to W4, by sysmon: those who have waited long enough for their home go on anywhere. `home` says how an M does,
/// `freed` is told of each one that goes. True if there was one.
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
