//! The loop of an M on its g0, and the two ends of a goroutine's life.

#![cfg(not(loom))]

pub(crate) mod fairness;
pub(crate) mod find_runnable;
pub(crate) mod locked;
pub(crate) mod migrate;
pub(crate) mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use goroutines_stack::Stack;

use crate::{
    global::{
        ready,
        ready::ready_from_g0,
        retake,
        sched::{self, Sched},
    },
    gmp::{
        counters::ALL,
        g::{G, GRef},
        join::{End, Fate, JOINED},
        locals,
        m::M,
        p::P,
        window::{self, Window},
    },
    protocol::status::Status,
    switch::{
        self,
        commit::{Commit, leave_with},
        thread_word,
    },
    sys::{asm::Context, fatal},
    task::join_future::Cell,
};

/// Runs goroutines on `m`, whose g0 this is, until its thread is not needed any more.
pub(crate) fn schedule(m: &'static M) {
    let sched = sched::own();
    let mut next = find_runnable::first(sched, m);
    while let Some(g) = next {
        run(sched, m, g);
        next = find_runnable::next(sched, m);
    }
}

/// One round: runs `g`, which came out of a queue, until it parks, yields or ends; or leaves it to another M.
///
/// Inlined into the loop, and what is seldom is not: the round is what a yield costs.
#[inline(always)]
fn run(sched: &'static Sched, m: &'static M, g: GRef) {
    if let Some(window) = g.get().window.get() {
        return run_in_window(sched, m, g, window);
    }
    if g.get().ctx.get().is_null() {
        if sched.copies && run_first_copied(m, g) {
            return;
        }
        first_run(sched, m, g);
    } else if g.get().last() != m.at_home() && !migrate::arrive(m, g) {
        return; // another M runs it
    }
    execute(m, g);
}

/// As [`run`], for a goroutine that shares `window` with others.
#[cold]
#[inline(never)]
fn run_in_window(sched: &'static Sched, m: &'static M, g: GRef, window: &'static Window) {
    if g.get().ctx.get().is_null() {
        if !run_first_copied(m, g) {
            first_run(sched, m, g);
            execute(m, g);
        }
        return;
    }
    let moves = migrate::moves(m, g);
    if moves && migrate::refuse(m, g) {
        return; // the M that may run it does
    }
    if !window.enter(g) {
        return; // in line: who is inside makes it ready
    }
    if moves && migrate::send_back(m, g) {
        return; // it must not leave its M now
    }
    g.get().set_last(m.mark());
    if !execute(m, g) {
        window.leave(m);
    }
}

/// The first round of `g` in a window that it shares with others. False if it has, or must have, a stack of its own.
#[cold]
#[inline(never)]
fn run_first_copied(m: &'static M, g: GRef) -> bool {
    // SAFETY: `g` came out of a queue and never ran, so its stack is ours to look at.
    if unsafe { &*g.get().stack.get() }.is_some() {
        return false;
    }
    let Some(window) = window::enter_first(g) else {
        return false;
    };
    g.get().set_last(m.mark());
    // SAFETY: `g` has entered the window, in which nothing lives now, and `g` is ours.
    unsafe { switch::prepare(g, window.stack(), main) };
    if !execute(m, g) {
        window.leave(m);
    }
    true
}

/// Runs `g` until it parks, yields or ends. Does it keep its window then?
#[inline(always)]
fn execute(m: &'static M, g: GRef) -> bool {
    loop {
        m.current.set(Some(g));
        g.get().shrinking.take_up(&g.get().status, Status::Running);
        // Both numbers are the same mostly, and loads are cheaper than stores.
        if m.errno() != g.get().errno.get() {
            m.set_errno(g.get().errno.get());
        }
        retake::leave_g0(m);
        // SAFETY: this is g0 of `m`; `g` came out of a queue, so nobody else runs it, and it has a
        // context: saved, or prepared by `first_run`.
        let commit = unsafe { switch::resume(m, g) };
        // Before anything that could change it.
        if m.errno() != g.get().errno.get() {
            g.get().errno.set(m.errno());
        }
        retake::back_on_g0(m);
        m.current.set(None);
        g.get().status.set_waiting();
        let stays = g.get().pinned.get();
        // SAFETY: a goroutine leaves only with a commit, which lies on its stack until it was run.
        // From the step in it that lets a waker go, nothing here touches `g`.
        if unsafe { Commit::run(commit, m) } || gives_way(m, g) {
            return stays;
        }
    }
}

/// The commit of `g`, which is off its stack, said that there is nothing to wait for. `g` goes on at once, but that counts
/// as a round: where it is the turn of others, or the P was taken, `g` goes behind them. Is that so?
#[cold]
fn gives_way(m: &'static M, g: GRef) -> bool {
    if let Some(p) = m.p() {
        p.next_tick();
        let fair = p.is_fair_round();
        if fair {
            p.call_fair_round();
        }
        if !fair && (!m.bound.calls() || m.bound.is_locked()) {
            return false;
        }
    }
    ready::requeue(m, g);
    true
}

/// Gives `g` its stack. It gets it now and not when it was spawned: goroutines that end before the
/// next one starts all use the same warm stack.
#[inline]
fn first_run(sched: &Sched, m: &'static M, g: GRef) {
    g.get().set_last(m.mark());
    // SAFETY: `g` came out of a queue and never ran, so its stack is ours to set.
    let stack = unsafe { &mut *g.get().stack.get() };
    let stack = stack.get_or_insert_with(|| new_stack(sched, m));
    // SAFETY: nothing lives on the stack, and `g` is ours.
    unsafe { switch::prepare(g, stack, main) };
}

#[inline]
fn new_stack(sched: &Sched, m: &'static M) -> Stack {
    // SAFETY: this M owns its P, and nothing below parks.
    let cache = unsafe { &mut m.own_p().local().stacks };
    match cache.acquire(sched.class) {
        Ok(stack) => stack,
        // Address space was admitted when the G was made; what is missing is the kernel's memory.
        Err(error) => fatal::fatal(format_args!(
            "no memory for the stack of a goroutine: {error}"
        )),
    }
}

/// The first function on the stack of every goroutine.
///
/// # Safety
///
/// Only as the entry of a prepared context; `word` is the G's.
unsafe extern "C" fn main(word: usize) -> ! {
    // SAFETY: `resume` passes the word of the G it runs.
    let g = unsafe { GRef::from_word(word) };
    crate::sys::tools::arrive_on_goroutine(g);
    let Some(entry) = g.get().entry.get() else {
        fatal::throw(format_args!("a goroutine without an entry"));
    };
    // SAFETY: spawn put the closure that `entry` was made for into the payload.
    unsafe { (entry.run)(g) };
    locals::end(g);
    // A pin that was forgotten ends with its goroutine.
    g.get().pinned.set(false);
    g.get().segments.end();
    loop {
        match g.get().join.fate() {
            // Back here only if the handle was dropped in the last moment, or became a future.
            Fate::Joined => leave_result(g),
            Fate::Detached => break drop_outcome(g),
            // SAFETY: the cell was just taken out of the word, and the outcome is in its place.
            Fate::Awaited(cell) => break unsafe { Cell::deliver(cell, g) },
        }
    }
    locals::end(g); // what that has made
    leave_nothing(g)
}

/// Ends `g` with its result in place for the handle. Returns if the handle is none any more.
fn leave_result(g: GRef) {
    let finish = move |m: &'static M| match finish_on_g0(m, g.get()) {
        End::HandleOwns => true,
        End::Wake(waiter) => {
            // SAFETY: the waiter's own commit registered it, so it has parked, and only we wake it.
            unsafe { ready_from_g0(m, waiter) };
            true
        }
        End::Claim(ticket) => {
            if ticket.claim(JOINED) {
                // SAFETY: as above, and its wait was claimed here.
                unsafe { ready_from_g0(m, ticket.g()) };
            }
            true
        }
        End::Else => false,
    };
    // SAFETY: where `finish` says true the handle owns the G, which is never resumed; the closure
    // holds nothing but the GRef.
    unsafe { leave_at_end(g, finish) };
}

/// Leaves the stack of `g`, whose code has ended: it neither unwinds nor keeps its thread.
///
/// # Safety
///
/// As for [`park`](crate::park::park).
#[inline(always)]
unsafe fn leave_at_end<C: FnOnce(&'static M) -> bool>(g: GRef, commit: C) {
    let Some(m) = thread_word::current_m() else {
        fatal::throw(format_args!("a goroutine without an M"));
    };
    // SAFETY: passed on; it runs here.
    unsafe { leave_with(m, g, commit) };
}

/// The end of `g` as seen by its handle. From `finish` on the G may have begun its next life, so
/// stack and context are taken out before, and put back if the G must run once more.
#[inline]
fn finish_on_g0(m: &'static M, g: &'static G) -> End {
    end_of(g);
    // SAFETY: `g` has left its stack and nobody else knows that yet.
    let stack = unsafe { (*g.stack.get()).take() };
    let ctx = g.ctx.replace(Context::NULL);
    g.set_last(0);
    let bound = g.bound.replace(0);
    let window = g.window.get();
    if let Some(window) = window {
        forget_window(g, window);
    }
    let end = g.join.finish();
    if let End::Else = end {
        g.ctx.set(ctx);
        g.set_last(m.mark());
        g.bound.set(bound);
        if let Some(window) = window {
            g.window.set(Some(window));
            window.remember(g);
        }
        // SAFETY: not the handle's, so the G is still ours.
        unsafe { *g.stack.get() = stack };
    } else {
        locked::ended(m, bound);
        give_back(m, stack);
    }
    end
}

/// `g`, which shares `window`, has ended.
#[cold]
fn forget_window(g: &G, window: &Window) {
    g.window.set(None);
    drop(window.forget(g));
}

/// Ends `g`, which nobody will ask after.
fn leave_nothing(g: GRef) -> ! {
    let free_it = move |m: &'static M| {
        end_of(g.get());
        // SAFETY: `g` has left its stack, and no handle exists.
        let stack = unsafe { (*g.get().stack.get()).take() };
        give_back(m, stack);
        g.get().ctx.set(Context::NULL);
        g.get().set_last(0);
        locked::ended(m, g.get().bound.replace(0));
        if let Some(window) = g.get().window.get() {
            forget_window(g.get(), window);
        }
        free_to(m.p(), g);
        true
    };
    // SAFETY: the G is never resumed, and the closure holds nothing but the GRef.
    unsafe { leave_at_end(g, free_it) };
    fatal::throw(format_args!("a goroutine ran on after its end"));
}

/// On g0: nobody works on the stack of `g` any more (R1 and R2 of shrink.rs).
#[inline]
fn end_of(g: &G) {
    g.shrinking.take_up(&g.status, Status::Dead);
}

/// On g0: a goroutine has ended, and its stack goes back into the cache of this M's P.
#[inline]
fn give_back(m: &'static M, stack: Option<Stack>) {
    let Some(p) = m.p() else {
        ALL.ended.add();
        return drop(stack); // taken from a hog: it goes to the shared list
    };
    p.counters.ended.add_own(1);
    if let Some(stack) = stack {
        // SAFETY: this M owns its P, and nothing below parks.
        let cache = unsafe { &mut p.local().stacks };
        cache.release(stack);
    }
}

/// Drops a result that nobody joined, on the goroutine's own stack.
fn drop_outcome(g: GRef) {
    let Some(entry) = g.get().entry.get() else {
        return;
    };
    // SAFETY: the payload is the outcome that `entry.run` left, and nobody else owns it.
    let dropped = catch_unwind(AssertUnwindSafe(|| unsafe { (entry.drop_outcome)(g) }));
    if dropped.is_err() {
        fatal::fatal(format_args!(
            "the result of goroutine {}, which nobody joined, panicked when it was dropped",
            g.id()
        ));
    }
}

/// Frees the descriptor of a finished goroutine, identity and all.
#[inline]
pub(crate) fn free(g: GRef) {
    let m = thread_word::current_m();
    let _inside = retake::enter_if(m);
    free_to(m.and_then(M::p), g);
}

#[inline]
fn free_to(p: Option<&P>, g: GRef) {
    // SAFETY: the caller is the last who knows `g`.
    unsafe { g.get().identity.clear() };
    match p {
        Some(p) => p.free_g(g),
        None => sched::own().free_g_shared(g),
    }
}
