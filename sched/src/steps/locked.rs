//! How an M sleeps that is locked: on no list, because it may not be woken for the work of others (bound.rs).

use super::{Machine, Processor, Scheduler, hand_off, rest_p, see_to_time, stop_m};
use crate::timers::NEVER;

/// The next goroutine for `m`, which is locked. It holds a P then.
pub(crate) fn wait_locked<S: Scheduler>(s: S, m: S::M) -> S::G {
    loop {
        if let Some(g) = m.bound().pop() {
            have_p(s, m);
            return g;
        }
        if m.is_spinning() {
            stop_m::stop_spinning(s, m);
        }
        put_p_down(s, m);
        if m.bound().wait() {
            m.wait(NEVER, false);
        }
    }
}

fn have_p<S: Scheduler>(s: S, m: S::M) {
    if m.p().is_none() {
        match s.idle().take_p_or_starve(m.id()) {
            Some(p) => stop_m::take(s, m, p),
            None => {
                m.wait(NEVER, false);
            }
        }
    }
    if let Some(p) = m.p() {
        p.next_tick();
    }
}

/// The P goes to another M if it has something to do there, and to rest if not. T3: `m` itself keeps no time, also not
/// that of a timer which its goroutine has put into some P because `m` had none.
fn put_p_down<S: Scheduler>(s: S, m: S::M) {
    match m.give_up_p() {
        Some(p) if p.has_work() || p.next_timer() != NEVER || s.any_injected() => hand_off(s, p),
        Some(p) => rest_p(s, p),
        None => see_to_time(s, None),
    }
}
