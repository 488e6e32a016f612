//! Checks whether other code has changed the handling of faults since the runtime started: sysmon looks once a
//! second.
//!
//! Code in the process may replace the runtime's handler of SIGSEGV (a crash reporter does so), or disable a signal
//! stack. That changes nothing until a fault comes: then the process ends without the message that says why, or a
//! stack that grows by faults does not grow. So it is reported once, when it is seen. The handler is the process's,
//! and stays as it is: it may pass on faults that are not its own. A signal stack is the thread's, and only its
//! thread can look: an M that holds a P is asked through its gate (gate.rs) to do so at its next entry, and the
//! others do so when they get a P. They enable it again (signal_stack.rs).

use goroutines_stack as stack;

use crate::{
    global::sched::Sched,
    gmp::{p::P, signal_stack},
    sys::fatal,
};

/// Nanoseconds between two looks.
const PERIOD: u64 = 1_000_000_000;

/// The looks, for sysmon.
pub(super) struct Handlers {
    due: u64,
    said: bool,
}

impl Handlers {
    pub(super) fn new() -> Handlers {
        Handlers {
            due: 0,
            said: false,
        }
    }

    pub(super) fn look(&mut self, sched: &Sched, time: u64) {
        if time < self.due {
            return;
        }
        self.due = time + PERIOD;
        if !self.said && !stack::handles_faults() {
            self.said = true;
            fatal::say(format_args!(
                "the handler of SIGSEGV or SIGBUS was replaced after `start`: unless the new one passes on faults that \
                 are not its own, the overflow of a goroutine's stack ends the process without a message, and stacks \
                 that grow by faults do not grow; install other handlers before `start`"
            ));
        }
        signal_stack::ask_all();
        let owners = sched.procs.now().iter().filter_map(P::owner);
        owners.for_each(|m| m.gate.ask_for_look());
    }
}
