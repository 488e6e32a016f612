//! The program as its user meets it: arguments, exit status, files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use goroutines_benches::switch::rows;
use serde_json::Value;

fn switch_report(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switch-report"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn error_of(output: &Output) -> String {
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder for this test alone, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn len(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn help_says_what_there_is() {
    let output = switch_report(&["--help"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for flag in ["--json", "--svg", "--rounds", "--quick"] {
        assert!(text.contains(flag), "{flag}: {text}");
    }
}

#[test]
fn unknown_flags_and_stray_words_are_errors_of_usage() {
    for arguments in [
        &["--speed"][..],
        &["fast"],
        &["--rounds", "none"],
        &["--json"],
        &["--only", "no such row"],
    ] {
        let output = switch_report(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(error_of(&output).contains(arguments[0]), "{output:?}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_of_usage_that_names_it() {
    let folder = Folder::new("unwritable");
    for (flag, path) in [
        ("--json", folder.file("no/such/x.json")),
        ("--svg", folder.file("")),
        ("--svg", String::new()),
    ] {
        let output = switch_report(&[flag, &path]);
        assert_eq!(output.status.code(), Some(2), "{path}");
        let error = error_of(&output);
        assert!(error.contains(flag) && error.contains(&path), "{error}");
    }
    assert_eq!(folder.len(), 0);
}

#[test]
fn one_file_for_two_outputs_is_an_error_of_usage() {
    let folder = Folder::new("same");
    let output = switch_report(&["--json", &folder.file("x"), "--svg", &folder.file("./x")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(error_of(&output).contains("same file"), "{output:?}");
    assert_eq!(folder.len(), 0);
}

#[test]
fn more_than_one_p_is_refused_and_leaves_no_file() {
    let folder = Folder::new("procs");
    let mut program = Command::new(env!("CARGO_BIN_EXE_switch-report"));
    let output = program
        .args(["--quick", "--json", &folder.file("x")])
        .env("GOMAXPROCS", "4")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        error_of(&output).contains("GOMAXPROCS is `4`"),
        "{output:?}"
    );
    assert_eq!(folder.len(), 0);
}

#[test]
fn a_quick_run_gives_a_table_json_and_a_chart_with_every_row() {
    let folder = Folder::new("quick");
    let (json, svg) = (folder.file("x.json"), folder.file("x.svg"));
    let output = switch_report(&["--quick", "--json", &json, "--svg", &svg]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        output.stderr.is_empty(),
        "progress is for terminals: {output:?}"
    );
    let table = String::from_utf8(output.stdout).unwrap();
    let value: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    let chart = fs::read_to_string(&svg).unwrap();
    let measured = value["rows"].as_array().unwrap();
    assert_eq!(measured.len(), rows::all().len());
    for (row, line) in rows::all().iter().zip(measured) {
        assert_eq!(line["id"], row.id);
        assert!(line["median"].as_f64().unwrap() > 0.0, "{line}");
        assert!(
            line["p10"].as_f64() <= line["median"].as_f64()
                && line["median"].as_f64() <= line["p90"].as_f64(),
            "{line}"
        );
        assert_eq!(line["samples"].as_array().unwrap().len(), 3, "{line}");
        assert!(
            table.contains(row.name) && chart.contains(row.name),
            "{}",
            row.name
        );
    }
    assert_eq!(folder.len(), 2);
}

#[test]
fn only_the_chosen_rows_are_measured() {
    let output = switch_report(&["--quick", "--only", "goroutine-yield"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("goroutine yield, 2 goroutines"), "{table}");
    assert!(!table.contains("pipe hand-over"), "{table}");
    assert!(!table.contains("OS threads, same core"), "{table}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut program = Command::new(env!("CARGO_BIN_EXE_switch-report"));
    let output = program
        .args(["--quick", "--rounds", "1"])
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = output.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.len()),
        (Some(0), 0),
        "{output:?}"
    );
}
