//! Moving a goroutine to another M, and the migration check, which prevents it where it would be wrong.
//!
//! A goroutine resumes wherever there is a P. Its code may still hold an address of the old thread's thread-local
//! storage: a borrow of `LocalKey::with` across a park, or the thread pointer itself, which the compiler keeps in a
//! register or a stack slot because it assumes that a function stays on one thread. So before a goroutine runs on
//! another M than the one it ran on last, everything that is live on it is searched for words that point into the old
//! M's storage: its stack from the saved registers up, and the segments of `grow`. If there is one, the goroutine is
//! *sent back* (inbox.rs), and that M runs it this time; if that M does not run it in time, any M may (home_wait.rs).
//!
//! A word that only looks like such an address, or lies in a slot that is never read again, costs a detour and
//! nothing else. The same holds for std's handle of the thread, on the stack or at the head of what the stack points
//! to (record.rs), and for a goroutine with more than [`MOST`] live: searching that would take longer than the detour.
//! The check does not see: what else lies in boxes, values that belong to a thread without pointing into its storage
//! (an `Rc` that a thread-local shares), and the storage of libraries that are loaded after the M has started, or were
//! loaded before and touched on it only later. docs/safety.md says what users should know of that.
//!
//! The thread of an M that goroutines ran on last does not end while they are parked: one of them may have to go back.
//!
//! On the same M the check costs one comparison (`M::home_mark`).
//! [`Config::migration_check`](crate::Config::migration_check) turns it off, for measurements and for the tests that
//! show what it catches; and it is off under tools that object to reading all of a stack.
//!
//! # Forced migration
//!
//! With [`Config::force_migration`](crate::Config::force_migration) a goroutine goes to another M each time, where
//! there is one that takes it, so that tests reach what is rare in production. The M marks the goroutines that it has
//! run with a tag in the low bits of its address. So the fast path recognises none of them as its own, and the slow
//! path counts down in the tag how often it has left the goroutine to others. At zero no other M has taken it.

use std::thread;

use goroutines_stack::Stack;

use crate::{
    global::sched,
    gmp::{
        counters::GLOBAL,
        g::{G, GRef},
        m::M,
        segment::top_of,
    },
    protocol::steps::send_home,
    sys::tls::Tls,
};

/// How much of a goroutine is searched at most, in bytes: that takes some 100 us. One with more live on its stack and
/// segments stays with its thread as if it held an address of it.
const MOST: usize = 1 << 20;

/// The M that ran `g` last, or that it is bound to.
fn home(g: &G) -> &'static M {
    // SAFETY: `last` is the mark of an M, or counted down from one; the callers have a goroutine for which it is set.
    unsafe { M::home_of(g.last()) }
}

/// Returns whether `m` ran `g` last, or `g` is bound to it. For the owner of `g`.
pub(crate) fn is_at_home(m: &'static M, g: GRef) -> bool {
    M::id_of(g.get().last()) == m.id()
}

/// Returns whether another M ran `g` last, or its mark is one that must be looked at.
pub(crate) fn moves(m: &'static M, g: GRef) -> bool {
    let last = g.get().last();
    last != m.id() && last != 0
}

/// `m` has taken `g`, which has run before, and shares no window, from a queue, and must check whether it may run it.
/// False: another M will, and the caller must not touch it any more.
#[cold]
#[inline(never)]
pub(crate) fn arrive(m: &'static M, g: GRef) -> bool {
    if moves(m, g) && (refuse(m, g) || send_back(m, g)) {
        return false;
    }
    g.get().set_last(m.mark());
    true
}

/// `m` has taken `g`, which it did not run last, from a queue. True: another M will run it, and the caller must not
/// touch it any more.
#[cold]
pub(crate) fn refuse(m: &'static M, g: GRef) -> bool {
    let desc = g.get();
    let home = home(desc);
    let here = std::ptr::eq(home, m);
    if desc.bound.get() != 0 {
        desc.set_last(home.id());
        if !here {
            not_run(m);
            send_home(sched::running(), home, g);
        }
        return !here;
    }
    let sched = sched::running();
    if !here || sched::procs() == 1 {
        return false;
    }
    // Forced migration; at zero the next comparison recognises this M as home.
    desc.set_last(desc.last() - 1);
    not_run(m);
    sched.inject(g.to_word());
    if sched.idle.should_wake() {
        sched.wake();
    }
    thread::yield_now();
    true
}

/// `m` is about to run `g`, which is in its window if it shares one, and which another M ran last. True: it was sent
/// back to that M, and the caller must not touch it any more.
#[cold]
pub(crate) fn send_back(m: &'static M, g: GRef) -> bool {
    let desc = g.get();
    let home = home(desc);
    if std::ptr::eq(home, m) {
        return false;
    }
    GLOBAL.scanned.add();
    if !points_into(home.tls(), desc) {
        return false;
    }
    GLOBAL.sent_back.add();
    desc.set_last(home.id());
    if let Some(window) = desc.window.get()
        && !desc.keeps_window.get()
    {
        super::leave(window, m);
    }
    not_run(m);
    send_home(sched::running(), home, g);
    true
}

/// The round in which `m` took a goroutine did not run it: it is not counted as a run.
fn not_run(m: &'static M) {
    m.held_p().counters.empty_rounds.add_own(1);
}

/// Returns whether anything that is live on `g`, which is off its stack and owned by the caller, points into `tls`,
/// or whether that is too much to search.
fn points_into(tls: &Tls, g: &G) -> bool {
    let mut left = MOST;
    let mut is_held = |stack: &Stack, low: *const u8, top: *const u8| {
        let size = top.addr() - low.addr();
        let too_much = size > left;
        left = left.saturating_sub(size);
        // SAFETY: both ends are aligned, and what is between them is in use (the uses below) and readable.
        too_much || !readable(stack, low) || unsafe { tls.is_pointed_at(low, top) }
    };
    let mut low = g.ctx.get().sp();
    let mut segment = g.segments.running();
    while let Some(link) = segment {
        // The stack pointer of a suspended stack is aligned, and from there up to the header it is in use.
        if is_held(&link.stack, low, top_of(link)) {
            return true;
        }
        low = link.back.get().sp();
        segment = link.prev.get();
    }
    let stack = match g.window.get() {
        Some(window) => window.stack(),
        // SAFETY: the goroutine does not run, and the caller took it from a queue.
        None => match unsafe { g.stack.get() } {
            Some(stack) => stack,
            None => return false,
        },
    };
    // As for a segment; a goroutine that shares a window is in it.
    is_held(stack, low, stack.top())
}

/// Moves a soft guard that a frame without stack probes has stepped over. False if the kernel refuses: then what is
/// live cannot be searched. The goroutine that waits on `stack` with the stack pointer `low` is owned by the caller.
fn readable(stack: &Stack, low: *const u8) -> bool {
    // SAFETY: no code runs on the stack, and what waits there needs nothing below its stack pointer.
    unsafe { stack.reserve(low) }.is_ok()
}

/// Returns whether the thread of `m`, which is asleep, must not end: there is a goroutine that ran on it last, which
/// may hold an address of its storage, or that no other M may run.
#[cold]
pub(crate) fn is_home(m: &'static M) -> bool {
    sched::running()
        .all_gs
        .any(|g| M::id_of(g.last()) == m.id())
}
