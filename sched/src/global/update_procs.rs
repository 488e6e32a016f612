//! As many Ps as the machine gives CPUs, also when that changes while the program runs: an affinity is set from
//! outside, or the quota of a container changes.
//!
//! Only where the program has set no number. sysmon asks once a second, and not while all Ps are idle.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::sys::cpus;

/// Nanoseconds between two looks. A look reads some ten small files of the kernel.
const PERIOD: u64 = 1_000_000_000;

pub(crate) struct UpdateProcs {
    on: AtomicBool,
    /// When to look next. For sysmon.
    due: AtomicU64,
    /// The thread whose affinity counts: the one that started the runtime.
    thread: libc::pid_t,
}

impl UpdateProcs {
    pub(crate) fn new(on: bool, thread: libc::pid_t) -> UpdateProcs {
        UpdateProcs {
            on: AtomicBool::new(on),
            due: AtomicU64::new(0),
            thread,
        }
    }

    /// The program has set a number; under the lock of procs.rs.
    pub(crate) fn stop(&self) {
        // Relaxed: under the lock; sysmon's look without it is repeated with it.
        self.on.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_on(&self) -> bool {
        // Relaxed: see `stop`.
        self.on.load(Ordering::Relaxed)
    }

    /// By sysmon: returns the number of CPUs, if it is time to ask.
    pub(crate) fn look(&self, now: u64) -> Option<usize> {
        // Relaxed (both): only sysmon touches it.
        if !self.is_on() || now < self.due.load(Ordering::Relaxed) {
            return None;
        }
        self.due.store(now + PERIOD, Ordering::Relaxed);
        // A thread that has ended has no affinity: then all CPUs of the machine count.
        Some(cpus::available_to(self.thread))
    }
}
