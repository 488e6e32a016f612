//! Runtime calls inside signal handlers: not supported, and detected in debug builds.
//!
//! A handler interrupts a thread between any two instructions, also in the middle of the runtime: while a ring of
//! goroutines is half changed, or on g0. A runtime call there would use that half changed state, or switch away from
//! the handler and leave its signal blocked. Release builds do not check; in debug builds the entries for a
//! goroutine's code check, on an M of the scheduler:
//!
//! | question | the answer of a handler |
//! |---|---|
//! | is the stack pointer in the signal stack of this thread? | yes, if it was installed with SA_ONSTACK |
//! | is a goroutine inside the gate already? | yes, if it interrupted one there: goroutines enter from outside |
//! | does a goroutine run here? | no, if it interrupted g0 |
//!
//! These checks do not find: a handler without SA_ONSTACK that interrupts a goroutine's own code, which the runtime
//! cannot tell from a call by that code; one that interrupts g0 and makes something ready, as g0 itself does; and
//! handlers on plain threads, which have no state that could be half changed except the locks of channels.

use crate::{
    gmp::{g::Kind, m::M},
    switch::thread_word::current_m,
    sys::{asm::stack_pointer, fatal},
};

/// At an entry for a goroutine's code, before it enters the gate. g0 passes here as well when it makes something
/// ready.
#[inline(always)]
pub(crate) fn check() {
    if cfg!(debug_assertions)
        && let Some(m) = current_m()
    {
        look(m, true);
    }
}

/// As [`check`], for entries that g0 does not use.
#[inline(always)]
pub(crate) fn check_not_g0() {
    if cfg!(debug_assertions)
        && let Some(m) = current_m()
    {
        look(m, false);
    }
}

fn look(m: &M, g0_may: bool) {
    let at_odds = match m.current.get() {
        None => !g0_may,
        Some(g) => g.get().kind() == Kind::Goroutine && m.gate.is_inside(),
    };
    if at_odds || m.signal_stack.get().contains(stack_pointer().addr()) {
        die();
    }
}

#[cold]
fn die() -> ! {
    fatal::fatal_in_signal(
        "a call into the runtime inside a signal handler, which interrupted the scheduler; let the handler do no more \
         than store into an atomic or write to a pipe, and call the runtime from a goroutine or thread that waits for \
         that",
    );
}
