//! How an M without work gives up its P and sleeps: the idler's side of idle.rs, which numbers the steps.

use crate::{
    fatal, find,
    idle::{Rested, Retire, Rise},
    m::M,
    migrate,
    os::clock::{NEVER, now, sharply},
    p::P,
    sched::Sched,
};

/// Gives up `p` (I1 to I3 of idle.rs), or hands it to an M that waits for one.
pub(crate) fn rest(sched: &'static Sched, m: &'static M, p: &'static P) {
    p.shed_stacks();
    m.give_up_p();
    let was_spinner = m.spinning.replace(false);
    match sched.idle.rest(m.id(), p.id(), was_spinner) {
        Rested::Idle => {}
        // SAFETY: ids in the idle lists are Ms'.
        Rested::Hungry(hungry) => unsafe { M::from_id(hungry) }.hand(p, false),
        // This M looks at all queues and timers before it sleeps.
        Rested::Left => {
            sched.leave(p);
        }
    }
    if m.p().is_some() {
        fatal::throw(format_args!("an M at rest holds a P"));
    }
}

/// After `rest`: I4 to I6. False if the thread shall end.
#[cold]
pub(crate) fn sleep_unless_work(sched: &'static Sched, m: &'static M) -> bool {
    if m.bound.any() {
        migrate::rise(m); // H2 of bound.rs
        return true;
    }
    // I4: with the fence behind us, once more.
    if sched.any_work() || sched.next_wake() <= now() {
        match sched.idle.rise(m.id()) {
            Rise::Take(p) => {
                find::take(m, p);
                // I5: submitters relied on us while we were the spinner.
                m.spinning.set(sched.idle.start_spinning());
                return true;
            }
            Rise::Woken | Rise::Stay => {}
        }
    }
    sleep(sched, m)
}

/// I6: sleeps until woken with a P, or, as the keeper of the earliest timer, until that is due. False if it was
/// not needed for so long that its thread shall end.
fn sleep(sched: &'static Sched, m: &'static M) -> bool {
    sched.shrinker.rouse(sched);
    let stays = sleep_until_woken(sched, m);
    sched.shrinker.rouse(sched);
    stays
}

fn sleep_until_woken(sched: &'static Sched, m: &'static M) -> bool {
    let due = sched.next_wake();
    let mut keeper = due != NEVER && sched.idle.keep_time(m.id(), due);
    let mut end = if sched.idle.has_spare_m() {
        sched.threads.end_of_sleep()
    } else {
        NEVER
    };
    loop {
        let until = if keeper { due } else { end };
        let remaining = || (until != NEVER).then(|| until.saturating_sub(now()));
        let woken = match keeper {
            true => sharply(|| m.parker.wait(remaining)),
            false => m.parker.wait(remaining),
        };
        if woken {
            m.accept();
            return true;
        }
        if !keeper && migrate::is_home(m) {
            end = NEVER;
            continue;
        }
        if !keeper {
            match sched.idle.retire(m.id()) {
                Retire::End => return false,
                Retire::Woken | Retire::Stay => end = NEVER,
            }
            continue;
        }
        keeper = false;
        match sched.idle.rise(m.id()) {
            Rise::Take(p) => {
                find::take(m, p);
                return true;
            }
            Rise::Woken | Rise::Stay => {}
        }
    }
}

impl Sched {
    /// When an M without work should wake up for a timer.
    pub(crate) fn next_wake(&self) -> u64 {
        let wakes = self.procs.all().iter().map(|p| p.timers.wake_at());
        wakes.min().unwrap_or(NEVER)
    }
}
