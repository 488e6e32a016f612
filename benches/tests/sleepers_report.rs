//! The sleepers report as a program.

use std::process::Command;

fn sleepers_report(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sleepers-report"))
        .args(arguments)
        .env_remove("GOMAXPROCS")
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text)
}

#[test]
fn a_quick_run_has_a_row_for_each_who_sleeps() {
    let (code, text) = sleepers_report(&["--quick"]);
    assert_eq!(code, Some(0), "{text}");
    for row in [
        "goroutines  ",
        "stacks warm",
        "copy stacks",
        "OS threads",
        "park and unpark",
        "timeout that does not come",
    ] {
        assert!(text.contains(row), "{row}: {text}");
    }
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    for bad in [["--count", "0"], ["--procs", "0"], ["--longest", "x"]] {
        assert_eq!(sleepers_report(&bad).0, Some(2), "{bad:?}");
    }
}
