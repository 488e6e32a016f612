//! A dump shows the stacks of goroutines that are on a thread: those that run, are in a blocking call, or keep their thread
//! while they wait.

use std::{
    hint::{black_box, spin_loop},
    mem, panic, ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread as os_thread,
    time::{Duration, Instant},
};

use goroutines::{
    Builder, blocking,
    chan::{self, Receiver},
    checkpoint,
    debug::{Dump, Group, Silence, Snapshot, State, WaitReason},
    go, grow, yield_now,
};
use goroutines_tests::{assert_shown, groups_in, start, until};

/// Computes until it is told to stop, without a call into the runtime. Relaxed: nothing is told but that.
#[inline(never)]
fn computes(stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        spin_loop();
    }
    black_box(());
}

/// A snapshot with patience for a loaded machine, in which a goroutine is in `function`, in `state`, with its whole stack.
#[track_caller]
fn seen_whole(function: &str, state: State) -> Snapshot {
    let mut seen = None;
    until(&format!("one in {function} is {state:?}"), || {
        let snapshot = Dump::new().patience(Duration::from_secs(5)).take();
        let groups = groups_in(&snapshot, function);
        let fits = |group: &&Group| group.state == state && group.is_complete();
        let found = groups.iter().any(fits);
        seen = found.then_some(snapshot);
        found
    });
    seen.expect("until has returned")
}

#[test]
fn a_goroutine_that_computes_is_shown_where_it_is() {
    start(2);
    let stop = Arc::new(AtomicBool::new(false));
    let stops = stop.clone();
    #[inline(never)]
    fn runs_alone(stop: &AtomicBool) {
        computes(stop);
        black_box(());
    }
    let runs = go(move || runs_alone(&stops));
    let snapshot = seen_whole("runs_alone", State::Running);
    assert_shown(&snapshot, "runs_alone", "", "running.rs");
    stop.store(true, Relaxed);
    runs.join().unwrap();
}

#[inline(never)]
fn ends_on_segments(stop: &AtomicBool) {
    computes(stop);
    black_box(());
}

#[inline(never)]
fn on_segments(depth: usize, stop: &AtomicBool) -> usize {
    let frame = black_box([depth; 64]);
    match depth {
        0 => ends_on_segments(stop),
        _ => drop(black_box(grow(256 << 10, || on_segments(depth - 1, stop)))),
    };
    black_box(frame)[0]
}

#[test]
fn a_goroutine_that_computes_on_a_segment_is_shown_down_to_its_own_stack() {
    start(2);
    let stop = Arc::new(AtomicBool::new(false));
    let stops = stop.clone();
    #[inline(never)]
    fn below_segments(stop: &AtomicBool) {
        black_box(on_segments(2000, stop));
    }
    let builder = Builder::new().stack_size(256 << 10);
    let runs = builder.spawn(move || below_segments(&stops)).unwrap();
    let snapshot = seen_whole("ends_on_segments", State::Running);
    let group = groups_in(&snapshot, "ends_on_segments")[0];
    let frames = snapshot.frames(group);
    let on = |name: &str| {
        frames.iter().any(|frame| {
            frame
                .function
                .as_deref()
                .is_some_and(|it| it.ends_with(name))
        })
    };
    assert!(on("on_segments") && on("below_segments"), "{frames:#?}");
    stop.store(true, Relaxed);
    runs.join().unwrap();
}

#[test]
fn a_goroutine_that_shares_its_stack_is_shown_where_it_computes() {
    start(2);
    let stop = Arc::new(AtomicBool::new(false));
    let stops = stop.clone();
    #[inline(never)]
    fn shares_and_computes(stop: &AtomicBool) {
        computes(stop);
        // Unlike any other function: the compiler may make one of two that are equal.
        black_box("it shares its stack");
    }
    // SAFETY: it lends nothing of its stack.
    let builder = unsafe { Builder::new().copy_stack() };
    let runs = builder.spawn(move || shares_and_computes(&stops)).unwrap();
    seen_whole("shares_and_computes", State::Running);
    stop.store(true, Relaxed);
    runs.join().unwrap();
}

#[inline(never)]
fn in_call(rx: mpsc::Receiver<()>) {
    assert!(rx.recv().is_err());
    black_box(());
}

#[test]
fn a_blocking_call_is_shown_with_what_it_calls() {
    start(2);
    let (tx, rx) = mpsc::channel();
    let builder = Builder::new().name("calls".to_owned());
    let calls = builder.spawn(move || blocking(|| in_call(rx))).unwrap();
    let snapshot = seen_whole("in_call", State::InCall);
    let groups = groups_in(&snapshot, "in_call");
    assert_eq!(groups[0].names[0].1, "calls");
    let mut text = Vec::new();
    snapshot.write_text(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("\"calls\" [blocking call] on "), "{text}");
    assert!(groups[0].thread.is_some_and(|thread| thread > 0));
    drop(tx);
    calls.join().unwrap();
}

#[inline(never)]
fn while_it_unwinds(rx: &Receiver<u32>) {
    assert!(rx.recv().is_err());
    black_box(());
}

struct Waits(Receiver<u32>);

impl Drop for Waits {
    fn drop(&mut self) {
        while_it_unwinds(&self.0);
    }
}

#[test]
fn a_goroutine_that_waits_while_it_unwinds_is_shown_there() {
    start(2);
    let (tx, rx) = chan::bounded(0);
    let unwinds = go(move || {
        let _waits = Waits(rx);
        panic::panic_any(());
    });
    let blocked = State::Blocked(WaitReason::ChanReceive);
    let snapshot = seen_whole("while_it_unwinds", blocked);
    assert_shown(&snapshot, "while_it_unwinds", "recv", "running.rs");
    drop(tx);
    assert!(unwinds.join().is_err());
}

#[test]
fn a_goroutine_that_takes_the_snapshot_is_in_it_with_its_stack() {
    start(2);
    #[inline(never)]
    fn looks() -> Snapshot {
        black_box(Dump::new().patience(Duration::from_secs(5)).take())
    }
    let (id, snapshot) = go(|| {
        let id = goroutines_sched::current().id();
        yield_now();
        (id, looks())
    })
    .join()
    .unwrap();
    let group = groups_in(&snapshot, "looks")[0];
    assert!(group.ids.contains(&id) && group.is_complete(), "{group:?}");
}

/// Blocks the signal on this thread, or unblocks it.
fn block(how: i32) {
    // SAFETY: the set is whole.
    unsafe {
        let mut set = mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGURG);
        libc::pthread_sigmask(how, &set, ptr::null_mut());
    }
}

#[test]
fn a_thread_that_blocks_the_signal_is_listed_without_a_stack_and_keeps_nobody() {
    start(2);
    let (tx, rx) = mpsc::channel::<()>();
    let (begun, begins) = mpsc::channel();
    let deaf = go(move || {
        blocking(|| {
            block(libc::SIG_BLOCK);
            begun.send(goroutines_sched::current().id()).unwrap();
            assert!(rx.recv().is_err());
            block(libc::SIG_UNBLOCK);
        });
    });
    let id = begins.recv().unwrap();
    let snapshot = Dump::new().take();
    let is_it = |group: &&Group| group.ids.contains(&id);
    let group = snapshot.groups().iter().find(is_it).expect("it is listed");
    assert_eq!(
        (group.state, group.is_complete(), group.silence),
        (State::InCall, false, Some(Silence::Blocks))
    );
    let mut text = Vec::new();
    snapshot.write_text(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let note = "(did not answer: its thread blocks SIGURG)";
    assert!(text.contains(note), "{text}");
    // The signal is still pending: it meets no question when the thread lets it in.
    drop(tx);
    deaf.join().unwrap();

    let snapshot = Dump::new().running(false).take();
    assert!(
        snapshot
            .groups()
            .iter()
            .all(|group| group.silence.is_none())
    );
}

/// What a busy program does: goroutines that begin and end, wait for each other, yield, cross to segments, call.
fn busy(number: usize, stop: &AtomicBool, rounds: &AtomicUsize) {
    let (tx, rx) = chan::bounded(0);
    let sends = go(move || while tx.send(1).is_ok() {});
    while !stop.load(Relaxed) {
        match number % 5 {
            0 => assert_eq!(rx.recv(), Ok(1)),
            1 => (0..100).for_each(|_| yield_now()),
            2 => grow(256 << 10, || {
                black_box([number; 100]).iter().for_each(|_| checkpoint())
            }),
            3 => blocking(|| os_thread::sleep(Duration::from_micros(50))),
            _ => go(|| ()).join().unwrap(),
        }
        rounds.fetch_add(1, Relaxed);
    }
    drop(rx);
    sends.join().unwrap();
}

#[test]
fn no_stack_of_a_busy_program_is_truncated() {
    start(4);
    let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let all: Vec<_> = (0..20)
        .map(|number| {
            let (stop, rounds): (_, Arc<AtomicUsize>) = (stop.clone(), Arc::clone(&rounds));
            go(move || busy(number, &stop, &rounds))
        })
        .collect();
    let end = Instant::now() + Duration::from_secs(3);
    let (mut dumps, mut answers) = (0, 0);
    while Instant::now() < end || answers == 0 || dumps < 20 {
        let snapshot = Dump::new().runtime_frames(true).take();
        dumps += 1;
        let mut text = Vec::new();
        snapshot.write_text(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(!text.contains("(truncated"), "{text}");
        let is_on_thread = |group: &&Group| {
            matches!(group.state, State::Running | State::InCall) && group.is_complete()
        };
        answers += snapshot.groups().iter().filter(is_on_thread).count();
    }
    stop.store(true, Relaxed);
    all.into_iter().for_each(|one| one.join().unwrap());
    println!(
        "{dumps} dumps, {answers} answers, {} rounds",
        rounds.load(Relaxed)
    );
}
