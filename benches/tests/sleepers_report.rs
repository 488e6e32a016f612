//! The sleepers report as a program.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

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
fn a_quick_run_has_a_row_for_each_kind_of_sleeper() {
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
fn the_json_has_a_row_for_each_row_of_the_text() {
    let name = format!("sleepers-report-{}.json", std::process::id());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let json = path.to_str().unwrap();
    let (code, text) = sleepers_report(&[
        "--quick", "--only", "unpark", "--rounds", "2", "--json", json,
    ]);
    assert_eq!(code, Some(0), "{text}");
    let value: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    fs::remove_file(&path).unwrap();
    let rows = value["rows"].as_array().unwrap();
    assert_eq!(
        (rows.len(), text.matches("park and unpark").count()),
        (2, 2)
    );
    assert!(
        rows.iter().all(|row| row["processor"].as_f64() > Some(0.0)),
        "{rows:?}"
    );
    assert!(!text.contains("goroutines  "), "{text}");
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    for bad in [
        ["--count", "0"],
        ["--procs", "0"],
        ["--longest", "x"],
        ["--rounds", "0"],
        ["--only", "no such row"],
    ] {
        assert_eq!(sleepers_report(&bad).0, Some(2), "{bad:?}");
    }
}
