//! The frames of a thread that runs a goroutine, taken from outside: a signal makes the thread look at itself.
//!
//! ```text
//! the asking thread                            the handler of the asked thread, on its signal stack
//! S1 state = ASKED of that thread              A1 state: ASKED of me -> ANSWERING (CAS)
//! S2 send the signal                           A2 walk the stack that was interrupted, store the frames
//! S3 wait for DONE, at most PATIENCE           A3 state = DONE
//! S4 time is up: ASKED -> IDLE (CAS)
//! ```
//!
//! - *S4 before A1*: the handler comes late, finds the state IDLE, and returns.
//! - *A1 before S4*: the CAS of S4 fails, and A3 comes soon: nothing in A2 waits.
//! - *A late handler meets the next question*: it answers only if its own thread is asked, and then the answer is right.
//!
//! The walk is that of `backtrace.rs`. It follows what the compiler wrote down for panics, so it goes through C as well, and
//! ends where nothing is written down, or where the next frame would not lie on the goroutine's stack: what a frame refers
//! to is read only after its place was checked.
//!
//! The signal is SIGURG, as in Go: by default it is ignored, debuggers let it pass, and code that waits for it has to expect
//! it at any time. Signals that the runtime did not send go to the handler that was there before. A system call that cannot be
//! restarted ends with EINTR when the thread is asked; so the handler is installed only for programs that want it.

use std::io;
use std::mem;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::faults::backtrace;
use crate::faults::growth;
use crate::faults::hooks::Hooks;
use crate::faults::signal;

/// Frames that are kept, innermost first.
const FRAMES: usize = 32;

/// How long a thread may take to answer; one that wants a CPU may have to wait for it.
const PATIENCE: Duration = Duration::from_millis(100);

/// The pause between two looks for the answer.
const PAUSE: Duration = Duration::from_micros(20);

/// The signal that asks a thread for its frames.
pub const SAMPLING_SIGNAL: libc::c_int = libc::SIGURG;

/// No thread is asked.
const IDLE: u32 = 0;
/// Above bit 2: the thread that is asked.
const ASKED: u32 = 1;
const ANSWERING: u32 = 2;
const DONE: u32 = 3;
const THREAD_SHIFT: u32 = 2;

static STATE: AtomicU32 = AtomicU32::new(IDLE);
static COUNT: AtomicUsize = AtomicUsize::new(0);
static ANSWER: [AtomicUsize; FRAMES] = [const { AtomicUsize::new(0) }; FRAMES];

/// One question at a time.
static ASKING: Mutex<()> = Mutex::new(());

struct Installed {
    hooks: Hooks,
    before: libc::sigaction,
}

static INSTALLED: OnceLock<Installed> = OnceLock::new();

/// Installs the handler for [`frames_of`], after [`install`](crate::install); a second time does nothing.
///
/// # Errors
///
/// When the fault handler is not installed, or the system refuses.
pub fn install_sampling() -> io::Result<()> {
    let Some(hooks) = signal::hooks() else {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the fault handler of goroutine stacks is not installed",
        ));
    };
    let before = signal::action_of(SAMPLING_SIGNAL)?;
    if INSTALLED.set(Installed { hooks, before }).is_err() {
        return Ok(());
    }
    let mut action = signal::empty_action();
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    signal::set_action(SAMPLING_SIGNAL, &action)
}

/// The addresses of the frames of the goroutine that runs on `thread` of this process, innermost first; each lies in the
/// instruction that is being executed. Empty if the thread does not answer, or runs no goroutine.
///
/// The thread needs a [`SignalStack`](crate::SignalStack).
pub fn frames_of(thread: libc::pid_t) -> Vec<usize> {
    if INSTALLED.get().is_none() {
        return Vec::new();
    }
    let _asking = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(asked) = question(thread) else {
        return Vec::new();
    };
    // Release: partner is the Acquire of A1; only the word itself is passed on.
    STATE.store(asked, Ordering::Release);
    let answered = send(thread) && wait_for_answer(asked);
    let count = match answered {
        // Relaxed: published by A3.
        true => COUNT.load(Ordering::Relaxed),
        false => 0,
    };
    let frames = ANSWER[..count].iter();
    // Relaxed: published by A3, whose DONE `wait_for_answer` has acquired.
    let frames = frames.map(|frame| frame.load(Ordering::Relaxed)).collect();
    // Relaxed: the handler compares it with a question, and this is none.
    STATE.store(IDLE, Ordering::Relaxed);
    frames
}

/// The state in which `thread` is asked.
fn question(thread: libc::pid_t) -> Option<u32> {
    let thread = u32::try_from(thread).ok().filter(|&thread| thread != 0)?;
    Some(thread.checked_mul(1 << THREAD_SHIFT)? | ASKED)
}

/// S3 and S4. Returns whether the answer is there.
fn wait_for_answer(asked: u32) -> bool {
    let end = Instant::now() + PATIENCE;
    loop {
        // Acquire: partner is the Release of A3.
        if STATE.load(Ordering::Acquire) == DONE {
            return true;
        }
        // Relaxed (both): nothing is read where there is no answer.
        if Instant::now() >= end
            && STATE
                .compare_exchange(asked, IDLE, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            return false;
        }
        thread::sleep(PAUSE);
    }
}

/// What the kernel hands on to the handler; the layout of a `siginfo_t` of SI_QUEUE.
#[repr(C)]
struct Queued {
    signal: libc::c_int,
    errno: libc::c_int,
    code: libc::c_int,
    pid: libc::pid_t,
    uid: libc::uid_t,
    value: *const AtomicU32,
    _rest: [u64; 12],
}

const _: () = assert!(size_of::<Queued>() == size_of::<libc::siginfo_t>());
const _: () = assert!(mem::offset_of!(Queued, value) == 24);

/// S2. Returns whether there is such a thread.
fn send(thread: libc::pid_t) -> bool {
    let mut info: Queued = Queued {
        signal: SAMPLING_SIGNAL,
        errno: 0,
        code: libc::SI_QUEUE,
        pid: 0,
        uid: 0,
        value: &raw const STATE,
        _rest: [0; 12],
    };
    // SAFETY: getpid and getuid have no preconditions. The system call reads `info`, which has the size and layout of a
    // siginfo (asserted above), and sends a signal for which `install_sampling` has installed a handler.
    unsafe {
        info.pid = libc::getpid();
        info.uid = libc::getuid();
        libc::syscall(
            libc::SYS_rt_tgsigqueueinfo,
            info.pid,
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
            answer(&installed.hooks, context);
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

/// Returns whether [`send`] sent it: only that sends the address of `STATE`.
fn is_ours(info: &libc::siginfo_t) -> bool {
    info.si_code == libc::SI_QUEUE
        // SAFETY: the code is SI_QUEUE, with which a siginfo has a value.
        && unsafe { info.si_value() }.sival_ptr.cast_const() == (&raw const STATE).cast()
}

/// A1 to A3.
fn answer(hooks: &Hooks, context: *const libc::c_void) {
    // SAFETY: gettid has no arguments and no preconditions.
    let Some(asked) = question(unsafe { libc::gettid() }) else {
        return;
    };
    // Acquire: partner is S1. Relaxed on failure: nothing is read.
    if STATE
        .compare_exchange(
            asked,
            asked - ASKED + ANSWERING,
            Ordering::Acquire,
            Ordering::Relaxed,
        )
        .is_err()
    {
        return;
    }
    let mut count = 0;
    // SAFETY: `current` returns null or a stack that is valid while its goroutine runs on this thread (`install`), and this
    // handler has interrupted that goroutine.
    if let Some(stack) = unsafe { (hooks.current)().as_ref() } {
        // SAFETY: `context` is the `ucontext_t` that the kernel passed to the handler, which has not returned.
        let sp = unsafe { (hooks.stack_pointer)(context) };
        growth::make_readable(stack, sp);
        backtrace::walk(stack, &mut |ip| {
            // Relaxed: published by A3.
            ANSWER[count].store(ip, Ordering::Relaxed);
            count += 1;
            count < FRAMES
        });
    }
    // Relaxed: published by A3, the next store.
    COUNT.store(count, Ordering::Relaxed);
    // Release: partner is the Acquire of S3.
    STATE.store(DONE, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_handler_no_thread_is_asked() {
        // SAFETY: gettid has no arguments and no preconditions.
        assert_eq!(frames_of(unsafe { libc::gettid() }), [0; 0]);
    }

    #[test]
    fn threads_that_cannot_be_are_not_asked() {
        for thread in [0, -1, i32::MAX] {
            assert_eq!(question(thread), None, "{thread}");
        }
        assert_eq!(question(7), Some(29));
    }
}
