//! What code on a growing stack can notice after all, as the crate's documentation says. Each scenario has its own process.

mod common;

use std::os::unix::process::ExitStatusExt;
use std::ptr;

use common::{
    MIB, assert_success, child, descend, forever, guarded, on_stack, soft_guards, stderr,
};
use goroutines_stack::{Cache, Class, Stack, acquire, growth_faults, has_steps, reserve};

/// A byte in the soft guard of a stack that was started with 64 KiB.
const IN_GUARD: usize = (64 << 10) + 2 * 1024;

/// Lets the kernel write 8 bytes to `place`; its answer.
fn read_into(place: *mut u8) -> (isize, i32) {
    let mut ends = [0; 2];
    // SAFETY: the pipe's ends are ours; the kernel checks `place`, which is a part of a stack that nothing uses.
    unsafe {
        assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
        assert_eq!(libc::write(ends[1], [7_u8; 8].as_ptr().cast(), 8), 8);
        let n = libc::read(ends[0], place.cast(), 8);
        (n, nix::errno::Errno::last_raw())
    }
}

/// Waits for a forked child; the status as `waitpid` gives it.
fn fork(job: impl FnOnce()) -> i32 {
    // SAFETY: the scenario's process has no thread that could hold a lock which the child needs.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        job();
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) };
    }
    let mut status = 0;
    // SAFETY: waits for our child and writes to an integer.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    status
}

fn block_faults() {
    // SAFETY: the set is whole.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGSEGV);
        assert_eq!(
            libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut()),
            0
        );
    }
}

fn system_call_into_a_guard() {
    let stack = guarded(MIB);
    let place = stack.top().wrapping_sub(IN_GUARD);
    on_stack(&stack, || {
        if has_steps() {
            assert_eq!(read_into(place), (-1, libc::EFAULT));
        }
        // SAFETY: in the window, far below everything that runs.
        unsafe { place.write_volatile(1) };
        assert_eq!(read_into(place).0, 8);
        // SAFETY: in the window; the system call has returned, and nothing else writes there.
        assert_eq!(unsafe { place.read_volatile() }, 7);
        assert_eq!(
            read_into(place.wrapping_sub(8192)).0,
            8,
            "below it there is no guard"
        );
    });
}

/// The child of a fork has the same guards in its own memory.
fn forked() {
    let stack = guarded(common::MIB);
    on_stack(&stack, || descend(10 << 10));
    let before = growth_faults();
    let grown = fork(|| {
        on_stack(&stack, || descend(500 << 10));
        assert!(growth_faults() > before || !has_steps());
    });
    assert_eq!(grown, 0);
    let overflowed = fork(|| {
        on_stack(&stack, || forever(0));
    });
    assert_eq!(overflowed & 0x7f, libc::SIGABRT);
    assert_eq!(growth_faults(), before, "the parent's stack has not grown");
    on_stack(&stack, || descend(500 << 10));
}

/// Memory that is locked cannot have guard regions: locked before the first stack they are made with mprotect, locked
/// later fresh stacks are refused with the reason, while those that exist still work.
fn locked(before: bool) {
    // SAFETY: asks that memory be locked.
    let lock = || unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) } == 0;
    if before {
        if lock() {
            let stack = acquire(Class::usable()[0]).unwrap();
            assert!(!has_steps());
            on_stack(&stack, || descend(30 << 10));
        }
        return;
    }
    // A small reservation, because locking fills it.
    let limit = libc::rlimit {
        rlim_cur: 1 << 30,
        rlim_max: 1 << 30,
    };
    // SAFETY: the limit is whole.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    let mut cache = Cache::new();
    let stack = cache.acquire(MIB).unwrap();
    if !has_steps() || !lock() {
        return;
    }
    on_stack(&stack, || descend(30 << 10));
    cache.release(stack);
    let again = cache.acquire(MIB).unwrap();
    let text = acquire(MIB).unwrap_err().to_string();
    assert!(text.contains("mlockall"), "{text}");
    reserve(MIB, 1).unwrap();
    on_stack(&again, || descend(30 << 10));
}

fn blocked(stack: &Stack, deep: usize) {
    on_stack(stack, || {
        block_faults();
        descend(deep)
    });
}

#[test]
#[ignore = "the part of the children that the other tests start"]
fn play() {
    let Some(scenario) = common::scenario() else {
        return;
    };
    match scenario.as_str() {
        "system call" => system_call_into_a_guard(),
        "fork" => forked(),
        "locked before" => locked(true),
        "locked later" => locked(false),
        "blocked, paged" => blocked(&acquire(MIB).unwrap(), 900 << 10),
        "blocked, shallow" => blocked(&guarded(MIB), 50 << 10),
        "blocked, deep" => blocked(&guarded(MIB), 100 << 10),
        "blocked, reserved" => {
            let stack = guarded(MIB);
            // SAFETY: nothing runs on the stack yet.
            unsafe { stack.reserve(stack.top().wrapping_sub(110 << 10)).unwrap() };
            blocked(&stack, 100 << 10);
        }
        other => panic!("no scenario {other}"),
    }
}

const BOTH: [&[(&str, &str)]; 2] = [&[], &[("GOROUTINE_GUARD", "mprotect")]];

#[test]
fn a_system_call_into_an_untouched_guard_is_refused_and_into_a_touched_one_is_not() {
    for flavour in BOTH {
        assert_success(&child("system call", flavour));
    }
}

#[test]
fn a_forked_child_grows_and_overflows_by_itself() {
    for flavour in BOTH {
        assert_success(&child("fork", flavour));
    }
}

#[test]
fn a_thread_that_blocks_the_signal_dies_of_a_growth_fault_only() {
    for flavour in BOTH {
        assert_success(&child("blocked, paged", flavour));
        assert_success(&child("blocked, shallow", flavour));
        assert_success(&child("blocked, reserved", flavour));
    }
    let deep = child("blocked, deep", &[]);
    if soft_guards() {
        assert_eq!(
            deep.status.signal(),
            Some(libc::SIGSEGV),
            "{}",
            stderr(&deep)
        );
    }
    assert_success(&child("blocked, deep", BOTH[1]));
}

#[test]
fn locked_memory_gets_guards_of_the_other_flavour_or_a_reason() {
    assert_success(&child("locked before", &[]));
    assert_success(&child("locked later", &[]));
}
