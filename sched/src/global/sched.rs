//! The scheduler: the Ps, the global queue, who is idle, and where Gs come from.

use std::sync::OnceLock;

use goroutines_stack::Class;

use crate::{
    global::{
        g_pool::GPool,
        poll::Poller,
        procs::Procs,
        queue::GlobalQueue,
        settings::Settings,
        start_m::{Body, Threads},
        starter::Request,
        update_procs::UpdateProcs,
    },
    gmp::{all_gs::AllGs, m::M, window::Windows},
    protocol::{
        home_wait::HomeWaits, idle::Idle, requests::Requests, sysmon_sleep::SysmonSleep,
        timers::NEVER,
    },
    stacks::shrink::Shrinker,
    switch::thread_word::current_m,
    sys::{cpus, fatal},
};

static SCHED: OnceLock<&'static Sched> = OnceLock::new();

/// The running scheduler.
#[inline(always)]
pub(crate) fn get() -> Option<&'static Sched> {
    SCHED.get().copied()
}

pub(crate) struct Sched {
    pub(crate) procs: Procs,
    /// Does the number of Ps follow the machine?
    pub(crate) update_procs: UpdateProcs,
    /// The global queue: words of Gs.
    pub(super) queue: GlobalQueue,
    pub(crate) idle: Idle,
    /// What stacks are made of where a builder says nothing.
    pub(crate) class: Class,
    /// Are stacks copied where a builder says nothing?
    pub(crate) copies: bool,
    /// Where Gs come from.
    pub(super) gs: GPool,
    pub(crate) all_gs: AllGs,
    pub(crate) shrinker: Shrinker,
    /// Where goroutines with copy stacks run.
    pub(crate) windows: Windows,
    pub(crate) threads: Threads,
    /// Homes whose visitors wait for them.
    pub(crate) home_waits: HomeWaits,
    pub(crate) sysmon_sleep: SysmonSleep,
    pub(crate) poller: Poller,
    /// What the starter is asked for.
    pub(crate) requests: Requests<Request>,
    /// Did the start succeed whose scheduler this is (start/mod.rs)?
    launched: OnceLock<bool>,
}

/// How many Ps there are; 0 while the runtime has not been started.
#[inline]
pub fn procs() -> usize {
    get().map_or(0, |sched| sched.procs.count())
}

/// How many scheduling rounds the P of the calling goroutine has begun; none where no goroutine runs. As long as a
/// goroutine does not park, nothing is scheduled, and the number stays.
pub fn rounds() -> Option<u32> {
    let p = current_m().and_then(M::p)?;
    Some(p.tick() as u32)
}

/// The running scheduler, on its own threads, where it is known to run.
#[inline(always)]
pub(crate) fn running() -> &'static Sched {
    match get() {
        Some(sched) => sched,
        None => fatal::throw(format_args!("a scheduler thread without a scheduler")),
    }
}

impl Sched {
    pub(crate) fn new(settings: &Settings, caller: libc::pid_t, body: Body) -> Sched {
        let Settings {
            procs,
            follow,
            stacks,
            stack_idle,
            max_threads,
            thread_idle,
        } = *settings;
        Sched {
            procs: Procs::new(),
            update_procs: UpdateProcs::new(follow, caller),
            queue: GlobalQueue::new(),
            idle: Idle::new(),
            class: stacks.class,
            copies: stacks.copied,
            gs: GPool::new(),
            all_gs: AllGs::new(),
            shrinker: Shrinker::new(stack_idle),
            windows: Windows::new(procs.max(cpus::available())),
            threads: Threads::new(max_threads, thread_idle, body),
            home_waits: HomeWaits::new(),
            sysmon_sleep: SysmonSleep::new(),
            poller: Poller::new(),
            requests: Requests::new(),
            launched: OnceLock::new(),
        }
    }

    /// L5 of start/mod.rs, once: the start has succeeded or not.
    pub(crate) fn launch(&'static self, success: bool) {
        // Nobody has set either before: there is one start that succeeds, and one launch of this scheduler. In this order:
        // who goes on after the second relies on the first.
        if success {
            let _ = SCHED.set(self);
        }
        let _ = self.launched.set(success);
    }

    /// Waits for L5 of start/mod.rs: true if the start has succeeded. False: the thread that waits ends.
    pub(crate) fn is_launched(&self) -> bool {
        *self.launched.wait()
    }

    /// The earliest timer of all Ps.
    pub(crate) fn earliest_timer(&self) -> u64 {
        self.procs
            .all()
            .iter()
            .map(|p| p.timers.next())
            .min()
            .unwrap_or(NEVER)
    }
}
