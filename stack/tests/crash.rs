//! What happens when a fault is not growth: the overflow's message, and everybody else's signals.
//!
//! Each scenario runs in a child, whose way to die is looked at to the letter.

mod common;

use std::os::unix::process::ExitStatusExt;
use std::process::Output;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{
    MIB, assert_success, child, descend, forever, guarded, install_now, install_once, on_stack,
    page, soft_guards, stderr,
};
use goroutines_stack::{Class, SignalStack, acquire};

/// An address that is mapped and may not be touched, in no arena.
fn forbidden() -> *mut u8 {
    // SAFETY: maps a fresh page.
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            page(),
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(page, libc::MAP_FAILED);
    page.cast()
}

fn touch(addr: *mut u8) {
    // SAFETY: faults, which is what the scenario is about.
    unsafe { addr.write_volatile(1) };
}

/// Sets the action of a signal, as a program that was there first would.
fn set_action(signal: libc::c_int, function: usize, flags: libc::c_int) {
    // SAFETY: all zeroes is a valid action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = function;
    action.sa_flags = flags;
    // SAFETY: the callers give a function of the type that the flags announce.
    let failed = unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
    assert_eq!(failed, 0);
}

static SEEN: AtomicUsize = AtomicUsize::new(0);

/// Notes the address and makes the page accessible, so that the instruction succeeds when it runs again.
extern "C" fn with_info(_: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    assert!(!context.is_null());
    // SAFETY: the kernel's siginfo about a fault.
    let addr = unsafe { (*info).si_addr() };
    SEEN.store(addr as usize, Ordering::Relaxed);
    let place = (addr as usize & !(page() - 1)) as *mut libc::c_void;
    // SAFETY: the page is the test's.
    unsafe { libc::mprotect(place, page(), libc::PROT_READ | libc::PROT_WRITE) };
}

extern "C" fn plain(signal: libc::c_int) {
    // Leaves without another fault. `_exit` is async-signal-safe.
    // SAFETY: ends the process.
    unsafe { libc::_exit(40 + signal) }
}

extern "C" fn noting_mask(signal: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: a zeroed set is a place for pthread_sigmask to write to.
    let blocked = unsafe {
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &mut mask);
        [libc::SIGUSR1, signal].map(|s| libc::sigismember(&mask, s))
    };
    SEEN.store((blocked[0] * 2 + blocked[1]) as usize, Ordering::Relaxed);
}

extern "C" fn nothing(_: libc::c_int) {}

/// Raises SIGUSR1 at each depth down to `goal`, which lets each of them begin at another place of a frame.
#[inline(never)]
fn raise_at_each_depth(seed: usize, goal: usize) -> usize {
    let frame = std::hint::black_box([seed; 9]);
    raise(libc::SIGUSR1);
    match frame.as_ptr().addr() > goal {
        true => raise_at_each_depth(seed.wrapping_add(1), goal).wrapping_add(frame[3]),
        false => frame[7],
    }
}

/// What `reporter` has taken the place of.
// SAFETY: all zeroes is a valid action.
static mut REPLACED: libc::sigaction = unsafe { std::mem::zeroed() };

/// As crash reporters do: restores the handler that was there, and raises the signal again.
extern "C" fn reporter(signal: libc::c_int) {
    // SAFETY: the action is the one that was installed before.
    unsafe { libc::sigaction(signal, &raw const REPLACED, ptr::null_mut()) };
    raise(signal);
}

fn raise(signal: libc::c_int) {
    // SAFETY: sends a signal to this thread.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

fn overflow(class: Class) {
    let stack = acquire(class).unwrap();
    on_stack(&stack, || forever(0));
}

/// On one of two stacks, touches the hard guard of the other, which lies below or above it.
fn touch_guard_of_neighbour(below: bool) {
    let mut stacks = [(); 2].map(|()| acquire(MIB).unwrap());
    stacks.sort_by_key(|stack| stack.top() as usize);
    if below {
        stacks.reverse();
    }
    let [stack, other] = stacks;
    assert_eq!(below, other.top() < stack.top());
    let guard = other.top().wrapping_sub(other.limit() + 1);
    on_stack(&stack, || touch(guard));
}

/// A handler that was there before: the fault of `touch` reaches it with its address, and growth still works.
fn previous_handler_with_info() {
    set_action(
        libc::SIGSEGV,
        with_info as *const () as usize,
        libc::SA_SIGINFO | libc::SA_ONSTACK,
    );
    install_once();
    let addr = forbidden().wrapping_add(100);
    touch(addr);
    assert_eq!(SEEN.load(Ordering::Relaxed), addr as usize);
    let stack = guarded(MIB);
    let other = forbidden().wrapping_add(200);
    on_stack(&stack, || {
        descend(300 << 10);
        touch(other);
        descend(600 << 10);
    });
    assert_eq!(SEEN.load(Ordering::Relaxed), other as usize);
}

fn previous_handler_with_mask(flags: libc::c_int) {
    // SAFETY: all zeroes is a valid action, and the handler has the type that SA_SIGINFO announces.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = noting_mask as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | flags;
        libc::sigaddset(&mut action.sa_mask, libc::SIGUSR1);
        assert_eq!(libc::sigaction(libc::SIGSEGV, &action, ptr::null_mut()), 0);
    }
    install_once();
    raise(libc::SIGSEGV);
    let own_blocked = usize::from(flags & libc::SA_NODEFER == 0);
    assert_eq!(SEEN.load(Ordering::Relaxed), 2 + own_blocked);
}

#[test]
#[ignore = "the part of the children that the other tests start"]
fn play() {
    let Some(scenario) = common::scenario() else {
        return;
    };
    match scenario.as_str() {
        "overflow" => overflow(MIB),
        "overflow with a large frame" => {
            // 100 KB from the end of the window: its probes meet the hard guard, however far below it the frame would end.
            #[inline(never)]
            fn large() -> u8 {
                let mut frame = [7_u8; 100_000];
                std::hint::black_box(&mut frame)[99_999]
            }
            let stack = acquire(MIB).unwrap();
            let others: Vec<_> = (0..50).map(|_| acquire(MIB).unwrap()).collect();
            on_stack(&stack, || {
                #[inline(never)]
                fn down(goal: usize) -> u8 {
                    let frame = std::hint::black_box([1_u8; 300]);
                    let here = frame.as_ptr() as usize;
                    frame[7] + if here > goal { down(goal) } else { large() }
                }
                down(stack.top() as usize - stack.limit() + (50 << 10))
            });
            drop(others);
        }
        "overflow in the handler" => {
            // The walk meets a return address that is none: whatever the unwinder makes of it, the process ends by SIGABRT.
            let stack = acquire(MIB).unwrap();
            on_stack(&stack, || {
                #[inline(never)]
                fn spoil(stack: &goroutines_stack::Stack) {
                    let here = std::hint::black_box(0_u64);
                    let start = (&raw const here).cast_mut();
                    for word in 1..(stack.top() as usize - start as usize) / 8 {
                        // SAFETY: overwrites the frames above, to which nothing returns.
                        unsafe { start.add(word).write_volatile(0x10) };
                    }
                    forever(0);
                }
                spoil(&stack);
            });
        }
        "overflow of the smallest" => overflow(Class::usable()[0]),
        "overflow of the largest" => {
            // At its far end: recursing there would use a gigabyte.
            let stack = acquire(Class::LARGEST).unwrap();
            on_stack(&stack, || {
                touch(stack.top().wrapping_sub(stack.limit() + 1))
            });
        }
        "overflow of a thread" => {
            install_once();
            forever(0);
        }
        "wild pointer of a thread" => {
            install_once();
            touch(forbidden());
        }
        "wild pointer of a goroutine" => {
            let stack = acquire(MIB).unwrap();
            on_stack(&stack, || touch(forbidden()));
        }
        "wild pointer into the guard above" => touch_guard_of_neighbour(false),
        "wild pointer into the guard below" => touch_guard_of_neighbour(true),
        "hard guard without a goroutine" => {
            install_once();
            let stack = acquire(MIB).unwrap();
            touch(stack.top().wrapping_sub(stack.limit() + 1));
        }
        "previous handler with info" => previous_handler_with_info(),
        "previous handler with mask" => previous_handler_with_mask(0),
        "previous handler without defer" => previous_handler_with_mask(libc::SA_NODEFER),
        "previous plain handler" => {
            set_action(libc::SIGSEGV, plain as *const () as usize, 0);
            install_once();
            touch(forbidden());
        }
        "previous handler of SIGBUS" => {
            set_action(libc::SIGBUS, plain as *const () as usize, 0);
            install_once();
            raise(libc::SIGBUS);
        }
        "ignored and sent" => {
            set_action(libc::SIGSEGV, libc::SIG_IGN, 0);
            install_once();
            raise(libc::SIGSEGV);
            raise(libc::SIGSEGV);
        }
        "ignored and faulted" => {
            set_action(libc::SIGSEGV, libc::SIG_IGN, 0);
            install_once();
            touch(forbidden());
        }
        "default and sent" => {
            set_action(libc::SIGSEGV, libc::SIG_DFL, 0);
            install_once();
            raise(libc::SIGSEGV);
        }
        "default and faulted" => {
            set_action(libc::SIGSEGV, libc::SIG_DFL, 0);
            install_once();
            touch(forbidden());
        }
        "a frame at a soft guard" => {
            // A handler without SA_ONSTACK, at each depth around the guard: somewhere only its frame does not fit.
            set_action(libc::SIGUSR1, nothing as *const () as usize, 0);
            let stack = guarded(MIB);
            on_stack(&stack, || {
                descend(54 << 10);
                raise_at_each_depth((&raw const stack).addr(), stack.top().addr() - (80 << 10))
            });
            assert!(stack.committed() >= 80 << 10 || !soft_guards());
        }
        "a frame at the hard guard" => {
            set_action(libc::SIGUSR1, nothing as *const () as usize, 0);
            let stack = acquire(Class::usable()[0]).unwrap();
            on_stack(&stack, || raise_at_each_depth(0, 0));
        }
        "no signal stack" => {
            let stack = acquire(MIB).unwrap();
            on_stack(&stack, || {
                // SAFETY: all zeroes but the flag that takes the signal stack away, on which nothing runs.
                unsafe {
                    let mut none: libc::stack_t = std::mem::zeroed();
                    none.ss_flags = libc::SS_DISABLE;
                    assert_eq!(libc::sigaltstack(&none, ptr::null_mut()), 0);
                }
                touch(stack.top().wrapping_sub(stack.limit() + 1));
            });
        }
        "replaced handler" => {
            let stack = guarded(MIB);
            on_stack(&stack, || {
                // SAFETY: the handler has the type that the flags announce; `REPLACED` is a place for an action.
                unsafe {
                    let mut action: libc::sigaction = std::mem::zeroed();
                    action.sa_sigaction = reporter as *const () as usize;
                    action.sa_flags = libc::SA_ONSTACK | libc::SA_NODEFER;
                    let failed = libc::sigaction(libc::SIGSEGV, &action, &raw mut REPLACED);
                    assert_eq!(failed, 0);
                }
                descend(100 << 10)
            });
        }
        "installed twice" => {
            install_now().unwrap();
            let error = install_now().unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
            assert!(error.to_string().contains("once"), "{error}");
        }
        other => panic!("no scenario {other}"),
    }
}

fn assert_died_of(output: &Output, signal: libc::c_int) {
    assert_eq!(output.status.signal(), Some(signal), "{}", stderr(output));
}

#[test]
fn an_overflow_names_the_goroutine_the_limit_and_the_remedy_and_aborts() {
    let output = child("overflow", &[]);
    assert_died_of(&output, libc::SIGABRT);
    let text = stderr(&output);
    let message = "\ngoroutine 17 [deep thought]: stack exceeds 1048576-byte limit\n\
         spawned as a test\n\
         help: give it a larger one with `Builder::stack_size(8388608)`, or every goroutine with `Config`; \
         a recursion whose depth the input decides can continue on further stacks with `#[goroutines::grow]` above its \
         function; one without an end needs another cure\n\
         backtrace (`addr2line -Cfie FILE OFFSET` names FILE+OFFSET):\n";
    let trace = text.strip_prefix(message).expect(&text);
    if cfg!(target_env = "musl") {
        return assert!(trace.starts_with("      (none: "), "{text}");
    }
    let frames: Vec<&str> = trace.lines().collect();
    assert!(frames.len() >= 3, "{text}");
    assert!(frames.iter().all(|line| line.contains(": 0x")), "{text}");
    assert!(
        frames.iter().any(|line| line.ends_with(" times)")),
        "the recursion is not folded: {text}"
    );
}

#[test]
fn a_large_frame_at_the_end_of_the_window_is_an_overflow_and_harms_no_neighbour() {
    let output = child("overflow with a large frame", &[]);
    assert_died_of(&output, libc::SIGABRT);
    assert!(stderr(&output).contains("stack exceeds 1048576-byte limit"));
}

#[test]
fn a_stack_that_cannot_be_walked_ends_the_process_all_the_same() {
    let output = child("overflow in the handler", &[]);
    assert_died_of(&output, libc::SIGABRT);
    assert!(stderr(&output).contains("stack exceeds 1048576-byte limit"));
}

#[test]
fn an_overflow_in_the_smallest_and_the_largest_class_names_their_limits() {
    let output = child("overflow of the smallest", &[]);
    assert_died_of(&output, libc::SIGABRT);
    let [window, larger] = [0, 1].map(|row| Class::usable()[row].window());
    assert!(stderr(&output).contains(&format!("stack exceeds {window}-byte limit")));
    assert!(stderr(&output).contains(&format!("Builder::stack_size({larger})")));

    let output = child("overflow of the largest", &[]);
    assert_died_of(&output, libc::SIGABRT);
    let window = Class::LARGEST.window();
    assert!(stderr(&output).contains(&format!("stack exceeds {window}-byte limit")));
    assert!(!stderr(&output).contains("stack_size"));
}

#[test]
fn an_overflow_of_an_os_thread_is_still_reported_by_std() {
    let output = child("overflow of a thread", &[]);
    assert_died_of(&output, libc::SIGABRT);
    assert!(stderr(&output).contains("has overflowed its stack"));
    assert!(!stderr(&output).contains("goroutine"));
}

#[test]
fn a_wild_pointer_is_a_segmentation_fault_as_ever() {
    for scenario in [
        "wild pointer of a thread",
        "wild pointer of a goroutine",
        "wild pointer into the guard above",
        "wild pointer into the guard below",
        "hard guard without a goroutine",
    ] {
        let output = child(scenario, &[]);
        assert_died_of(&output, libc::SIGSEGV);
        assert!(!stderr(&output).contains("stack exceeds"), "{scenario}");
    }
}

#[test]
fn a_handler_that_was_there_before_gets_what_is_not_ours() {
    assert_success(&child("previous handler with info", &[]));
    assert_success(&child("previous handler with mask", &[]));
    assert_success(&child("previous handler without defer", &[]));
    let output = child("previous plain handler", &[]);
    assert_eq!(output.status.code(), Some(40 + libc::SIGSEGV));
    let output = child("previous handler of SIGBUS", &[]);
    assert_eq!(output.status.code(), Some(40 + libc::SIGBUS));
}

#[test]
fn default_and_ignore_mean_what_they_meant_before() {
    assert_success(&child("ignored and sent", &[]));
    for scenario in [
        "ignored and faulted",
        "default and sent",
        "default and faulted",
    ] {
        assert_died_of(&child(scenario, &[]), libc::SIGSEGV);
    }
}

#[test]
fn a_handler_on_the_goroutines_stack_grows_it_or_is_named() {
    assert_success(&child("a frame at a soft guard", &[]));
    let output = child("a frame at the hard guard", &[]);
    assert_died_of(&output, libc::SIGABRT);
    let text = stderr(&output);
    assert!(
        text.contains("goroutine 17 [deep thought]: no room for a signal's frame"),
        "{text}"
    );
    assert!(
        text.contains(&format!("{}-byte stack", Class::usable()[0].window())),
        "{text}"
    );
    assert!(text.contains("SA_ONSTACK"), "{text}");
}

#[test]
fn an_overflow_without_a_signal_stack_says_so_where_it_can_say_anything() {
    let output = child("no signal stack", &[]);
    assert_died_of(&output, libc::SIGABRT);
    let text = stderr(&output);
    assert!(text.contains("stack exceeds 1048576-byte limit"), "{text}");
    assert!(
        text.contains("note: the thread has no signal stack"),
        "{text}"
    );
}

#[test]
fn a_handler_that_took_the_place_of_ours_is_named_when_it_raises_the_signal_again() {
    let output = child("replaced handler", &[]);
    if soft_guards() {
        assert_died_of(&output, libc::SIGSEGV);
        let text = stderr(&output);
        assert!(
            text.contains("goroutine 17 [deep thought]: another signal handler"),
            "{text}"
        );
        assert!(text.contains("before `goroutines::start`"), "{text}");
    }
}

#[test]
fn a_second_installation_is_refused() {
    assert_success(&child("installed twice", &[]));
}

#[test]
fn a_signal_stack_is_restored_to_what_was_there_before() {
    let present = || {
        // SAFETY: all zeroes is a valid `stack_t`; sigaltstack writes the present one into it.
        let stack: libc::stack_t = unsafe {
            let mut stack = std::mem::zeroed();
            assert_eq!(libc::sigaltstack(ptr::null(), &mut stack), 0);
            stack
        };
        (stack.ss_sp as usize, stack.ss_size, stack.ss_flags)
    };
    let before = present();
    {
        let _outer = SignalStack::install().unwrap();
        let outer = present();
        assert!(outer.1 >= 64 << 10);
        assert_ne!(outer.0, before.0);
        {
            let _inner = SignalStack::install().unwrap();
            assert_ne!(present().0, outer.0);
        }
        assert_eq!(present(), outer);
    }
    assert_eq!(present(), before);
}
