//! Stacks where growing cannot be handled, in sandboxes, and at limits: child programs that end well, or say why not.

use goroutines_tests::{Death, program, run};

fn stacks(arguments: &[&str], variables: &[(&str, &str)]) -> Death {
    let mut command = program(env!("CARGO_BIN_EXE_stacks"));
    command.args(arguments).env_remove("GOROUTINE_STACK_START");
    run(command.envs(variables.iter().copied()))
}

fn assert_ok(arguments: &[&str], variables: &[(&str, &str)]) {
    let death = stacks(arguments, variables);
    assert!(death.stdout.ends_with("ok\n"), "{arguments:?}: {death:?}");
    assert_eq!(death.code, Some(0), "{arguments:?}: {death:?}");
}

const STRICT: (&str, &str) = ("GOROUTINE_STACK_START", "2K");
const MPROTECT: (&str, &str) = ("GOROUTINE_GUARD", "mprotect");

/// Whether guards here can move.
fn guards_move() -> bool {
    let death = stacks(&["late-handler"], &[STRICT]);
    death.code != Some(0)
}

#[test]
fn threads_and_processes_can_be_started_at_any_depth() {
    assert_ok(&["threads-at-each-depth"], &[]);
}

#[test]
fn stacks_grow_where_all_signals_are_blocked() {
    assert_ok(&["all-signals-blocked"], &[]);
    assert_ok(&["all-signals-blocked"], &[MPROTECT]);
}

#[test]
fn a_frame_that_stepped_over_a_guard_is_looked_through_and_copied() {
    for mode in ["", "forced", "copied", "unchecked"] {
        assert_ok(&["frame-without-probes", mode], &[]);
        assert_ok(&["frame-without-probes", mode], &[STRICT]);
        assert_ok(
            &["frame-without-probes", mode],
            &[("GOROUTINE_STACK_START", "64K")],
        );
    }
}

#[test]
fn another_handler_of_sigsegv_does_not_keep_stacks_from_growing() {
    assert_ok(&["late-handler"], &[]);
    assert_ok(&["late-handler", "before"], &[]);
    assert_ok(&["late-handler", "before"], &[STRICT]);
}

#[test]
fn a_handler_that_keeps_a_guarded_stack_from_growing_is_named() {
    if !guards_move() {
        return;
    }
    let death = stacks(&["late-handler"], &[STRICT]);
    assert_eq!(death.signal, Some(libc::SIGSEGV), "{death:?}");
    // The monitor may have said before that the handler was replaced.
    assert!(death.stderr.contains("reporter: SIGSEGV\n"), "{death:?}");
    assert!(
        death
            .stderr
            .contains("goroutine 1: another signal handler took the place of the runtime's"),
        "{death:?}"
    );
    assert!(
        death.stderr.contains("before `goroutines::start`"),
        "{death:?}"
    );
}

#[test]
fn reserved_stack_meets_no_guard() {
    assert_ok(&["reserve"], &[]);
    assert_ok(&["reserve"], &[MPROTECT]);
    // Where no start is set, and stacks are guarded all the same.
    assert_ok(&["reserve"], &[STRICT]);
}

#[test]
fn processes_and_threads_of_the_runtime_meet_no_guard() {
    assert_ok(&["own-starts"], &[]);
    assert_ok(&["own-starts"], &[STRICT]);
}

#[test]
fn more_than_the_stack_has_cannot_be_reserved() {
    let death = stacks(&["reserve-too-much"], &[]);
    let lines: Vec<&str> = death.stdout.lines().collect();
    for (line, bytes) in lines
        .iter()
        .zip(["1048576", "18446744073709551615", "1073741824"])
    {
        let start = format!("goroutines::reserve_stack: {bytes} bytes: ");
        assert!(line.starts_with(&start), "{death:?}");
        assert!(line.contains("are left of this stack"), "{death:?}");
        assert!(
            line.contains("stack_size") && line.contains("grow"),
            "{death:?}"
        );
    }
    assert_eq!(lines.len(), 4, "{death:?}");
}

#[test]
fn grow_needs_not_know_where_a_threads_stack_ends() {
    assert_ok(&["grow-in-a-sandbox", "affinity"], &[]);
    assert_ok(&["grow-in-a-sandbox", "files"], &[]);
}

#[test]
fn a_process_that_has_used_up_its_memory_areas_is_not_killed_for_a_thread() {
    assert_ok(&["areas-used-up"], &[]);
    assert_ok(&["areas-used-up"], &[MPROTECT]);
}

#[test]
fn guards_that_cannot_be_removed_are_not_made_or_named() {
    assert_ok(&["guards-stay"], &[]);
    if !guards_move() {
        return;
    }
    let death = stacks(&["guards-stay-later"], &[]);
    assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
    assert!(
        death
            .stderr
            .contains("goroutine 1: its stack cannot grow: the kernel refuses"),
        "{death:?}"
    );
    assert!(death.stderr.contains("seccomp"), "{death:?}");
}

/// The guards of many stacks are placed together, unless a filter refuses that: from the start, or later.
#[test]
fn each_of_many_stacks_reports_its_overflow_also_where_guards_are_placed_one_by_one() {
    for how in ["together", "one-by-one", "one-by-one-later"] {
        let death = stacks(&["overflow-of-many", how], &[]);
        assert_eq!(death.signal, Some(libc::SIGABRT), "{how}: {death:?}");
        let text = ": stack exceeds 1048576-byte limit";
        assert!(death.stderr.contains(text), "{how}: {death:?}");
    }
}

#[test]
fn copied_stacks_for_all_take_turns_and_wait_for_each_other() {
    assert_ok(&["copied"], &[]);
    assert_ok(&["copied"], &[STRICT]);
    assert_ok(&["copied"], &[MPROTECT]);
    assert_ok(&["copied"], &[("GOROUTINE_FORCE_MIGRATION", "on")]);
}

#[test]
fn a_start_of_the_environment_wins_and_a_bad_one_is_an_error() {
    for value in ["0", "-3", "strict", "2T", ""] {
        let death = stacks(&["start"], &[("GOROUTINE_STACK_START", value)]);
        let words = format!("Err: goroutines::start: GOROUTINE_STACK_START is `{value}`");
        assert!(death.stdout.starts_with(&words), "{death:?}");
    }
}
