//! What dumps say of waits: when those end that have a time, and what plain threads wait for.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use goroutines::{
    chan,
    debug::{Dump, Group, Snapshot, State, WaitReason},
    go, sleep,
    sync::Mutex,
};
use goroutines_tests::{start, until};

const HOUR: Duration = Duration::from_secs(3600);

#[inline(never)]
fn sleeps_for(hours: u32) {
    sleep(HOUR * hours);
    std::hint::black_box(());
}

#[inline(never)]
fn receives_for_an_hour(rx: &chan::Receiver<u32>) {
    let _ = std::hint::black_box(rx.recv_timeout(HOUR));
}

fn text(snapshot: &Snapshot) -> String {
    let mut text = Vec::new();
    snapshot.write_text(&mut text).expect("room");
    String::from_utf8(text).expect("text")
}

fn json(snapshot: &Snapshot) -> String {
    let mut text = Vec::new();
    snapshot.write_json(&mut text).expect("room");
    String::from_utf8(text).expect("text")
}

/// The group whose closure has `word` in its name, and that waits for `reason`.
fn group<'a>(snapshot: &'a Snapshot, word: &str, reason: WaitReason) -> Option<&'a Group> {
    let mut groups = snapshot.groups().iter();
    groups.find(|group| group.spawned_as.contains(word) && group.state == State::Waiting(reason))
}

#[test]
fn a_dump_says_when_a_sleep_ends() {
    start(2);
    let begin = Instant::now();
    for hours in [3, 2] {
        drop(go(move || sleeps_for(hours)));
    }
    let (tx, rx) = chan::bounded::<u32>(0);
    let receives = go(move || receives_for_an_hour(&rx));
    let is_read = Dump::new().running(false).take().summary().stacks_read;
    until("all wait", || {
        let snapshot = Dump::new().take();
        let sleeps = group(&snapshot, "when_a_sleep_ends", WaitReason::Sleep);
        let waits = group(&snapshot, "when_a_sleep_ends", WaitReason::ChanReceive);
        let (Some(sleeps), Some(waits)) = (sleeps, waits) else {
            return false;
        };
        if sleeps.count != 2 {
            return false;
        }
        if !is_read {
            // None is held: nothing is told.
            assert_eq!((sleeps.ends, waits.ends), (None, None));
            return true;
        }
        let (Some(first), Some(at_most)) = (sleeps.ends, waits.ends) else {
            // One went on just now.
            return false;
        };
        let is_near = |moment: Instant, hours: u32| {
            let from = begin + HOUR * hours;
            (from..from + Duration::from_secs(600)).contains(&moment)
        };
        assert!(is_near(first, 2), "{:?}", first - begin);
        assert!(is_near(at_most, 1), "{:?}", at_most - begin);
        let text = text(&snapshot);
        let line = |state: &str, word: &str| {
            let mut lines = text.lines();
            let line = lines.find(|line| line.contains(state) && line.contains(word));
            line.unwrap_or_else(|| panic!("no {state} {word}: {text}"))
        };
        let sleeps = line("2 goroutines [sleep", ", the first ends in 7");
        assert!(!sleeps.contains("at most"), "{sleeps}");
        let waits = line("[chan receive", ", ends in 3");
        assert!(waits.contains(" at most"), "{waits}");
        assert!(json(&snapshot).contains("\"ends_in\": 7"));
        true
    });
    drop(tx);
    receives.join().expect("it ends");
}

#[test]
fn a_dump_says_what_plain_threads_wait_for() {
    start(2);
    let (tx, rx) = chan::bounded::<u32>(0);
    let mutex = Arc::new(Mutex::new(()));
    let (locked, is_locked) = mpsc::channel();
    let (end, ends) = chan::bounded::<()>(0);
    let other = mutex.clone();
    let holder = go(move || {
        let _guard = other.lock();
        locked.send(()).expect("the test listens");
        assert!(ends.recv().is_err());
    });
    is_locked.recv().expect("it locks");
    let plain = |name: &str, body: Box<dyn FnOnce() + Send>| {
        let builder = thread::Builder::new().name(name.to_owned());
        builder.spawn(body).expect("a thread")
    };
    let receives = plain("receives", Box::new(move || assert!(rx.recv().is_err())));
    let locks = plain("locks", Box::new(move || drop(mutex.lock())));
    until("both wait", || {
        let snapshot = Dump::new().take();
        let wait = |name: &str| {
            let mut all = snapshot.threads().iter();
            all.find(|wait| wait.from.name.as_deref() == Some(name))
        };
        let (Some(receives), Some(locks)) = (wait("receives"), wait("locks")) else {
            return false;
        };
        assert_eq!(receives.reason, WaitReason::ChanReceive);
        assert_eq!(locks.reason, WaitReason::MutexLock);
        assert_eq!((receives.from.id, locks.from.id), (0, 0));
        let text = text(&snapshot);
        let line = |name: &str| {
            let line = text.lines().find(|line| line.contains(name));
            line.unwrap_or_else(|| panic!("no {name}: {text}"))
        };
        let begin = format!(
            "thread {} \"receives\" [chan receive] channel 0x",
            receives.from.thread
        );
        assert!(line("\"receives\"").starts_with(&begin), "{text}");
        let json = json(&snapshot);
        let entry = format!(
            "{{\"thread\": {}, \"name\": \"locks\", \"reason\": \"mutex lock\", \"object\": \"0x",
            locks.from.thread
        );
        assert!(json.contains(&entry), "{json}");
        // The holder is known to a look of its own, in which it may have been seen elsewhere.
        line("\"locks\" [mutex lock] mutex 0x").contains(", held by goroutine ")
    });
    drop((tx, end));
    holder.join().expect("it ends");
    receives.join().expect("it ends");
    locks.join().expect("it ends");
}
