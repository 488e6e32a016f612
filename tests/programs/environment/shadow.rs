//! A kernel that says that the hardware keeps shadow stacks.

use std::{
    ffi::{c_int, c_long, c_ulong},
    sync::atomic::{AtomicBool, Ordering},
};

use goroutines::{Config, go};

use crate::try_start;

static SAYS_SO: AtomicBool = AtomicBool::new(false);

const GET_STATUS: c_int = 74;
const ENABLED: c_ulong = 1;

/// In the place of libc's, for the whole program: the system call, but for one question.
///
/// # Safety
///
/// The caller owes what the option demands of the arguments.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn prctl(
    option: c_int,
    a: c_ulong,
    b: c_ulong,
    c: c_ulong,
    d: c_ulong,
) -> c_int {
    // Relaxed: a flag of this thread and of those that it starts later.
    if option == GET_STATUS && SAYS_SO.load(Ordering::Relaxed) {
        // SAFETY: the first argument of this option is the address of a word to write.
        unsafe { (a as *mut c_ulong).write(ENABLED) };
        return 0;
    }
    let option = c_long::from(option);
    // SAFETY: the caller has kept what the option demands.
    unsafe { libc::syscall(libc::SYS_prctl, option, a, b, c, d) as c_int }
}

/// A start is refused; after that the kernel says nothing any more, and a start succeeds.
pub(crate) fn shadow_stacks() {
    SAYS_SO.store(true, Ordering::Relaxed);
    match try_start(Config::new()) {
        Ok(()) => println!("started"),
        Err(error) => println!("Err: {error}"),
    }
    SAYS_SO.store(false, Ordering::Relaxed);
    try_start(Config::new()).expect("the runtime starts");
    println!("joined {}", go(|| 7).join().expect("no panic"));
}
