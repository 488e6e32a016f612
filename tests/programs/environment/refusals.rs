//! The kernel refuses what the runtime asks for: from the start on, or later.

use std::{
    hint, io, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use goroutines::{
    Config, chan, checkpoint, go, lock_os_thread, metrics, sleep, sync::Mutex, yield_now,
};

use crate::{
    filter::{Refused, refuse},
    start, try_start,
};

const SHORT: Duration = Duration::from_millis(20);
const PRIVATE_EXPEDITED: u32 = 1 << 3;

/// The fence, and not its registration.
fn membarrier() -> Refused {
    Refused {
        argument: Some((0, PRIVATE_EXPEDITED)),
        ..Refused::always(libc::SYS_membarrier, libc::EPERM)
    }
}

/// Every way to start a thread.
fn threads() -> [Refused; 2] {
    [
        Refused::always(libc::SYS_clone3, libc::ENOSYS),
        Refused::always(libc::SYS_clone, libc::EAGAIN),
    ]
}

/// Spins until `flag` is raised, without a call into the runtime.
fn spin_until(flag: &AtomicBool) {
    // Relaxed: only to end.
    while !flag.load(Ordering::Relaxed) {
        hint::spin_loop();
    }
}

/// A goroutine that makes no call until another one has run, on one P.
fn a_hog_waits_for_another() {
    let flag = Arc::new(AtomicBool::new(false));
    let hog = go({
        let flag = Arc::clone(&flag);
        move || spin_until(&flag)
    });
    sleep(SHORT);
    // Relaxed: only to end.
    go(move || flag.store(true, Ordering::Relaxed))
        .join()
        .unwrap();
    hog.join().unwrap();
}

/// Ps are taken, by fences of the Ms, although only the registration of membarrier is allowed.
pub(crate) fn membarrier_from_the_start() {
    refuse(&[membarrier()], false);
    start(1);
    for _ in 0..20 {
        a_hog_waits_for_another();
    }
    println!("went on, {}", metrics().takes > 0);
}

/// Goroutines that park and run all the time, while their stacks would be shrunk, and Ps taken.
pub(crate) fn membarrier_later() {
    let config = Config::new().procs(2).stack_idle(SHORT / 4);
    try_start(config).unwrap();
    let sleepers: Vec<_> = (0..200)
        .map(|i| {
            go(move || {
                for _ in 0..40 {
                    let data = hint::black_box([i; 500]);
                    sleep(SHORT);
                    assert!(hint::black_box(data).iter().all(|&x| x == i));
                }
            })
        })
        .collect();
    go(a_hog_waits_for_another).join().unwrap();
    refuse(&[membarrier()], true);
    // Ms that have been inside since pass fences, and their Ps are taken.
    let end = Instant::now() + 30 * SHORT;
    let mut hogs = 0;
    while Instant::now() < end || hogs < 20 {
        go(a_hog_that_calls_now_and_then).join().unwrap();
        hogs += 1;
    }
    for one in sleepers {
        one.join().unwrap();
    }
    println!("went on");
}

/// As [`a_hog_waits_for_another`], with a call now and then.
fn a_hog_that_calls_now_and_then() {
    let flag = Arc::new(AtomicBool::new(false));
    let hogs = [0; 2].map(|_| {
        let flag = Arc::clone(&flag);
        go(move || {
            // Relaxed: only to end.
            while !flag.load(Ordering::Relaxed) {
                let until = Instant::now() + SHORT;
                while Instant::now() < until {
                    hint::spin_loop();
                }
                drop(go(|| ()));
            }
        })
    });
    yield_now();
    // Relaxed: only to end.
    go(move || flag.store(true, Ordering::Relaxed))
        .join()
        .unwrap();
    for hog in hogs {
        hog.join().unwrap();
    }
}

pub(crate) fn signal_stacks() {
    refuse(
        &[Refused::always(libc::SYS_sigaltstack, libc::EPERM)],
        false,
    );
    match try_start(Config::new()) {
        Ok(()) => println!("Ok"),
        Err(error) => println!("Err: {error}"),
    }
}

/// No thread at all: `start` says so, and a later one succeeds where it can.
pub(crate) fn threads_from_the_start() {
    let filtered = thread::spawn(|| {
        refuse(&threads(), false);
        try_start(Config::new())
    });
    match filtered.join().unwrap() {
        Ok(()) => println!("Ok"),
        Err(error) => println!("Err: {error}"),
    }
    start(2);
    println!("joined {}", go(|| 7).join().unwrap());
}

/// Which call a goroutine makes again and again, without ever having to wait.
#[derive(Clone, Copy)]
pub(crate) enum Busy {
    Checkpoint,
    Lock,
    Channel,
    Select,
}

/// Two Ps and one thread: a goroutine that never has to wait has it, and lets the others run all the same.
pub(crate) fn threads_later(busy: Busy) {
    start(2);
    go(|| ()).join().unwrap();
    refuse(&threads(), true);
    let done = Arc::new(AtomicUsize::new(0));
    let others = Arc::clone(&done);
    let hog = go(move || {
        // They are ready when the goroutine begins not to wait.
        for _ in 0..10 {
            let done = Arc::clone(&others);
            // Relaxed: only counted.
            drop(go(move || done.fetch_add(1, Ordering::Relaxed)));
        }
        let (mutex, (tx, rx)) = (Mutex::new(0), chan::bounded(1));
        let start = Instant::now();
        // Relaxed: as above.
        while others.load(Ordering::Relaxed) < 10 {
            match busy {
                Busy::Checkpoint => checkpoint(),
                Busy::Lock => *mutex.lock().unwrap() += 1,
                Busy::Channel => {
                    tx.send(1).unwrap();
                    rx.recv().unwrap();
                }
                Busy::Select => {
                    tx.try_send(1).unwrap();
                    chan::select! { recv(rx) -> _ => {} }
                }
            }
            assert!(start.elapsed() < 1000 * SHORT, "the others starve");
        }
    });
    match hog.join() {
        Ok(()) => println!("went on"),
        Err(_) => println!("the others starve"),
    }
}

/// All wait for a goroutine that makes no calls, and no thread can be started: a message says so.
pub(crate) fn threads_for_a_second() {
    start(2);
    go(|| ()).join().unwrap();
    refuse(&threads(), true);
    let flag = Arc::new(AtomicBool::new(false));
    let hog = go({
        let flag = Arc::clone(&flag);
        move || spin_until(&flag)
    });
    let waits = go(|| 7);
    thread::sleep(150 * SHORT);
    // Relaxed: only to end.
    flag.store(true, Ordering::Relaxed);
    hog.join().unwrap();
    println!("joined {}", waits.join().unwrap());
}

/// The handler of faults is replaced.
pub(crate) fn handlers_replaced() {
    start(2);
    go(|| ()).join().unwrap();
    // SAFETY: the action is the default one.
    let replaced = unsafe {
        let default: libc::sigaction = mem::zeroed();
        libc::sigaction(libc::SIGSEGV, &raw const default, std::ptr::null_mut())
    };
    assert_eq!(replaced, 0, "{}", io::Error::last_os_error());
    let end = Instant::now() + 150 * SHORT;
    while Instant::now() < end {
        go(yield_now).join().unwrap();
        thread::sleep(SHORT / 20);
    }
    println!("went on");
}

/// Where the signal stack of this thread is; none if it is disabled.
fn signal_stack() -> Option<usize> {
    // SAFETY: with a null pointer nothing is set; the present one is written to a whole `stack_t`.
    unsafe {
        let mut present: libc::stack_t = mem::zeroed();
        libc::sigaltstack(std::ptr::null(), &raw mut present);
        (present.ss_flags & libc::SS_DISABLE == 0).then_some(present.ss_sp.addr())
    }
}

/// A library on a goroutine takes the signal stack of its thread away.
pub(crate) fn signal_stack_disabled() {
    start(1);
    let (before, after) = go(|| {
        lock_os_thread();
        let before = signal_stack();
        // SAFETY: no handler runs on it.
        unsafe {
            let none = libc::stack_t {
                ss_flags: libc::SS_DISABLE,
                ..mem::zeroed()
            };
            assert_eq!(libc::sigaltstack(&raw const none, std::ptr::null_mut()), 0);
        }
        assert_eq!(signal_stack(), None);
        let end = Instant::now() + 500 * SHORT;
        while signal_stack().is_none() && Instant::now() < end {
            go(|| ()).join().unwrap();
        }
        (before, signal_stack())
    })
    .join()
    .unwrap();
    println!("as before: {}", before.is_some() && before == after);
}
