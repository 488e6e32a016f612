//! Goroutines that have waited for long are found where they wait, and those that can never go on are told from others.

use std::{hint::black_box, sync::Arc, time::Duration};

use goroutines::{
    Config, chan,
    debug::{Dump, Leaks, leaks},
    go,
    sync::Mutex,
};
use goroutines_tests::{start_with, until};

/// In which the goroutines of these tests wait.
#[inline(never)]
fn leaked(wait: impl FnOnce()) {
    wait();
    black_box(());
}

#[inline(never)]
fn for_ever(wait: impl FnOnce()) {
    wait();
    black_box(());
}

#[inline(never)]
fn forgotten(wait: impl FnOnce()) {
    wait();
    black_box(());
}

fn start() {
    start_with(Config::new().procs(2).stack_idle(Duration::from_millis(20)));
}

/// How many goroutines are in the function with this name, how many of them can never go on, and for how long they have
/// been there.
fn found(leaks: &Leaks, function: &str) -> (usize, usize, Duration) {
    let mut found = (0, 0, Duration::ZERO);
    for leak in leaks.groups() {
        let frames = leaks.frames(&leak.group);
        let is_in = frames.iter().any(|frame| {
            let name = frame.function.as_deref().unwrap_or_default();
            name.split('<')
                .next()
                .unwrap_or_default()
                .ends_with(function)
        });
        if is_in {
            found.0 += leak.group.count;
            found.1 += if leak.is_certain { leak.group.count } else { 0 };
            found.2 = found.2.max(leak.group.parked_for.unwrap_or_default());
        }
    }
    found
}

#[test]
fn goroutines_that_wait_for_long_are_found_with_their_place() {
    start();
    if !Dump::new().take().summary().stacks_read {
        return; // without membarrier there are no places
    }
    let (tx, rx) = chan::bounded::<u32>(0);
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let rx = rx.clone();
            go(move || forgotten(|| assert!(rx.recv().is_err())))
        })
        .collect();
    let age = Duration::from_millis(100);
    until("three have waited for so long", || {
        let (count, certain, time) = found(&leaks(age), "forgotten");
        assert_eq!(certain, 0, "the sender is there");
        count == 3 && time >= age
    });
    let hour = leaks(Duration::from_secs(3600));
    assert_eq!(found(&hour, "forgotten").0, 0, "{hour:?}");
    let mut text = Vec::new();
    leaks(age)
        .write_text(&mut text)
        .expect("a vector takes all");
    let text = String::from_utf8(text).expect("it is text");
    assert!(text.starts_with("leaks: "), "{text}");
    assert!(text.contains("3 goroutines [chan receive"), "{text}");
    assert!(text.contains("spawned as leaks_found::"), "{text}");
    drop(tx);
    for waits in waiting {
        waits.join().expect("it does not panic");
    }
    assert_eq!(found(&leaks(Duration::ZERO), "forgotten").0, 0);
}

#[test]
fn goroutines_in_a_ring_of_locks_and_those_behind_them_can_never_go_on() {
    start();
    let locks = Arc::new((Mutex::new(()), Mutex::new(())));
    let (begin, both) = chan::bounded::<()>(0);
    let (ready, is_ready) = chan::bounded(2);
    for turned in [false, true] {
        let (locks, both, ready) = (locks.clone(), both.clone(), ready.clone());
        drop(go(move || {
            let (first, second) = match turned {
                false => (&locks.0, &locks.1),
                true => (&locks.1, &locks.0),
            };
            let _first = first.lock();
            ready.send(()).expect("the test listens");
            assert!(both.recv().is_err());
            leaked(|| drop(second.lock()));
        }));
    }
    for _ in 0..2 {
        is_ready.recv().expect("it takes its first");
    }
    drop(begin);
    drop(go(move || leaked(|| drop(locks.0.lock()))));
    // Without membarrier none is held, and so none is certain.
    let can_hold = Dump::new().take().summary().stacks_read;
    if can_hold {
        until("three can never go on", || {
            let (count, certain, _) = found(&leaks(Duration::from_millis(50)), "leaked");
            (count, certain) == (3, 3)
        });
    }
}

#[test]
fn a_goroutine_that_receives_from_never_can_never_go_on() {
    start();
    drop(go(|| {
        for_ever(|| assert!(chan::never::<u32>().recv().is_err()));
    }));
    if !Dump::new().take().summary().stacks_read {
        return; // without membarrier none is held, and so none is certain
    }
    until("it can never go on", || {
        let (count, certain, _) = found(&leaks(Duration::ZERO), "for_ever");
        (count, certain) == (1, 1)
    });
}
