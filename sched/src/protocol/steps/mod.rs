//! How Ms stop, sleep and wake each other: the steps of the scheduler's own protocols, without the rest of it.
//!
//! idle.rs has the words on which both sides meet; here is what each side does with them. The steps ask the rest of
//! the scheduler through the traits below, so that loom runs these very steps (`sched/src/protocol/models`); world.rs
//! implements the traits for the real scheduler. What belongs to more than one file:
//!
//! # Which M keeps the time
//!
//! A timer lies in the heap of a P. There is always an M that is awake for it, or will be:
//!
//! ```text
//! T1 an M with a P fires what is due in that P's heap, in every round
//! T2 an M without work fires what is due in any heap, then puts its P down (I1 to I3 of idle.rs), looks once more
//!    (I4), and sleeps. If no other sleeping M wakes before the earliest timer of all Ps, it is the *timekeeper*: it sleeps
//!    only until then
//! T3 a P that is put down without an M that continues with T2 (its M is locked, or blocked), and a timer that an M without
//!    a P has put into the heap of an idle one: the M that did it checks, and where no M keeps the time, another M
//!    is woken, and comes to T2
//! T4 the timekeeper that is taken for other work, and the spinner that finds work, do the same for the idle Ps
//! T5 while a P is busy sysmon is awake, or gets up within its grace (sysmon_sleep.rs), and wakes an M for what is overdue
//!    in the heap of a P that no M holds
//! T6 when all Ps are idle sysmon sleeps only if the time is kept; if two looks find it not kept, it wakes an M
//! ```
//!
//! - *T3 against T2*: the insertion comes before the fence of [`see_to_time`], the owner of the P is cleared before
//!   the fence of I3. The side whose fence is second sees the first: either the M that goes to sleep finds the timer,
//!   or the M that inserted it finds the P idle and the time not kept.
//! - *T4 is not complete*: a timekeeper that wakes by itself wakes no other M, because most often it sleeps again
//!   before the next timer, and a wake-up costs more than the rest. The P it takes is busy, so T5 applies.
//! - *T5 and T6 together*: what the steps above miss comes late, and is not lost.

mod locked;
mod send_home;
mod stop_m;
mod wake;

pub(crate) use locked::wait_locked;
pub(crate) use send_home::{look_for_homes, send_home};
pub(crate) use stop_m::{found, put_idle, steal_or_sleep};
pub(crate) use wake::{
    Doze, TimeWatch, handoff_p, put_idle_p, see_to_time, sleep_while_idle, take_idle_p, wake,
};

use crate::protocol::{
    home_wait::HomeWaits, idle::Idle, inbox::Inbox, sysmon_sleep::SysmonSleep, timers::NEVER,
    window_lock::Linked,
};

/// A P, as the steps see it.
pub(crate) trait Processor: Copy {
    /// Its word in the lists of idle.rs.
    fn id(self) -> usize;
    /// Returns whether anything is runnable in it.
    fn has_work(self) -> bool;
    /// The earliest moment in its heap, or [`NEVER`].
    fn next_timer(self) -> u64;
    /// Returns whether it shall be put down.
    fn is_leaving(self) -> bool;
    /// Counts a round; owner only.
    fn next_tick(self);
}

/// An M, as the steps see it.
pub(crate) trait Machine: Copy {
    type P: Processor;
    /// Its word in the lists of idle.rs.
    fn id(self) -> usize;
    fn inbox(&self) -> &Inbox;
    /// The P it holds. Called by the M itself.
    fn p(self) -> Option<Self::P>;
    /// By itself: it holds `p`, which no other M does, from here on.
    fn take(self, p: Self::P);
    /// By itself: it holds no P any more.
    fn give_up_p(self) -> Option<Self::P>;
    fn is_spinning(self) -> bool;
    fn set_spinning(self, spinning: bool);
    /// By itself: returns whether a goroutine ended locked to it, and it is locked by none now.
    fn is_tainted(self) -> bool;
    /// By itself: its thread ends.
    fn end(self);
    /// By itself: returns whether its thread ends.
    fn is_over(self) -> bool;
    /// By the thread that took it off a list, or out of the line: it continues with `p`.
    fn wake_with(self, p: Self::P, as_spinner: bool);
    /// By itself: sleeps until it is woken with a P, or until `until`, if that is not [`NEVER`]; `sharply` without
    /// the kernel's timer slack. True: it holds the P.
    fn wait(self, until: u64, sharply: bool) -> bool;
    /// By itself: the same in the kernel's poll (K2 to K4 of poll.rs). It may return early.
    fn poll(self, until: u64, sharply: bool) -> bool;
    /// By itself: returns whether a poll has found goroutines that are in no queue yet.
    fn has_found(self) -> bool;
}

/// The scheduler, as the steps see it.
pub(crate) trait Scheduler: Copy {
    type P: Processor;
    type M: Machine<P = Self::P>;
    type G: Linked;
    fn idle(&self) -> &Idle;
    fn sysmon(&self) -> &SysmonSleep;
    fn homes(&self) -> &HomeWaits;
    /// # Safety
    ///
    /// `id` is the word of an M.
    unsafe fn m(self, id: usize) -> Self::M;
    /// # Safety
    ///
    /// `id` is the word of a P.
    unsafe fn p(self, id: usize) -> Self::P;
    fn now(self) -> u64;
    /// By sysmon: how long it still sleeps if it gets up at `moment`.
    fn remaining(self, moment: u64) -> u64;
    /// Returns whether there is a socket that an M must poll for.
    fn is_watching(self) -> bool;
    /// Returns whether there is work that an M without any could take.
    fn any_work(self) -> bool;
    fn any_injected(self) -> bool;
    /// Queues `g` for any M.
    fn inject(self, g: Self::G);
    /// When an M without work should wake for a timer of any P.
    fn next_wake(self) -> u64;
    /// The same for the Ps, except `except`, that no M holds and no blocking call was lent.
    fn unheld_wake(self, except: Option<Self::P>) -> u64;
    /// What `m` runs next, if that is known at once. If not, `m` has a P, or is on the idle list.
    fn try_now(self, m: Self::M) -> Option<usize>;
    /// The next goroutine in `p`, which `m` holds, if `m` may run it although it is locked, and no other goes before
    /// it.
    fn own_first(self, m: Self::M, p: Self::P) -> Option<Self::G>;
    /// When a tainted M that has looked `looks` times looks again whether it is needed.
    fn look_again(self, looks: u32) -> u64;
    /// Work of others for `m`, which holds `p`. If there is none, `m` has put itself on the idle list.
    fn steal_or_spin(self, m: Self::M, p: Self::P) -> Option<usize>;
    /// Returns whether a thread may be asked for: not right after one was refused.
    fn may_start_m(self) -> bool;
    /// Starts an M that begins with `p`. If that fails, `p` goes onto the idle list.
    fn start_m(self, p: Self::P, as_spinner: bool);
    /// Puts `p`, for which there is no thread, onto the idle list.
    fn idle_p_for_want_of_thread(self, p: Self::P);
    /// Returns whether the last thread that was asked for was refused.
    fn is_refused(self) -> bool;
    /// Returns whether sysmon must ask for it again.
    fn wants_retry(self) -> bool;
    /// `p` has left (L3 and L4 of procs.rs). True if timers moved.
    fn leave(self, p: Self::P) -> bool;
    /// Sees to what [`Scheduler::leave`] has moved, for a caller that does not look at it itself.
    fn look_after(self, timers: bool);
    /// K6 of poll.rs: queues what the polls of `m` have found, in the ring of its P, or in the global queue. Wakes an M if
    /// one should take part.
    fn deliver(self, m: Self::M);
    /// An M goes to sleep, or wakes.
    fn rouse(self);
    /// When an M that sleeps from now on may end, or [`NEVER`].
    fn end_of_sleep(self) -> u64;
    /// Returns whether the thread of `m` must not end.
    fn is_home(self, m: Self::M) -> bool;
}

/// Returns whether a P that no M holds has a timer for which no M wakes. `handed` is on its way to an M.
fn is_time_untended<S: Scheduler>(s: S, handed: Option<S::P>) -> bool {
    let due = s.unheld_wake(handed);
    due != NEVER && !s.idle().keeps_time(due)
}

/// Returns whether there is a socket and no M sleeps in the kernel's poll.
fn is_poll_untended<S: Scheduler>(s: S) -> bool {
    s.is_watching() && !s.idle().has_poller()
}
