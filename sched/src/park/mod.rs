//! The wing `park`: how goroutines and threads wait. Imported by `task` and the public functions.
//!
//! | file | what it has |
//! |---|---|
//! | mod.rs | `park` and waits that several wakers may end; the other verb, `ready`, is in global/ready.rs |
//! | caller.rs | what a park needs to know of its caller, looked up once |
//! | on_thread.rs, unwinding.rs | goroutines that wait without leaving their thread |
//! | blocking.rs, checkpoint.rs, yield_now.rs, sleep.rs | blocking calls, long computations, letting others go first, sleeping |
//! | io_wait.rs, io_register.rs | waiting for a socket, registering it with the poller |
//! | waker.rs | wakers of goroutines and threads |
//!
//! # `park` and `ready`: the two verbs on which every blocking operation is written
//!
//! ```text
//! waiter                                       waker
//! P1 lock the object, find that it must wait
//! P2 put its GRef into the object's queue
//! P3 park(wait, commit)  : save the context    W1 lock the object
//! P4   on g0: commit() unlocks the object      W2 take the GRef out of the queue
//! P5   g0 schedules another one             W3 unlock, ready(g): into the run queue
//! P6 resumed by the M that took it from there
//! ```
//!
//! The waker cannot reach W2 before P4, so a goroutine is never made ready while its context is not saved. A commit
//! that returns `false` has found that there is nothing to wait for: the goroutine resumes at once. After the step of
//! `commit` that lets the waker go, neither the commit nor g0 touches the goroutine or its stack again.
//!
//! `wait` is what the goroutine waits for, a reason and an object. They are stored in the word of the status (status.rs)
//! and beside it, for reports; nothing depends on them.
//!
//! Everything between the user's call and the switch that can be inlined is inlined. The CPU predicts a return by the
//! last call that it saw, and after a switch that was a call of another goroutine. So each frame that returns after a
//! park costs a misprediction, about 8 ns. The switch itself ends in an indirect jump, which is predicted by its
//! history.
//!
//! A plain OS thread runs its commit itself and then sleeps on its parker. So does a goroutine that is unwinding: the
//! count of panics is thread-local, so it must not change threads (see on_thread.rs; unwinding.rs for goroutines that
//! share their thread).

#![cfg(not(goroutines_loom))]

pub(crate) mod blocking;
pub(crate) mod caller;
pub(crate) mod checkpoint;
pub(crate) mod io_register;
pub(crate) mod io_wait;
pub(crate) mod on_thread;
pub(crate) mod sleep;
pub(crate) mod unwinding;
pub(crate) mod waker;
pub(crate) mod yield_now;

use std::{cell::Cell, time::Instant};

use crate::{
    global::sched,
    gmp::{
        g::{GRef, Kind},
        m::M,
        p::P,
        ticket::{TIMED_OUT, Ticket},
    },
    protocol::{timers::NEVER, wait_reason::WaitFor},
    schedule::waits,
    switch::{
        commit::{Commit, CommitOf, leave_with},
        current::{current, may_leave, running_goroutine},
        fork_check,
        thread_word::current_m,
    },
    sys::clock,
};

/// Parks the caller, which waits for `wait`, until it is made [`ready`](crate::ready).
///
/// `commit` runs when the caller's context is saved, off its stack. It makes the caller reachable for its waker
/// (usually by unlocking the object in whose queue the caller is) and returns whether to wait: on `false` the caller
/// resumes at once. Other work in the closure must come before that step.
///
/// # Parks
///
/// Yes: the goroutine may resume on another thread. A plain OS thread, and a goroutine that is unwinding, block their
/// thread instead.
///
/// # Safety
///
/// - For each `commit` that returns true exactly one [`ready`](crate::ready) of the caller's [`current`] happens, not
///   before `commit` has let the waker go, and none happens for one that returns false.
/// - `commit` does not park, does not panic, and touches nothing on the caller's stack after the step
///   that lets the waker go.
#[inline(always)]
pub unsafe fn park<C: FnOnce() -> bool>(wait: impl Into<WaitFor>, commit: C) {
    // SAFETY: `park` and `park_with` have the same contract: one `ready` for each commit that returns true, and not before it.
    unsafe { park_with(Some(wait.into()), move |_| commit()) }
}

/// As [`park`], for commits that need the M on whose g0 they run. Without a `wait` the caller does not wait: its
/// commit queues it.
///
/// # Safety
///
/// As for [`park`].
#[inline(always)]
pub(crate) unsafe fn park_with<C>(wait: Option<WaitFor>, commit: C)
where
    C: FnOnce(&'static M) -> bool,
{
    // SAFETY: `running_goroutine` returns the G that runs here, if it may leave its thread; `park_with` asks of the
    // commit what `park_if` does.
    unsafe { park_if(running_goroutine(), wait, commit) }
}

/// As [`park_with`]; `caller` is what [`running_goroutine`] returned.
///
/// # Safety
///
/// As for [`park`].
#[inline(always)]
pub(crate) unsafe fn park_if<C>(
    running: Option<(&'static M, GRef)>,
    wait: Option<WaitFor>,
    commit: C,
) where
    C: FnOnce(&'static M) -> bool,
{
    match running {
        // SAFETY: `g` runs here, on `m`, and does not unwind: `running_goroutine` returned it; the caller gave a
        // commit that a park may have.
        Some((m, g)) => unsafe { leave_with(m, g, wait, commit) },
        None => {
            let commit = CommitOf::new(commit);
            // SAFETY: the commit lies on this stack until the call returns, and is run once there.
            unsafe { park_thread(wait, (&raw const commit).cast()) }
        }
    }
}

/// # Safety
///
/// As for [`park`].
#[cold]
#[inline(never)]
unsafe fn park_thread(wait: Option<WaitFor>, commit: *const Commit) {
    fork_check::check();
    let g = current();
    if let Some(m) = unwinding::shared_thread(g) {
        // SAFETY: `shared_thread` gave `m` for `g`; the commit lies on the stack of the caller of `park_thread`, and
        // is run once.
        return unsafe { unwinding::park_here(m, g, wait, commit) };
    }
    let sleep = || {
        let before = g.get().blocks(wait, false);
        let since = waits::begins_here();
        // A goroutine that keeps its thread has given its P away: this M has none.
        if let Some(m) = current_m()
            // SAFETY: `commit` is the caller's and is run once, here.
            && unsafe { Commit::run(commit, m) }
        {
            g.get().parker.wait(|| None);
            waits::ends_here(g, wait.map(|wait| wait.reason), since);
        }
        g.get().goes_on(before);
    };
    match g.get().kind() {
        Kind::Thread => sleep(),
        Kind::Goroutine => on_thread::keep_thread(g, sleep),
    }
}

/// Opens a wait of the caller that several wakers may end: see [`Ticket`].
///
/// Every ticket from an earlier `arm` of the same caller is void from here on.
#[inline]
pub fn arm() -> Ticket {
    let g = current();
    Ticket {
        g,
        number: g.get().wait_seq.open(),
    }
}

/// Parks, waiting for `wait`, until `ticket` is claimed, at most until `deadline`. Returns the outcome with which it was
/// claimed, [`TIMED_OUT`] if the deadline came first.
///
/// # Parks
///
/// As [`park`].
///
/// # Safety
///
/// As for [`park`], and: `ticket` is the caller's last one; the waker that claims it calls [`ready`](crate::ready);
/// when `commit` returns false, the ticket has been claimed (by the commit itself, if by no waker).
pub unsafe fn park_until<C: FnOnce() -> bool>(
    wait: impl Into<WaitFor>,
    ticket: Ticket,
    deadline: Option<Instant>,
    commit: C,
) -> u32 {
    // SAFETY: the caller owes what `park_until_moment` asks: the contract is the same.
    unsafe {
        park_until_moment(
            wait.into(),
            ticket,
            deadline.map_or(NEVER, clock::at),
            commit,
        )
    }
}

/// As [`park_until`]; `when` is a moment on the scheduler's clock, or [`NEVER`].
///
/// # Safety
///
/// As for [`park_until`].
pub(crate) unsafe fn park_until_moment<C: FnOnce() -> bool>(
    wait: WaitFor,
    ticket: Ticket,
    when: u64,
    commit: C,
) -> u32 {
    match when {
        // SAFETY: `park_until` asks of its commit what `park` does; no timer has the ticket.
        NEVER => unsafe { park(wait, commit) },
        // SAFETY: the ticket is the caller's last, and the waker that claims it makes the caller ready.
        when => unsafe { park_with_timer(wait, ticket, when, commit) },
    }
    ticket.g.get().wait_seq.outcome()
}

/// # Safety
///
/// As for [`park_until`].
unsafe fn park_with_timer<C: FnOnce() -> bool>(
    wait: WaitFor,
    ticket: Ticket,
    when: u64,
    commit: C,
) {
    if !may_leave(ticket.g) && unwinding::shared_thread(ticket.g).is_none() {
        fork_check::check();
        let sleep = || wait_with_timeout(wait, ticket, when, commit);
        return match ticket.g.get().kind() {
            Kind::Thread => sleep(),
            Kind::Goroutine => on_thread::keep_thread(ticket.g, sleep),
        };
    }
    let timers_of: Cell<Option<&'static P>> = Cell::new(None);
    // SAFETY: the waker that claims the ticket makes the caller ready, once, not before `commit` has let it go. The
    // heap's lock is held while `commit` runs, so the timer does not fire before the goroutine is off its stack and
    // committed.
    unsafe {
        park_with(Some(wait), |m| {
            // Without a P any heap will do: this M keeps its time when it goes to sleep.
            let insert = |p: &'static P| {
                timers_of.set(Some(p));
                p.timers.insert_and(when, ticket, commit)
            };
            match m.p() {
                Some(p) => insert(p),
                None => sched::running().with_some_p(insert),
            }
        });
    }
    if ticket.g.get().wait_seq.outcome() != TIMED_OUT
        && let Some(p) = timers_of.get()
    {
        p.timers.note_dead();
    }
}

/// [`park_with_timer`] on an OS thread: the thread sleeps until the deadline itself.
fn wait_with_timeout(wait: WaitFor, ticket: Ticket, when: u64, commit: impl FnOnce() -> bool) {
    let g = ticket.g.get();
    let before = g.blocks(Some(wait), true);
    let since = waits::begins_here();
    if commit() {
        let in_time = g.parker.wait(|| Some(when.saturating_sub(clock::now())));
        if !in_time && !ticket.claim(TIMED_OUT) {
            // A waker claimed it at the same time and is about to call `ready`.
            g.parker.wait(|| None);
        }
        waits::ends_here(ticket.g, Some(wait.reason), since);
    }
    g.goes_on(before);
}
