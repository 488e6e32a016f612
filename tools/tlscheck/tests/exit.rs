//! What the program answers with.

use std::process::{Command, Output};

fn tlscheck(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tlscheck"))
        .args(args)
        .output()
        .expect("it starts")
}

fn refuses(args: &[&str], reason: &str) {
    let output = tlscheck(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
    assert!(said.contains(reason), "{args:?}: {said}");
}

#[test]
fn bad_usage_and_what_is_no_program_end_with_status_2_and_the_reason() {
    refuses(&[], "Usage");
    refuses(&["--what", "file"], "--what");
    refuses(&["/nowhere"], "/nowhere cannot be read: ");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    refuses(&[manifest], "is no program that can be understood");
}

#[test]
fn a_program_without_the_runtime_ends_with_status_2_and_the_reason() {
    refuses(
        &[env!("CARGO_BIN_EXE_tlscheck")],
        "has no context switch of goroutines",
    );
}
