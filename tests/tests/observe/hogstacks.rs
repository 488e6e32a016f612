//! A report of a hog shows where it is, if that was asked for, and nothing else changes.

use std::process::Command;

use goroutines_tests::{Death, program, run};

fn hogstacks(args: &[&str], godebug: Option<&str>) -> Death {
    let mut command = program(env!("CARGO_BIN_EXE_hogstacks"));
    command.args(args);
    if let Some(value) = godebug {
        command.env("GODEBUG", value);
    }
    let death = run(&mut command);
    assert_eq!(death.code, Some(0), "{death:?}");
    death
}

/// The names of the functions in the report's frames, as `addr2line` tells them; none where there is no such tool.
fn names(death: &Death) -> Option<Vec<String>> {
    let places = death
        .stderr
        .lines()
        .filter_map(|line| line.split_once(": 0x")?.1.split(' ').next_back())
        .filter_map(|place| place.rsplit_once("+0x"));
    places
        .map(|(file, offset)| {
            let output = Command::new("addr2line")
                .args(["-Cfie", file, offset])
                .output();
            Some(String::from_utf8_lossy(&output.ok()?.stdout).into_owned())
        })
        .collect()
}

fn names_the(function: &str, death: &Death) {
    let frames = death.stderr.matches("\n   0: 0x").count();
    assert!(frames >= 1, "{death:?}");
    if let Some(names) = names(death) {
        let named = names.iter().any(|name| name.contains(function));
        assert!(named, "no {function} in {names:?} of {death:?}");
    }
}

#[test]
fn the_stack_of_a_hog_that_computes_names_its_hot_function() {
    let death = hogstacks(&["computes"], Some("hogs=50,hogstacks=1"));
    names_the("hogstacks::hot", &death);
    assert!(
        death.stderr.contains("names FILE+OFFSET):\n   0: 0x"),
        "{death:?}"
    );
    // The second one shares its stack's window.
    assert_eq!(death.stderr.matches("\n   0: 0x").count(), 2, "{death:?}");
}

#[test]
fn the_stack_of_a_hog_that_blocks_in_foreign_code_names_its_caller() {
    let death = hogstacks(&["sleeps"], Some("hogs=50,hogstacks=1"));
    names_the("hogstacks::cold", &death);
}

#[test]
fn the_stack_of_a_hog_on_a_segment_is_that_of_the_segment() {
    let death = hogstacks(&["on-a-segment"], Some("hogs=50,hogstacks=1"));
    names_the("hogstacks::hot", &death);
}

#[test]
fn the_configuration_asks_for_stacks_as_well_and_the_hook_gets_them() {
    names_the("hogstacks::hot", &hogstacks(&["computes", "config"], None));
    let death = hogstacks(&["computes", "hook"], None);
    names_the("hogstacks::hot", &death);
    assert!(
        death.stdout.starts_with("hook: ") && !death.stdout.starts_with("hook: 0 "),
        "{death:?}"
    );
}

#[test]
fn without_being_asked_for_no_stack_is_shown_and_the_environment_wins() {
    for (args, godebug) in [
        (["computes", ""], None),
        (["computes", ""], Some("hogs=50")),
        (["computes", "config"], Some("hogstacks=0")),
    ] {
        let death = hogstacks(&args, godebug);
        assert!(
            death.stderr.contains("has been running for"),
            "{args:?} {godebug:?}: {death:?}"
        );
        assert!(
            !death.stderr.contains("0x"),
            "{args:?} {godebug:?}: {death:?}"
        );
    }
}

#[test]
fn a_thread_that_blocks_the_signal_is_reported_without_a_stack() {
    let death = hogstacks(&["blocks-the-signal"], Some("hogs=50,hogstacks=1"));
    assert!(death.stderr.contains("has been running for"), "{death:?}");
    assert!(!death.stderr.contains("0x"), "{death:?}");
}

#[test]
fn a_handler_that_was_there_before_gets_the_signals_that_are_not_ours() {
    let death = hogstacks(&["handler-before"], Some("hogs=50,hogstacks=1"));
    names_the("hogstacks::hot", &death);
    assert_eq!(death.stdout, "1 signals\n", "{death:?}");
}
