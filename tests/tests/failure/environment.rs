//! What surrounds the program, and what it does to its threads: child programs, in which other tests are not harmed.

use goroutines_tests::{Death, program, run};

fn case(name: &str) -> Death {
    let mut command = program(env!("CARGO_BIN_EXE_environment"));
    // Some take the signal stack away, on which guards that move are handled.
    command.env_remove("GOROUTINE_STACK_START");
    run(command.arg(name))
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
fn a_hook_for_hogs_that_waits_blocks_no_goroutine() {
    says("hook-waits", "went on\n");
}

#[test]
fn threads_that_do_not_answer_for_their_frames_block_no_goroutine() {
    says("threads-do-not-answer", "went on\n");
}

#[test]
fn the_runtime_starts_on_a_thread_with_sixteen_kilobytes_of_stack() {
    says("start-on-a-small-stack", "(true, 7, 2)\n");
}

/// The case ends well, with this text, and says on stderr what these words are from, in one line.
#[track_caller]
fn says_and_warns(name: &str, text: &str, warning: &[&str]) {
    let death = case(name);
    assert_eq!((death.code, &*death.stdout), (Some(0), text), "{death:?}");
    assert_eq!(death.stderr.lines().count(), 1, "{death:?}");
    for words in warning {
        assert!(death.stderr.contains(words), "{words}: {death:?}");
    }
}

#[test]
fn ps_are_taken_although_membarrier_is_allowed_by_half() {
    says("no-membarrier", "went on, true\n");
}

#[test]
fn a_membarrier_that_is_refused_later_is_told_of_and_ps_are_taken_by_real_fences() {
    says_and_warns(
        "no-membarrier-later",
        "went on\n",
        &[
            "membarrier worked when the runtime started",
            "os error 1",
            "before `start`",
        ],
    );
}

#[test]
fn a_start_without_signal_stacks_is_an_error_that_names_the_call() {
    says(
        "no-signal-stacks",
        "Err: goroutines::start: giving a thread a signal stack (sigaltstack): Operation not permitted (os error 1); \
         a filter of system calls (seccomp) refuses it: let it allow this call\n",
    );
}

#[test]
fn a_start_under_shadow_stacks_is_an_error_that_names_the_setting() {
    says(
        "shadow-stacks",
        "Err: goroutines::start: shadow stacks are on, and a switch between goroutines would not match them; start the \
         program without: GLIBC_TUNABLES must not have glibc.cpu.x86_shstk=on or glibc.cpu.aarch64_gcs=1\n\
         joined 7\n",
    );
}

#[test]
fn a_start_without_threads_is_an_error_and_a_later_one_succeeds() {
    let death = case("no-threads-at-all");
    assert_eq!((death.code, &*death.stderr), (Some(0), ""), "{death:?}");
    let (error, rest) = death.stdout.split_once('\n').unwrap_or_default();
    assert!(
        error.starts_with("Err: goroutines::start: starting the thread that starts the others: ")
            && error.contains("RLIMIT_NPROC"),
        "{death:?}"
    );
    assert_eq!(rest, "joined 7\n", "{death:?}");
}

#[test]
fn without_a_second_thread_a_goroutine_that_need_not_wait_lets_others_run() {
    for call in ["checkpoint", "lock", "channel", "select"] {
        let death = case(&format!("no-threads-{call}"));
        assert_eq!(
            (death.code, &*death.stdout),
            (Some(0), "went on\n"),
            "{call}: {death:?}"
        );
    }
}

#[test]
fn threads_that_are_refused_for_a_second_while_goroutines_wait_are_told_of_once() {
    says_and_warns(
        "no-threads-for-a-second",
        "joined 7\n",
        &["the system refuses threads", "os error 11", "RLIMIT_NPROC"],
    );
}

#[test]
fn a_handler_of_faults_that_was_replaced_is_told_of_once() {
    says_and_warns(
        "handler-replaced",
        "went on\n",
        &["SIGSEGV or SIGBUS was replaced", "before `start`"],
    );
}

#[test]
fn a_signal_stack_that_was_disabled_is_set_again_and_told_of_once() {
    says_and_warns(
        "signal-stack-disabled",
        "as before: true\n",
        &["signal stack", "was disabled", "restore the one before"],
    );
}

#[test]
fn a_timer_of_a_p_that_is_taken_from_a_blocked_thread_is_kept() {
    says("timer-of-a-taken-p", "in time\n");
}

#[test]
fn a_timer_of_a_p_that_leaves_is_kept() {
    says("timer-of-a-p-that-leaves", "in time\n");
}
