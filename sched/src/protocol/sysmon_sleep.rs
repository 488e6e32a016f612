//! How sysmon sleeps while it has nothing to do, so that an idle program has no periodic wake-ups, and short bursts of
//! work do not wake it.
//!
//! ```text
//! sysmon                                     a thread that takes a P from the idle list
//! Z1 needed_before = moment, or NEVER        K1 the P is off the list: busy += 1 (under the lock)
//! Z2 fence(SeqCst)                           K2 fence(SeqCst)
//! Z3 may it sleep? Then sleep                K3 now < needed_before: needed_before = 0, wake it
//! ```
//!
//! Every condition that keeps sysmon awake is checked at Z3, after the fence, and not only before Z1: that all Ps are
//! idle, that a sleeping M keeps the time of their timers, that no goroutine waits for its home (home_wait.rs), that
//! no thread was refused. An M leaves work for sysmon only while it holds a P, and Z3 acquires that with `busy`: if
//! Z3 sees the P idle, it sees the work; if not, sysmon does not sleep. A thread that takes a P later comes to K3.
//!
//! # Bursts
//!
//! Most often a P that is taken for a timer is idle again after some microseconds, and a wake-up of sysmon would cost
//! more than the burst. So sysmon sleeps with a limit, the moment at which it gets up by itself, and a thread does not
//! wake it at K3 if that moment is near: at most the *grace* of the sleep away. `needed_before` is the limit less the
//! grace, so that K3 is one comparison. What a P that is taken leaves for sysmon, and that its thread blocks, is
//! noticed after the grace in any case: by the limit, or because K3 has woken sysmon. sysmon chooses the limit: the
//! moment at which the timekeeper gets up, and the grace; or, after a sleep in which there were bursts, the grace alone. A
//! sleep without them is followed by one without a limit, if there is no timer.

use crate::protocol::{
    parker::Parker,
    sync::{AtomicBool, AtomicU64, Ordering, fence},
    timers::NEVER,
};

/// In `needed_before`: sysmon is awake.
const AWAKE: u64 = 0;

pub(crate) struct SysmonSleep {
    /// A P that is taken before this moment wakes sysmon.
    needed_before: AtomicU64,
    /// Whether a P was taken and sysmon was left asleep.
    burst: AtomicBool,
    parker: Parker,
}

/// How long sysmon may sleep.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    /// It gets up at this moment, or [`NEVER`].
    pub(crate) until: u64,
    /// How long it may leave a P unwatched.
    pub(crate) grace: u64,
}

/// What [`SysmonSleep::sleep_while`] did.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slept {
    /// It did not sleep.
    Not,
    /// It was woken, because a P was taken.
    Woken,
    /// The time was up. `bursts`: Ps were taken meanwhile.
    Through { bursts: bool },
}

impl SysmonSleep {
    pub(crate) fn new() -> SysmonSleep {
        SysmonSleep {
            needed_before: AtomicU64::new(AWAKE),
            burst: AtomicBool::new(false),
            parker: Parker::new(),
        }
    }

    /// K2 and K3: a P was taken off the idle list.
    #[inline]
    pub(crate) fn note_busy(&self, now: impl FnOnce() -> u64) {
        fence(Ordering::SeqCst);
        // Relaxed: the fence orders it after the change of `busy`, partner is Z2.
        let before = self.needed_before.load(Ordering::Relaxed);
        if before != AWAKE {
            self.take_note(now() < before);
        }
    }

    #[cold]
    fn take_note(&self, needed: bool) {
        // Relaxed (both): the parker's token orders what follows; `burst` only decides how long sysmon sleeps next.
        if !needed {
            self.burst.store(true, Ordering::Relaxed);
        } else if self.needed_before.swap(AWAKE, Ordering::Relaxed) != AWAKE {
            self.parker.notify();
        }
    }

    /// Z1 to Z3, by sysmon: sleeps while it may, within `limit`. `remaining` returns how long it is until a moment.
    pub(crate) fn sleep_while(
        &self,
        may_sleep: impl Fn() -> bool,
        limit: impl FnOnce() -> Limit,
        remaining: impl Fn(u64) -> u64,
    ) -> Slept {
        if !may_sleep() {
            return Slept::Not;
        }
        let Limit { until, grace } = limit();
        // NEVER stays: without a limit every P that is taken wakes sysmon.
        let before = if until == NEVER {
            NEVER
        } else {
            until.saturating_sub(grace).max(AWAKE + 1)
        };
        // Relaxed (both): ordered by the fence, partner is K2; a burst before was seen at Z3.
        self.burst.store(false, Ordering::Relaxed);
        self.needed_before.store(before, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let may = may_sleep();
        let woken = may
            && self
                .parker
                .wait(|| (until != NEVER).then(|| remaining(until)));
        // Relaxed: as in `take_note`. A waker that swapped it first has given a token, which is used up here.
        if !woken && self.needed_before.swap(AWAKE, Ordering::Relaxed) == AWAKE {
            self.parker.wait(|| None);
        }
        match (may, woken) {
            (false, _) => Slept::Not,
            (true, true) => Slept::Woken,
            // Relaxed: see above.
            (true, false) => Slept::Through {
                bursts: self.burst.load(Ordering::Relaxed),
            },
        }
    }
}
