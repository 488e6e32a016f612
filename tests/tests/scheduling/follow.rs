//! Where the program does not set the number of Ps, it follows the machine. The only test of its process.

use std::{
    mem, thread,
    time::{Duration, Instant},
};

use goroutines::{Config, go, gomaxprocs, set_gomaxprocs, yield_now};

/// Lets this thread run on `cpus` only.
fn bind(cpus: &[usize]) {
    // SAFETY: a mask of CPUs is plain bits.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    for &cpu in cpus {
        // SAFETY: the numbers are those of CPUs in a set of this size.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: `set` is live and of the size that is said; 0 is this thread.
    let done = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
    assert_eq!(done, 0);
}

/// The CPUs that this thread may run on.
fn allowed() -> Vec<usize> {
    // SAFETY: a mask of CPUs is plain bits.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: `set` is live and of the size that is said; 0 is this thread.
    let done = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    assert_eq!(done, 0);
    // SAFETY: the numbers lie in the set.
    (0..libc::CPU_SETSIZE as usize)
        .filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) })
        .collect()
}

fn becomes(count: usize) -> bool {
    let end = Instant::now() + Duration::from_secs(20);
    while gomaxprocs() != count {
        if Instant::now() > end {
            return false;
        }
        // A goroutine must be busy: an idle program does not look at the machine.
        go(|| (0..100).for_each(|_| yield_now())).join().unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    true
}

#[test]
fn the_number_of_ps_follows_the_affinity_until_it_is_set() {
    // SAFETY: the only thread of this process that looks at the environment.
    unsafe { std::env::remove_var("GOMAXPROCS") };
    // SAFETY: nothing here keeps thread-local storage over a call that can park.
    unsafe { Config::new().start() }.unwrap();
    let all = allowed();
    let start = gomaxprocs();
    assert!(start <= all.len());
    bind(&all[..1]);
    assert!(becomes(1), "still {} Ps for one CPU", gomaxprocs());
    bind(&all);
    assert!(becomes(start), "{} Ps for {start} CPUs", gomaxprocs());
    set_gomaxprocs(3);
    bind(&all[..1]);
    let end = Instant::now() + Duration::from_millis(2500);
    while Instant::now() < end {
        go(yield_now).join().unwrap();
        thread::sleep(Duration::from_millis(1));
        assert_eq!(gomaxprocs(), 3, "the number that was set");
    }
}
