//! Plain OS threads: the G that stands for each, so that it can wait in any queue.
//!
//! The only place with a `thread_local!`: its destructor gives the record back when the thread ends.
//! The record itself is found through the thread word, as on every M.

use std::{
    cell::{Cell, RefCell},
    io, mem,
    ops::Range,
    sync::Mutex,
};

use goroutines_stack::SignalStack;

use crate::{
    gmp::{
        g::{G, GRef, Kind},
        locals,
        m::M,
    },
    protocol::sync::lock,
    switch::thread_word::{current_m, set_current_m},
    sys::{asm, tasks, thread_stack},
};

/// Records of threads that have ended, for new threads. A record is never freed: a waker may still use its G for an
/// instant after the thread has ended.
static SPARE: Mutex<Vec<&'static M>> = Mutex::new(Vec::new());

/// All records, of threads that live and of others. Whoever has it locked keeps these threads from ending.
static ALL: Mutex<Vec<&'static M>> = Mutex::new(Vec::new());

/// Gives the thread's record back when the thread ends.
struct Attached {
    yes: Cell<bool>,
    /// The signal stack for faults on segments, from the first segment on.
    signals: RefCell<Option<SignalStack>>,
}

impl Drop for Attached {
    fn drop(&mut self) {
        if let Some(m) = current_m() {
            if let Some(g) = m.current.get() {
                locals::end(g);
                g.get().segments.end();
                // SAFETY: the thread's code has ended, and no other thread has a reference to the G that stands for
                // it.
                unsafe { g.get().identity.clear() };
            }
            set_current_m(None);
            {
                // A thread that looks into this one's record has the lock.
                let _all = lock(&ALL);
                m.note_thread(0);
                m.pthread.set(None);
            }
            lock(&SPARE).push(m);
        }
    }
}

thread_local! {
    static ATTACHED: Attached = const {
        Attached { yes: Cell::new(false), signals: RefCell::new(None) }
    };
}

/// Makes this OS thread known to the runtime.
#[cold]
pub(crate) fn attach() -> &'static M {
    let spare = lock(&SPARE).pop();
    let m = spare.unwrap_or_else(|| {
        let g = GRef::new(Box::leak(Box::new(G::new(Kind::Thread))));
        let m = Box::leak(Box::new(M::new(Some(g))));
        lock(&ALL).push(m);
        m
    });
    m.note_thread(tasks::own());
    m.stack_low.set(0);
    set_current_m(Some(m));
    // A thread that is already running its destructors runs no new one: then the record (some hundred bytes) is not
    // reused.
    let ends_later = ATTACHED.try_with(|attached| attached.yes.set(true)).is_ok();
    let _all = lock(&ALL);
    // SAFETY: takes nothing and always succeeds.
    m.pthread
        .set(ends_later.then(|| unsafe { libc::pthread_self() }));
    m
}

/// The record of the plain thread with this number of the kernel's, if it has one. Its G stays the same.
pub(crate) fn attached(thread: libc::pid_t) -> Option<&'static M> {
    let all = lock(&ALL);
    all.iter().copied().find(|m| m.thread() == thread)
}

/// Visits all plain threads that have a record, and their Gs. None of them ends meanwhile.
pub(crate) fn threads(visit: &mut dyn FnMut(&'static M, GRef)) {
    for &m in lock(&ALL).iter().filter(|m| m.thread() != 0) {
        if let Some(g) = m.current.get() {
            visit(m, g);
        }
    }
}

/// As [`threads`], with the bounds of their stacks, of those of which the system says them.
pub(crate) fn stacks(visit: &mut dyn FnMut(&'static M, GRef, Range<usize>)) {
    threads(&mut |m, g| {
        let bounds = m.pthread.get().and_then(|thread| {
            // SAFETY: it has not ended, since the lock keeps it.
            unsafe { thread_stack::of(thread) }
        });
        if let Some(bounds) = bounds {
            visit(m, g, bounds);
        }
    });
}

/// Where the stack of a plain thread ends: the lowest address that may be used.
#[derive(Clone, Copy)]
pub(crate) enum StackEnd {
    Known(usize),
    /// The system does not say (no /proc, a seccomp filter): nothing below the place where it was asked is assumed to
    /// be usable.
    Assumed(usize),
}

/// Addresses of stacks are even.
const ASSUMED: usize = 1;

/// Where the stack of this plain thread ends. The system is asked once.
pub(crate) fn stack_end() -> StackEnd {
    let m = current_m().unwrap_or_else(attach);
    if m.stack_low.get() == 0 {
        let assumed = || asm::stack_pointer().addr() & !ASSUMED | ASSUMED;
        let known = thread_stack::own().map(|stack| stack.start);
        m.stack_low.set(known.unwrap_or_else(assumed));
    }
    let low = m.stack_low.get();
    match low & ASSUMED {
        0 => StackEnd::Known(low),
        _ => StackEnd::Assumed(low),
    }
}

/// Gives this plain thread, until it ends, a signal stack that is larger than the one std gives its threads: faults
/// on segments are handled on it. Once.
///
/// # Errors
///
/// When there is no memory for it.
pub(crate) fn keep_signal_stack() -> io::Result<()> {
    ATTACHED
        .try_with(|attached| {
            let mut signals = attached.signals.borrow_mut();
            if signals.is_none() {
                *signals = Some(SignalStack::install()?);
            }
            Ok(())
        })
        .unwrap_or_else(|_| {
            // The thread runs its destructors: the signal stack stays until the thread ends, and its memory longer.
            SignalStack::install().map(mem::forget)
        })
}
