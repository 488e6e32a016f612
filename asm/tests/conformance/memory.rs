//! Memory: what lies below the stack pointer, the guard below the stack, and prefetches.

use crate::fiber::{Fiber, GUARD, Stack};
use goroutines_asm::{Context, Native, Port, prefetch, switch};
use std::ffi::c_void;
use std::hint::black_box;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::{mem, ptr, slice};

const PATTERN: u8 = 0xa5;

#[test]
fn suspension_uses_at_most_a_frame_below_sp() {
    let mut fiber = Fiber::new(|inside, _| {
        let (save, load) = inside.contexts();
        // No call in this loop: whatever is written below the stack pointer is written by the switch.
        loop {
            let sp = Native::stack_pointer() as usize;
            // SAFETY: outside waits in its switch, always at the same depth: `load` stays what it was.
            let go_on = unsafe { switch(save, load, sp) };
            if go_on == 0 {
                return 0;
            }
        }
    });
    assert_eq!(
        fiber.stack.top() as usize - fiber.context().sp() as usize,
        Native::HEADROOM + size_of::<<Native as Port>::Frame>()
    );

    let mut resume = {
        #[inline(never)]
        |arg| (fiber.resume(arg), fiber.context(), fiber.stack.low())
    };
    let (_, first, low) = resume(1);
    let below = first.sp() as usize - low as usize;
    // SAFETY: nothing below the stack pointer of a suspended context is in use.
    unsafe { low.write_bytes(PATTERN, below) };
    let (sp, context, _) = resume(1);
    assert_eq!(context, first, "each round suspends at the same depth");
    // SAFETY: inside the stack, whose fiber is suspended.
    let untouched = unsafe { slice::from_raw_parts(low, below) };
    assert_eq!(
        untouched.iter().rposition(|byte| *byte != PATTERN),
        None,
        "written below the frame"
    );
    let used = sp - context.sp() as usize;
    assert!(
        used <= size_of::<<Native as Port>::Frame>(),
        "{used} bytes used below the stack pointer"
    );
    resume(0);
    assert!(fiber.is_done());
}

/// A leaf function but for the switch: its array would lie in the red zone, did the switch not forbid it.
#[inline(never)]
fn leaf(save: *mut Context, load: *const Context, seed: usize) -> usize {
    let mut data = [seed; 12];
    black_box(&mut data);
    // SAFETY: `load` is where the other side was saved, and it waits there.
    let got = unsafe { switch(save, *load, seed) };
    black_box(&mut data);
    let mut intact = 1;
    let mut i = 0;
    while i < 12 {
        // SAFETY: in bounds. Without a check there is no call to a panic, and the function stays a leaf.
        intact &= usize::from(unsafe { *(&raw const data).cast::<usize>().add(i) } == seed);
        i += 1;
    }
    intact & usize::from(got == seed + 1)
}

#[test]
fn red_zone_is_intact() {
    const { assert!(Native::RED_ZONE <= 288) };
    let mut fiber = Fiber::new(|inside, first| {
        let (save, load) = inside.contexts();
        for seed in first.. {
            if leaf(save, &raw const load, seed) == 0 {
                return seed;
            }
        }
        unreachable!()
    });
    for seed in 100..1100 {
        assert_eq!(fiber.resume(seed), seed);
        assert!(
            !fiber.is_done(),
            "data below the stack pointer was overwritten"
        );
    }
}

static GUARD_LOW: AtomicUsize = AtomicUsize::new(0);
static FAULT: AtomicUsize = AtomicUsize::new(0);
static HITS: AtomicUsize = AtomicUsize::new(0);
static HANDLER_SP: AtomicUsize = AtomicUsize::new(0);
static PROTECT_FAILED: AtomicI32 = AtomicI32::new(0);

/// Notes the address and opens the guard: the instruction runs again, and the code that hit it continues.
///
/// The statics' orderings have no partner: handler and test are one thread.
extern "C" fn on_fault(_signal: i32, info: *mut libc::siginfo_t, _ucontext: *mut c_void) {
    // SAFETY: the kernel passes a valid siginfo.
    let address = unsafe { (*info).si_addr() } as usize;
    let guard = GUARD_LOW.load(Relaxed);
    if HITS.fetch_add(1, Relaxed) > 0 || !(guard..guard + GUARD).contains(&address) {
        // SAFETY: the instruction faults once more, and with the default action the process dies of it.
        unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
        return;
    }
    FAULT.store(address, Relaxed);
    HANDLER_SP.store(Native::stack_pointer() as usize, Relaxed);
    // SAFETY: the guard of the test's stack.
    let result = unsafe {
        libc::mprotect(
            guard as *mut c_void,
            GUARD,
            libc::PROT_READ | libc::PROT_WRITE,
        )
    };
    PROTECT_FAILED.store(result, Relaxed);
}

/// Runs `hit` on a fiber, given the address of its guard; returns the guard's and the fault's address.
fn fault_of(hit: fn(usize) -> usize) -> (usize, usize) {
    const SIGNAL_STACK: usize = 64 << 10;
    let mut signal_stack = vec![0_u8; SIGNAL_STACK];
    let mut fiber = Fiber::new(move |_, guard| hit(guard));
    let guard = fiber.stack.guard() as usize;
    GUARD_LOW.store(guard, Relaxed);
    FAULT.store(0, Relaxed);
    HITS.store(0, Relaxed);
    // SAFETY: plain system calls with structures that outlive them; the old handler and signal stack are put back
    // before ours end.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction =
            on_fault as extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void) as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        let ours = libc::stack_t {
            ss_sp: signal_stack.as_mut_ptr().cast(),
            ss_flags: 0,
            ss_size: SIGNAL_STACK,
        };
        let (mut old_action, mut old_stack) = (mem::zeroed(), mem::zeroed());
        assert_eq!(libc::sigaltstack(&ours, &mut old_stack), 0);
        assert_eq!(libc::sigaction(libc::SIGSEGV, &action, &mut old_action), 0);
        fiber.resume(guard);
        assert_eq!(
            libc::sigaction(libc::SIGSEGV, &old_action, ptr::null_mut()),
            0
        );
        assert_eq!(libc::sigaltstack(&old_stack, ptr::null_mut()), 0);
    }
    assert_eq!(
        (HITS.load(Relaxed), PROTECT_FAILED.load(Relaxed)),
        (1, 0),
        "one fault, after which the fiber went on"
    );
    let handler = HANDLER_SP.load(Relaxed);
    assert!(
        signal_stack
            .as_ptr_range()
            .contains(&(handler as *const u8)),
        "the handler has a stack of its own"
    );
    (guard, FAULT.load(SeqCst))
}

#[test]
fn guard_hit_reports_the_right_address() {
    for offset in [0, 1, 4097, GUARD - 1] {
        POKE.store(offset, Relaxed);
        let (guard, fault) = fault_of(|guard| {
            // SAFETY: inaccessible until the handler opens it, then ours.
            unsafe { ((guard + POKE.load(Relaxed)) as *mut u8).write_volatile(1) };
            0
        });
        let written = guard + offset;
        assert_eq!(
            fault,
            written & !(Native::FAULT_GRAIN - 1),
            "the address that was written"
        );
    }

    /// Needs more than the stack has, and less than the stack and its guard.
    #[inline(never)]
    fn recurse(low: usize) -> usize {
        let frame = black_box([low; 16]);
        if (&raw const frame as usize) < low {
            1
        } else {
            recurse(low) + black_box(&frame)[3] - low
        }
    }
    let (guard, fault) = fault_of(|guard| recurse(guard + GUARD - 1024));
    assert!(
        (guard + GUARD - 4096..guard + GUARD).contains(&fault),
        "hit {fault:#x}, the guard is at {guard:#x}"
    );
}

/// How far into the guard `guard_hit_reports_the_right_address` writes.
static POKE: AtomicUsize = AtomicUsize::new(0);

#[test]
fn prefetch_takes_any_address() {
    let stack = Stack::new();
    for address in [
        ptr::null(),
        stack.guard(),
        stack.low(),
        usize::MAX as *const u8,
        (usize::MAX / 2 + 1) as *const u8,
    ] {
        prefetch(address);
    }
}
