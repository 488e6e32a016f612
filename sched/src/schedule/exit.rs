//! The first function of a goroutine, and its end: its result goes to the handle or to a future, or is dropped; the
//! joiner becomes runnable; the stack goes back into the cache.

use std::panic::{AssertUnwindSafe, catch_unwind};

use goroutines_stack::Stack;

use crate::{
    global::{g_pool::free_to, ready::ready_from_g0},
    gmp::{
        counters::GLOBAL,
        g::{G, GRef},
        join::{Cell, End, Fate, JOINED},
        locals,
        m::M,
        window::Window,
    },
    schedule::locked,
    switch::{commit::leave_with, extents, thread_word::current_m},
    sys::{asm::Context, fatal},
};

/// The first function on the stack of every goroutine.
///
/// # Safety
///
/// Only as the entry of a prepared context; `word` is the G's.
pub(super) unsafe extern "C" fn main(word: usize) -> ! {
    // SAFETY: `resume` passes the word of the G it runs.
    let g = unsafe { GRef::from_word(word) };
    extents::arrive_on_goroutine(g);
    let Some(entry) = g.get().entry.get() else {
        fatal::throw(format_args!("a goroutine without an entry"));
    };
    // SAFETY: spawn put the closure that `entry` was made for into the payload.
    unsafe { (entry.run)(g.get().payload()) };
    locals::end(g);
    // A pin that was not undone ends with its goroutine.
    g.get().keeps_window.set(false);
    g.get().segments.end();
    loop {
        match g.get().join.fate() {
            // Returns only if the handle was dropped at the same time, or became a future.
            Fate::Joined => leave_result(g),
            Fate::Detached => break drop_outcome(g),
            // SAFETY: the cell was just taken out of the word, and the outcome is in its place.
            Fate::Awaited(cell) => break unsafe { Cell::deliver(cell, g) },
        }
    }
    locals::end(g); // values that the drop has made
    leave_nothing(g)
}

/// Ends `g` with its result in place for the handle. Returns if there is no handle any more.
fn leave_result(g: GRef) {
    let finish = move |m: &'static M| match finish_on_g0(m, g.get()) {
        End::HandleOwns => true,
        End::Wake(waiter) => {
            // SAFETY: the waiter's own commit registered it, so it has parked, and only this goroutine's end wakes
            // it.
            unsafe { ready_from_g0(m, waiter) };
            true
        }
        End::Claim(ticket) => {
            if ticket.claim(JOINED) {
                // SAFETY: its wait was claimed here, so no other waker wakes it; its commit has left the ticket, so
                // it has parked.
                unsafe { ready_from_g0(m, ticket.g()) };
            }
            true
        }
        End::Else => false,
    };
    // SAFETY: where `finish` returns true the handle owns the G, which is never resumed; the closure holds nothing
    // but the GRef.
    unsafe { leave_at_end(g, finish) };
}

/// Leaves the stack of `g`, whose code has ended: it neither unwinds nor keeps its thread.
///
/// # Safety
///
/// `g` runs here, and its code has ended. `commit` does not park or panic. Where it returns true, `g` is not resumed,
/// and this thread does not touch its stack any more.
#[inline(always)]
unsafe fn leave_at_end<C: FnOnce(&'static M) -> bool>(g: GRef, commit: C) {
    let Some(m) = current_m() else {
        fatal::throw(format_args!("a goroutine without an M"));
    };
    // SAFETY: `g` runs here, on this M; its code has ended, so it does not unwind; the closures of this file are
    // commits after which no thread makes `g` ready.
    unsafe { leave_with(m, g, None, commit) };
}

/// The end of `g` as its handle sees it. From `finish` on the G may have begun its next life, so stack and context
/// are taken out before, and put back if the G must run once more.
#[inline]
fn finish_on_g0(m: &'static M, g: &'static G) -> End {
    end_of(g);
    // SAFETY: `g` has left its stack, and its handle has not been told yet.
    let stack = unsafe { g.stack.take() };
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
        if let Some(stack) = stack {
            // SAFETY: the handle does not own the G, so it is still the end's.
            unsafe { g.stack.put(stack) };
        }
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

/// Ends `g`, whose result is not asked for.
fn leave_nothing(g: GRef) -> ! {
    let free_it = move |m: &'static M| {
        end_of(g.get());
        // SAFETY: `g` has left its stack, and no handle exists.
        let stack = unsafe { g.get().stack.take() };
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

/// On g0: the shrinker does not work on the stack of `g` any more (R1 and R2 of shrink.rs).
#[inline]
fn end_of(g: &G) {
    g.has_ended();
}

/// On g0: a goroutine has ended, and its stack goes back into the cache of this M's P.
#[inline]
fn give_back(m: &'static M, stack: Option<Stack>) {
    let Some(p) = m.p() else {
        GLOBAL.ended.add();
        return drop(stack); // taken from a hog: it goes to the shared list
    };
    p.counters.ended.add_own(1);
    if let Some(stack) = stack {
        // SAFETY: this M owns its P, and nothing below parks.
        let cache = unsafe { &mut p.local().stacks };
        cache.release(stack);
    }
}

/// Drops a result that was not joined, on the goroutine's own stack.
fn drop_outcome(g: GRef) {
    let Some(entry) = g.get().entry.get() else {
        return;
    };
    // SAFETY: the payload is the outcome that `entry.run` left, and only this goroutine's end owns it.
    let dropped = catch_unwind(AssertUnwindSafe(|| unsafe {
        (entry.drop_outcome)(g.get().payload())
    }));
    if dropped.is_err() {
        fatal::fatal(format_args!(
            "the result of goroutine {}, which was not joined, panicked when it was dropped",
            g.id()
        ));
    }
}
