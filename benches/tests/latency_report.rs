//! The latency report as a program.

use std::process::Command;

fn latency_report(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_latency-report"))
        .args(arguments)
        .env_remove("GOMAXPROCS")
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text)
}

#[test]
fn a_quick_run_has_a_row_for_goroutines_and_one_for_threads() {
    let (code, text) = latency_report(&["--quick"]);
    assert_eq!(code, Some(0), "{text}");
    for beside in ["alone", "block 20 ms", "tight loops", "that yield"] {
        let rows = text.lines().filter(|line| line.contains(beside)).count();
        assert_eq!(rows, 2, "{beside}: {text}");
    }
}

#[test]
fn an_unknown_flag_is_refused() {
    assert_eq!(latency_report(&["--no-such-flag"]).0, Some(2));
}
