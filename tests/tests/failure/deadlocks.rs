//! A program in which nothing can ever wake a goroutine again says so, shows where each waits, and ends with status 2. One
//! that something can still wake is left alone.

use std::thread;

use goroutines_tests::{Death, program, run};

const SAYS: &str = "goroutines: fatal error: all goroutines are asleep - deadlock!\n";

fn case(kind: &str, name: &str) -> Death {
    run(program(env!("CARGO_BIN_EXE_deadlocked")).arg(format!("{kind}:{name}")))
}

#[test]
fn a_deadlock_ends_the_program_with_a_dump_and_status_2() {
    for name in [
        "recv",
        "send",
        "select",
        "locks",
        "ring",
        "once",
        "condvar",
        "semaphore",
        "group",
        "park",
        "scope",
        "future",
        "copied",
        "main",
        "after-work",
    ] {
        let death = case("dead", name);
        assert_eq!(
            (death.code, &*death.stdout),
            (Some(2), ""),
            "{name}: {death:?}"
        );
        assert!(death.stderr.starts_with(SAYS), "{name}: {death:?}");
        // `main` waits too, and is no goroutine.
        let waits = "\n    the thread `deadlocked` waits: ";
        assert!(death.stderr.contains(waits), "{name}: {death:?}");
        assert!(
            death.stderr.contains("    stuck") || death.stderr.contains("::stuck"),
            "{name}: {death:?}"
        );
    }
}

#[test]
fn a_program_that_something_can_still_wake_is_left_alone() {
    let names = [
        "main-outside",
        "thread",
        "timer",
        "call",
        "calls",
        "naps",
        "socket",
        "timer-thread",
        "stopped",
        "forked",
        "unannounced",
        "deadline",
        "child",
        "signal",
        "waker",
    ];
    // Together: each of them waits for most of its time.
    thread::scope(|scope| {
        for name in names {
            scope.spawn(move || {
                let death = case("alive", name);
                assert_eq!(death.code, Some(0), "{name}: {death:?}");
                let said = (&*death.stdout, &*death.stderr);
                assert_eq!(said, ("went on\n", ""), "{name}");
            });
        }
    });
}

#[test]
fn a_deadlock_names_the_ring_of_waits() {
    let mut rings = vec![("locks", 2), ("ring", 3), ("once", 2), ("itself", 2)];
    if !cfg!(debug_assertions) {
        // Debug builds panic.
        rings.push(("again", 1));
    }
    for (name, waits) in rings {
        for membarrier in ["on", "off"] {
            let mut command = program(env!("CARGO_BIN_EXE_deadlocked"));
            command.env("GOROUTINE_MEMBARRIER", membarrier);
            let death = run(command.arg(format!("dead:{name}")));
            assert_eq!(death.code, Some(2), "{name}, {membarrier}: {death:?}");
            let ring = death
                .stderr
                .lines()
                .find(|line| line.contains("deadlock: goroutine"));
            let ring = ring.unwrap_or_else(|| panic!("{name}, {membarrier}: {death:?}"));
            assert_eq!(ring.matches(" -> ").count(), 2 * waits, "{name}: {ring}");
            // Without stacks the dump says why.
            let can_hold = !death.stderr.contains("stacks are not read: ");
            assert_eq!(ring.starts_with("deadlock: "), can_hold, "{name}: {ring}");
        }
    }
}

#[test]
fn a_deadlock_names_the_channels_at_which_it_ends() {
    // The main thread waits for the goroutine that waits there.
    for (name, side, nobody) in [
        ("recv", "receive", "nobody is left to send"),
        ("send", "send", "nobody is left to receive"),
    ] {
        let death = case("dead", name);
        let line = death.stderr.lines().nth(3).unwrap_or_default();
        let begin = format!("goroutine 1 -> chan {side} -> channel 0x");
        let counts = "(unbuffered, 1 sender, 1 receiver): ";
        let ends = format!("{counts}{nobody}; 1 other waits for it");
        assert!(line.starts_with(&begin), "{name}: {death:?}");
        assert!(line.ends_with(&ends), "{name}: {death:?}");
    }
    // Plain threads too.
    let death = case("dead", "main");
    let line = death.stderr.lines().find(|line| line.contains(" -> chan "));
    let line = line.unwrap_or_else(|| panic!("{death:?}"));
    assert!(line.starts_with("thread "), "{death:?}");
    assert!(line.contains(": nobody is left to"), "{death:?}");
    // Not of locks.
    let death = case("dead", "locks");
    assert!(!death.stderr.contains("nobody is left"), "{death:?}");
}

#[test]
fn a_deadlock_is_found_by_default() {
    let death = case("default", "recv");
    assert_eq!(death.code, Some(2), "{death:?}");
    assert!(death.stderr.starts_with(SAYS), "{death:?}");
}

#[test]
fn a_deadlock_is_only_reported_or_not_at_all_where_that_is_asked_for() {
    let death = case("report", "recv");
    assert_eq!(death.signal, Some(libc::SIGALRM), "{death:?}");
    assert_eq!(death.stderr.matches(SAYS).count(), 1, "{death:?}");
    let death = case("off", "recv");
    assert_eq!(
        (death.signal, &*death.stderr),
        (Some(libc::SIGALRM), ""),
        "{death:?}"
    );
    let mut command = program(env!("CARGO_BIN_EXE_deadlocked"));
    let death = run(command.arg("report:recv").env("GODEBUG", "deadlock=0"));
    assert_eq!(
        (death.signal, &*death.stderr),
        (Some(libc::SIGALRM), ""),
        "{death:?}"
    );
    let mut command = program(env!("CARGO_BIN_EXE_deadlocked"));
    let death = run(command.arg("off:recv").env("GODEBUG", "deadlock=1"));
    assert_eq!(death.code, Some(2), "{death:?}");
}
