//! Signals: the handler of SIGSEGV and SIGBUS, and what happens to signals that are not the runtime's.
//!
//! A fault is the runtime's when its address lies in a window of some arena, a goroutine runs on this thread, and the
//! address is in one of the guards of that goroutine's stack. Everything else goes to the action that was installed
//! before, exactly as if this handler did not exist:
//!
//! | before | a fault (the kernel names the cause) | sent by a process (`kill`, `raise`) |
//! |---|---|---|
//! | default | restore it and return: the instruction faults again and the process dies of it | restore it and raise again |
//! | ignore | the kernel does not let faults be ignored: like default | return |
//! | a handler | call it, with its own mask | the same |
//!
//! std's handler, which reports overflows of OS threads, is such a handler.
//!
//! While a fatal error ends the process ([`abort_at_faults`]), a fault that is not the runtime's aborts it.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;

use crate::faults::growth::{self, Fault};
use crate::faults::hooks::Hooks;
use crate::faults::overflow;
use crate::faults::sigstack;
use crate::memory::guard;
use crate::memory::map;
use crate::windows::arena;

/// What the handler needs, complete before it is installed.
struct Installed {
    hooks: Hooks,
    before: [libc::sigaction; SIGNALS.len()],
}

const SIGNALS: [libc::c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

static INSTALLED: OnceLock<Installed> = OnceLock::new();

/// Whether [`abort_at_faults`] was called.
static ENDING: AtomicBool = AtomicBool::new(false);

/// A fatal error ends the process, by SIGABRT: from here on a fault that is not the runtime's does so too, at once.
pub fn abort_at_faults() {
    // Relaxed: a flag alone.
    ENDING.store(true, Ordering::Relaxed);
}

/// Decides how guards are made, and installs the fault handler. Once for a process.
///
/// Threads that run goroutines also need a [`SignalStack`](crate::SignalStack).
///
/// # Errors
///
/// When it is called a second time, or when the guards cannot be made (see `GOROUTINE_GUARD`).
///
/// # Safety
///
/// `hooks.current` returns null or a pointer to a [`Stack`](crate::Stack) that is valid until its goroutine stops running
/// on the calling thread. The hooks are async-signal-safe.
pub unsafe fn install(hooks: Hooks) -> io::Result<()> {
    guard::decide()?;
    // Computed here, so that the handler only loads them.
    map::page_size();
    sigstack::frame_size();
    let installed = Installed {
        hooks,
        before: [action_of(SIGNALS[0])?, action_of(SIGNALS[1])?],
    };
    if INSTALLED.set(installed).is_err() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "the fault handler of goroutine stacks is installed already: start the runtime once",
        ));
    }
    let mut action = empty_action();
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    for signal in SIGNALS {
        set_action(signal, &action)?;
    }
    Ok(())
}

extern "C" fn handler(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    overflow::end_if_reporting();
    let errno = Errno::last_raw();
    if let Some(installed) = INSTALLED.get() {
        // SAFETY: `install` sets SA_SIGINFO, so the kernel passes a siginfo that is valid until the handler returns.
        if !ours(installed, unsafe { &*info }, context) {
            // Relaxed: as in `abort_at_faults`.
            if ENDING.load(Ordering::Relaxed) {
                overflow::abort();
            }
            // SAFETY: this is the handler, and `signal`, `info` and `context` are the arguments that the kernel passed to it.
            unsafe { forward(installed, signal, info, context) };
        }
    }
    Errno::set_raw(errno);
}

/// Handles a fault in the current goroutine's stack. Returns false if the signal is not such a fault.
fn ours(installed: &Installed, info: &libc::siginfo_t, context: *const libc::c_void) -> bool {
    /// Raised by the kernel, and no address with it.
    const SI_KERNEL: libc::c_int = 0x80;
    // SAFETY: called for positive codes other than SI_KERNEL only, with which SIGSEGV and SIGBUS carry an address.
    let addr = || unsafe { info.si_addr() } as usize;
    // Positive codes are the kernel's. Most foreign faults are recognised by their address.
    if info.si_code > 0 && info.si_code != SI_KERNEL && !arena::holds(addr()) {
        return false;
    }
    // SAFETY: `current` returns null or a stack that is valid while its goroutine runs on this thread (`install`), and the
    // handler has interrupted that goroutine.
    let Some(stack) = (unsafe { (installed.hooks.current)().as_ref() }) else {
        return false;
    };
    let hooks = &installed.hooks;
    // SAFETY: `context` is the `ucontext_t` that the kernel passed to the handler, which has not returned.
    let sp = unsafe { (hooks.stack_pointer)(context) };
    let fault = match info.si_code {
        SI_KERNEL => growth::unwritten_frame(stack, sp),
        1.. => growth::fault(stack, addr(), sp),
        _ => {
            if sigstack::is_on_signal_stack(sp) {
                overflow::say_replaced(hooks);
            }
            Fault::Foreign
        }
    };
    match fault {
        Fault::Grown => return true,
        Fault::Refused(errno) => overflow::no_growth(errno, hooks),
        Fault::Overflow => {
            growth::make_readable(stack, sp);
            let here = 0_u8;
            let on_itself = stack.contains((&raw const here).addr());
            overflow::die(stack, hooks, on_itself)
        }
        Fault::NoRoomForFrame => overflow::no_frame(stack, hooks),
        Fault::Foreign => {}
    }
    false
}

/// Does what would have happened without this handler.
///
/// # Safety
///
/// The caller is the handler, and passes on the arguments that it got from the kernel.
unsafe fn forward(
    installed: &Installed,
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    let index = usize::from(signal != SIGNALS[0]);
    let before = &installed.before[index];
    // SAFETY: `info` is the siginfo of the running handler, valid until that returns.
    let sent = unsafe { (*info).si_code } <= 0;
    match before.sa_sigaction {
        libc::SIG_IGN if sent => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            let mut action = empty_action();
            action.sa_sigaction = libc::SIG_DFL;
            let restored = set_action(signal, &action);
            if sent || restored.is_err() {
                // The signal is blocked while its handler runs, so it is delivered when the handler returns.
                // SAFETY: raise takes any signal number and is async-signal-safe.
                unsafe { libc::raise(signal) };
            }
        }
        // SAFETY: the action was installed before this handler and is neither SIG_DFL nor SIG_IGN, so it is a function; the other
        // arguments are the kernel's.
        _ => unsafe { call(before, signal, info, context) },
    }
}

/// Calls the handler of `before`, with its own mask.
///
/// # Safety
///
/// The caller is a signal handler, and passes on the arguments that it got from the kernel. `before` is an action that
/// was installed and whose `sa_sigaction` is a function.
pub(crate) unsafe fn call(
    before: &libc::sigaction,
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    block_like(before, signal);
    let function = before.sa_sigaction;
    if before.sa_flags & libc::SA_SIGINFO != 0 {
        type Function = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
        // SAFETY: an action that was installed with SA_SIGINFO names a function of three arguments.
        let function: Function = unsafe { std::mem::transmute(function) };
        function(signal, info, context);
    } else {
        // SAFETY: an action that was installed without SA_SIGINFO names a function of one argument.
        let function: extern "C" fn(libc::c_int) = unsafe { std::mem::transmute(function) };
        function(signal);
    }
}

/// The hooks that [`install`] got, if it was called.
pub(crate) fn hooks() -> Option<Hooks> {
    INSTALLED.get().map(|installed| installed.hooks)
}

/// Gives the thread the signal mask that the kernel would have set for `action`. The return from this handler undoes it.
fn block_like(action: &libc::sigaction, signal: libc::c_int) {
    // SAFETY: both pointers are to initialised sets (`sa_mask`); sigaddset and pthread_sigmask are async-signal-safe.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &action.sa_mask, ptr::null_mut());
        if action.sa_flags & libc::SA_NODEFER != 0 {
            let mut own = empty_action().sa_mask;
            libc::sigaddset(&mut own, signal);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &own, ptr::null_mut());
        }
    }
}

/// Returns whether the fault handler that [`install`] installed is still the process's; true where the system does not say.
pub fn handles_faults() -> bool {
    let ours = handler as *const () as usize;
    SIGNALS
        .iter()
        .all(|&signal| action_of(signal).map_or(true, |action| action.sa_sigaction == ours))
}

/// An action with an empty mask and no flags.
pub(crate) fn empty_action() -> libc::sigaction {
    // SAFETY: all zeroes is a valid `sigaction`: the default action, no flags, an empty mask.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// The action that is installed for `signal`.
pub(crate) fn action_of(signal: libc::c_int) -> io::Result<libc::sigaction> {
    let mut action = empty_action();
    // SAFETY: sigaction writes the present action into a whole `sigaction`.
    match unsafe { libc::sigaction(signal, ptr::null(), &mut action) } {
        0 => Ok(action),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Installs `action` for `signal`.
pub(crate) fn set_action(signal: libc::c_int, action: &libc::sigaction) -> io::Result<()> {
    // SAFETY: the action is the default one or this crate's handler, which has the type that its SA_SIGINFO flag announces.
    match unsafe { libc::sigaction(signal, action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
