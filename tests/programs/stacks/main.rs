//! What must not kill a goroutine for want of stack: one case per argument, looked at by tests/stacks/stacks.rs.

#[path = "../environment/filter.rs"]
mod filter;

use std::{
    env,
    hint::black_box,
    process::{Command, ExitCode},
    thread,
    time::Duration,
};

use goroutines::{
    Builder, Config, chan, go, grow, net::ToSocketAddrs, reserve_stack, sleep, yield_now,
};
use goroutines_tests::{below, deep};

fn main() -> ExitCode {
    let case = env::args().nth(1).unwrap_or_default();
    let mode = env::args().nth(2).unwrap_or_default();
    match case.as_str() {
        "threads-at-each-depth" => threads_at_each_depth(),
        "all-signals-blocked" => all_signals_blocked(),
        "frame-without-probes" => frame_without_probes(&mode),
        "late-handler" => late_handler(&mode),
        "reserve" => reserve(),
        "own-starts" => own_starts(),
        "reserve-too-much" => reserve_too_much(),
        "grow-in-a-sandbox" => grow_in_a_sandbox(&mode),
        "areas-used-up" => areas_used_up(),
        "guards-stay" => guards_stay(),
        "guards-stay-later" => guards_stay_later(),
        "overflow-of-many" => overflow_of_many(&mode),
        "copied" => copied(),
        "start" => start(Config::new()),
        other => {
            eprintln!("stacks: no case `{other}`");
            return ExitCode::from(2);
        }
    }
    println!("ok");
    ExitCode::SUCCESS
}

fn start(config: Config) {
    // SAFETY: the cases keep no thread-local storage over a call that can park.
    if let Err(error) = unsafe { config.start() } {
        println!("Err: {error}");
    }
}

fn spawn_and_run() {
    thread::spawn(|| ()).join().unwrap();
}

/// The C library blocks all signals while it makes a thread, or a process.
fn threads_at_each_depth() {
    start(Config::new().procs(2));
    for depth in (56_000..68_000).step_by(48) {
        go(move || deep(depth, spawn_and_run)).join().unwrap();
    }
    for depth in (60_000..66_000).step_by(400) {
        let run = || assert!(Command::new("true").status().unwrap().success());
        go(move || deep(depth, run)).join().unwrap();
    }
}

fn block_all_signals() {
    // SAFETY: the set is whole.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &all, std::ptr::null_mut());
    }
}

/// As daemons do: before the start, and on a goroutine as well.
fn all_signals_blocked() {
    block_all_signals();
    start(Config::new());
    let all: Vec<_> = (0..50)
        .map(|_| {
            go(|| {
                block_all_signals();
                deep(300 << 10, || sleep(Duration::from_millis(5)));
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
}

/// A frame that steps over a guard, and a callee that parks and resumes on another thread.
fn frame_without_probes(mode: &str) {
    let config = Config::new().procs(2);
    start(match mode {
        "forced" => config.force_migration(true),
        "unchecked" => config.migration_check(false).force_migration(true),
        _ => config,
    });
    let all: Vec<_> = (0..8)
        .map(|_| {
            let park = || (0..200).for_each(|_| sleep(Duration::from_micros(200)));
            let f = move || below(100 << 10, park);
            match mode {
                // SAFETY: the closure lends nothing of its stack to others.
                "copied" => unsafe { Builder::new().copy_stack() }.spawn(f).unwrap(),
                _ => go(f),
            }
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
}

// SAFETY: all zeroes is a valid action.
static mut OLD: libc::sigaction = unsafe { std::mem::zeroed() };

/// As crash reporters do: a word, then the handler that was there before, and the signal once more.
extern "C" fn reporter(signal: libc::c_int) {
    let word = b"reporter: SIGSEGV\n";
    // SAFETY: the word is that long; `OLD` is an action that was installed.
    unsafe {
        libc::write(2, word.as_ptr().cast(), word.len());
        libc::sigaction(signal, &raw const OLD, std::ptr::null_mut());
        libc::raise(signal);
    }
}

fn install_reporter() {
    // SAFETY: the function has the type that the flags announce.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = reporter as *const () as usize;
        action.sa_flags = libc::SA_ONSTACK | libc::SA_NODEFER;
        assert_eq!(libc::sigaction(libc::SIGSEGV, &action, &raw mut OLD), 0);
    }
}

/// A handler of SIGSEGV that takes the place of the runtime's, or was there before.
fn late_handler(mode: &str) {
    if mode == "before" {
        install_reporter();
    }
    start(Config::new());
    if mode != "before" {
        install_reporter();
    }
    go(|| deep(200 << 10, yield_now)).join().unwrap();
}

/// Makes threads and processes right at guards.
fn reserve() {
    start(Config::new().procs(2));
    for depth in (0..20_000).step_by(96) {
        let run = move || {
            deep(depth, || {
                reserve_stack(24 << 10);
                spawn_and_run();
            });
        };
        let guarded = Builder::new().stack_start(2048).spawn(run).unwrap();
        guarded.join().unwrap();
        // SAFETY: the closure lends nothing of its stack to others.
        let copied = unsafe { Builder::new().copy_stack() }.spawn(run).unwrap();
        copied.join().unwrap();
    }
    // Nothing to be done, on stacks without guards and on threads.
    go(|| reserve_stack(900 << 10)).join().unwrap();
    reserve_stack(1 << 20);
    thread::spawn(|| reserve_stack(1 << 20)).join().unwrap();
    // On a segment.
    go(|| grow(4 << 20, || reserve_stack(3 << 20)))
        .join()
        .unwrap();
}

/// The runtime's own calls that start processes and threads, right at guards and near the end of a stack.
fn own_starts() {
    start(Config::new().procs(2));
    let child = || {
        let status = goroutines::process::Command::new("true").status();
        assert!(status.unwrap().success());
    };
    // The first lookup of a name starts a thread.
    let look_up = || assert!(("localhost", 1).to_socket_addrs().is_ok());
    for run in [look_up, child, child] {
        for depth in (0..20_000).step_by(400) {
            let run = move || deep(depth, run);
            let guarded = Builder::new().stack_start(2048).spawn(run).unwrap();
            guarded.join().unwrap();
            // SAFETY: the closure lends nothing of its stack to others.
            let copied = unsafe { Builder::new().copy_stack() }.spawn(run).unwrap();
            copied.join().unwrap();
        }
    }
    for depth in (0..24_000).step_by(2000) {
        let small = Builder::new().stack_size(32 << 10);
        let small = small.spawn(move || deep(depth, child)).unwrap();
        small.join().unwrap();
    }
}

fn reserve_too_much() {
    start(Config::new());
    for attempt in [
        go(|| reserve_stack(1 << 20)).join(),
        go(|| reserve_stack(usize::MAX)).join(),
        thread::spawn(|| reserve_stack(1 << 30)).join(),
    ] {
        let payload = attempt.unwrap_err();
        println!("{}", payload.downcast_ref::<String>().unwrap());
    }
}

#[goroutines::grow]
fn recurse(levels: u64) -> u64 {
    let frame = black_box([levels; 8]);
    match levels {
        0 => 0,
        _ => 1 + recurse(levels - 1) + black_box(&frame)[3] - levels,
    }
}

/// Refuses `call` to this thread and those that it starts, as a sandbox does; see [`filter::Refused`] for `argument`.
fn refuse(call: libc::c_long, argument: Option<(u32, u32)>) {
    let refused = filter::Refused {
        argument,
        ..filter::Refused::always(call, libc::EPERM)
    };
    filter::refuse(&[refused], false);
}

/// Where the system does not say where a thread's stack ends.
fn grow_in_a_sandbox(mode: &str) {
    match mode {
        "affinity" => refuse(libc::SYS_sched_getaffinity, None),
        _ => refuse(libc::SYS_openat, None),
    }
    assert_eq!(recurse(200_000), 200_000);
    // It is not asked at each level: that took seconds.
    assert_eq!(recurse(200_000), 200_000);
    reserve_stack(64 << 10);
    let other = thread::Builder::new().stack_size(256 << 10);
    let other = other.spawn(|| recurse(200_000)).unwrap();
    assert_eq!(other.join().unwrap(), 200_000);
}

/// The program's own mappings use up `vm.max_map_count`; then goroutines block their threads.
fn areas_used_up() {
    start(Config::new().procs(2));
    go(|| ()).join().unwrap();
    let most = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    let most: usize = most.trim().parse().unwrap();
    if most > 1 << 20 {
        return; // It would take too long.
    }
    // SAFETY: a fresh mapping, of which every second page is made readable until the kernel refuses.
    unsafe {
        let (page, flags) = (4096, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let len = (most + 10) * page;
        let start = libc::mmap(std::ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0);
        assert_ne!(start, libc::MAP_FAILED);
        let refused = (0..len)
            .step_by(2 * page)
            .any(|offset| libc::mprotect(start.add(offset), page, libc::PROT_READ) != 0);
        assert!(refused, "the kernel has more areas than it says");
    }
    let all: Vec<_> = (0..8)
        .map(|_| go(|| goroutines::blocking(|| thread::sleep(Duration::from_millis(20)))))
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
}

const REMOVE: Option<(u32, u32)> = Some((2, 103));

/// A sandbox that knows how to make guards and not how to remove them: no stack needs that.
fn guards_stay() {
    refuse(libc::SYS_madvise, REMOVE);
    start(Config::new().procs(2));
    let strict = Builder::new().stack_start(2048);
    let strict = strict.spawn(|| deep(300 << 10, yield_now)).unwrap();
    strict.join().unwrap();
    assert_eq!(goroutines::metrics().growth_faults, 0);
}

/// The same, installed on the thread of a goroutine whose guard must move.
fn guards_stay_later() {
    start(Config::new().procs(1));
    let strict = Builder::new().stack_start(64 << 10).spawn(|| {
        refuse(libc::SYS_madvise, REMOVE);
        deep(300 << 10, || ());
    });
    strict.unwrap().join().unwrap();
}

/// A hundred goroutines wait, and one in their midst uses up its stack.
fn overflow_of_many(mode: &str) {
    match mode {
        "one-by-one" => refuse(libc::SYS_process_madvise, None),
        _ => assert!(["together", "one-by-one-later"].contains(&mode)),
    }
    // With stacks of 1 MiB also where the address space is small.
    start(Config::new().procs(1).stack_size(1 << 20));
    let later = mode == "one-by-one-later";
    let (tx, rx) = chan::bounded::<()>(0);
    let all: Vec<_> = (0..100)
        .map(|i| {
            let rx = rx.clone();
            go(move || {
                if i == 20 && later {
                    refuse(libc::SYS_process_madvise, None);
                }
                assert!(rx.recv().is_err());
                if i == 70 {
                    deep(2 << 20, || ());
                }
            })
        })
        .collect();
    yield_now();
    drop(tx);
    all.into_iter().for_each(|one| one.join().unwrap());
}

/// Copied stacks for all: they take turns, wait for each other in scopes, and some have their own.
fn copied() {
    // SAFETY: a goroutine that lends what is on its stack has a stack of its own, or waits in `scope`.
    start(unsafe { Config::new().procs(2).copy_stacks() });
    let all: Vec<_> = (0..500_u64)
        .map(|i| {
            let body = move || {
                let live = black_box([i; 300]);
                (0..20).for_each(|_| yield_now());
                assert!(black_box(&live).iter().all(|&word| word == i));
                // Children of a goroutine that keeps its window, and theirs.
                let mut doubled = 0;
                goroutines::thread::scope(|scope| {
                    scope.spawn(|| doubled = go(move || 2 * i).join().unwrap());
                });
                goroutines::block_on(go(move || doubled)).unwrap()
            };
            match i % 5 {
                0 => Builder::new().own_stack().spawn(body).unwrap(),
                1 => Builder::new().stack_size(64 << 20).spawn(body).unwrap(),
                _ => go(body),
            }
        })
        .collect();
    let sum: u64 = all.into_iter().map(|one| one.join().unwrap()).sum();
    assert_eq!(sum, 499 * 500);
    // A size is a stack of that size.
    let large = Builder::new().stack_size(64 << 20);
    large
        .spawn(|| deep(20 << 20, yield_now))
        .unwrap()
        .join()
        .unwrap();
}
