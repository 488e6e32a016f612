//! How sysmon sleeps while it has nothing to do, so that an idle program has no periodic wake-ups.
//!
//! ```text
//! sysmon                                     a thread that takes a P from the idle list
//! Z1 asleep = true                           K1 the P is off the list: busy += 1 (under the lock)
//! Z2 fence(SeqCst)                           K2 fence(SeqCst)
//! Z3 may it sleep? Then sleep                K3 asleep: asleep = false, wake it
//! ```
//!
//! Every condition that keeps sysmon awake is checked at Z3, after the fence, and not only before Z1: that all Ps are
//! idle, that a sleeping M keeps the time of their timers, that no goroutine waits for its home (home_wait.rs), that
//! no thread was refused. An M leaves work for sysmon only while it holds a P, and Z3 acquires that with `busy`: if
//! Z3 sees the P idle, it sees the work; if not, sysmon does not sleep. A thread that takes a P later wakes sysmon at
//! K3.

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

    /// K2 and K3: a P was taken off the idle list.
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
        // Relaxed: the parker's token orders what follows.
        if self.asleep.swap(false, Ordering::Relaxed) {
            self.parker.notify();
        }
    }

    /// Z1 to Z3, by sysmon: sleeps while it may, at most for what `remaining` returns. True if it has slept.
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
        // Relaxed: as in `wake`. A waker that swapped it first has given a token, which is used up here.
        if !woken && !self.asleep.swap(false, Ordering::Relaxed) {
            self.parker.wait(|| None);
        }
        may
    }
}
