//! Idle Ms and Ps, the spinner, and how new work wakes exactly one M.
//!
//! An M without work gives its P up and sleeps. Waking one costs the waker a system call (8-11 us), so at most one M
//! *spins*: it looks for work for some microseconds before it sleeps, and meanwhile no M is woken. The danger is the
//! lost wake-up: work is published while the last M falls asleep. Both sides, in steps:
//!
//! ```text
//! submitter (any thread)                     idler (an M with P, found nothing)
//! S1 publish the work in a queue             I1 if it was the spinner: spinning = false
//! S2 fence(SeqCst)                           I2 under the lock: P and M on the lists, idle_ps += 1
//! S3 idle_ps == 0 or spinning: done          I3 fence(SeqCst)
//! S4 spinning: false -> true, else done      I4 look at every queue once more; work there:
//! S5 under the lock: take a P and an M       I5   under the lock: take itself off; continue as the
//!    (none: spinning = false, done)               spinner, unless there is one
//! S6 hand the P over, notify the M:          I6 sleep until notified
//!    it wakes as the spinner
//!
//! spinner that finds work
//! F1 spinning = false
//! F2 fence(SeqCst)
//! F3 more work anywhere: S3..S6, because submitters relied on the spinner
//! ```
//!
//! Races and what closes them:
//! - *S3 reads an old `idle_ps` or `spinning`*: then S2 precedes I3 (or F2) in the single order of
//!   SeqCst fences, so I4 (or F3) sees the work of S1.
//! - *S5 finds no P after S4*: `spinning = false` is stored under the lock. An idler that comes to I2 later has seen
//!   it before its I3, and the line above applies to submitters that saw the stale `spinning`.
//! - *I5 finds more work than it takes*: the submitters of the rest saw a spinner at S3 and woke no M. So this M
//!   continues as the spinner and comes to F3; if another M spins already, that one does.
//! - *I5 against S5*: the lock decides. The side that took the M off the list decides what it does next.
//!
//! Timers: a sleeping M may be the *timekeeper*, which sleeps only until the earliest timer of all Ps. It is the last
//! M to be taken at S5. The essay of `steps` says which M keeps the time; the steps are what each side does with
//! these lists. There are as many Ms as Ps that ever ran (a P is started with an idle M or with a new one, and Ps
//! that ran are taken before unused ones). An M that ends because it was idle for long leaves at least as many asleep
//! as there are idle Ps that have run: see [`Idle::retire`]. Where Ms are blocked, or locked, that is not enough, and
//! an M is started to keep the time.

mod changing;
mod outcomes;
mod roles;

use std::collections::VecDeque;

pub(crate) use changing::Change;
pub(crate) use outcomes::{PutIdle, Retire, SelfWake, Sleeper, Wake, WakeThis};

use crate::protocol::sync::{AtomicBool, AtomicU32, Mutex, Ordering, fence, lock};

/// Words that stand for Ms and Ps; the scheduler uses their addresses.
type Id = usize;

pub(crate) struct Idle {
    /// Number of Ps on the list, for S3.
    idle_ps: AtomicU32,
    /// Number of Ps that are not on it.
    busy: AtomicU32,
    /// Whether an M spins, or was woken to spin.
    spinning: AtomicBool,
    /// Whether an M is in the kernel's poll, or on its way there or back. Changed under the lock.
    in_poll: AtomicBool,
    /// Number of Ms in `waiting`, readable without the lock.
    waiting_for_p: AtomicU32,
    lists: Mutex<Lists>,
}

struct Lists {
    /// Idle Ps: taken from the back, so that unused ones at the front stay unused.
    ps: Vec<Id>,
    /// Sleeping Ms.
    ms: Vec<Id>,
    /// The M among `ms` that sleeps until a timer, and until when.
    timekeeper: Option<(Id, u64)>,
    /// The M among `ms` that sleeps in the kernel's poll.
    poller: Option<Id>,
    /// Ms that hold a goroutine and wait for a P, longest first.
    waiting: VecDeque<Id>,
    /// How many Ms there are, asleep or not.
    all_ms: usize,
    /// How many Ps there are, idle or not.
    all_ps: usize,
    /// Busy Ps that are to leave when they are put down (procs.rs).
    leaving: Vec<Id>,
    /// The largest number of Ps that were off the list at once, which is the number of Ps that ever ran.
    used_ps: usize,
}

impl Idle {
    /// Without any M or P.
    pub(crate) fn new() -> Idle {
        Idle {
            idle_ps: AtomicU32::new(0),
            busy: AtomicU32::new(0),
            spinning: AtomicBool::new(false),
            in_poll: AtomicBool::new(false),
            waiting_for_p: AtomicU32::new(0),
            lists: Mutex::new(Lists {
                ps: Vec::new(),
                ms: Vec::new(),
                timekeeper: None,
                poller: None,
                waiting: VecDeque::new(),
                all_ms: 0,
                all_ps: 0,
                leaving: Vec::new(),
                used_ps: 0,
            }),
        }
    }

    /// S2 and S3: returns whether an M should be woken, after work was published.
    #[inline]
    pub(crate) fn should_wake(&self) -> bool {
        fence(Ordering::SeqCst);
        self.may_wake()
    }

    /// S3 alone, where a fence came before, or where the next tick makes up for a missed wake-up.
    #[inline]
    pub(crate) fn may_wake(&self) -> bool {
        // Relaxed (both): partners are I2 and I1/F1 through the SeqCst fences at S2, I3 and F2.
        self.idle_ps.load(Ordering::Relaxed) != 0 && !self.spinning.load(Ordering::Relaxed)
    }

    /// S4 and S5. The caller passes `p` to `m` and notifies it. Without an `m` it starts a new M with `p`, if it
    /// `may_start` one. In both cases that M begins as the spinner.
    pub(crate) fn claim_wake(&self, may_start: bool) -> Option<Wake> {
        if !self.start_spinning() {
            return None;
        }
        let mut lists = lock(&self.lists);
        let able = may_start || !lists.ms.is_empty();
        let Some(p) = able.then(|| self.pop_p(&mut lists)).flatten() else {
            // Release, under the lock: see the second race above.
            self.spinning.store(false, Ordering::Release);
            return None;
        };
        let m = lists.take_sleeper().map(|sleeper| sleeper.m);
        Some(Wake { p, m })
    }

    /// Becomes the spinner if there is none. One is enough: a second spinner only burns a CPU.
    pub(crate) fn start_spinning(&self) -> bool {
        // AcqRel: partner is the Release store of the last spinner. Relaxed on failure: not used.
        self.spinning
            .compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// F1 and F2: the spinner found work. The caller does F3.
    pub(crate) fn stop_spinning(&self) {
        // Release: partner is the CAS in `start_spinning`; the fence orders it before F3's reads.
        self.spinning.store(false, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// I1 to I3. Afterwards `m` is on the list of sleeping Ms, whatever happened to the P.
    pub(crate) fn put_idle(&self, m: Id, p: Id, was_spinner: bool) -> PutIdle {
        if was_spinner {
            // Release: as in `stop_spinning`.
            self.spinning.store(false, Ordering::Release);
        }
        let mut lists = lock(&self.lists);
        lists.ms.push(m);
        let rested = self.put_p(&mut lists, p);
        drop(lists);
        fence(Ordering::SeqCst);
        rested
    }

    /// Puts a P on the idle list whose M stays behind in a blocking call. As [`Idle::put_idle`].
    pub(crate) fn put_idle_p(&self, p: Id) -> PutIdle {
        let rested = self.put_p(&mut lock(&self.lists), p);
        fence(Ordering::SeqCst);
        rested
    }

    fn put_p(&self, lists: &mut Lists, p: Id) -> PutIdle {
        if lists.stop_leaving(p) {
            lists.all_ps -= 1;
            self.publish(lists);
            return PutIdle::Left;
        }
        if let Some(waiting) = lists.waiting.pop_front() {
            self.note_waiting(lists);
            return PutIdle::Waiting(waiting);
        }
        lists.ps.push(p);
        self.publish(lists);
        PutIdle::Idle
    }

    /// After each change of the list of Ps.
    fn publish(&self, lists: &Lists) {
        let (idle_ps, busy) = (lists.ps.len(), lists.busy());
        // Relaxed: written under the lock; S3's reads are ordered by fences.
        self.idle_ps.store(idle_ps as u32, Ordering::Relaxed);
        // Release: partner is the load in `all_idle`. A thread that sees a P idle sees what its M did before.
        self.busy.store(busy as u32, Ordering::Release);
    }

    /// I5: `m`, which put itself on the idle list, saw work, or its timer is due.
    pub(crate) fn try_leave_idle(&self, m: Id) -> SelfWake {
        let mut lists = lock(&self.lists);
        let Some(place) = lists.ms.iter().position(|&x| x == m) else {
            return SelfWake::Woken;
        };
        let Some(p) = self.pop_p(&mut lists) else {
            // It keeps no time any more: every P is busy, and its M looks at its own timers, and at sockets. This is
            // one step with the check, because an M that goes to sleep right after it must not count on a timekeeper
            // that gives up.
            lists.dismiss(m);
            return SelfWake::Stay;
        };
        lists.ms.swap_remove(place);
        lists.dismiss(m);
        SelfWake::Take(p)
    }

    /// B2 to B4 of inbox.rs, or H3 and H4 by `m` itself: the sleeping `m` must have a P.
    pub(crate) fn wake_this_m(&self, m: Id) -> WakeThis {
        let mut lists = lock(&self.lists);
        let Some(place) = lists.ms.iter().position(|&x| x == m) else {
            return WakeThis::Awake;
        };
        lists.ms.swap_remove(place);
        let was_timekeeper = lists
            .timekeeper
            .is_some_and(|(timekeeper, _)| timekeeper == m);
        lists.dismiss(m);
        match self.take_p_or_line_up(&mut lists, m) {
            Some(p) => WakeThis::Take { p, was_timekeeper },
            None => WakeThis::Waiting,
        }
    }

    /// An M that holds a goroutine but no P takes an idle P, or joins the line for one (then it must sleep until it
    /// is woken with a P).
    pub(crate) fn take_p_or_wait(&self, m: Id) -> Option<Id> {
        self.take_p_or_line_up(&mut lock(&self.lists), m)
    }

    fn take_p_or_line_up(&self, lists: &mut Lists, m: Id) -> Option<Id> {
        if let Some(p) = self.pop_p(lists) {
            return Some(p);
        }
        lists.waiting.push_back(m);
        self.note_waiting(lists);
        None
    }

    /// After each change of the line of Ms that wait for a P.
    fn note_waiting(&self, lists: &Lists) {
        // Relaxed: a hint for `any_m_waits_for_p`.
        self.waiting_for_p
            .store(lists.waiting.len() as u32, Ordering::Relaxed);
    }

    /// Takes an idle P, if there is one.
    pub(crate) fn take_p(&self) -> Option<Id> {
        self.pop_p(&mut lock(&self.lists))
    }

    fn pop_p(&self, lists: &mut Lists) -> Option<Id> {
        let p = lists.ps.pop()?;
        lists.used_ps = lists.used_ps.max(lists.busy());
        self.publish(lists);
        Some(p)
    }

    /// An M is about to be made. Returns how many there are with it.
    pub(crate) fn add_m(&self) -> usize {
        let mut lists = lock(&self.lists);
        lists.all_ms += 1;
        lists.all_ms
    }

    /// The M was not made.
    pub(crate) fn remove_m(&self) {
        lock(&self.lists).all_ms -= 1;
    }

    /// Returns whether more Ms sleep than there are idle Ps that have run. Only then can one be spared.
    pub(crate) fn has_spare_m(&self) -> bool {
        lock(&self.lists).has_spare_m()
    }

    /// The sleeping `m` has had nothing to do for long, and wants to end.
    pub(crate) fn retire(&self, m: Id) -> Retire {
        let mut lists = lock(&self.lists);
        let Some(place) = lists.ms.iter().position(|&x| x == m) else {
            return Retire::Woken;
        };
        let keeps = lists
            .timekeeper
            .is_some_and(|(timekeeper, _)| timekeeper == m)
            || lists.poller == Some(m);
        if keeps || !lists.has_spare_m() {
            return Retire::Stay;
        }
        lists.ms.swap_remove(place);
        lists.all_ms -= 1;
        Retire::End
    }

    /// An M without a P goes to sleep (I2 and I3 for it alone).
    pub(crate) fn put_idle_m(&self, m: Id) {
        lock(&self.lists).ms.push(m);
        fence(Ordering::SeqCst);
    }

    /// How many Ps are idle. A snapshot.
    pub(crate) fn idle_ps(&self) -> u32 {
        // Relaxed: partner is the fence at I3; sysmon looks again.
        self.idle_ps.load(Ordering::Relaxed)
    }

    /// Returns whether all Ps are idle. A snapshot, which a fence of the caller orders (partner: K2 of
    /// sysmon_sleep.rs).
    pub(crate) fn all_idle(&self) -> bool {
        // Acquire: partner is the store in `publish`.
        self.busy.load(Ordering::Acquire) == 0
    }

    /// Returns whether an M spins, or was woken to spin. A snapshot.
    pub(crate) fn is_spinning(&self) -> bool {
        // Relaxed: for display only.
        self.spinning.load(Ordering::Relaxed)
    }

    /// Returns whether all Ms sleep but `kept`, which wait with a goroutine, and none waits for a P.
    pub(crate) fn all_asleep_but(&self, kept: usize) -> bool {
        let lists = lock(&self.lists);
        lists.ms.len() + kept == lists.all_ms && lists.waiting.is_empty()
    }

    /// How many Ms sleep.
    pub(crate) fn sleeping(&self) -> usize {
        lock(&self.lists).ms.len()
    }

    /// The Ps that are idle.
    pub(crate) fn resting(&self) -> Vec<Id> {
        lock(&self.lists).ps.clone()
    }

    /// How many Ms hold a goroutine and wait for a P. A snapshot.
    pub(crate) fn waiting(&self) -> usize {
        // Relaxed: for display only.
        self.waiting_for_p.load(Ordering::Relaxed) as usize
    }

    /// Returns whether `m` is asleep, or in the line for a P. Then it will be woken with one.
    pub(crate) fn knows(&self, m: Id) -> bool {
        let lists = lock(&self.lists);
        lists.ms.contains(&m) || lists.waiting.contains(&m)
    }

    /// Returns whether an M waits for a P. A hint.
    #[inline]
    pub(crate) fn any_m_waits_for_p(&self) -> bool {
        // Relaxed: partner is the store under the lock; a late answer is repeated at the next tick.
        self.waiting_for_p.load(Ordering::Relaxed) != 0
    }

    /// Takes a sleeping M (which the caller hands a P) and leaves the lists of Ps and the spinner as they are.
    pub(crate) fn take_m(&self) -> Option<Sleeper> {
        lock(&self.lists).take_sleeper()
    }
}

impl Lists {
    /// Ms that block, or compute without a P, do not count: what is compared is the sleeping Ms and the idle Ps
    /// that have run, which may hold timers.
    fn has_spare_m(&self) -> bool {
        self.ms.len() + self.busy() > self.used_ps
    }

    /// How many Ps are not idle.
    fn busy(&self) -> usize {
        self.all_ps - self.ps.len()
    }
}
