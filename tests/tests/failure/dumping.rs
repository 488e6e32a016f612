//! Dumps that a program writes by itself: at SIGQUIT, where it was asked for, and before a fatal error ends it.

use goroutines_tests::{Death, program, run};

fn case(name: &str) -> Death {
    run(program(env!("CARGO_BIN_EXE_dumping")).arg(name))
}

/// Asserts that `text` has a dump with the goroutines of the program.
#[track_caller]
fn assert_dumped(text: &str, cause: &str, times: usize) {
    assert_eq!(text.matches(cause).count(), times, "{text}");
    assert_eq!(
        text.matches("\n3 goroutines [chan receive").count(),
        times,
        "{text}"
    );
    assert_eq!(text.matches("waits_in_dumping").count(), times, "{text}");
}

#[test]
fn sigquit_writes_a_dump_and_the_program_goes_on() {
    let death = case("continue");
    assert_eq!(
        (death.code, &*death.stdout),
        (Some(0), "went on\n"),
        "{death:?}"
    );
    assert_dumped(&death.stderr, "goroutines: SIGQUIT\n", 2);
}

#[test]
fn sigquit_writes_a_dump_and_ends_the_program_with_status_2() {
    let death = case("exit");
    assert_eq!((death.code, &*death.stdout), (Some(2), ""), "{death:?}");
    assert_dumped(&death.stderr, "goroutines: SIGQUIT\n", 1);
}

#[test]
fn a_program_that_did_not_ask_for_it_dies_of_sigquit() {
    for name in ["default", "twice"] {
        let death = case(name);
        assert_eq!(
            (death.signal, &*death.stderr),
            (Some(libc::SIGQUIT), ""),
            "{name}: {death:?}"
        );
    }
}

#[test]
fn a_fatal_error_is_followed_by_a_dump_and_said_again_below_it() {
    let says = "goroutines: fatal: the program exceeds 3 threads";
    for name in ["fatal", "fatal-default"] {
        let death = case(name);
        assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
        assert!(death.stderr.starts_with(says), "{death:?}");
        assert_dumped(
            &death.stderr,
            "goroutines: all goroutines, at the fatal error\n",
            1,
        );
        let last = death.stderr.lines().next_back();
        assert!(last.is_some_and(|line| line.starts_with(says)), "{death:?}");
    }

    let death = case("fatal-without");
    assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
    assert!(death.stderr.starts_with(says), "{death:?}");
    assert!(!death.stderr.contains("waits_in_dumping"), "{death:?}");
}

#[test]
fn a_fatal_error_ends_the_program_by_sigabrt_whatever_it_does_while_nobody_reads_the_dump() {
    for name in ["fatal-returns", "fatal-exits", "fatal-faults"] {
        let death = case(name);
        assert_eq!(death.signal, Some(libc::SIGABRT), "{name}: {death:?}");
    }
}

#[test]
fn a_program_that_replaces_the_handler_of_sigurg_is_told_so_in_its_dumps() {
    let death = case("replaced");
    assert_eq!(death.code, Some(0), "{death:?}");
    let called = "goroutine 1 [blocking call]";
    assert!(death.stdout.contains(called), "{death:?}");
    assert!(death.stderr.contains(called), "{death:?}");
    let note = "(did not answer: SIGURG has another handler)";
    assert!(death.stderr.contains(note), "{death:?}");
}
