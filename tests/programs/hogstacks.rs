//! Goroutines that make no calls, and a watchdog that says where they are: one case per argument. tests/observe/hogstacks.rs
//! reads the reports.

use std::{
    env, hint, mem, ptr,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use goroutines::{Builder, Config, go, grow};

const LONG: Duration = Duration::from_millis(200);

fn main() {
    let case = env::args().nth(1).unwrap_or_default();
    if case == "handler-before" {
        install();
    }
    let config = Config::new().procs(2).hog_after(LONG / 4);
    goroutines_tests::start_with(match env::args().nth(2).as_deref() {
        Some("hook") => config.hog_stacks(true).on_hog(|hog| {
            let frames = hog.stack.iter().map(|frame| frame.address != 0);
            println!("hook: {} frames", frames.filter(|&known| known).count());
            eprintln!("{hog}");
        }),
        Some("config") => config.hog_stacks(true),
        _ => config,
    });
    let hog: fn() = match case.as_str() {
        "computes" => || hot(LONG),
        "sleeps" => cold,
        "on-a-segment" => || grow(600 << 10, || hot(LONG)),
        "blocks-the-signal" => || {
            block();
            hot(LONG);
        },
        "handler-before" => || {
            // SAFETY: the handler is installed.
            unsafe { libc::raise(libc::SIGURG) };
            hot(LONG);
        },
        other => panic!("no case {other:?}"),
    };
    go(hog).join().unwrap();
    // One that shares its stack's place with others.
    if case == "computes" {
        // SAFETY: no other code keeps a pointer to its stack.
        let shares = unsafe { Builder::new().copy_stack() };
        shares.spawn(|| hot(LONG)).unwrap().join().unwrap();
    }
    // Relaxed: the handler ran on the thread of what was joined.
    println!("{} signals", SIGNALS.load(Ordering::Relaxed));
}

/// What a report must name.
#[inline(never)]
fn hot(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        hint::spin_loop();
    }
}

/// Blocks in a system call, far down in the C library.
#[inline(never)]
fn cold() {
    thread::sleep(LONG);
    hint::black_box(());
}

static SIGNALS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(signal: libc::c_int) {
    assert_eq!(signal, libc::SIGURG);
    // Relaxed: a count.
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

fn install() {
    // SAFETY: an action of zeroes is valid, and the function has the type of a handler without SA_SIGINFO.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = count as *const () as usize;
        action.sa_flags = libc::SA_ONSTACK | libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGURG, &action, ptr::null_mut()), 0);
    }
}

fn block() {
    // SAFETY: the set is whole.
    unsafe {
        let mut set = mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGURG);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut());
    }
}
