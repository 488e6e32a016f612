//! Chaos, for a moment in each mode; `GOROUTINE_CHAOS_SECONDS=1800` for longer. And that the watchdog sees what is wrong.

use std::env;

use goroutines_tests::{Death, program, run};

fn seconds() -> String {
    env::var("GOROUTINE_CHAOS_SECONDS").unwrap_or_else(|_| "3".to_owned())
}

fn chaos(arguments: &[&str]) -> Death {
    let mut command = program(env!("CARGO_BIN_EXE_chaos"));
    command.env_remove("GOROUTINE_STACK_START");
    run(command.args(arguments))
}

fn holds(mode: &str) {
    let end = chaos(&["--mode", mode, "--seconds", &seconds()]);
    assert_eq!(end.code, Some(0), "{}\n{}", end.stdout, end.stderr);
    assert!(end.stdout.ends_with("chaos: ok\n"), "{end:?}");
}

#[test]
fn all_promises_hold_as_it_comes() {
    holds("default");
}

#[test]
fn all_promises_hold_while_goroutines_change_threads() {
    holds("forced");
}

#[test]
fn all_promises_hold_with_one_p() {
    holds("one");
}

#[test]
fn all_promises_hold_with_copy_stacks() {
    holds("copied");
}

#[test]
fn all_promises_hold_with_copy_stacks_while_goroutines_change_threads() {
    holds("copied-forced");
}

#[test]
fn all_promises_hold_with_stacks_that_start_small() {
    holds("strict");
}

#[test]
fn all_promises_hold_without_guard_regions() {
    holds("mprotect");
}

#[test]
fn all_promises_hold_without_membarrier() {
    holds("no-membarrier");
}

#[test]
fn all_promises_hold_while_threads_end_and_stacks_are_shrunk() {
    holds("restless");
}

/// The fault `name` is played on purpose: what the watchdog says, and with which status the process ends.
fn caught(fault: &str, status: i32, says: &[&str]) {
    let arguments = ["--seed", "11", "--seconds", "60", "--patience", "2"];
    let end = chaos(&[&arguments[..], &["--fault", fault]].concat());
    assert_eq!(end.code, Some(status), "{end:?}");
    for text in [&["mode default, seed 11, round 1", "gomaxprocs"], says].concat() {
        assert!(end.stderr.contains(text), "no `{text}` in {}", end.stderr);
    }
}

#[test]
fn a_stuck_actor_is_named_with_its_step() {
    caught(
        "stuck",
        3,
        &[
            "STUCK",
            "culprit 5 (Plain, of #1)",
            "waits for a message that nobody sends",
        ],
    );
}

#[test]
fn a_lost_message_is_told() {
    caught(
        "lost",
        4,
        &["BROKEN", "1 messages were neither received nor dropped"],
    );
}

#[test]
fn a_message_that_arrives_twice_is_told() {
    caught("twice", 4, &["BROKEN", "message 0 arrived twice"]);
}

#[test]
fn a_panic_that_is_not_part_of_the_play_is_told() {
    caught("panic", 4, &["BROKEN", "an odd number"]);
}

#[test]
fn a_goroutine_that_does_not_end_is_told() {
    caught("left", 4, &["BROKEN", "1 goroutines have not ended"]);
}

#[test]
fn bad_arguments_are_named() {
    for (arguments, text) in [
        (["--mode", "slow"], "there is no mode `slow`"),
        (["--only", "locks,none"], "there is no scene `none`"),
        (["--fault", "none"], "there is no fault `none`"),
        (
            ["--seconds", "-3"],
            "--seconds is `-3`, which is not a number",
        ),
        (["--speed", "3"], "unknown option `--speed`"),
    ] {
        let end = chaos(&arguments);
        assert_eq!(end.code, Some(2), "{end:?}");
        assert!(end.stderr.contains(text), "{end:?}");
    }
}
