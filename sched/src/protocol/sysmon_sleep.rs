//! How sysmon sleeps while there is nothing for it to see to: an idle program has no periodic wake-ups.
//!
//! ```text
//! sysmon                                     whoever takes a P from the idle list
//! Z1 asleep = true                           K1 the P is off the list: busy += 1 (under the lock)
//! Z2 fence(SeqCst)                           K2 fence(SeqCst)
//! Z3 may it sleep? Then sleep                K3 asleep: asleep = false, wake it
//! ```
//!
//! Everything that keeps sysmon awake is asked at Z3, behind the fence, and not only before Z1: that all Ps rest, that
//! somebody keeps the time of their timers, that no goroutine waits for its home (home_wait.rs), that no thread was
//! refused. What an M left for sysmon it left while it held a P, and Z3 acquires that with `busy`: if Z3 sees the P at
//! rest, it sees what was left; if it does not, sysmon does not sleep. Whoever takes a P later wakes it at K3.

use crate::protocol::{
    parker::Parker,
    sync::{AtomicBool, Ordering, fence},
};

pub(crate) struct SysmonSleep {
    asleep: AtomicBool,
    parker: Parker,
}

impl SysmonSleep {
    pub(crate) fn new() -> SysmonSleep {
        SysmonSleep {
            asleep: AtomicBool::new(false),
            parker: Parker::new(),
        }
    }

    /// K2 and K3: a P was taken up.
    #[inline]
    pub(crate) fn note_busy(&self) {
        fence(Ordering::SeqCst);
        // Relaxed: the fence orders it after the change of `busy`, partner is Z2.
        if self.asleep.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        // Relaxed: the parker's token carries everything.
        if self.asleep.swap(false, Ordering::Relaxed) {
            self.parker.notify();
        }
    }

    /// Z1 to Z3, by sysmon: sleeps while it may, and at most as long as `remaining` says. True if it has slept.
    pub(crate) fn sleep_while(
        &self,
        may_sleep: impl Fn() -> bool,
        remaining: impl FnMut() -> Option<u64>,
    ) -> bool {
        if !may_sleep() {
            return false;
        }
        // Relaxed: ordered by the fence, partner is K2.
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let may = may_sleep();
        let woken = may && self.parker.wait(remaining);
        // Relaxed: as in `wake`; whoever swapped it first has given a token, which is used up here.
        if !woken && !self.asleep.swap(false, Ordering::Relaxed) {
            self.parker.wait(|| None);
        }
        may
    }
}
