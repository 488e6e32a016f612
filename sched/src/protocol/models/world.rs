//! A scheduler for the models in which Ms stop, sleep and wake: the real steps (steps/mod.rs) on the real words, with
//! three Ms, two Ps, and queues of goroutines that are words. Time passes when an M sleeps until a moment.

mod answers;

use std::sync::atomic::AtomicUsize as Plain;

use loom::{
    cell::UnsafeCell,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::protocol::{
    home_wait::{Home, HomeWaits},
    idle::{Change, Idle},
    inbox::Inbox,
    parker::Parker,
    ring::Ring,
    steps::{self, Machine, Scheduler},
    sysmon_sleep::{Slept, SysmonSleep},
    timers::{NEVER, Sleeper, Timers},
    window_lock::Linked,
};

/// The words of Ms and Ps. An M's number is its word minus 1, a P's is its word minus [`P1`].
pub(super) const M1: usize = 1;
pub(super) const M2: usize = 2;
pub(super) const M3: usize = 3;
pub(super) const P1: usize = 11;
pub(super) const P2: usize = 12;

/// How long sysmon leaves a P unwatched.
pub(super) const GRACE: u64 = 2;

/// More than any wait of home_wait.rs.
const LONG: u64 = 10_000_000_000;

/// Loom's own `Arc` would only add steps.
type Clock = std::sync::Arc<AtomicU64>;

pub(super) struct World {
    idle: Idle,
    sysmon: SysmonSleep,
    homes: HomeWaits,
    ps: [ModelP; 2],
    ms: [ModelM; 3],
    pub(super) kernel: std::sync::Arc<Kernel>,
    clock: Clock,
    /// Ms whose threads can be started.
    spare: Mutex<Vec<usize>>,
}

pub(super) struct ModelP {
    number: usize,
    pub(super) ring: Ring,
    pub(super) timers: Timers<Timer>,
    /// The word of the M that holds it, or 0.
    owner: AtomicUsize,
}

pub(super) struct ModelM {
    number: usize,
    pub(super) inbox: Inbox,
    parker: Parker,
    /// The address of the P that it is woken with; bit 0: as the spinner.
    handed: AtomicUsize,
    /// For its own thread: the address of its P or 0, and whether it spins.
    p: Plain,
    spinning: Plain,
    /// 1: tainted; 2: its thread ends.
    tainted: Plain,
    /// Words that its polls have found. For its own thread.
    found: std::sync::Mutex<Vec<usize>>,
    clock: Clock,
    kernel: std::sync::Arc<Kernel>,
}

/// A sleeper in a timer heap: a word.
#[derive(Clone, Copy)]
pub(super) struct Timer(pub(super) usize);

impl Sleeper for Timer {
    fn is_waiting(&self) -> bool {
        true
    }
}

/// A goroutine: its link.
#[derive(Clone, Copy)]
pub(super) struct Goroutine(&'static Record);

struct Record {
    link: UnsafeCell<usize>,
    visits: bool,
}

// SAFETY: the link belongs to the thread that has the goroutine; loom checks it.
unsafe impl Send for Goroutine {}

impl Goroutine {
    /// A goroutine that only its home may run.
    pub(super) fn pinned() -> Goroutine {
        Goroutine::new(false)
    }

    /// A goroutine that the migration check sends home.
    pub(super) fn visitor() -> Goroutine {
        Goroutine::new(true)
    }

    fn new(visits: bool) -> Goroutine {
        let link = UnsafeCell::new(0);
        Goroutine(Box::leak(Box::new(Record { link, visits })))
    }
}

impl Linked for Goroutine {
    fn word(self) -> usize {
        std::ptr::from_ref(self.0) as usize
    }
    unsafe fn of(word: usize) -> Self {
        // SAFETY: the records are leaked, and the word is the address of one.
        Goroutine(unsafe { &*(word as *const Record) })
    }
    fn set_next(self, word: usize) {
        // SAFETY: see `Send`.
        self.0.link.with_mut(|link| unsafe { *link = word });
    }
    fn next(self) -> usize {
        // SAFETY: see `Send`.
        self.0.link.with(|link| unsafe { *link })
    }
    fn is_visitor(self) -> bool {
        self.0.visits
    }
}

impl World {
    /// Both Ps are on no list and held by no M, and no M sleeps.
    pub(super) fn new(ps: usize) -> Arc<World> {
        World::started(ps, &[])
    }

    /// As [`World::new`]; the threads of `spare`, the last one first, wait to be started ([`World::live`]).
    pub(super) fn started(ps: usize, spare: &[usize]) -> Arc<World> {
        let world = World::at_rest(ps, spare);
        for _ in 0..ps {
            assert!(world.idle.take_p().is_some());
        }
        world
    }

    /// All Ps are on the list and were never used; `P1` is taken first.
    pub(super) fn at_rest(ps: usize, spare: &[usize]) -> Arc<World> {
        let idle = Idle::new();
        let come = Change {
            come: [P2, P1][2 - ps..].to_vec(),
            ..Change::default()
        };
        assert!(idle.change(&come).left.is_empty());
        let clock = Clock::new(AtomicU64::new(0));
        let kernel = std::sync::Arc::new(Kernel::new());
        Arc::new(World {
            idle,
            sysmon: SysmonSleep::new(),
            homes: HomeWaits::new(),
            ps: [P1, P2].map(ModelP::new),
            ms: [M1, M2, M3].map(|m| ModelM::new(m, &clock, &kernel)),
            kernel,
            clock,
            spare: Mutex::new(spare.to_vec()),
        })
    }

    pub(super) fn m_of(&self, m: usize) -> &ModelM {
        &self.ms[m - 1]
    }

    pub(super) fn p_of(&self, p: usize) -> &ModelP {
        &self.ps[p - P1]
    }

    /// `m` holds `p` from the start on.
    pub(super) fn give(&self, m: usize, p: usize) {
        self.m_of(m).take(self.p_of(p));
    }

    /// `m`, whose thread this is, holds a P: returns what it runs next, after having slept if need be.
    pub(super) fn next(&self, m: usize) -> usize {
        let m = self.m_of(m);
        match self.try_now(m) {
            Some(word) => steps::found(self, m, word),
            None => steps::steal_or_sleep(self, m).expect("an M that does not end"),
        }
    }

    /// `m`, whose thread this is, is asleep on the list, or was not started: returns what it runs next once it was
    /// woken.
    pub(super) fn live(&self, m: usize) -> usize {
        assert!(self.m_of(m).wait(NEVER, false));
        self.next(m)
    }

    /// `m` puts its P down and is asleep on the list; its thread need not exist.
    pub(super) fn stop(&self, m: usize) {
        let m = self.m_of(m);
        let p = Machine::p(m).expect("a P");
        steps::put_idle(self, m, p);
    }

    /// S1 to S6 of idle.rs, in the ring of `p`.
    pub(super) fn submit(&self, p: usize, word: usize) {
        self.p_of(p).ring.push(word).unwrap();
        self.publish();
    }

    /// Into the global queue, and no M is woken.
    pub(super) fn submit_silently(&self, word: usize) {
        self.kernel.global.lock().unwrap().push(word);
    }

    /// The thread of `m` ends; `word` tells the others to end as well.
    pub(super) fn end(&self, m: usize, word: usize) {
        self.submit_silently(word);
        match self.m_of(m).give_up_p() {
            Some(p) => steps::put_idle_p(self, p),
            None => self.publish(),
        }
    }

    /// S1 to S6 of idle.rs, in the global queue.
    pub(super) fn submit_globally(&self, word: usize) {
        self.submit_silently(word);
        self.publish();
    }

    fn publish(&self) {
        if self.idle.should_wake() {
            steps::wake(self);
        }
    }

    pub(super) fn idle(&self) -> &Idle {
        &self.idle
    }

    /// Inserts a timer, as an M does that has no P.
    pub(super) fn insert(&self, p: usize, when: u64, word: usize) {
        self.p_of(p).timers.insert_and(when, Timer(word), || true);
    }

    /// The clock shows at least `moment` from here on.
    pub(super) fn pass(&self, moment: u64) {
        self.clock.fetch_max(moment, Ordering::Relaxed);
    }

    /// sysmon, for homes: sleeps while it may, and releases visitors whose home does not run them, until `done`.
    pub(super) fn watch_homes(&self, done: impl Fn() -> bool) {
        while !done() {
            if self.doze(NEVER, false) != Slept::Not {
                continue;
            }
            let home = |_| Home {
                used: 0,
                comes: false,
            };
            steps::look_for_homes(self, home, |_| ());
            self.clock.fetch_add(LONG, Ordering::Relaxed);
            loom::thread::yield_now();
        }
    }

    fn fire_due(&self, from: &ModelP, to: &ModelP) -> bool {
        let now = Scheduler::now(self);
        from.timers.fire(now, |timer| {
            to.ring.push(timer.0).unwrap();
            true
        })
    }

    fn steal(&self, p: &ModelP, timers: bool) -> Option<usize> {
        let others = self.ps.iter().filter(|other| other.number != p.number);
        let mut found = None;
        for other in others {
            found = found.or_else(|| other.ring.steal_into(&p.ring, false));
            if timers && found.is_none() && self.fire_due(other, p) {
                found = p.ring.pop();
            }
        }
        found
            .or_else(|| self.kernel.global.lock().unwrap().pop())
            .or_else(|| self.kernel.poll())
    }
}

/// The sockets as the scheduler sees them: events, each of which makes one goroutine ready. Also the global queue.
pub(super) struct Kernel {
    global: Mutex<Vec<usize>>,
    state: Mutex<Events>,
    sleeper: Condvar,
    /// Whether any socket is registered.
    watched: Plain,
}

#[derive(Default)]
struct Events {
    words: Vec<usize>,
    kicked: bool,
}

impl Kernel {
    fn new() -> Kernel {
        Kernel {
            global: Mutex::new(Vec::new()),
            state: Mutex::new(Events::default()),
            sleeper: Condvar::new(),
            watched: Plain::new(0),
        }
    }

    /// A socket is registered from the start on.
    pub(super) fn watch(&self) {
        self.watched.store(1, Ordering::Relaxed);
    }

    fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed) != 0
    }

    /// An event comes.
    pub(super) fn happen(&self, word: usize) {
        self.state.lock().unwrap().words.push(word);
        // Of several that sleep the kernel wakes any.
        self.sleeper.notify_all();
    }

    fn kick(&self) {
        self.state.lock().unwrap().kicked = true;
        self.sleeper.notify_all();
    }

    /// The poll that does not wait.
    fn poll(&self) -> Option<usize> {
        self.state.lock().unwrap().words.pop()
    }

    /// The poll that waits, without a limit if not `timed`. None: the time is over.
    fn wait(&self, timed: bool) -> Option<Vec<usize>> {
        let mut state = self.state.lock().unwrap();
        while state.words.is_empty() && !state.kicked {
            if timed {
                return None;
            }
            state = self.sleeper.wait(state).unwrap();
        }
        state.kicked = false;
        Some(std::mem::take(&mut state.words))
    }
}

impl ModelP {
    fn new(number: usize) -> ModelP {
        ModelP {
            number,
            ring: Ring::new(true),
            timers: Timers::new(),
            owner: AtomicUsize::new(0),
        }
    }
}

impl ModelM {
    fn new(number: usize, clock: &Clock, kernel: &std::sync::Arc<Kernel>) -> ModelM {
        ModelM {
            number,
            inbox: Inbox::new(),
            parker: Parker::new(),
            handed: AtomicUsize::new(0),
            p: Plain::new(0),
            spinning: Plain::new(0),
            tainted: Plain::new(0),
            found: std::sync::Mutex::new(Vec::new()),
            clock: clock.clone(),
            kernel: kernel.clone(),
        }
    }

    /// The word of the P that it holds, or 0.
    pub(super) fn holds(&self) -> usize {
        Machine::p(self).map_or(0, |p| p.number)
    }

    /// Returns whether it was woken with a P that it has not accepted yet.
    pub(super) fn is_woken(&self) -> bool {
        self.handed.load(Ordering::Relaxed) != 0
    }

    fn accept(&self) {
        let word = self.handed.swap(0, Ordering::Relaxed);
        assert_ne!(word, 0, "woken without a P");
        self.set_spinning(word & 1 == 1);
        // SAFETY: `wake_with` stored the address of a P of this world, which is aligned, and one bit.
        self.take(unsafe { &*((word & !1) as *const ModelP) });
    }

    /// It is locked by no goroutine; one that was locked to it has ended.
    pub(super) fn taint(&self) {
        self.inbox.set_locked(true);
        self.tainted.store(1, Ordering::Relaxed);
    }

    pub(super) fn spins_from_now_on(&self) {
        self.set_spinning(true);
    }
}
