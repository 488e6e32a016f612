//! Goroutines of all kinds under a profiler that unwinds in a signal's handler, for tests/observe/profiler.rs.

use std::{
    ffi::c_void,
    fs,
    hint::black_box,
    mem, ptr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use goroutines::{Builder, chan, go, grow, yield_now};

unsafe extern "C" {
    // The unwinder that std itself uses. It allocates nothing once it has read the tables.
    fn _Unwind_Backtrace(
        visit: extern "C" fn(*mut c_void, *mut c_void) -> i32,
        frames: *mut c_void,
    ) -> i32;
}

/// More frames than any stack here has: a walk that is as long goes round in circles.
const ENDLESS: usize = 2_000;

// Relaxed: sums that are read when all is over.
static SAMPLES: AtomicUsize = AtomicUsize::new(0);
static CIRCLES: AtomicUsize = AtomicUsize::new(0);

extern "C" fn visit(_: *mut c_void, frames: *mut c_void) -> i32 {
    // SAFETY: the counter of `walk`.
    let frames = unsafe { &mut *frames.cast::<usize>() };
    *frames += 1;
    if *frames < ENDLESS { 0 } else { 5 }
}

fn walk() -> usize {
    let mut frames = 0_usize;
    // SAFETY: `visit` takes the counter.
    unsafe { _Unwind_Backtrace(visit, (&raw mut frames).cast()) };
    frames
}

extern "C" fn sample(_: i32) {
    let frames = walk();
    SAMPLES.fetch_add(1, Relaxed);
    CIRCLES.fetch_add(usize::from(frames >= ENDLESS), Relaxed);
}

fn install() {
    walk(); // reads the tables
    // SAFETY: a zeroed sigaction is a valid one; the handler calls nothing but the unwinder.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = sample as extern "C" fn(i32) as usize;
        action.sa_flags = libc::SA_ONSTACK | libc::SA_RESTART;
        assert_eq!(
            libc::sigaction(libc::SIGPROF, &raw const action, ptr::null_mut()),
            0
        );
    }
}

/// Signals each thread of the process, again and again.
fn profile(end: Instant) {
    // SAFETY: answers with a number.
    let own = unsafe { libc::gettid() };
    while Instant::now() < end {
        for task in fs::read_dir("/proc/self/task")
            .expect("the threads")
            .flatten()
        {
            let name = task.file_name();
            let Some(id) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
                continue;
            };
            if id != own {
                // SAFETY: a signal to a thread of ours; one that has ended is an error without effect.
                unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), id, libc::SIGPROF) };
            }
        }
    }
}

/// Over the end of one stack and onto the next ones, waiting in between.
#[inline(never)]
fn climb(levels: usize) -> usize {
    if levels == 0 {
        yield_now();
        return 0;
    }
    let frame = black_box([levels; 1024]);
    grow(64 << 10, || climb(levels - 1)) + black_box(frame)[7] - levels + 1
}

fn main() {
    // SAFETY: nothing here keeps thread-local storage over a park.
    unsafe { goroutines::start() }.expect("the runtime starts");
    install();
    let end = Instant::now() + Duration::from_secs(2);
    let profiler = thread::spawn(move || profile(end));
    let mut all = Vec::new();
    for copied in [false, false, true, true] {
        let (sender, receiver) = chan::bounded::<usize>(0);
        let builder = || match copied {
            // SAFETY: no other thread points into these stacks while they wait.
            true => unsafe { Builder::new().copy_stack() },
            false => Builder::new(),
        };
        let receive = move || receiver.iter().count();
        let send = move || {
            while Instant::now() < end {
                for message in 0..100 {
                    sender.send(message).expect("a receiver");
                }
                yield_now();
            }
            0
        };
        all.push(builder().spawn(receive).expect("a goroutine"));
        all.push(builder().spawn(send).expect("a goroutine"));
    }
    // First frames, and segments.
    all.push(go(move || {
        let mut started = 0;
        while Instant::now() < end {
            started += go(|| 1).join().expect("it does not panic");
        }
        started
    }));
    all.push(go(move || {
        while Instant::now() < end {
            assert_eq!(climb(300), 300);
        }
        0
    }));
    for one in all {
        one.join().expect("no goroutine panics");
    }
    profiler.join().expect("the profiler does not panic");
    println!(
        "samples {} circles {}",
        SAMPLES.load(Relaxed),
        CIRCLES.load(Relaxed)
    );
}
