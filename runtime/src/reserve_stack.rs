//! Making sure of stack before a call that must not hit a guard.

use goroutines_sched as sched;

/// Makes sure that the caller and what it calls can use `bytes` of stack without hitting a guard page: before a call in
/// which a guard could not be handled. [`Builder::stack_start`](crate::Builder::stack_start) names these calls.
///
/// Where stacks are guarded or copied the guard moves down at once, as if the stack had grown that far. A stack without a
/// `stack_start` has no guard but the one at its end, and so has the stack of a plain thread: there this only checks that
/// enough is left, and touches no memory. A thread whose stack bounds the system does not tell is taken to have enough.
///
/// # Panics
///
/// When less than `bytes` are left of the stack, and when the kernel refuses to move the guard.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use std::process::Command;
///
/// goroutines::go(|| {
///     goroutines::reserve_stack(64 << 10);
///     assert!(Command::new("true").status().unwrap().success());
/// })
/// .join()
/// .unwrap();
/// ```
#[track_caller]
pub fn reserve_stack(bytes: usize) {
    if let Err(shortage) = sched::reserve_stack(bytes) {
        no_stack(bytes, &shortage);
    }
}

#[cold]
#[track_caller]
fn no_stack(bytes: usize, shortage: &sched::Shortage) -> ! {
    panic!("goroutines::reserve_stack: {bytes} bytes: {shortage}");
}

/// What a call of the C library that starts a thread or a process uses of the stack, and std's frames before it.
const STARTS: usize = 48 << 10;

/// Runs `call`, which starts a thread or a process. The C library blocks all signals in such a call, and a guard page of
/// this goroutine's stack could not be moved then: it is moved before. Where less is left of the stack, `call` runs on a
/// further one.
pub(crate) fn with_room_to_start<R>(call: impl FnOnce() -> R) -> R {
    sched::with_room(STARTS, call)
}
