//! A program that tests look at from outside: one case per argument.

use std::{
    env, hint,
    process::ExitCode,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
    time::Instant,
};

use goroutines::{Builder, Config, JoinHandle, blocking, chan, go, metrics, sleep, yield_now};
use goroutines_tests::{compute, until_metrics};

const SHORT: Duration = Duration::from_millis(30);

fn main() -> ExitCode {
    let case = env::args().nth(1).unwrap_or_default();
    let (config, run): (Config, fn()) = match case.as_str() {
        "idle" => (Config::new(), || thread::sleep(Duration::from_millis(700))),
        "too-many-threads" => (Config::new().max_threads(5), too_many_threads),
        "fewer-threads-than-ps" => (Config::new().max_threads(1), || ()),
        "no-threads" => (Config::new(), no_threads),
        "threads-end" => (Config::new().thread_idle(SHORT), threads_end),
        // Without the check, since an address of a thread that is left on a stack would call it back.
        "homes-end" => (
            Config::new().thread_idle(SHORT).migration_check(false),
            homes_end,
        ),
        "timers-of-idle-ps" => (Config::new().thread_idle(SHORT), timers_of_idle_ps),
        "hogs" => (Config::new(), hogs),
        "hog-hook" => (
            Config::new().hog_after(SHORT).on_hog(|hog| {
                println!("told: {hog}");
                panic!("in the hook");
            }),
            hogs,
        ),
        other => {
            eprintln!("watched: no case `{other}`");
            return ExitCode::from(2);
        }
    };
    // SAFETY: the cases keep no thread-local storage over a call that can park.
    match unsafe { config.procs(2).start() } {
        Ok(()) => run(),
        Err(error) => println!("Err: {error}"),
    }
    ExitCode::SUCCESS
}

/// Goroutines that block their threads with `block`, announced and not.
fn blockers(count: usize, block: impl Fn() + Clone + Send + 'static) -> Vec<JoinHandle<()>> {
    (0..count)
        .map(|i| {
            let block = block.clone();
            go(move || match i % 2 {
                0 => blocking(block),
                _ => block(),
            })
        })
        .collect()
}

fn block_for(time: Duration) -> impl Fn() + Clone + Send + 'static {
    move || thread::sleep(time)
}

fn join(all: Vec<JoinHandle<()>>) {
    all.into_iter().for_each(|one| one.join().unwrap());
}

fn too_many_threads() {
    println!("blocks");
    join(blockers(20, block_for(Duration::from_secs(30))));
    println!("went on");
}

/// How many threads the user of this process may have; a lower one for a while.
fn limit_threads(limit: Option<libc::rlim_t>) {
    // SAFETY: the calls take numbers and a live struct. A root process is not limited, so it becomes another
    // user, in all its threads.
    unsafe {
        if libc::geteuid() == 0 {
            assert_eq!(libc::setuid(65_501), 0, "cannot become another user");
        }
        let mut both = std::mem::zeroed::<libc::rlimit>();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NPROC, &raw mut both), 0);
        both.rlim_cur = limit.unwrap_or(both.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NPROC, &raw const both), 0);
    }
}

fn no_threads() {
    go(yield_now).join().unwrap();
    limit_threads(Some(1));
    let before = metrics();
    let blocked = blockers(6, block_for(SHORT));
    let (tx, rx) = chan::bounded(0);
    go(move || {
        for n in 0..100 {
            tx.send(n).unwrap();
            sleep(Duration::from_micros(100));
        }
    });
    let sum = go(move || rx.iter().sum::<i32>());
    join(blocked);
    assert_eq!(sum.join().unwrap(), 4950);
    let meanwhile = metrics();
    assert_eq!(meanwhile.threads_started, before.threads_started);
    assert!(meanwhile.threads_failed > 0, "{meanwhile:#?}");
    limit_threads(None);
    // Asked again without being told; a P that waits for a thread gets one.
    let blocked = blockers(6, block_for(SHORT));
    until_metrics(|m| m.threads_started > before.threads_started);
    join(blocked);
    println!("went on");
}

/// The threads of this process that the runtime made, as the system sees them.
fn tasks() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("a list of threads");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.trim() == "goroutines-m")
        .count()
}

fn threads_end() {
    for _ in 0..5 {
        let release = Arc::new(Barrier::new(13));
        let together = Arc::clone(&release);
        let blocked = blockers(12, move || {
            together.wait();
        });
        let most = until_metrics(|m| m.threads > 4);
        release.wait();
        join(blocked);
        until_metrics(|m| m.threads <= 2 && m.threads_ended > most.threads_ended);
        // The threads are gone, not only their names.
        until_metrics(|m| tasks() == m.threads);
        // Those that are left keep the time.
        go(|| sleep(SHORT)).join().unwrap();
        thread::sleep(2 * SHORT);
        assert!(metrics().threads >= 1, "{:#?}", metrics());
    }
    println!("{} ended", metrics().threads_ended);
}

/// Threads stay as long as parked goroutines have run on them last, and no longer.
fn homes_end() {
    (0..3).for_each(|_| leave_homes(8));
    println!("{} ended", metrics().threads_ended);
}

fn leave_homes(count: usize) {
    let (tx, rx) = chan::bounded(0);
    // Each holds a thread until all do.
    let together = Arc::new(Barrier::new(count));
    let homes = (0..count).map(|_| {
        let (rx, together) = (rx.clone(), Arc::clone(&together));
        go(move || {
            blocking(|| {
                together.wait();
            });
            rx.iter().for_each(|()| ());
        })
    });
    let homes: Vec<_> = homes.collect();
    until_metrics(|m| m.threads_started >= count as u64);
    // Long enough for each of them to have wanted to end.
    thread::sleep(10 * SHORT);
    // All resume on the few threads that are awake, and wait there: no goroutine is at home on the others. Once may
    // leave some on more threads than that.
    for _ in 0..3 {
        let tx = tx.clone();
        let wake = go(move || (0..count).for_each(|_| tx.send(()).unwrap()));
        wake.join().unwrap();
        thread::sleep(20 * SHORT);
        if metrics().threads <= count / 2 {
            break;
        }
    }
    let left = metrics();
    assert!(left.threads <= count / 2, "{left:#?}");
    drop(tx);
    join(homes);
}

/// Three times a hog in one goroutine, and others that look like one.
fn hogs() {
    let hog = Builder::new().name("crunch".to_owned()).spawn(|| {
        for _ in 0..2 {
            compute(5 * SHORT);
            yield_now();
        }
        // Without a CPU it is one as well.
        thread::sleep(5 * SHORT);
    });
    let announced = go(|| blocking(|| compute(5 * SHORT)));
    let talks = go(|| {
        let end = Instant::now() + 5 * SHORT;
        while Instant::now() < end {
            compute(SHORT / 30);
            drop(go(|| ()));
        }
    });
    let parked = go(|| sleep(5 * SHORT));
    hog.unwrap().join().unwrap();
    join(vec![announced, talks, parked]);
    println!("went on");
}

/// Timers on a P that is idle, while every M that could sleep for them has ended or is busy.
fn timers_of_idle_ps() {
    for _ in 0..3 {
        let done = Arc::new(AtomicBool::new(false));
        let until_done = |pause: fn()| {
            let done = Arc::clone(&done);
            move || {
                let start = Instant::now();
                // Relaxed: only to end.
                while !done.load(Ordering::Relaxed) {
                    pause();
                    assert!(
                        start.elapsed() < Duration::from_secs(5),
                        "nobody keeps the time"
                    );
                }
            }
        };
        // Its M keeps blocking, without a P.
        let blocks = until_done(|| thread::sleep(Duration::from_millis(1)));
        let blocked = go(|| blocking(blocks));
        thread::sleep(2 * SHORT);
        // One P goes to rest with a timer, and after it the other one without.
        let busy = go(|| compute(SHORT));
        thread::sleep(SHORT / 5);
        let sleeper = go(|| sleep(12 * SHORT));
        // Long enough for threads to end; then the P without a timer is never idle again.
        thread::sleep(6 * SHORT);
        let hog = go(until_done(hint::spin_loop));
        join(vec![busy, sleeper]);
        // Relaxed: as above.
        done.store(true, Ordering::Relaxed);
        join(vec![hog, blocked]);
    }
    println!("in time");
}
