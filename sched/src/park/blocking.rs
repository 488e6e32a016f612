//! Blocking calls: the goroutine keeps its thread, the P goes where it is needed.
//!
//! ```text
//! M, in `blocking`                            sysmon, some 70 us later or more
//! B1 the G is woken as a thread (Kind)        Y1 a P has been lent since the last look, and there is
//! B2 the M has no P; lend the P: a store         work for it
//! B3 ... the call ...                         Y2 retake it: CAS
//! B4 take the P back: one CAS. Else:          Y3 pass it to a sleeping M, or to a new one
//! B5 any idle P. Else:
//! B6 the G into the global queue, the M sleeps
//! ```
//!
//! No lock and no system call on the way in, and none on the way out if the call was short. During the call the G
//! counts as an OS thread: a wait in there (for a channel, a lock) blocks the thread, whose P is lent already. Where
//! other goroutines are bound to the thread, the call is interrupted for the wait, so that they can run
//! (unwinding.rs).
//!
//! A goroutine that leaves a blocking call by unwinding keeps its thread (see on_thread.rs): at B6 it waits
//! for a P there.

use crate::{
    global::{ready, retake, sched},
    gmp::{
        counters,
        g::{GRef, Kind},
        m::M,
        trace_event::EventKind,
        tracer,
    },
    park::{on_thread, park_with},
    switch::{current::running_goroutine, signal_check, thread_word::current_m},
    sys::errno,
};

/// Runs `f`, which may block its thread: another M may take the P of this one meanwhile, for other goroutines.
///
/// On a plain OS thread, and inside another `blocking`, just calls `f`.
pub fn blocking<R>(f: impl FnOnce() -> R) -> R {
    let Some((m, g)) = running_goroutine() else {
        return f();
    };
    let _exit = enter_syscall(m, g);
    f()
}

/// Ends the blocking call when it is dropped, also by unwinding.
struct ExitSyscall {
    g: GRef,
}

/// B1 and B2.
#[inline]
fn enter_syscall(m: &'static M, g: GRef) -> ExitSyscall {
    signal_check::check();
    let _inside = retake::enter_with(m, |m| m.emit(EventKind::CallBegins, 0));
    g.get().set_kind(Kind::Thread);
    g.get().enters_call();
    m.lent.set(m.give_up_p().map(|p| (p, p.lending.lend())));
    counters::note_call();
    ExitSyscall { g }
}

/// `g`, which is in a blocking call on `m`, is about to park, so that others that are bound to `m` can run. Takes the
/// P back if it is still lent, because these may lend theirs.
pub(crate) fn interrupt(m: &'static M, g: GRef) {
    let _inside = retake::enter(m);
    if let Some((p, call)) = m.lent.take()
        && p.lending.take_back(call)
    {
        m.set_p(p);
    }
    g.get().set_kind(Kind::Goroutine);
}

/// After [`interrupt`]: the call continues.
pub(crate) fn resume(m: &'static M, g: GRef) {
    std::mem::forget(enter_syscall(m, g));
}

impl Drop for ExitSyscall {
    /// B4 to B6.
    #[inline]
    fn drop(&mut self) {
        let Some(m) = current_m() else {
            crate::sys::fatal::throw(format_args!("a blocking call without an M"));
        };
        self.g.get().leaves_call();
        if let Some((p, call)) = m.lent.take() {
            let _inside = retake::enter_with(m, |m| m.emit(EventKind::CallEnds, 0));
            if p.lending.take_back(call) {
                m.set_p(p);
                self.g.get().set_kind(Kind::Goroutine);
                return;
            }
        } else {
            tracer::note(EventKind::CallEnds, 0);
        }
        exit_slow(m, self.g);
    }
}

#[cold]
fn exit_slow(m: &'static M, g: GRef) {
    let _errno = errno::keep();
    let sched = sched::running();
    if std::thread::panicking() {
        return on_thread::get_p_on_thread(m, g);
    }
    let inside = retake::enter(m);
    if let Some(p) = sched.take_idle_p() {
        m.set_p(p);
        m.note_start_p();
        g.get().set_kind(Kind::Goroutine);
        return;
    }
    drop(inside);
    g.get().set_kind(Kind::Goroutine);
    // SAFETY: the commit queues the goroutine, once, as its last step. It runs on g0 without a P, and needs none.
    unsafe {
        park_with(None, move |m| {
            ready::tail(Some(m), g);
            true
        });
    }
}
