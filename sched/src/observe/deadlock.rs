//! Deadlocks: nothing in the process can ever wake a goroutine again.
//!
//! That is so if at one instant
//!
//! - all Ps rest, and no goroutine runs, is runnable, or is in a blocking call; at least one goroutine or thread waits;
//! - there is no timer and no deadline of a waiting thread, and no descriptor is registered with the poller;
//! - every M sleeps on the idle list, or with a goroutine that keeps it;
//! - *every other thread of the process is accounted for*: it is one of the runtime's, or it waits in a call of the runtime,
//!   without a deadline. A thread that the runtime knows nothing of may wake a goroutine at any time, through a channel, a
//!   waker, or a handle. So a program with such a thread (its `main` is in `std::thread::park`, it uses an executor of other
//!   crates) is never reported.
//!
//! The kernel is asked for the threads and how often each was taken off its CPU. No moment is the same for all of them. So
//! sysmon looks twice, [`PAUSE`] apart: where both looks find all of the above, and the same numbers, no thread has run
//! between its two looks, and all of these times have the moment between the looks in common. A wake-up that was under way
//! then would show: its thread is on a CPU, or waits for one.
//!
//! It costs a program nothing until all its Ps have been idle for [`PAUSE`]; nor a server, which has sockets or timers: it is
//! looked at when it has been idle for the last of [`DELAYS`]. While the Ps stay idle and something is in the way of a
//! verdict, the look is repeated, more and more seldom: what is in the way may go without a P becoming busy, or while sysmon
//! does not notice. A program in which a look was in vain before is looked at later the next time that it is idle.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use crate::{
    global::sched::Sched,
    gmp::m::M,
    protocol::{status::Status, timers::NEVER, wait_reason::WaitReason},
    switch::attach,
    sys::{
        clock::{after, now},
        fatal,
        tasks::{self, Task},
    },
};

/// How long all Ps are idle before the first look, and between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// How long it waits after a look without a verdict: the first time, the second, and so on; then as the
/// last time.
const DELAYS: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(60),
];

/// The exit status, which is Go's.
const STATUS: i32 = 2;

/// What happens when nothing can ever wake a goroutine again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Deadlock {
    /// A message, a dump of all goroutines where there is one, and the end of the process with status 2.
    #[default]
    Exit,
    /// The same without the end.
    Report,
    /// Nothing.
    Off,
}

/// Whether the hook of a [`Rule`] runs.
static TOLD: AtomicBool = AtomicBool::new(false);

/// Returns whether a deadlock is being reported: nothing that runs could end a wait.
pub(crate) fn is_told_now() -> bool {
    // Acquire: partner is the store in `tell`; what the look has seen is there.
    TOLD.load(Ordering::Acquire)
}

/// What happens at a deadlock, and what runs after the message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rule {
    pub(crate) then: Deadlock,
    /// On the thread of sysmon, whose stack is small.
    pub(crate) hook: Option<fn()>,
}

/// What sysmon remembers of its looks.
pub(crate) struct Detector {
    rule: Rule,
    /// When it looks next; 0: the program was not idle yet.
    due: u64,
    /// How many looks were in vain.
    vain: usize,
    before: Option<Asleep>,
}

/// All that could wake a goroutine is asleep.
#[derive(PartialEq, Eq, Debug)]
struct Asleep {
    /// Each thread, and how often it was taken off its CPU.
    threads: Vec<(libc::pid_t, u64)>,
    goroutines: usize,
    /// Threads that are not the scheduler's and wait in calls of the runtime: name and reason.
    waiting: Vec<(String, WaitReason)>,
}

impl Detector {
    pub(crate) fn new(rule: Rule) -> Detector {
        Detector {
            rule,
            due: 0,
            vain: 0,
            before: None,
        }
    }

    /// When it looks next, if the program stays idle.
    pub(crate) fn due(&mut self, sched: &Sched) -> u64 {
        if self.rule.then == Deadlock::Off {
            return NEVER;
        }
        if self.due == 0 {
            self.due = after(match self.vain {
                _ if !is_undisturbed(sched) => DELAYS[DELAYS.len() - 1],
                0 => PAUSE,
                vain => DELAYS[vain],
            });
        }
        self.due
    }

    /// The program is not idle.
    pub(crate) fn reset(&mut self) {
        (self.due, self.vain, self.before) = (0, self.vain.min(1), None);
    }

    /// All Ps were idle until now, or until sysmon was woken.
    pub(crate) fn look(&mut self, sched: &'static Sched) {
        if self.rule.then == Deadlock::Off {
            return;
        }
        if now() < self.due(sched) {
            return self.reset();
        }
        if !is_quiet(sched) {
            return self.postpone();
        }
        match Asleep::look(sched) {
            None => self.postpone(),
            Some(asleep) if self.before.as_ref() == Some(&asleep) => {
                self.due = NEVER;
                tell(self.rule, &asleep);
            }
            Some(asleep) => {
                if self.before.replace(asleep).is_some() {
                    self.postpone();
                } else {
                    self.due = after(PAUSE);
                }
            }
        }
    }

    fn postpone(&mut self) {
        self.before = None;
        self.due = after(DELAYS[self.vain.min(DELAYS.len() - 1)]);
        self.vain += 1;
    }
}

/// Returns whether there is neither work nor time nor a descriptor for which an M could wake.
fn is_quiet(sched: &Sched) -> bool {
    sched.idle.all_idle()
        && !sched.idle.is_spinning()
        && is_undisturbed(sched)
        && sched.home_waits.is_empty()
}

/// Returns whether there is no moment and no descriptor that is waited for.
fn is_undisturbed(sched: &Sched) -> bool {
    sched.earliest_timer() == NEVER && !sched.poller.is_watching()
}

impl Asleep {
    /// `None` if anything runs, or might.
    fn look(sched: &'static Sched) -> Option<Asleep> {
        let (mut goroutines, mut kept) = (0, 0);
        for g in sched.all_gs.iter() {
            match g.status().get() {
                Status::Dead => {}
                // A name is looked up by a thread of its own.
                _ if g.status().reason() == Some(WaitReason::Lookup) => return None,
                Status::Waiting | Status::Marked | Status::Shrunk => goroutines += 1,
                Status::Blocked => (goroutines, kept) = (goroutines + 1, kept + 1),
                Status::Fresh | Status::Runnable | Status::Running | Status::Timed => return None,
            }
        }
        if !sched.idle.all_asleep_but(kept) || !is_quiet(sched) {
            return None;
        }
        let mut waiting = Vec::new();
        let mut threads = Vec::new();
        let own = tasks::own();
        let others = tasks::all()?.into_iter().filter(|task| task.id != own);
        for task in others {
            if !task.sleeps {
                return None;
            }
            threads.push((task.id, task.switches));
            if !task.is_ours {
                waiting.push(wait_of(task)?);
            }
        }
        let anyone = goroutines > 0 || !waiting.is_empty();
        anyone.then_some(Asleep {
            threads,
            goroutines,
            waiting,
        })
    }
}

/// What a thread that is not the scheduler's waits for in a call of the runtime, without a deadline.
fn wait_of(task: Task) -> Option<(String, WaitReason)> {
    let m: &M = attach::attached(task.id)?;
    let g = m.current.get()?.get();
    let is_blocked = g.status().get() == Status::Blocked;
    let reason = g.status().reason().filter(|_| is_blocked)?;
    Some((task.name, reason))
}

impl fmt::Display for Asleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fatal error: all goroutines are asleep - deadlock!")?;
        for (name, reason) in &self.waiting {
            write!(f, "\n    the thread `{name}` waits: {reason}")?;
        }
        Ok(())
    }
}

fn tell(rule: Rule, asleep: &Asleep) {
    fatal::say(format_args!("{asleep}"));
    if let Some(hook) = rule.hook {
        // Release: partner is the load in `is_told_now`.
        TOLD.store(true, Ordering::Release);
        hook();
        TOLD.store(false, Ordering::Release);
    }
    if rule.then == Deadlock::Exit {
        fatal::exit_now(STATUS);
    }
}
