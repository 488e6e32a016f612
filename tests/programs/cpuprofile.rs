//! Takes CPU profiles of itself, for tests/observe/cpu_profiles.rs: one case per argument. Prints `well`.

use std::{
    collections::HashMap,
    env,
    ffi::CStr,
    hint::black_box,
    process::Command,
    ptr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use goroutines::{
    Builder, chan,
    debug::profile::{self, Owner, Profile, ProfileError, StackEnd},
    go, grow, yield_now,
};

/// No loop here lasts longer.
const LONG: Duration = Duration::from_secs(60);

fn main() {
    // SAFETY: nothing here keeps an address of a thread-local across a park.
    unsafe { goroutines::start() }.unwrap();
    let case = env::args().nth(1).unwrap_or_default();
    match case.as_str() {
        "shares" => shares(),
        "owners" => owners(),
        "switches" => switches(),
        "comings" => comings(),
        "forks" => forks(),
        "twice" => twice(),
        "handler" => handler(),
        "others" => others(),
        "formats" => formats(),
        _ => panic!("no case {case:?}"),
    }
    println!("well");
}

/// The CPU time that the process has used.
fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes to a live timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[inline(never)]
fn burn(rounds: u64) -> u64 {
    let mut sum = 1_u64;
    for round in 0..rounds * 10_000 {
        sum = black_box(sum.wrapping_mul(6_364_136_223_846_793_005) ^ round);
    }
    sum
}

/// Runs `work` until the process has used so much CPU time.
fn use_cpu(time: Duration, mut work: impl FnMut()) {
    let (end, patience) = (cpu_time() + time, Instant::now() + LONG);
    while cpu_time() < end {
        assert!(Instant::now() < patience, "no CPU time in {LONG:?}");
        work();
    }
}

fn count(profile: &Profile, is: impl Fn(&Owner) -> bool) -> u64 {
    let samples = profile.samples().iter();
    samples
        .filter(|sample| is(sample.owner()))
        .map(|sample| sample.count())
        .sum()
}

fn is_named(owner: &Owner, wanted: &str) -> bool {
    matches!(owner, Owner::Goroutine { name: Some(name), .. } if name == wanted)
}

fn percent(part: u64, whole: u64) -> u64 {
    assert!(whole >= 50, "only {whole} samples");
    part * 100 / whole
}

/// Two goroutines take turns, and one does three times what the other does.
fn shares() {
    let cpu = profile::cpu(250).unwrap();
    let (to_large, turns_of_large) = chan::bounded::<()>(0);
    let (to_small, turns_of_small) = chan::bounded::<()>(0);
    let large = move || {
        for () in turns_of_large {
            burn(60);
            to_small.send(()).unwrap();
        }
    };
    let small = move || {
        use_cpu(Duration::from_millis(1500), || {
            to_large.send(()).unwrap();
            turns_of_small.recv().unwrap();
            burn(20);
        });
    };
    let large = Builder::new().name("large".to_owned()).spawn(large);
    let small = Builder::new().name("small".to_owned()).spawn(small);
    small.unwrap().join().unwrap();
    large.unwrap().join().unwrap();
    let profile = cpu.stop();
    let large = count(&profile, |owner| is_named(owner, "large"));
    let small = count(&profile, |owner| is_named(owner, "small"));
    let share = percent(large, large + small);
    assert!((60..=90).contains(&share), "{large} : {small}");
    for sample in profile.samples() {
        if is_named(sample.owner(), "large") {
            let Owner::Goroutine { id, spawned_as, .. } = sample.owner() else {
                unreachable!();
            };
            assert_ne!(*id, 0);
            assert!(spawned_as.contains("cpuprofile::shares"), "{spawned_as}");
        }
    }
}

/// A goroutine, the scheduler, and a thread.
fn owners() {
    let cpu = profile::cpu(250).unwrap();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Relaxed) {
                burn(20);
            }
        });
        let goroutine = go(|| use_cpu(Duration::from_millis(800), || _ = burn(20)));
        goroutine.join().unwrap();
        // Yields, whose time is also the scheduler's.
        go(|| {
            use_cpu(Duration::from_millis(800), || {
                (0..1000).for_each(|_| yield_now())
            })
        })
        .join()
        .unwrap();
        ended.store(true, Relaxed);
    });
    let profile = cpu.stop();
    let burns = |owner: fn(&Owner) -> bool| {
        let samples = profile.samples().iter();
        let of = samples.filter(|sample| owner(sample.owner()) && innermost_is(&profile, sample));
        of.map(|sample| sample.count()).sum::<u64>()
    };
    assert!(burns(|owner| matches!(owner, Owner::Goroutine { name: None, .. })) > 10);
    assert!(burns(|owner| *owner == Owner::Thread) > 10);
    let scheduler = count(&profile, |owner| *owner == Owner::Scheduler);
    assert!(scheduler > 5, "{scheduler}");
}

/// Whether it is the name of [`burn`], with or without its path: where only lines are known, inlined code has none.
fn is_burn(name: &str) -> bool {
    name.rsplit("::").next() == Some("burn")
}

/// Whether it is in `burn`, and its stack is whole.
fn innermost_is(profile: &Profile, sample: &profile::Sample) -> bool {
    let frames = profile.frames(sample);
    let in_burn = |frame: &goroutines::debug::Frame| {
        let name = frame.function.as_deref();
        name.is_some_and(is_burn)
    };
    sample.end() == StackEnd::Begin && frames.iter().any(in_burn)
}

#[inline(never)]
fn deep(depth: u32) -> u64 {
    if depth == 0 {
        yield_now();
        return burn(1);
    }
    let frame = black_box([depth as u8; 2000]);
    grow(16 << 10, || {
        black_box(deep(depth - 1)) + u64::from(frame[9])
    })
}

/// Switches, segments, growth, ends and beginnings, as many a second as there can be.
fn switches() {
    let cpu = profile::cpu(1000).unwrap();
    let ended = AtomicBool::new(false);
    goroutines::thread::scope(|scope| {
        for kind in 0..6 {
            let ended = &ended;
            scope.spawn(move || {
                while !ended.load(Relaxed) {
                    match kind {
                        0 | 1 => (0..100).for_each(|_| yield_now()),
                        2 => _ = deep(60),
                        3 => go(|| black_box(1)).join().map(|_| ()).unwrap(),
                        _ => {
                            let (sends, receives) = chan::bounded(0);
                            let sender = go(move || (0..100).try_for_each(|n| sends.send(n)));
                            assert_eq!(receives.iter().count(), 100);
                            sender.join().unwrap().unwrap();
                        }
                    }
                }
            });
        }
        use_cpu(Duration::from_secs(3), || {
            goroutines::sleep(Duration::from_millis(20))
        });
        ended.store(true, Relaxed);
    });
    let profile = cpu.stop();
    let mut ends: HashMap<(&str, StackEnd), u64> = HashMap::new();
    for sample in profile.samples() {
        let owner = match sample.owner() {
            Owner::Goroutine { .. } => "goroutine",
            Owner::Scheduler => "scheduler",
            _ => continue,
        };
        *ends.entry((owner, sample.end())).or_default() += sample.count();
        let outermost = profile.frames(sample).pop();
        if sample.end() == StackEnd::Truncated {
            panic!("{owner}: {:#?}", profile.frames(sample));
        }
        if sample.end() == StackEnd::Begin && owner == "scheduler" {
            // The first function of a thread; without symbols it has an address alone.
            let name = outermost
                .and_then(|frame| frame.function)
                .unwrap_or_default();
            assert!(!name.contains("goroutine"), "{:#?}", profile.frames(sample));
        }
    }
    let of = |owner, end| ends.get(&(owner, end)).copied().unwrap_or(0);
    let whole = of("goroutine", StackEnd::Begin) + of("scheduler", StackEnd::Begin);
    let all: u64 = ends.values().sum();
    assert!(percent(whole, all) >= 75, "{ends:?}");
    assert!(of("goroutine", StackEnd::Begin) > 50, "{ends:?}");
    assert!(of("scheduler", StackEnd::Begin) > 10, "{ends:?}");
}

/// Threads that live shorter and longer than a look of the profile, and a library that is loaded and unloaded.
fn comings() {
    let cpu = profile::cpu(500).unwrap();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Relaxed) {
                load(c"libresolv.so.2");
            }
        });
        use_cpu(Duration::from_secs(2), || {
            thread::scope(|scope| {
                for rounds in [1, 10, 300] {
                    scope.spawn(move || burn(rounds));
                }
            });
        });
        ended.store(true, Relaxed);
    });
    let profile = cpu.stop();
    let samples = profile.samples().iter();
    let in_burn: u64 = samples
        .filter(|sample| *sample.owner() == Owner::Thread && innermost_is(&profile, sample))
        .map(|sample| sample.count())
        .sum();
    assert!(in_burn > 100, "{in_burn}");
}

fn load(name: &CStr) {
    // SAFETY: the library is one of the system's; what it begins it ends. Nothing of it is used.
    unsafe {
        let library = libc::dlopen(name.as_ptr(), libc::RTLD_NOW);
        assert!(!library.is_null());
        libc::dlclose(library);
    }
}

/// Children of forks, which go on or become another program.
fn forks() {
    let cpu = profile::cpu(1000).unwrap();
    let burner = go(|| use_cpu(Duration::from_secs(1), || _ = burn(10)));
    for _ in 0..20 {
        let status = Command::new("/bin/sh")
            .args(["-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"])
            .status();
        assert!(status.unwrap().success());
        // SAFETY: the child calls nothing but functions that a signal handler may call.
        let child = unsafe { libc::fork() };
        if child == 0 {
            burn(200);
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(7) };
        }
        let mut status = 0;
        // SAFETY: waits for the child, and writes to a live variable.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7);
    }
    burner.join().unwrap();
    assert!(count(&cpu.stop(), |_| true) > 50);
}

fn twice() {
    for _ in 0..3 {
        // From a goroutine, whose stack has little room.
        let profile = go(|| {
            let cpu = profile::cpu(99).unwrap();
            assert!(matches!(
                profile::cpu(99),
                Err(ProfileError::AlreadyRunning)
            ));
            use_cpu(Duration::from_millis(300), || _ = burn(10));
            cpu.stop()
        });
        let profile = profile.join().unwrap();
        assert!(count(&profile, |_| true) > 5);
        assert_eq!(profile.lost(), 0);
    }
    // Without a result.
    drop(profile::cpu(99).unwrap());
    drop(profile::cpu(99).unwrap().stop());
}

static CALLS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn own_handler(_: libc::c_int) {
    CALLS.fetch_add(1, Relaxed);
}

fn handler() {
    // SAFETY: the handler counts, and has the type of one.
    unsafe {
        let own = own_handler as *const () as libc::sighandler_t;
        assert_ne!(libc::signal(libc::SIGPROF, own), libc::SIG_ERR);
    }
    let refused = profile::cpu(99);
    assert!(matches!(refused, Err(ProfileError::SignalInUse)));
    // SAFETY: the signal has a handler.
    unsafe { libc::raise(libc::SIGPROF) };
    assert_eq!(CALLS.load(Relaxed), 1);
    // SAFETY: the default.
    unsafe { libc::signal(libc::SIGPROF, libc::SIG_DFL) };
    drop(profile::cpu(99).unwrap().stop());
}

/// SIGPROF that others send, before, while and after a profile runs.
fn others() {
    // SAFETY: the signal is ignored.
    unsafe { libc::signal(libc::SIGPROF, libc::SIG_IGN) };
    let timer = Duration::from_millis(1);
    let every = libc::timeval {
        tv_sec: 0,
        tv_usec: timer.as_micros() as libc::suseconds_t,
    };
    let timer = libc::itimerval {
        it_interval: every,
        it_value: every,
    };
    // SAFETY: reads a live itimerval.
    let set = unsafe { libc::setitimer(libc::ITIMER_PROF, &timer, ptr::null_mut()) };
    assert_eq!(set, 0);
    let cpu = profile::cpu(1).unwrap();
    for _ in 0..100 {
        // SAFETY: the signal has a handler.
        unsafe { libc::raise(libc::SIGPROF) };
    }
    use_cpu(Duration::from_millis(900), || _ = burn(10));
    let samples = count(&cpu.stop(), |_| true);
    assert!(samples < 20, "{samples}");
    // The handler is still there, so nothing ends the process.
    use_cpu(Duration::from_millis(200), || _ = burn(10));
}

fn formats() {
    let cpu = profile::cpu(500).unwrap();
    Builder::new()
        .name("worker; one".to_owned())
        .spawn(|| use_cpu(Duration::from_secs(1), || _ = burn(10)))
        .unwrap()
        .join()
        .unwrap();
    let profile = cpu.stop();
    let mut folded = Vec::new();
    profile.write_folded(&mut folded).unwrap();
    let folded = String::from_utf8(folded).unwrap();
    let hot = folded.lines().find(|line| {
        line.starts_with("goroutine worker: one;") && line.split([';', ' ']).any(is_burn)
    });
    let hot = hot.unwrap_or_else(|| panic!("{folded}"));
    assert!(hot.contains("use_cpu"), "{hot}");
    assert!(!hot.contains("goroutines_sched"), "{hot}");
    let mut pprof = Vec::new();
    profile.write_pprof(&mut pprof).unwrap();
    let has = |text: &str| pprof.windows(text.len()).any(|it| it == text.as_bytes());
    assert!(has("burn") && has("worker; one") && has("nanoseconds"));
    if let Some(directory) = env::args().nth(2) {
        std::fs::write(format!("{directory}/cpu.pb"), &pprof).unwrap();
        std::fs::write(format!("{directory}/cpu.folded"), &folded).unwrap();
    }
}
