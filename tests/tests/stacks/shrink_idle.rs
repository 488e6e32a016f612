//! An idle program uses no CPU for the care of its stacks. A process of its own: no other test may wake anything.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use goroutines::{Config, chan, go};

const IDLE: Duration = Duration::from_millis(10);

/// How often the thread that shrinks stacks has gone to sleep; none if there is none.
fn sleeps() -> Option<u64> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks.flatten().find_map(|task| {
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        let mut lines = status.lines();
        lines
            .next()
            .filter(|name| name.contains("goroutines-stks"))?;
        let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        count.trim().parse().ok()
    })
}

#[test]
fn the_thread_sleeps_when_there_is_nothing_to_do_and_gets_up_again() {
    // SAFETY: the test keeps no thread-local storage over a call that can park.
    unsafe { Config::new().procs(2).stack_idle(IDLE).start() }.unwrap();
    let (gate, closed) = chan::bounded::<()>(0);
    let parked: Vec<_> = (0..100)
        .map(|_| {
            let closed = closed.clone();
            go(move || closed.recv().is_err())
        })
        .collect();
    let mut before = rest();
    for _ in 0..3 {
        go(|| ()).join().unwrap();
        let after = rest();
        assert!(after > before, "it has not looked at what has happened");
        before = after;
    }
    drop(gate);
    assert!(parked.into_iter().all(|one| one.join().unwrap()));
}

/// Waits until the thread has slept for ten idle times; returns how often it had gone to sleep before.
fn rest() -> u64 {
    let end = Instant::now() + Duration::from_secs(20);
    let mut last = None;
    loop {
        let now = sleeps();
        if now.is_some() && now == last {
            return now.unwrap_or(0);
        }
        assert!(Instant::now() < end, "it does not come to rest: {now:?}");
        last = now;
        thread::sleep(IDLE * 10);
    }
}
