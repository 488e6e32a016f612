//! The wing `schedule`: the loop of an M on its g0. It finds a goroutine, runs it until it leaves, and stops when
//! there is none.
//!
//! Imported by `park` and `task` (locked.rs), `sysmon` (fairness.rs) and `start` (thread_main.rs).
//!
//! | file | what it has |
//! |---|---|
//! | mod.rs | the loop, a round, the first run of a goroutine |
//! | exit.rs | the first function of a goroutine, and its end |
//! | find_runnable.rs, fairness.rs | where work comes from, and which goroutine goes first |
//! | steal_job.rs | the goroutine for a job that was stolen |
//! | migrate.rs, locked.rs, unwinders.rs | which M may run a goroutine, and what it must do before |
//! | observed.rs, waits.rs | what a round adds while a trace or a profile of waits is on; samples of waits |
//! | thread_main.rs | the first function of a thread |
//! | world.rs | the implementation of the traits of `protocol`'s steps |
//!
//! Essays: [`find_runnable`], [`fairness`], [`migrate`] (the migration check), [`locked`].

#![cfg(not(goroutines_loom))]

pub(crate) mod exit;
pub(crate) mod fairness;
pub(crate) mod find_runnable;
pub(crate) mod locked;
pub(crate) mod migrate;
mod observed;
mod steal_job;
pub(crate) mod thread_main;
pub(crate) mod unwinders;
pub(crate) mod waits;
pub(crate) mod world;

use goroutines_stack::Stack;

use crate::{
    global::{
        ready::{self},
        retake,
        sched::{self, Sched},
    },
    gmp::{g::GRef, m::M, window::Window},
    switch::{self, commit::Commit},
    sys::fatal,
};

/// Runs goroutines on `m`, whose g0 this is, until its thread shall end.
pub(crate) fn schedule(m: &'static M) {
    let sched = sched::running();
    loop {
        if observed::is_wanted() {
            observed::begins(m);
            rounds::<true>(sched, m);
        } else {
            rounds::<false>(sched, m);
        }
        if !m.leaves_loop.take() {
            return;
        }
    }
}

/// The loop. There are two copies: the one that is `OBSERVED` also writes events and samples waits. An M changes to the other one between two
/// rounds, when its word (inbox.rs) says that it should look.
#[inline(never)]
fn rounds<const OBSERVED: bool>(sched: &'static Sched, m: &'static M) {
    let mut next = find_runnable::find_first(sched, m);
    while let Some(g) = next {
        run::<OBSERVED>(sched, m, g);
        next = find_runnable::find_runnable(sched, m);
    }
}

/// One round: runs `g`, which came out of a queue, until it parks, yields or ends; or leaves it to another M.
///
/// Inlined into the loop, while the rare paths are not: the round is what a yield costs.
#[inline(always)]
fn run<const OBSERVED: bool>(sched: &'static Sched, m: &'static M, g: GRef) {
    if let Some(window) = g.get().window.get() {
        return run_in_window::<OBSERVED>(sched, m, g, window);
    }
    if !g.get().has_begun() {
        if sched.copies && run_first_copied::<OBSERVED>(sched, m, g) {
            return;
        }
        first_run(sched, m, g);
    } else if g.get().last() != m.home_mark() && !migrate::arrive(m, g) {
        return; // another M runs it
    }
    execute::<OBSERVED>(m, g);
}

/// As [`run`], for a goroutine that shares `window` with others.
#[cold]
#[inline(never)]
fn run_in_window<const OBSERVED: bool>(
    sched: &'static Sched,
    m: &'static M,
    g: GRef,
    window: &'static Window,
) {
    if !g.get().has_begun() {
        if !run_first_copied::<OBSERVED>(sched, m, g) {
            first_run(sched, m, g);
            execute::<OBSERVED>(m, g);
        }
        return;
    }
    let moves = migrate::moves(m, g);
    if moves && migrate::refuse(m, g) {
        return; // it was sent to the M that may run it
    }
    if !window.enter(g) {
        return; // in line: the M that is inside makes it ready
    }
    if moves && migrate::send_back(m, g) {
        return; // it must not leave its M now
    }
    g.get().set_last(m.mark());
    if !execute::<OBSERVED>(m, g) {
        leave(window, m);
    }
}

/// The goroutine that `m` has run, or was about to run, leaves `window`: the first in line becomes runnable.
pub(crate) fn leave(window: &Window, m: &'static M) {
    window.leave(|g: GRef| ready::tail(Some(m), g));
}

/// The first round of `g` in a window that it shares with others. False if it has, or must have, a stack of its own.
#[cold]
#[inline(never)]
fn run_first_copied<const OBSERVED: bool>(sched: &Sched, m: &'static M, g: GRef) -> bool {
    // SAFETY: `g` came out of a queue and never ran, so only this M looks at its stack.
    if unsafe { g.get().stack.get() }.is_some() {
        return false;
    }
    let Some(window) = sched.windows.enter_first(sched.class, g) else {
        return false;
    };
    // SAFETY: `g` has entered the window, in which nothing lives now, and this M owns `g`.
    unsafe { start(m, g, || window.stack()) };
    if !execute::<OBSERVED>(m, g) {
        leave(window, m);
    }
    true
}

/// Runs `g` until it parks, yields or ends. Returns whether it keeps its window then.
#[inline(always)]
fn execute<const OBSERVED: bool>(m: &'static M, g: GRef) -> bool {
    loop {
        if OBSERVED {
            observed::runs(m, g);
        }
        m.current.set(Some(g));
        g.get().resumed();
        if OBSERVED {
            observed::has_waited(g);
        }
        // The numbers are usually equal, and loads are cheaper than stores.
        if m.errno() != g.get().errno.get() {
            m.set_errno(g.get().errno.get());
        }
        retake::leave_g0(m);
        // SAFETY: this is g0 of `m`; `g` came out of a queue, so no other M runs it, and it has a context: saved, or
        // prepared by `first_run`.
        let commit = unsafe { switch::resume(m, g) };
        // Before anything that could change it.
        if m.errno() != g.get().errno.get() {
            g.get().errno.set(m.errno());
        }
        retake::back_on_g0(m);
        let before = OBSERVED.then(|| observed::left(m, g));
        m.current.set(None);
        g.get().has_left();
        let stays = g.get().keeps_window.get();
        // SAFETY: a goroutine leaves only with a commit, which lies on its stack until it has run. After the step in
        // it that lets a waker go, nothing here touches `g`.
        let waits = unsafe { Commit::run(commit, m) };
        if let Some(before) = before {
            observed::committed(m, g, &before, waits);
        }
        if waits || gives_way(m, g) {
            return stays;
        }
    }
}

/// The commit of `g`, which is off its stack, returned that there is nothing to wait for. `g` resumes at once, but
/// that counts as a round: where others go first, or the P was taken, `g` goes behind them. Returns whether it does.
#[cold]
fn gives_way(m: &'static M, g: GRef) -> bool {
    if let Some(p) = m.p() {
        p.next_tick();
        let fair = p.is_fair_round();
        if fair {
            p.call_fair_round();
        }
        if !fair && (!m.inbox.has_requests() || m.inbox.is_locked()) {
            return false;
        }
    }
    ready::requeue(m, g);
    true
}

/// Gives `g` its stack. It gets it now and not when it was spawned: goroutines that end before the next one starts
/// all use the same warm stack.
#[inline]
fn first_run(sched: &Sched, m: &'static M, g: GRef) {
    // SAFETY: `g` came out of a queue and never ran, so only this M sets its stack.
    let stack = || unsafe { g.get().stack.get_or_put_with(|| new_stack(sched, m)) };
    // SAFETY: nothing lives on the stack, and this M owns `g`.
    unsafe { start(m, g, stack) };
}

/// `m` is about to run `g` for the first time, on this stack.
///
/// # Safety
///
/// Nothing lives on `stack`, which no other code uses, and the caller owns `g`.
#[inline(always)]
unsafe fn start<'s>(m: &'static M, g: GRef, stack: impl FnOnce() -> &'s Stack) {
    g.get().started(m.mark());
    // SAFETY: nothing lives on the stack, and the caller owns `g`.
    unsafe { switch::prepare(g, stack(), exit::main) };
}

#[inline]
fn new_stack(sched: &Sched, m: &'static M) -> Stack {
    // SAFETY: this M owns its P, and nothing below parks.
    let cache = unsafe { &mut m.held_p().local().stacks };
    match cache.acquire(sched.class) {
        Ok(stack) => stack,
        // Address space was reserved when the G was made; what is missing is the kernel's memory.
        Err(error) => fatal::fatal(format_args!(
            "no memory for the stack of a goroutine: {error}"
        )),
    }
}
