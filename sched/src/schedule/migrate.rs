//! Moving to another M, and what forbids it: the migration check.
//!
//! A goroutine goes on wherever there is a P. Code on it may hold an address of the old thread's thread-local
//! storage all the same: a borrow of `LocalKey::with` across a park, or the thread pointer itself, which the
//! compiler keeps in a register or a stack slot because to its mind a function stays on one thread. So before a
//! goroutine runs on another M than the one it ran on last, all that is alive of it is looked through for words that
//! point into the old M's storage: its stack from the saved registers up, and the segments of `grow`. If there is
//! one, the goroutine is *sent back* (inbox.rs), and that M runs it this time; unless it does not come to that for
//! long (home_wait.rs).
//!
//! A word that only looks like such an address, or lies in a slot that nobody will read again, costs a detour and
//! nothing else. The same holds for std's handle of the thread, and for a goroutine with more than [`MOST`] alive: reading
//! that would take longer than the detour. What the check does not see: what lies in boxes, values that belong to a
//! thread without pointing into its storage (an `Rc` that a thread-local shares), and the storage of libraries that are
//! loaded after the M has started, or were loaded before and touched on it only later. docs/safety.md has what users
//! should know of that.
//!
//! The thread of an M that goroutines ran on last does not end while they are parked: one of them may have to go back.
//!
//! On the same M it costs one comparison (`M::home_mark`). [`Config::migration_check`](crate::Config::migration_check) turns it off, for
//! measuring and for the tests that show what it catches; and it is off under tools that object to reading all of a stack.
//!
//! # Forced migration
//!
//! With [`Config::force_migration`](crate::Config::force_migration) a goroutine goes to another M each time, where there is one that takes it, so
//! that tests meet what production meets seldom. The M marks the goroutines that it has run with a tag in the low bits
//! of its address: so the fast path takes none of them for its own, and the slow path counts down in the tag how often
//! it has left the goroutine to others. At zero nobody else wanted it.

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

/// How much of a goroutine is looked through at most, in bytes: that takes some 100 us. One with more alive on its stack
/// and segments stays with its thread as if it held an address of it.
const MOST: usize = 1 << 20;

/// The M that ran `g` last, or that it is bound to.
fn home(g: &G) -> &'static M {
    // SAFETY: `last` is the mark of an M, counted down at most; the callers have a goroutine for which it is set.
    unsafe { M::home_of(g.last()) }
}

/// Did `m` run `g` last, or is `g` bound to it? For who owns `g`.
pub(crate) fn is_at_home(m: &'static M, g: GRef) -> bool {
    M::id_of(g.get().last()) == m.id()
}

/// Has another M run `g` last, or has it a mark that must be looked at?
pub(crate) fn moves(m: &'static M, g: GRef) -> bool {
    let last = g.get().last();
    last != m.id() && last != 0
}

/// `m` has taken `g`, which has run before, and shares no window, from a queue; it is not plain that `m` may run it.
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
    // Forced migration; at zero the next comparison finds that it is ours.
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
/// back to that one, and the caller must not touch it any more.
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

/// The round in which `m` took a goroutine came to nothing: it is not counted as a run.
fn not_run(m: &'static M) {
    m.held_p().counters.empty_rounds.add_own(1);
}

/// Does anything that is alive of `g`, which is off its stack and ours, point into `tls`? Or is that too much to look at?
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
        // SAFETY: the goroutine does not run, and its queue gave it to us.
        None => match unsafe { &*g.stack.get() } {
            Some(stack) => stack,
            None => return false,
        },
    };
    // As above; a goroutine that shares a window is in it.
    is_held(stack, low, stack.top())
}

/// Moves a soft guard out of the way that a frame without stack probes has stepped over. False if the kernel refuses:
/// then what is alive cannot be looked through. The goroutine that waits on `stack` with the stack pointer `low` is ours.
fn readable(stack: &Stack, low: *const u8) -> bool {
    // SAFETY: nobody runs on the stack, and what waits there needs nothing below its stack pointer.
    unsafe { stack.reserve(low) }.is_ok()
}

/// May the thread of `m`, which is asleep, not end? While there is a goroutine that ran on it last, which may hold an
/// address of its storage, or may run nowhere else.
#[cold]
pub(crate) fn is_home(m: &'static M) -> bool {
    sched::running()
        .all_gs
        .any(|g| M::id_of(g.last()) == m.id())
}
