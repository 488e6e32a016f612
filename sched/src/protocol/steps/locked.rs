//! How a locked M sleeps: on no list, because it may not be woken for the work of others (inbox.rs). T3 is a
//! step of steps/mod.rs.

use super::{Machine, Processor, Scheduler, handoff_p, put_idle_p, see_to_time, stop_m};
use crate::protocol::timers::NEVER;

/// Waits for the next goroutine for `m`, which is locked; `m` holds a P then. `None` if `m` is tainted and no longer
/// needed (locked.rs): its thread ends.
pub(crate) fn wait_locked<S: Scheduler>(s: S, m: S::M) -> Option<S::G> {
    let mut looks = 0;
    loop {
        if let Some(g) = m.inbox().pop() {
            have_p(s, m);
            return Some(g);
        }
        if let Some(p) = m.p()
            && let Some(g) = s.own_first(m, p)
        {
            return Some(g);
        }
        if m.is_spinning() {
            stop_m::stop_spinning(s, m);
        }
        put_p_down(s, m);
        let tainted = m.is_tainted();
        if tainted && !s.is_home(m) {
            m.end();
            s.idle().remove_m();
            // It may have been the last M that could keep the time.
            see_to_time(s, None);
            return None;
        }
        if m.inbox().wait() {
            let until = if tainted { s.look_again(looks) } else { NEVER };
            looks += 1;
            // A sender that was first sees to a P, which must be taken.
            if !m.wait(until, false) && !m.inbox().wait_no_more() {
                m.wait(NEVER, false);
            }
        }
    }
}

fn have_p<S: Scheduler>(s: S, m: S::M) {
    if m.p().is_none() {
        match s.idle().take_p_or_wait(m.id()) {
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

/// The P goes to another M if there is work for it, and onto the idle list if not. T3: `m` itself keeps no time, not
/// even that of a timer which its goroutine has put into another P because `m` had none.
fn put_p_down<S: Scheduler>(s: S, m: S::M) {
    match m.give_up_p() {
        Some(p) if p.has_work() || p.next_timer() != NEVER || s.any_injected() => handoff_p(s, p),
        Some(p) => put_idle_p(s, p),
        None => see_to_time(s, None),
    }
}
