//! The scheduler: the Ps, the global queue, who is idle, and where Gs come from.

use std::{
    io,
    mem::MaybeUninit,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use crossbeam_deque::{Injector, Steal};
use goroutines_stack::{self as stack, Class, Slab};

use crate::{
    global::{procs::Procs, start_m::Threads, starter::Request, update_procs::Follow},
    gmp::{
        counters::ALL,
        g::{FreeList, G, GRef, Kind},
        m::M,
        p::{Local, P},
        window::Windows,
    },
    observe::{hogs::HogRule, reporter::Sightings},
    protocol::{
        home_wait::HomeWaits, idle::Idle, requests::Requests, steps, sync::lock,
        sysmon_sleep::SysmonSleep, timers::NEVER,
    },
    stacks::shrink::Shrinker,
    start::{config::Settings, godebug::Debug},
    switch::thread_word::current_m,
    sys::{cpus, fatal},
};

pub(crate) use crate::start::get;

/// Gs that are made at a time, and that move between a P's list and the shared one at a time.
const G_BATCH: usize = 64;

/// Batches of Gs whose stacks need no looking after as long as no M rests.
const FEW: usize = 4;

/// Goroutine numbers that a P takes at a time.
const ID_BATCH: u64 = 64;

pub(crate) struct Sched {
    pub(crate) procs: Procs,
    /// Does the number of Ps follow the machine?
    pub(crate) follow: Follow,
    /// The global queue: words of Gs.
    inject: Injector<usize>,
    pub(crate) idle: Idle,
    /// What stacks are made of where a builder says nothing.
    pub(crate) class: Class,
    /// Are stacks copied where a builder says nothing?
    pub(crate) copies: bool,
    free: Mutex<FreeList>,
    slab: Slab<G>,
    pub(crate) shrinker: Shrinker,
    /// Where goroutines with copy stacks run.
    pub(crate) windows: Windows,
    next_id: AtomicU64,
    pub(crate) threads: Threads,
    /// What sysmon shall tell.
    pub(crate) debug: Debug,
    pub(crate) hogs: Option<HogRule>,
    /// Homes whose visitors wait for them.
    pub(crate) homesick: HomeWaits,
    pub(crate) sysmon_sleep: SysmonSleep,
    /// Hogs on their way to the one who tells of them.
    pub(crate) sightings: Sightings,
    /// What the starter is asked for.
    pub(crate) requests: Requests<Request>,
    /// Did the start succeed whose scheduler this is (start/mod.rs)?
    pub(crate) launched: OnceLock<bool>,
}

// SAFETY: everything is Sync by itself but `slab` and the lists of Gs, which are used under `free`.
unsafe impl Sync for Sched {}
// SAFETY: nothing in it belongs to a thread.
unsafe impl Send for Sched {}

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
pub(crate) fn own() -> &'static Sched {
    match get() {
        Some(sched) => sched,
        None => fatal::throw(format_args!("a scheduler thread without a scheduler")),
    }
}

impl Sched {
    pub(crate) fn new(settings: &Settings, caller: libc::pid_t) -> Sched {
        let Settings {
            procs,
            follow,
            stacks,
            stack_idle,
            debug,
            hogs,
            max_threads,
            thread_idle,
            migration_check: _,
            force_migration: _,
        } = *settings;
        Sched {
            procs: Procs::new(),
            follow: Follow::new(follow, caller),
            inject: Injector::new(),
            idle: Idle::new(),
            class: stacks.class,
            copies: stacks.copied,
            free: Mutex::new(FreeList::new()),
            slab: Slab::new(),
            shrinker: Shrinker::new(stack_idle),
            windows: Windows::new(procs.max(cpus::available())),
            next_id: AtomicU64::new(1),
            threads: Threads::new(max_threads, thread_idle),
            debug,
            hogs,
            homesick: HomeWaits::new(),
            sysmon_sleep: SysmonSleep::new(),
            sightings: Sightings::new(),
            requests: Requests::new(),
            launched: OnceLock::new(),
        }
    }

    /// Queues `word` globally.
    pub(crate) fn inject(&self, word: usize) {
        self.inject.push(word);
    }

    /// Takes one G from the global queue.
    #[inline]
    pub(crate) fn take_injected(&self) -> Option<usize> {
        loop {
            match self.inject.steal() {
                Steal::Success(word) => return Some(word),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    /// Takes this P's share of the global queue: one to run, some into the local ring.
    pub(crate) fn take_batch(&self, p: &P) -> Option<usize> {
        if self.inject.is_empty() {
            return None;
        }
        let first = self.take_injected()?;
        let share = (self.inject.len() / self.procs.count())
            .min(crate::protocol::ring::CAPACITY as usize / 2);
        for _ in 0..share {
            let Some(word) = self.take_injected() else {
                break;
            };
            if let Err(word) = p.ring.push(word) {
                self.inject(word);
                break;
            }
        }
        Some(first)
    }

    /// How many Gs are in the global queue. A snapshot.
    pub(crate) fn injected(&self) -> usize {
        self.inject.len()
    }

    /// Is there anything in the global queue?
    pub(crate) fn any_injected(&self) -> bool {
        !self.inject.is_empty()
    }

    /// Is there work that an M without any could take? `runnext` slots do not count.
    pub(crate) fn any_work(&self) -> bool {
        !self.inject.is_empty() || self.procs.now().iter().any(|p| !p.ring.is_empty())
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

    /// Wakes an M for work that was just published, if one should be (step S4 to S6 of idle.rs).
    #[cold]
    pub(crate) fn wake(&'static self) {
        if steps::wake(self) {
            ALL.wakes.add();
        }
    }

    /// Lets another M go on with `p`, which this M gives up in the middle of a goroutine.
    pub(crate) fn hand_off(&'static self, p: &'static P) {
        ALL.handoffs.add();
        steps::hand_off(self, p);
    }

    /// Takes an idle P for an M that has none.
    pub(crate) fn take_idle_p(&'static self) -> Option<&'static P> {
        steps::take_idle_p(self)
    }

    /// Puts `p` to rest without an M, and sees to it that what is left in it is found.
    pub(crate) fn rest_p(&'static self, p: &'static P) {
        steps::rest_p(self, p);
    }

    /// A dead G for a new life; its number is set.
    ///
    /// # Errors
    ///
    /// When there is no memory for descriptors, or no address space for as many stacks.
    #[inline]
    pub(crate) fn new_g(&'static self, p: Option<&P>) -> io::Result<GRef> {
        let Some(p) = p else {
            return self.new_g_shared();
        };
        // SAFETY: the calling goroutine runs on the M that owns `p`, and nothing below parks.
        let local = unsafe { p.local() };
        if local.free.len() == 0 || local.ids.is_empty() {
            self.restock(local)?;
        }
        let Some(g) = local.free.pop() else {
            fatal::throw(format_args!("a stocked list of Gs is empty"));
        };
        g.get().id.set(local.ids.start);
        local.ids.start += 1;
        Ok(g)
    }

    /// Sees to it that `local` has a dead G and a number for it.
    #[cold]
    #[inline(never)]
    fn restock(&'static self, local: &mut Local) -> io::Result<()> {
        if local.free.len() == 0 {
            local.free.refill(&mut *self.stocked()?, G_BATCH);
        }
        if local.ids.is_empty() {
            // Relaxed: numbers only have to differ.
            let first = self.next_id.fetch_add(ID_BATCH, Ordering::Relaxed);
            local.ids = first..first + ID_BATCH;
        }
        Ok(())
    }

    #[cold]
    fn new_g_shared(&self) -> io::Result<GRef> {
        match self.stocked()?.pop() {
            Some(g) => {
                // Relaxed: numbers only have to differ.
                g.get().id.set(self.next_id.fetch_add(1, Ordering::Relaxed));
                Ok(g)
            }
            None => fatal::throw(format_args!("a stocked list of Gs is empty")),
        }
    }

    /// The shared list of dead Gs, locked, with at least one in it.
    fn stocked(&self) -> io::Result<std::sync::MutexGuard<'_, FreeList>> {
        let mut shared = lock(&self.free);
        if shared.len() == 0 {
            // A G gets its stack at its first run; that there is room for it is certain from here on.
            stack::reserve(self.class, G_BATCH)?;
            let slots = match self.slab.grow(G_BATCH) {
                Ok(slots) => slots,
                Err(error) => {
                    stack::unreserve(self.class, G_BATCH);
                    return Err(error);
                }
            };
            let new = written(slots);
            new.iter().for_each(|g| shared.push(GRef::new(g)));
            if self.shrinker.add(new) > FEW {
                self.shrinker.rouse(self);
            }
        }
        Ok(shared)
    }

    /// Takes back all of `free`.
    pub(crate) fn free_all(&self, free: &mut FreeList) {
        let count = free.len();
        lock(&self.free).refill(free, count);
    }

    /// Takes back a dead G that nobody refers to any more, for a caller without a P.
    #[cold]
    pub(crate) fn free_g_shared(&self, g: GRef) {
        lock(&self.free).push(g);
    }

    /// The list of dead Gs of a P has become long.
    #[cold]
    pub(crate) fn share_free(&self, free: &mut FreeList) {
        lock(&self.free).refill(free, 2 * G_BATCH);
    }
}

impl P {
    /// Takes back a dead G that nobody refers to any more. Owner only.
    #[inline]
    pub(crate) fn free_g(&self, g: GRef) {
        // SAFETY: the caller runs on the M that owns this P, and nothing below parks.
        let free = unsafe { &mut self.local().free };
        free.push(g);
        if free.len() > 4 * G_BATCH {
            own().share_free(free);
        }
    }
}

/// Makes dead Gs of new slots.
fn written(slots: &'static mut [MaybeUninit<G>]) -> &'static [G] {
    for slot in &mut *slots {
        slot.write(G::new(Kind::Goroutine));
    }
    // SAFETY: each slot was written above.
    unsafe { slots.assume_init_ref() }
}
