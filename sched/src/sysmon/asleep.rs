//! When every P is idle sysmon sleeps until one is taken up again, or until something is due that was asked
//! for (alarms.rs): an idle program has no periodic wake-ups.
//!
//! ```text
//! sysmon                                     whoever takes a P from the idle list
//! Z1 asleep = true                           K1 the P is off the list: resting -= 1 (under the lock)
//! Z2 fence(SeqCst)                           K2 fence(SeqCst)
//! Z3 all Ps rest still, and nobody waits     K3 asleep: asleep = false, wake it
//!    for what only sysmon does? sleep
//! ```
//!
//! Who publishes work for which no thread may be asked for yet takes no P and comes to K2 all the same (`Sched::wake`).

use std::sync::atomic::{AtomicBool, Ordering, fence};

use crate::{
    os::clock::{NEVER, now},
    parker::Parker,
    sched::Sched,
};

static ASLEEP: AtomicBool = AtomicBool::new(false);
static PARKER: Parker = Parker::new();

/// K2 and K3: a P was taken up.
#[inline]
pub(crate) fn note_busy() {
    fence(Ordering::SeqCst);
    // Relaxed: the fence orders it after the change of `resting`, partner is Z2.
    if ASLEEP.load(Ordering::Relaxed) {
        wake();
    }
}

#[cold]
fn wake() {
    // Relaxed: the parker's token carries everything.
    if ASLEEP.swap(false, Ordering::Relaxed) {
        PARKER.notify();
    }
}

/// Do all Ps rest, and does nobody wait for what sysmon does?
fn may_sleep(sched: &Sched) -> bool {
    if !sched.idle.all_rest() {
        return false;
    }
    // What was published before the last P was put down, by somebody who found a spinner that then got no thread, is
    // seen from here on: partner is the fence in `stop_spinning`.
    fence(Ordering::SeqCst);
    !sched.wants_retry() && !sched.homesick.any()
}

/// Z1 to Z3, at most until `due`. True if it has slept.
pub(super) fn sleep_while_idle(sched: &Sched, due: u64) -> bool {
    if !may_sleep(sched) {
        return false;
    }
    // Relaxed: ordered by the fence, partner is K2.
    ASLEEP.store(true, Ordering::Relaxed);
    fence(Ordering::SeqCst);
    if !may_sleep(sched) {
        // Relaxed: as in `wake`; whoever swapped it first has given a token, which is used up here.
        if !ASLEEP.swap(false, Ordering::Relaxed) {
            PARKER.wait(|| None);
        }
        return false;
    }
    let woken = PARKER.wait(|| (due != NEVER).then(|| due.saturating_sub(now())));
    // Relaxed: as above.
    if !woken && !ASLEEP.swap(false, Ordering::Relaxed) {
        PARKER.wait(|| None);
    }
    true
}
