//! Stacks that a dump reads: on segments, copied out; of 10 000 goroutines, and beside a
//! program that does not stand still.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use goroutines::{
    Builder, JoinHandle,
    chan::{self, Receiver},
    debug::{Dump, State, WaitReason},
    go, grow, sleep,
    sync::Mutex,
    yield_now,
};
use goroutines_tests::{assert_shown, groups_in, seen_in, start};

const WAITS: State = State::Waiting(WaitReason::ChanReceive);

/// Waits at the end of a recursion, whose every level may begin a segment.
#[inline(never)]
fn on_segments(depth: usize, rx: &Receiver<u32>) -> usize {
    let frame = black_box([depth; 64]);
    let result = match depth {
        0 => rx.recv().is_err().into(),
        _ => grow(256 << 10, || on_segments(depth - 1, rx)),
    };
    black_box(frame)[0] + result
}

#[inline(never)]
fn before_segments(rx: &Receiver<u32>) {
    black_box(on_segments(3000, rx));
}

#[test]
fn a_stack_is_read_through_all_its_segments() {
    start(2);
    let (tx, rx) = chan::bounded(0);
    let builder = Builder::new().stack_size(256 << 10);
    let waiting = builder.spawn(move || before_segments(&rx)).unwrap();
    // The outermost frames are kept, and so is the function that is on the goroutine's own stack.
    let snapshot = seen_in("before_segments", 1, WAITS);
    assert_shown(&snapshot, "before_segments", "recv", "dump_stacks.rs");
    let group = groups_in(&snapshot, "before_segments")[0];
    let frames = snapshot.frames(group);
    let levels = frames.iter().filter(|frame| {
        let name = frame.function.as_deref().unwrap_or_default();
        name.ends_with("on_segments")
    });
    assert!(levels.count() > 10, "{frames:#?}");
    let mut text = Vec::new();
    snapshot.write_text(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains(" frames left out behind the first 32)"),
        "{text}"
    );
    drop(tx);
    waiting.join().unwrap();
}

#[inline(never)]
fn copied(rx: &Receiver<u32>) {
    assert!(rx.recv().is_err());
    black_box(());
}

#[test]
fn stacks_that_are_copied_out_are_read_where_their_bytes_are() {
    start(2);
    const MANY: usize = 500; // more than there are windows
    let (tx, rx) = chan::bounded(0);
    let all: Vec<_> = (0..MANY)
        .map(|_| {
            let rx = rx.clone();
            // SAFETY: it lends nothing of its stack.
            let builder = unsafe { Builder::new().copy_stack() };
            builder.spawn(move || copied(&rx)).unwrap()
        })
        .collect();
    let snapshot = seen_in("copied", MANY, WAITS);
    assert_shown(&snapshot, "copied", "recv", "dump_stacks.rs");
    drop(tx);
    all.into_iter().for_each(|one| one.join().unwrap());
}

/// Goroutines that wait, wake each other, lock, sleep, begin and end, until they are told to stop.
fn busy(stop: &Arc<AtomicBool>, messages: &Arc<AtomicUsize>) -> Vec<JoinHandle<()>> {
    let mut all = Vec::new();
    let lock = Arc::new(Mutex::new(0_u64));
    for number in 0..40 {
        let (stop, messages, lock) = (stop.clone(), messages.clone(), lock.clone());
        // Relaxed (all): nothing is told by it but that it is time to stop.
        all.push(match number % 3 {
            0 => go(move || {
                let (tx, rx) = chan::bounded(0);
                let sends = go(move || while tx.send(1).is_ok() {});
                while !stop.load(Ordering::Relaxed) {
                    messages.fetch_add(rx.recv().unwrap(), Ordering::Relaxed);
                }
                drop(rx);
                sends.join().unwrap();
            }),
            1 => go(move || {
                while !stop.load(Ordering::Relaxed) {
                    *lock.lock().unwrap() += 1;
                    sleep(Duration::from_micros(50));
                    yield_now();
                }
            }),
            _ => go(move || {
                while !stop.load(Ordering::Relaxed) {
                    go(yield_now).join().unwrap();
                }
            }),
        });
    }
    all
}

#[test]
fn every_walk_beside_a_busy_program_is_whole() {
    start(2);
    let (stop, messages) = (Arc::default(), Arc::default());
    let all = busy(&stop, &messages);
    let end = Instant::now() + Duration::from_secs(3);
    let (mut dumps, mut walks) = (0, 0);
    while Instant::now() < end || dumps < 3 {
        let snapshot = Dump::new().runtime_frames(true).take();
        dumps += 1;
        for group in snapshot.groups() {
            let is_read = !snapshot.frames(group).is_empty();
            assert!(
                !is_read || group.is_complete(),
                "{:#?}",
                snapshot.frames(group)
            );
            walks += if is_read { group.count } else { 0 };
        }
    }
    stop.store(true, Ordering::Relaxed); // Relaxed: as in `busy`.
    all.into_iter().for_each(|one| one.join().unwrap());
    assert!(walks > dumps, "{walks} walks in {dumps} dumps");
    assert!(messages.load(Ordering::Relaxed) > 0); // Relaxed: all have ended.
}

#[inline(never)]
fn in_the_crowd(rx: &Receiver<u32>) {
    assert!(rx.recv().is_err());
    black_box(());
}

#[test]
fn ten_thousand_goroutines_are_a_few_groups() {
    start(2);
    const MANY: usize = 10_000;
    let (tx, rx) = chan::bounded(0);
    let all: Vec<_> = (0..MANY)
        .map(|_| {
            let rx = rx.clone();
            go(move || in_the_crowd(&rx))
        })
        .collect();
    let snapshot = seen_in("in_the_crowd", MANY, WAITS);
    assert_eq!(groups_in(&snapshot, "in_the_crowd").len(), 1);
    assert!(snapshot.summary().goroutines >= MANY);
    let mut text = Vec::new();
    snapshot.write_text(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("\n10 000 goroutines [chan receive] channel 0x"),
        "{text}"
    );
    drop(tx);
    all.into_iter().for_each(|one| one.join().unwrap());
}
