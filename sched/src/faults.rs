//! What the fault handler asks the scheduler: which stack runs here, and whose it is.
//!
//! Both answers are given inside a signal handler: they read the thread word and memory that the
//! interrupted goroutine owns, allocate nothing and take no lock.

use std::{fmt, io, ptr, sync::Mutex};

use goroutines_stack::{self as stack, Hooks, Stack};

use crate::{g::GRef, switch::current_m, sync::lock};

/// Has the handler been installed by an earlier start, which then failed?
static INSTALLED: Mutex<bool> = Mutex::new(false);

/// Installs the handler of growth faults, once.
pub(crate) fn install() -> io::Result<()> {
    let mut installed = lock(&INSTALLED);
    if !*installed {
        // SAFETY: `current_stack` returns null or the stack in the running goroutine's descriptor,
        // which stays there until that goroutine has ended; neither hook allocates or locks.
        unsafe {
            stack::install(Hooks {
                current: current_stack,
                describe,
            })?;
        }
        *installed = true;
    }
    Ok(())
}

fn current_g() -> Option<GRef> {
    current_m()?.current.get()
}

fn current_stack() -> *mut Stack {
    current_g().map_or(ptr::null_mut(), |g| {
        if let Some(window) = g.get().window.get() {
            return window.stack();
        }
        // SAFETY: the goroutine that was interrupted owns the cell, and it is this thread's.
        let stack = unsafe { &mut *g.get().stack.get() };
        stack.as_mut().map_or(ptr::null_mut(), ptr::from_mut)
    })
}

fn describe(out: &mut dyn fmt::Write) {
    let Some(g) = current_g() else {
        return;
    };
    let _ = write!(out, "goroutine {}", g.id());
    // SAFETY: the name does not change while the goroutine, which was interrupted here, runs.
    if let Some(name) = unsafe { &*g.get().name.get() } {
        let _ = write!(out, " [{name}]");
    }
}
