//! Asking a thread to look at itself: a signal interrupts it, and its handler calls a function of the scheduler's.
//!
//! The signal is SIGURG, as in Go: by default it is ignored, debuggers let it pass, and code that waits for it has to expect
//! it at any time. Signals that the runtime did not send go to the handler that was there before. A system call that cannot
//! be restarted ends with EINTR when its thread is asked; so the handler is installed only for programs that want it.
//!
//! | call | when its thread is asked |
//! |---|---|
//! | `read`, `write`, `accept`, `connect`, `recv`, `send`, `wait4`, `flock`, `open` of a slow file | goes on (SA_RESTART) |
//! | `futex`, and what C libraries make of it: mutexes, joins | goes on, or is called again by its caller |
//! | `poll`, `select`, `epoll_wait`, `nanosleep`, `semop`, `msgrcv`, `sigtimedwait`, `pause` | ends with EINTR |
//! | reads and writes of sockets with SO_RCVTIMEO or SO_SNDTIMEO | end with EINTR |
//!
//! std calls again what ends so in `thread::sleep`, `park` and its input and output that is not read by hand.

use std::io;
use std::mem;
use std::sync::OnceLock;

use nix::errno::Errno;

use crate::faults::growth;
use crate::faults::hooks::Hooks;
use crate::faults::signal;

/// The signal that asks a thread to look at itself.
pub const SAMPLING_SIGNAL: libc::c_int = libc::SIGURG;

/// Called by the handler with the `ucontext_t` of what was interrupted.
pub type Answer = fn(*const libc::c_void);

struct Installed {
    hooks: Hooks,
    answer: Answer,
    before: libc::sigaction,
}

static INSTALLED: OnceLock<Installed> = OnceLock::new();

/// Its address is what the runtime's signals carry.
static MARK: u8 = 0;

/// Installs the handler, after [`install`](crate::install); a second time does nothing. `answer` is called in signal context:
/// no locks, no allocation, no panics.
///
/// # Errors
///
/// When the fault handler is not installed, or the system refuses.
pub fn install_sampling(answer: Answer) -> io::Result<()> {
    let Some(hooks) = signal::hooks() else {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the fault handler of goroutine stacks is not installed",
        ));
    };
    if INSTALLED.get().is_some() {
        return Ok(());
    }
    let before = signal::action_of(SAMPLING_SIGNAL)?;
    let installed = Installed {
        hooks,
        answer,
        before,
    };
    if INSTALLED.set(installed).is_err() {
        return Ok(());
    }
    let mut action = signal::empty_action();
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    signal::set_action(SAMPLING_SIGNAL, &action)
}

/// Returns whether the handler that [`install_sampling`] installed is still the process's; true where the system does not
/// say. One that has replaced it may call it.
pub fn handles_sampling() -> bool {
    let ours = handler as *const () as usize;
    signal::action_of(SAMPLING_SIGNAL).map_or(true, |action| action.sa_sigaction == ours)
}

/// What the kernel hands on to the handler; the layout of a `siginfo_t` of SI_QUEUE.
#[repr(C)]
struct Queued {
    signal: libc::c_int,
    errno: libc::c_int,
    code: libc::c_int,
    sender: Sender,
    _rest: [libc::c_int; REST],
}

/// What SI_QUEUE says besides: aligned to a pointer, and so behind a gap where pointers have 64 bits.
#[repr(C)]
struct Sender {
    pid: libc::pid_t,
    uid: libc::uid_t,
    value: *const u8,
}

/// The words of a `siginfo_t`, which is 128 bytes, behind those that are named.
const REST: usize = (128 - BEFORE - size_of::<Sender>()) / size_of::<libc::c_int>();

/// The bytes before what SI_QUEUE says.
const BEFORE: usize = (3 * size_of::<libc::c_int>()).next_multiple_of(align_of::<Sender>());

const _: () = assert!(size_of::<Queued>() == size_of::<libc::siginfo_t>());
const _: () = assert!(mem::offset_of!(Queued, sender) == BEFORE);

/// Asks `thread` of this process: its handler calls the function of [`install_sampling`] soon, or when it unblocks the
/// signal. Returns false if that was not called, or there is no such thread.
///
/// A goroutine's thread needs a [`SignalStack`](crate::SignalStack).
pub fn ask(thread: libc::pid_t) -> bool {
    if INSTALLED.get().is_none() || thread <= 0 {
        return false;
    }
    let mut info: Queued = Queued {
        signal: SAMPLING_SIGNAL,
        errno: 0,
        code: libc::SI_QUEUE,
        sender: Sender {
            pid: 0,
            uid: 0,
            value: &raw const MARK,
        },
        _rest: [0; REST],
    };
    // SAFETY: getpid and getuid have no preconditions. The system call reads `info`, which has the size and layout of a
    // siginfo (asserted above), and sends a signal for which `install_sampling` has installed a handler.
    unsafe {
        info.sender.pid = libc::getpid();
        info.sender.uid = libc::getuid();
        libc::syscall(
            libc::SYS_rt_tgsigqueueinfo,
            info.sender.pid,
            thread,
            SAMPLING_SIGNAL,
            &raw mut info,
        ) == 0
    }
}

extern "C" fn handler(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let errno = Errno::last_raw();
    if let Some(installed) = INSTALLED.get() {
        // SAFETY: `install_sampling` sets SA_SIGINFO, so the kernel passes a siginfo that is valid until the handler returns.
        if is_ours(unsafe { &*info }) {
            answer(installed, context);
        } else if !matches!(
            installed.before.sa_sigaction,
            libc::SIG_DFL | libc::SIG_IGN // both: nothing happens
        ) {
            // SAFETY: the arguments are those that the kernel passed to this handler; the action was installed before, and is
            // neither SIG_DFL nor SIG_IGN, so it is a function.
            unsafe { signal::call(&installed.before, signal, info, context) };
        }
    }
    Errno::set_raw(errno);
}

/// Returns whether [`ask`] sent it: only that sends the address of `MARK`.
fn is_ours(info: &libc::siginfo_t) -> bool {
    info.si_code == libc::SI_QUEUE
        // SAFETY: the code is SI_QUEUE, with which a siginfo has a value.
        && unsafe { info.si_value() }.sival_ptr.cast_const() == (&raw const MARK).cast()
}

fn answer(installed: &Installed, context: *const libc::c_void) {
    // SAFETY: `current` returns null or a stack that is valid while its goroutine runs on this thread (`install`), and this
    // handler has interrupted that goroutine.
    if let Some(stack) = unsafe { (installed.hooks.current)().as_ref() } {
        // SAFETY: `context` is the `ucontext_t` that the kernel passed to the handler, which has not returned.
        let sp = unsafe { (installed.hooks.stack_pointer)(context) };
        growth::make_readable(stack, sp);
    }
    (installed.answer)(context);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_handler_no_thread_is_asked() {
        // SAFETY: gettid has no arguments and no preconditions.
        assert!(!ask(unsafe { libc::gettid() }));
        assert!(!handles_sampling());
    }
}
