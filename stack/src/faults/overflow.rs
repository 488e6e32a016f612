//! Overflow: the message, and the end.
//!
//! ```text
//! goroutine 17 [name]: stack exceeds 1048576-byte limit
//! spawned as server::handle::{{closure}}
//! help: ...
//! backtrace ...:
//!    0: 0x55c3d2a04f1d /usr/bin/server+0x4ef1d (3127 times)
//! ```
//!
//! The backtrace comes last, because it is the part that could fail: a fault in it ends the process at once, with the
//! message complete. A second thread that overflows meanwhile waits for the end.
//!
//! Runs in the signal handler, so it formats into a small buffer on the signal stack and writes with write(2).

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicI32, Ordering};

use crate::faults::backtrace;
use crate::faults::hooks::Hooks;
use crate::memory::class::Class;
use crate::windows::window::Stack;

/// The thread that reports an overflow; 0 if none does.
static REPORTING: AtomicI32 = AtomicI32::new(0);

/// Says that the goroutine outgrew its stack, what to do about it, and aborts. `on_itself`: the handler runs on the
/// goroutine's stack, because the thread has no signal stack.
#[cold]
pub(crate) fn die(stack: &Stack, hooks: &Hooks, on_itself: bool) -> ! {
    // Relaxed: the winner of the exchange reports, and nothing is published with it.
    let first = REPORTING.compare_exchange(0, thread(), Ordering::Relaxed, Ordering::Relaxed);
    if first.is_err() {
        loop {
            // SAFETY: pause has no preconditions; the thread that reports ends the process.
            unsafe { libc::pause() };
        }
    }
    let mut out = Stderr::new();
    // A failing write to stderr leaves nothing better to do than to abort without the message.
    let _ = message(&mut out, stack.class(), hooks);
    if on_itself {
        let _ = out.write_str(
            "note: the thread has no signal stack: the one that the runtime set up was disabled (sigaltstack), and so most \
             overflows and growing stacks end the process without a message\n",
        );
    }
    out.flush();
    unblock_faults();
    let _ = backtrace::print(stack, &mut out);
    out.flush();
    abort()
}

/// Ends the process if this fault happened while this thread reported an overflow.
pub(crate) fn end_if_reporting() {
    // Relaxed: the value that matters was written by this thread.
    let reporting = REPORTING.load(Ordering::Relaxed);
    if reporting != 0 && reporting == thread() {
        abort();
    }
}

/// A fault in the handler shall come to [`end_if_reporting`], instead of being blocked, which ends the process as if the
/// handler did not exist.
fn unblock_faults() {
    // SAFETY: all zeroes is a valid `sigset_t`, the pointers are to that local, and the functions are async-signal-safe.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGSEGV);
        libc::sigaddset(&mut set, libc::SIGBUS);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut());
    }
}

fn thread() -> i32 {
    // SAFETY: gettid has no arguments and no preconditions.
    unsafe { libc::gettid() }
}

pub(crate) fn abort() -> ! {
    // SAFETY: abort is async-signal-safe and has no preconditions.
    unsafe { libc::abort() }
}

/// Says that there was no room for the frame of a handler without SA_ONSTACK, and aborts.
#[cold]
pub(crate) fn no_frame(stack: &Stack, hooks: &Hooks) -> ! {
    let mut out = Stderr::new();
    // A write to stderr that fails leaves nothing else to do.
    let _ = out.write_str("\n");
    (hooks.describe)(&mut out);
    let _ = writeln!(
        out,
        ": no room for a signal's frame at the end of its {}-byte stack\n\
         help: a signal handler was installed without SA_ONSTACK and runs on goroutine stacks: install it with that \
         flag; a larger stack (`Builder::stack_size`) has more room",
        stack.class().window()
    );
    out.flush();
    abort()
}

/// A handler that was installed over this one has raised the signal again: reports that.
#[cold]
pub(crate) fn say_replaced(hooks: &Hooks) {
    let mut out = Stderr::new();
    // A write to stderr that fails leaves nothing else to do.
    let _ = out.write_str("\n");
    (hooks.describe)(&mut out);
    let _ = out.write_str(
        ": another signal handler took the place of the runtime's, and has raised the signal again\n\
         help: if the goroutine's stack has overflowed, or was to grow (`stack_start`, copied stacks), the runtime was not told: \
         install that handler before `goroutines::start`, or let it call the one that was there\n",
    );
    out.flush();
}

/// Says that the goroutine cannot grow because the kernel does not remove its guard, and aborts.
#[cold]
pub(crate) fn no_growth(errno: i32, hooks: &Hooks) -> ! {
    let mut out = Stderr::new();
    // A write to stderr that fails leaves nothing else to do.
    let _ = refused(&mut out, errno, hooks);
    out.flush();
    abort()
}

fn refused(out: &mut dyn Write, errno: i32, hooks: &Hooks) -> fmt::Result {
    out.write_str("\n")?;
    (hooks.describe)(out);
    writeln!(
        out,
        ": its stack cannot grow: the kernel refuses to remove a guard page (madvise 103: {})",
        nix::errno::Errno::from_raw(errno).desc()
    )?;
    writeln!(
        out,
        "help: if a seccomp filter was installed after the start, let it allow madvise with advice 102 and 103, or install \
         it before; or do without guards that move: leave out `stack_start`, or set GOROUTINE_GUARD=mprotect"
    )
}

fn message(out: &mut dyn Write, class: Class, hooks: &Hooks) -> fmt::Result {
    out.write_str("\n")?;
    (hooks.describe)(out);
    writeln!(out, ": stack exceeds {}-byte limit", class.window())?;
    if let Some(origin) = (hooks.origin)() {
        writeln!(out, "spawned as {origin}")?;
    }
    if let Some(remedy) = (hooks.remedy)() {
        return writeln!(out, "help: {remedy}");
    }
    match class.next_larger() {
        Some(larger) => writeln!(
            out,
            "help: give it a larger one with `Builder::stack_size({})`, or every goroutine with `Config`; a recursion \
             whose depth the input decides can continue on further stacks with `#[goroutines::grow]` above its function; \
             one without an end needs another cure",
            larger.window()
        ),
        None => writeln!(
            out,
            "help: this is the largest stack there is: continue on further ones with `#[goroutines::grow]` above the \
             function, recurse less deeply, or move large values to the heap"
        ),
    }
}

/// Standard error, buffered, without locks or allocation.
struct Stderr {
    buffer: [u8; 512],
    len: usize,
}

impl Stderr {
    fn new() -> Stderr {
        Stderr {
            buffer: [0; 512],
            len: 0,
        }
    }

    fn flush(&mut self) {
        let mut rest = &self.buffer[..self.len];
        while !rest.is_empty() {
            // SAFETY: pointer and length are those of the slice `rest`; write only reads them.
            let n = unsafe { libc::write(libc::STDERR_FILENO, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(n) {
                Ok(n) if n > 0 => rest = &rest[n..],
                _ if nix::errno::Errno::last() == nix::errno::Errno::EINTR => {}
                _ => break,
            }
        }
        self.len = 0;
    }
}

impl Write for Stderr {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for &byte in s.as_bytes() {
            if self.len == self.buffer.len() {
                self.flush();
            }
            self.buffer[self.len] = byte;
            self.len += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOOKS: Hooks = Hooks {
        current: std::ptr::null_mut,
        stack_pointer: |_| 0,
        describe: |w| w.write_str("goroutine 7 [deep]").unwrap(),
        origin: || Some("a::b::{{closure}}"),
        remedy: || None,
    };

    fn text(class: Class) -> String {
        let mut out = String::new();
        message(&mut out, class, &HOOKS).unwrap();
        out
    }

    #[test]
    fn a_remedy_of_the_scheduler_comes_before_our_own() {
        let mut out = String::new();
        let remedy = || Some("call it at each level");
        let hooks = Hooks { remedy, ..HOOKS };
        message(&mut out, Class::DEFAULT, &hooks).unwrap();
        assert!(out.ends_with("\nhelp: call it at each level\n"));
    }

    #[test]
    fn the_message_names_goroutine_limit_and_remedy() {
        let text = text(Class::ALL[2]);
        assert!(text.contains("\ngoroutine 7 [deep]: stack exceeds 1048576-byte limit\n"));
        assert!(text.contains("\nspawned as a::b::{{closure}}\n"));
        assert!(text.contains("Builder::stack_size(8388608)"));
        assert!(text.contains("`Config`") && text.contains("`#[goroutines::grow]`"));
    }

    #[test]
    fn the_largest_class_is_not_told_to_ask_for_more() {
        let text = text(Class::LARGEST);
        let limit = Class::LARGEST.window();
        assert!(text.contains(&format!("stack exceeds {limit}-byte limit")));
        assert!(!text.contains("stack_size"));
    }
}
