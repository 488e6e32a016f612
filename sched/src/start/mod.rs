//! The wing `start`: configuration, and starting the runtime. Imported by no other wing.
//!
//! # The start
//!
//! ```text
//! caller of `start`                             starter
//! L1 starts the starter, and waits              L2 its mask; the settings; handlers; a test of what threads need
//!                                               L3 the scheduler; sysmon, the first M and, where hogs are
//!                                                  reported, the reporter, all of which wait for L5
//! L4 passes on the answer                       L5 it has succeeded: publishes the scheduler, answers, and serves
//!                                                  requests (starter.rs). It has failed: tells the threads of L3 to
//!                                                  end, answers, and ends
//! ```
//!
//! Code that takes more than a few hundred bytes of stack runs on the starter's stack: the caller's may be small.

#![cfg(not(goroutines_loom))]

pub(crate) mod config;
pub(crate) mod default_stacks;
pub(crate) mod flags;
pub(crate) mod godebug;
pub(crate) mod size;

use std::sync::{Mutex, mpsc};

use goroutines_stack::{self as stack, SignalStack};

use crate::{
    global::{sched::Sched, starter},
    gmp::{mode, p::P},
    observe::{reporter::Sightings, running},
    protocol::sync::lock,
    schedule::thread_main::thread_main,
    stacks::fault_hooks,
    start::config::{Config, Resolved, StartError},
    switch::fork_check,
    sys::{
        fatal, mask, shadow_stack,
        spawn::{SMALL, spawn},
        tasks,
    },
    sysmon,
};

/// Held during a start; true once a start has succeeded.
static STARTED: Mutex<bool> = Mutex::new(false);

/// Starts the runtime of this process: see `goroutines::start` for the promise that it needs.
///
/// # Errors
///
/// See [`StartError`]; nothing has been started then.
pub fn start(config: &Config) -> Result<(), StartError> {
    let mut started = lock(&STARTED);
    if *started {
        return Err(StartError::AlreadyStarted);
    }
    let caller = tasks::own();
    let config = Box::new(config.clone());
    let (answer, answered) = mpsc::sync_channel(1);
    let starter = spawn("goroutines-boot", Some(2 * SMALL), move || {
        match launch(&config, caller) {
            Ok(sched) => {
                let _ = answer.send(Ok(()));
                starter::serve(sched);
            }
            Err(error) => {
                let _ = answer.send(Err(error));
            }
        }
    })
    .map_err(|e| StartError::Os("starting the thread that starts the others", e))?;
    let Ok(answer) = answered.recv() else {
        fatal::throw(format_args!("the starter ended without an answer"));
    };
    match answer {
        Ok(()) => *started = true,
        // It has ended, or is about to.
        Err(_) => drop(starter.join()),
    }
    answer
}

/// L2 to L5.
fn launch(config: &Config, caller: libc::pid_t) -> Result<&'static Sched, StartError> {
    let resolved = config.resolve()?;
    // This thread's setting is that of the threads which it will start.
    if shadow_stack::is_on() {
        return Err(StartError::ShadowStack);
    }
    let settings = &resolved.settings;
    let stacks = resolved.hogs.is_some_and(|rule| rule.stacks);
    mask::unblock_needed(stacks.then_some(stack::SAMPLING_SIGNAL))
        .map_err(|e| StartError::Os("unblocking the signals of faults", e))?;
    fault_hooks::install().map_err(|e| StartError::Os("installing the growth-fault handler", e))?;
    fork_check::prepare().map_err(|e| StartError::Os("installing the hook for forks", e))?;
    // A system that refuses these refuses them to every M.
    SignalStack::install()
        .map_err(|e| StartError::Os("giving a thread a signal stack (sigaltstack)", e))?;
    mode::prepare(resolved.migration_check, resolved.force_migration);
    stack::start_stacks_at(settings.stacks.start);
    if stacks {
        running::install()
            .map_err(|e| StartError::Os("installing the handler for the stacks of hogs", e))?;
    }
    let sched: &'static Sched = Box::leak(Box::new(Sched::new(settings, caller, thread_main)));
    let started = start_threads(sched, &resolved);
    sched.launch(started.is_ok());
    started.map(|()| sched)
}

/// L3.
fn start_threads(sched: &'static Sched, resolved: &Resolved) -> Result<(), StartError> {
    let (schedtrace, deadlock) = (resolved.schedtrace, resolved.deadlock);
    let hogs: Option<&'static Sightings> = resolved
        .hogs
        .map(|rule| &*Box::leak(Box::new(Sightings::new(rule))));
    spawn("goroutines-sysmon", Some(SMALL), move || {
        if sched.is_launched() {
            sysmon::watch(sched, schedtrace, hogs, deadlock);
        }
    })
    .map_err(|e| StartError::Os("starting the monitor thread", e))?;
    if let Some(sightings) = hogs {
        // The hook is the user's: the thread has the usual stack.
        spawn("goroutines-hogs", None, move || {
            if sched.is_launched() {
                sightings.serve();
            }
        })
        .map_err(|e| StartError::Os("starting the thread that tells of hogs", e))?;
    }
    sched.resize(resolved.settings.procs);
    let Some(first) = sched.idle.claim_wake(true) else {
        fatal::throw(format_args!("a new scheduler has no idle P"));
    };
    // SAFETY: the id is one that `resize` put into the list.
    let p = unsafe { P::from_id(first.p) };
    sched.idle.add_m();
    sched
        .start_m(p, true)
        .map_err(|e| StartError::Os("starting the first scheduler thread", e))
}
