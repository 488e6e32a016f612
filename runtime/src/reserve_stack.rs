//! Making sure of stack before a call that must not meet a guard.

use goroutines_sched as sched;

/// Makes sure that the caller and what it calls can use `bytes` of stack without meeting a guard page: before a call in
/// which a guard could not be handled. Which calls these are says [`Builder::stack_start`](crate::Builder::stack_start).
///
/// Where stacks are guarded or copied the guard moves down at once, as if the stack had grown that far. Stacks that nobody
/// asked a start for have no guard but the one at their end, and neither have plain threads: there this only looks whether
/// enough is left, and no memory is touched. A thread whose end the system does not tell is believed to have enough.
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
