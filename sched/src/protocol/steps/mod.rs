//! How Ms stop, sleep and wake each other: the steps of the scheduler's own protocols, without the rest of it.
//!
//! idle.rs has the words on which both sides meet; here is what each side does with them. The steps ask the rest of
//! the scheduler through the traits below, so that loom runs these very steps (`sched/src/protocol/models`): world.rs answers for
//! the real one. What belongs to more than one file:
//!
//! # Who keeps the time
//!
//! A timer lies in the heap of a P. Somebody is always up for it, or will be:
//!
//! ```text
//! T1 an M with a P fires what is due in that P's heap, in every round
//! T2 an M without work fires what is due in any heap, then puts its P down (I1 to I3 of idle.rs), looks once more
//!    (I4), and sleeps. If no other sleeping M is up before the earliest timer of all Ps, it is the *timekeeper*: it sleeps
//!    only until then
//! T3 a P that is put down without an M that goes on to T2 (its M is locked, or blocked), and a timer that an M without
//!    a P has put into the heap of one that rests, are seen to by who did that: where nobody keeps the time, another M
//!    is woken, and comes to T2
//! T4 the timekeeper that is taken for other work, and the spinner that finds work, do the same for the Ps that rest
//! T5 while a P is not at rest sysmon is awake, and wakes an M for what is overdue in the heap of a P that nobody holds
//! T6 when all Ps rest sysmon sleeps only if the time is kept; if it was not at two looks, it wakes an M
//! ```
//!
//! - *T3 against T2*: the insertion comes before the fence of [`see_to_time`], the owner of the P is cleared before the
//!   fence of I3. In the order of the fences the second side sees the first: either the M that goes to sleep finds the
//!   timer, or the one that inserted it finds the P at rest and the time not kept.
//! - *T4 is not complete*: the timekeeper that gets up by itself wakes nobody, because most often it sleeps again before the
//!   next timer, and a wake-up costs more than the rest. The P it takes is busy, so there is T5.
//! - *T5 and T6 together*: whatever is forgotten above comes late, not never.

mod locked;
mod send_home;
mod stop_m;
mod wake;

pub(crate) use locked::wait_locked;
pub(crate) use send_home::{look_for_homes, send_home};
pub(crate) use stop_m::{found, put_idle, steal_or_sleep};
pub(crate) use wake::{
    TimeWatch, handoff_p, put_idle_p, see_to_time, sleep_while_idle, take_idle_p, wake,
};

use crate::protocol::{
    home_wait::HomeWaits, idle::Idle, inbox::Inbox, sysmon_sleep::SysmonSleep, timers::NEVER,
    window_lock::Linked,
};

/// A P, as the steps see it.
pub(crate) trait Processor: Copy {
    /// Its word in the lists of idle.rs.
    fn id(self) -> usize;
    /// Is anything runnable in it?
    fn has_work(self) -> bool;
    /// The earliest moment in its heap, or [`NEVER`].
    fn next_timer(self) -> u64;
    /// Shall it be put down?
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
    /// The P it holds; asked by itself.
    fn p(self) -> Option<Self::P>;
    /// By itself: it holds `p`, which nobody else does, from here on.
    fn take(self, p: Self::P);
    /// By itself: it holds none any more.
    fn give_up_p(self) -> Option<Self::P>;
    fn is_spinning(self) -> bool;
    fn set_spinning(self, spinning: bool);
    /// By itself: did a goroutine end locked to it, and is it locked by none now?
    fn is_tainted(self) -> bool;
    /// By itself: its thread ends.
    fn end(self);
    /// By itself: does its thread end?
    fn is_over(self) -> bool;
    /// By who took it off a list, or out of a line: it shall go on with `p`.
    fn wake_with(self, p: Self::P, as_spinner: bool);
    /// By itself: sleeps until it is handed a P, or until `until`, if that is a moment on our clock and not [`NEVER`];
    /// `sharply` without the slack that the kernel takes. True: it holds the P.
    fn wait(self, until: u64, sharply: bool) -> bool;
    /// By itself: the same in the kernel's poll (K2 to K5 of poll.rs). It may return before.
    fn poll(self, until: u64, sharply: bool) -> bool;
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
    /// Is there a socket that somebody must poll for?
    fn is_watching(self) -> bool;
    /// Is there work that an M without any could take?
    fn any_work(self) -> bool;
    fn any_injected(self) -> bool;
    /// Queues `g` for everybody.
    fn inject(self, g: Self::G);
    /// When an M without work should be up for a timer of any P.
    fn next_wake(self) -> u64;
    /// The same for the Ps, but for `except`, that no M holds and no blocking call was lent.
    fn unheld_wake(self, except: Option<Self::P>) -> u64;
    /// What `m` has to do next, if that can be said at once. If not, it has a P, or is at rest.
    fn try_now(self, m: Self::M) -> Option<usize>;
    /// The next in `p`, which `m` holds, if `m` may run it although it is locked, and nobody goes before it.
    fn own_first(self, m: Self::M, p: Self::P) -> Option<Self::G>;
    /// When a tainted M that has looked so often looks once more whether it is needed.
    fn look_again(self, looks: u32) -> u64;
    /// Work of others for `m`, which holds `p`; if there is none, it has put itself to rest.
    fn steal_or_spin(self, m: Self::M, p: Self::P) -> Option<usize>;
    /// May a thread be asked for? Not right after one was refused.
    fn may_start_m(self) -> bool;
    /// Has an M started that begins with `p`; if that fails, `p` is put to rest.
    fn start_m(self, p: Self::P, as_spinner: bool);
    /// Puts `p` to rest, for which there is no thread.
    fn idle_p_for_want_of_thread(self, p: Self::P);
    /// Was the last thread that was asked for refused?
    fn is_refused(self) -> bool;
    /// Must sysmon ask for it again?
    fn wants_retry(self) -> bool;
    /// `p` has left (L3 and L4 of procs.rs). True if timers moved.
    fn leave(self, p: Self::P) -> bool;
    /// Sees to what [`Scheduler::leave`] has moved, for a caller who does not look himself.
    fn look_after(self, timers: bool);
    /// An M goes to sleep, or gets up.
    fn rouse(self);
    /// When an M that sleeps from now on may end, or [`NEVER`].
    fn end_of_sleep(self) -> u64;
    /// May the thread of `m` not end?
    fn is_home(self, m: Self::M) -> bool;
}

/// Does a P that nobody holds have a timer for which no M gets up? `handed` is on its way to an M.
fn is_time_untended<S: Scheduler>(s: S, handed: Option<S::P>) -> bool {
    let due = s.unheld_wake(handed);
    due != NEVER && !s.idle().keeps_time(due)
}

/// Is there a socket, and nobody asleep in the kernel's poll?
fn is_poll_untended<S: Scheduler>(s: S) -> bool {
    s.is_watching() && !s.idle().has_poller()
}
