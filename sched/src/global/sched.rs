//! The scheduler as a value: the Ps, the global queue, the idle lists, and the sources of Gs.

use std::sync::OnceLock;

use goroutines_stack::Class;

use crate::{
    global::{
        g_pool::GPool,
        jobs::Jobs,
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
        home_wait::HomeWaits, idle::Idle, p_numbers::PNumbers, requests::Requests,
        sysmon_sleep::SysmonSleep, timers::NEVER,
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
    /// Whether, and when, the number of Ps follows the machine.
    pub(crate) update_procs: UpdateProcs,
    /// The global queue: words of Gs.
    pub(super) queue: GlobalQueue,
    pub(crate) idle: Idle,
    /// The class of stacks where a builder sets none.
    pub(crate) class: Class,
    /// Whether stacks are copied where a builder does not say.
    pub(crate) copies: bool,
    /// The sources of Gs.
    pub(super) gs: GPool,
    pub(crate) all_gs: AllGs,
    pub(crate) shrinker: Shrinker,
    /// The windows in which goroutines with copy stacks run.
    pub(crate) windows: Windows,
    pub(crate) threads: Threads,
    /// Homes whose visitors wait for them.
    pub(crate) home_waits: HomeWaits,
    pub(crate) sysmon_sleep: SysmonSleep,
    pub(crate) poller: Poller,
    /// The deques of goroutines in a fork-join.
    pub(crate) jobs: Jobs,
    /// The requests to the starter.
    pub(crate) requests: Requests<Request>,
    /// Whether the start whose scheduler this is has succeeded (start/mod.rs).
    launched: OnceLock<bool>,
}

/// How many Ps there are; 0 while the runtime has not been started.
#[inline]
pub fn procs() -> usize {
    get().map_or(0, |sched| sched.procs.count())
}

/// The numbers of the Ps in force; none while the runtime has not been started.
pub fn proc_numbers() -> impl Iterator<Item = usize> {
    let numbers = |sched: &Sched| PNumbers::numbers(sched.procs.count());
    get().into_iter().flat_map(numbers)
}

/// How many scheduling rounds the P of the calling goroutine has begun; `None` where no goroutine runs. While a
/// goroutine does not park, its P begins no round, and the number stays.
pub fn rounds() -> Option<u32> {
    let p = current_m().and_then(M::p)?;
    Some(p.tick() as u32)
}

/// The running scheduler, for the scheduler's own threads.
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
            jobs: Jobs::new(),
            requests: Requests::new(),
            launched: OnceLock::new(),
        }
    }

    /// L5 of start/mod.rs, once: whether the start has succeeded.
    pub(crate) fn launch(&'static self, success: bool) {
        // Neither was set before: one start succeeds, and this scheduler is launched once. The order matters: code
        // that sees the second relies on the first.
        if success {
            let _ = SCHED.set(self);
        }
        let _ = self.launched.set(success);
    }

    /// Waits for L5 of start/mod.rs: true if the start has succeeded. False: the waiting thread ends.
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
