//! How long sysmon pauses between two looks, and sleeps while every P is idle.

use std::{thread, time::Duration};

use crate::{
    global::sched::Sched,
    gmp::counters,
    observe::deadlock::Detector,
    protocol::{
        steps::{self, Doze},
        sysmon_sleep::Slept,
    },
    sys::clock::{self, now},
    sysmon::seen::Look,
};

/// The shortest pause between two looks.
pub(super) const SHORTEST: Duration = Duration::from_micros(20);

/// The longest pause between two looks.
const LONGEST: Duration = Duration::from_millis(10);

/// The number of looks that find nothing after which the pause begins to double.
const PATIENCE: u32 = 50;

/// The longest pause while a P stands still and something waits for it.
pub(super) const STUCK_LOOK: Duration = Duration::from_millis(1);

/// The longest pause while there may soon be something for an idle P, or a fair round may be due (fairness.rs), and the
/// longest time for which a P is busy unwatched after all were idle.
const WATCHFUL: Duration = Duration::from_millis(2);

/// The shortest such time.
const GRACE: Duration = Duration::from_micros(50);

pub(super) struct Pace {
    pause: Duration,
    /// How many looks found nothing, one after the other.
    idle_looks: u32,
    /// The calls that were counted at the last look.
    calls: u64,
    /// Whether the next look decides, and a goroutine waits for that.
    close: bool,
    /// How long a P may be busy unwatched after all were idle. It grows with the sleeps after which there was nothing to
    /// do, as the pause does with the looks.
    grace: Duration,
    idle_sleeps: u32,
    /// Whether Ps were busy for moments in its last sleep.
    bursts: bool,
    slept: Slept,
}

impl Pace {
    pub(super) fn new() -> Pace {
        Pace {
            pause: SHORTEST,
            idle_looks: 0,
            calls: 0,
            close: false,
            grace: GRACE,
            idle_sleeps: 0,
            bursts: false,
            slept: Slept::Not,
        }
    }

    /// The pause before the next look.
    pub(super) fn pause(&self) {
        match self.slept {
            // The sleep was the pause.
            Slept::Through { .. } => {}
            _ if self.close => clock::nap_sharply(SHORTEST),
            _ => thread::sleep(self.pause),
        }
    }

    /// Sleeps, at most until `due`, if every P is idle. Returns whether it has slept: then it asks again before it looks.
    pub(super) fn sleep(
        &mut self,
        sched: &'static Sched,
        due: u64,
        deadlocks: &mut Detector,
    ) -> bool {
        let before = now();
        let due = due.min(deadlocks.due(sched));
        let planned = due.min(sched.idle.kept_until()).saturating_sub(before);
        // An M that has left the kernel's poll for a goroutine may be long in coming back.
        let most = match sched.poller.is_watching() {
            true => STUCK_LOOK,
            false => WATCHFUL,
        };
        let doze = Doze {
            due,
            grace: self.grace.min(most).as_nanos() as u64,
            bursts: self.bursts,
        };
        self.slept = steps::sleep_while_idle(sched, doze);
        // A short sleep begins nothing anew: a server that is idle between two requests is the same program after. What
        // counts is the sleep that was planned, since threads that wait for a CPU make one longer.
        let lasted = match self.slept {
            Slept::Through { .. } => planned.min(now() - before),
            _ => now() - before,
        };
        let long = lasted >= LONGEST.as_nanos() as u64;
        match self.slept {
            Slept::Not => return false,
            Slept::Through { bursts: true } => {
                self.bursts = true;
                deadlocks.reset();
            }
            Slept::Through { bursts: false } | Slept::Woken => {
                self.bursts = self.slept == Slept::Woken;
                deadlocks.look(sched);
                self.close = long;
            }
        }
        if long {
            self.begin_anew();
        } else if self.slept != Slept::Woken && sched.idle.all_idle() {
            self.idle_sleeps += 1;
            if self.idle_sleeps > PATIENCE {
                self.grace = (self.grace * 2).min(WATCHFUL);
            }
        }
        true
    }

    /// The short period begins.
    fn begin_anew(&mut self) {
        (self.pause, self.idle_looks) = (SHORTEST, 0);
        (self.grace, self.idle_sleeps) = (GRACE, 0);
    }

    /// A look has had this result, and asks for pauses of at most `longest`; the next timer is due in `timer`.
    pub(super) fn looked(
        &mut self,
        look: Look,
        close: bool,
        longest: Option<Duration>,
        timer: Duration,
    ) {
        self.close = close;
        let calls = counters::calls();
        if look == Look::Acted || calls != self.calls {
            self.calls = calls;
            self.begin_anew();
        } else if look >= Look::Soon {
            self.pause = self.pause.min(STUCK_LOOK);
        } else {
            let watchful = look == Look::Watchful;
            let most = if watchful { WATCHFUL } else { LONGEST };
            self.idle_looks += 1;
            if self.idle_looks > PATIENCE {
                self.pause =
                    (self.pause * 2).min(longest.map_or(most, |longest| longest.min(most)));
            }
        }
        self.pause = self.pause.min(timer);
    }
}
