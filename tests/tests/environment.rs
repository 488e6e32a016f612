//! What surrounds the program, and what it does to its threads: child programs, in which other tests are not harmed.

use std::process::Command;

use goroutines_tests::{Death, run};

fn case(name: &str) -> Death {
    let mut command = Command::new(env!("CARGO_BIN_EXE_environment"));
    command
        .arg(name)
        .env_remove("GOMAXPROCS")
        .env_remove("GODEBUG")
        .env("RUST_BACKTRACE", "0");
    run(&mut command)
}

/// The case ends well, with this text and no other.
#[track_caller]
fn says(name: &str, text: &str) {
    let death = case(name);
    assert_eq!(
        (death.code, &*death.stdout, &*death.stderr),
        (Some(0), text, ""),
        "{death:?}"
    );
}

#[test]
fn threads_do_not_block_faults_although_the_caller_of_start_blocks_all_signals() {
    says(
        "all-blocked-at-the-start",
        "SIGTERM is left to the one that waits for it: true\n",
    );
}

#[test]
fn threads_do_not_block_faults_although_a_goroutine_blocks_all_signals() {
    says("all-blocked-by-a-goroutine", "looked\n");
}

#[test]
fn threads_inherit_nothing_of_a_goroutines_thread() {
    says("state-of-a-locked-thread", "looked\n");
}

#[test]
fn hogs_are_told_of_although_a_parked_goroutine_has_locked_stderr() {
    let death = case("stderr-locked");
    assert_eq!(
        (death.code, &*death.stdout),
        (Some(0), "went on\n"),
        "{death:?}"
    );
    assert!(
        death.stderr.starts_with("goroutines: goroutine "),
        "{death:?}"
    );
}

#[test]
fn a_hook_for_hogs_that_waits_holds_nobody_up() {
    says("hook-waits", "went on\n");
}

#[test]
fn threads_that_do_not_answer_for_their_frames_hold_nobody_up() {
    says("threads-do-not-answer", "went on\n");
}

#[test]
fn the_runtime_starts_on_a_thread_with_sixteen_kilobytes_of_stack() {
    says("start-on-a-small-stack", "(true, 7, 2)\n");
}
