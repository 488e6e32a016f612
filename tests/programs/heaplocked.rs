//! A program whose heap is locked for good, and that is asked for a dump, or makes a fatal error: one case per argument.
//! tests/failure/heaplocked.rs reads what it writes.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    env,
    hint::black_box,
    mem, ptr,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use goroutines::{
    Config,
    chan::{self, Receiver},
    debug::{Dump, Quit, State, WaitReason},
    go, yield_now,
};

/// Once it is set, who allocates waits for ever. Relaxed: a flag alone.
static LOCKED: AtomicBool = AtomicBool::new(false);

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

fn wait_if_locked() {
    while LOCKED.load(Relaxed) {
        thread::sleep(Duration::from_secs(1));
    }
}

// SAFETY: all is passed on to the system's allocator.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        wait_if_locked();
        // SAFETY: the caller's promise for this layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        wait_if_locked();
        // SAFETY: the caller's promise for this place, which came from `alloc`.
        unsafe { System.dealloc(place, layout) }
    }
}

#[inline(never)]
fn waits_beside_the_heap(rx: &Receiver<u32>) {
    assert!(rx.recv().is_err());
    black_box(());
}

/// Three goroutines that wait until the answer is dropped.
fn three() -> chan::Sender<u32> {
    let (tx, rx) = chan::bounded(0);
    for _ in 0..3 {
        let rx = rx.clone();
        drop(go(move || waits_beside_the_heap(&rx)));
    }
    let waits = State::Waiting(WaitReason::ChanReceive);
    loop {
        let snapshot = Dump::new().running(false).take();
        if snapshot
            .groups()
            .iter()
            .any(|group| group.count == 3 && group.state == waits)
        {
            return tx;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// From here on stderr is a pipe. Returns its other end, and the stderr of before.
fn divert_stderr() -> (i32, i32) {
    let mut ends = [0; 2];
    // SAFETY: the array has two places; 2 is stderr.
    unsafe {
        assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
        let before = libc::dup(2);
        assert_eq!(libc::dup2(ends[1], 2), 2);
        (ends[0], before)
    }
}

/// Passes on what comes from `from` until it has `what` so many times. Allocates nothing.
fn pass_on(from: i32, to: i32, what: &[u8], mut times: usize) {
    let mut kept = [0_u8; 64 << 10];
    let mut len = 0;
    while times > 0 {
        // SAFETY: the part of the buffer that is free.
        let got = unsafe { libc::read(from, kept[len..].as_mut_ptr().cast(), kept.len() - len) };
        let Ok(got @ 1..) = usize::try_from(got) else {
            break;
        };
        // SAFETY: the part that was read.
        unsafe { libc::write(to, kept[len..].as_ptr().cast(), got) };
        let before = len.saturating_sub(what.len() - 1);
        len += got;
        let found = kept[before..len].windows(what.len());
        times -= found.filter(|place| place == &what).count().min(times);
    }
}

extern "C" fn calls_the_runtime(_: libc::c_int) {
    yield_now();
}

fn start(config: Config) {
    // SAFETY: this program keeps no thread-local storage over a call that can park.
    unsafe { config.procs(2).start() }.expect("the runtime starts");
}

fn main() {
    let case = env::args().nth(1).expect("a case");
    // SAFETY: no handler of this program is replaced. The second ends it if it hangs.
    unsafe {
        libc::signal(libc::SIGQUIT, libc::SIG_DFL);
        libc::alarm(120);
    }
    match case.as_str() {
        "sigquit" => {
            start(Config::new().on_sigquit(Quit::Continue));
            let _tx = three();
            let (from, to) = divert_stderr();
            LOCKED.store(true, Relaxed);
            for _ in 0..2 {
                // SAFETY: takes a number.
                unsafe { libc::raise(libc::SIGQUIT) };
            }
            pass_on(from, to, b"\ngoroutine ", 3);
            // SAFETY: takes a number.
            unsafe { libc::_exit(0) };
        }
        "fatal" => {
            start(Config::new().dump_on_fatal(true));
            let _tx = three();
            // SAFETY: an action of zeroes is valid, and the function has the type of a handler without SA_SIGINFO.
            unsafe {
                let mut action: libc::sigaction = mem::zeroed();
                action.sa_sigaction = calls_the_runtime as *const () as usize;
                action.sa_flags = libc::SA_ONSTACK;
                libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut());
            }
            drop(go(|| {
                LOCKED.store(true, Relaxed);
                // SAFETY: takes a number.
                unsafe { libc::raise(libc::SIGUSR1) };
            }));
            thread::sleep(Duration::from_secs(100));
        }
        other => panic!("no case {other}"),
    }
}
