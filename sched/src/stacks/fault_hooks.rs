//! What the fault handler asks the scheduler: the stack that runs here, and the goroutine it belongs to.
//!
//! Both are answered inside a signal handler: the hooks read the thread word and memory that the interrupted
//! goroutine owns, allocate nothing and take no lock.

use std::{fmt, io, ptr, sync::Mutex};

use goroutines_stack::{self as stack, Hooks, Stack};

use crate::{
    gmp::{g::GRef, identity::Identity},
    protocol::sync::lock,
    switch::thread_word::current_m,
    sys::{asm, tools},
};

/// Whether the handler was installed by an earlier start, which then failed.
static INSTALLED: Mutex<bool> = Mutex::new(false);

/// Installs the handler of growth faults, once.
pub(crate) fn install() -> io::Result<()> {
    let mut installed = lock(&INSTALLED);
    if !*installed {
        tools::prepare();
        // SAFETY: `current_stack` returns null or the stack in the running goroutine's descriptor,
        // which stays there until that goroutine has ended; no hook allocates or locks.
        unsafe {
            stack::install(Hooks {
                current: current_stack,
                stack_pointer: asm::interrupted_sp,
                describe,
                origin,
                remedy,
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
    current_g().map_or(ptr::null_mut(), |g| match g.get().segments.stack() {
        Some(stack) => stack,
        None => g.get().own_stack(),
    })
}

/// The type of the closure that the goroutine runs.
pub(crate) fn origin() -> Option<&'static str> {
    let entry = current_g()?.get().entry.get()?;
    Some((entry.name)())
}

pub(crate) fn describe(out: &mut dyn fmt::Write) {
    let Some(g) = current_g() else {
        return;
    };
    match g.id() {
        0 => describe_thread(out),
        id => {
            let _ = write!(out, "goroutine {id}");
        }
    }
    if let Some(name) = g.get().identity.get().and_then(Identity::name) {
        let _ = write!(out, " [{name}]");
    }
    match g.get().segments.number() {
        0 => {}
        number => {
            let _ = write!(out, ", on segment {number} of `grow`");
        }
    }
}

/// The kernel's name for the thread: reading std's takes thread-local storage and a lock.
fn describe_thread(out: &mut dyn fmt::Write) {
    let mut name = [0_u8; 16];
    // SAFETY: PR_GET_NAME writes at most 16 bytes, terminator included.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    let len = name.iter().position(|&byte| byte == 0).unwrap_or(0);
    let name = str::from_utf8(&name[..len]).unwrap_or("?");
    let _ = write!(out, "thread '{name}'");
}

/// On a segment a larger stack class does not help.
fn remedy() -> Option<&'static str> {
    let segments = &current_g()?.get().segments;
    (segments.number() != 0).then_some(
        "a segment is left only where `grow` is called: call it at each level of the recursion, with a red \
         zone that covers all that is called in between; if that is done, recurse less deeply",
    )
}
