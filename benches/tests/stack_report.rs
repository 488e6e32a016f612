//! The program as its user meets it: arguments, exit status, every row.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use goroutines_benches::stack::Stacks;
use goroutines_benches::stack::parked::Hold;
use goroutines_benches::stack::scenario::{Kind, Scenario, all};
use serde_json::Value;

fn stack_report(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stack-report"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn error_of(output: &Output) -> String {
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn text_of(output: &Output) -> String {
    assert!(
        output.stderr.is_empty(),
        "progress is for terminals: {output:?}"
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A file for this test alone, removed at the end.
struct Json(PathBuf);

impl Json {
    fn new(test: &str) -> Self {
        let name = format!("stack-report-{test}-{}.json", std::process::id());
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }
}

impl Drop for Json {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What every scenario of a kind has to say, and what of it has a bound.
fn names(kind: Kind) -> (&'static [&'static str], usize) {
    match kind {
        Kind::Parked(..) => (
            &[
                "all in, a goroutine",
                "  resident memory",
                "  page tables",
                "alive on its stack",
                "memory areas of the process",
                "spawn and park",
                "  processor time",
                "release, end and join",
                "  processor time",
                "left at once when all have ended",
            ],
            if kind == Kind::Parked(Stacks::Copy, Hold::Buffer) {
                2
            } else {
                3
            },
        ),
        Kind::Ended(_) => (
            &[
                "while all are parked",
                "left at once",
                "left after the idle time",
            ],
            0,
        ),
        Kind::Growth => (
            &[
                "demand fault",
                "growth step, stack_start(65536)",
                "growth steps, stack_start(65536)",
                "growth step, stack_start(2048)",
                "growth steps, stack_start(2048)",
                "signal and its return",
                "bare system call",
                "step / (demand fault + signal)",
            ],
            3,
        ),
        Kind::Resume(_) => (
            &[
                "round trip, random order",
                "  processor time",
                "round trip, order of spawning",
                "  processor time",
            ],
            0,
        ),
    }
}

fn check(scenario: &Scenario, line: &Value, text: &str) {
    assert_eq!(line["id"], scenario.id().as_str());
    assert!(text.contains(&scenario.title()), "{text}");
    let figures = line["outcome"]["measured"].as_array().expect("figures");
    let (wanted, bounded) = names(scenario.kind);
    let found: Vec<_> = figures
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(found, wanted);
    let bounds = figures.iter().filter(|one| !one["bound"].is_null());
    assert_eq!(bounds.count(), bounded, "{line}");
    for figure in figures {
        assert!(text.contains(figure["name"].as_str().unwrap()), "{figure}");
        let value = figure["value"].as_f64().expect("a number");
        // What is left may be less than what was there before.
        assert!(value >= 0.0 || figure["unit"] == "bytes", "{figure}");
    }
}

#[test]
fn a_quick_run_measures_every_scenario() {
    let json = Json::new("quick");
    let output = stack_report(&["--quick", "--json", json.0.to_str().unwrap()]);
    let text = text_of(&output);
    let value: Value = serde_json::from_str(&fs::read_to_string(&json.0).unwrap()).unwrap();
    let lines = value["scenarios"].as_array().unwrap();
    assert_eq!(lines.len(), all(true, None).len());
    for (scenario, line) in all(true, None).iter().zip(lines) {
        check(scenario, line, &text);
    }
    assert_eq!(value["look_ahead"], cfg!(not(feature = "no-lookahead")));
    for shortfall in value["shortfalls"].as_array().unwrap() {
        assert!(text.contains(shortfall.as_str().unwrap()), "{shortfall}");
    }
}

/// Since Linux 6.13.
fn has_guard_regions() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u32>());
    let mut next = || numbers.next().unwrap().unwrap();
    (next(), next()) >= (6, 13)
}

#[test]
fn every_growth_step_is_counted() {
    let json = Json::new("growth");
    text_of(&stack_report(&[
        "--quick",
        "--only",
        "growth",
        "--json",
        json.0.to_str().unwrap(),
    ]));
    let value: Value = serde_json::from_str(&fs::read_to_string(&json.0).unwrap()).unwrap();
    let figures = value["scenarios"][0]["outcome"]["measured"]
        .as_array()
        .unwrap();
    let exact: Vec<_> = figures
        .iter()
        .filter(|one| one["bound"]["exactly"].is_number())
        .collect();
    assert_eq!(exact.len(), 2);
    // Without guard regions no stack starts with less than 64 KiB.
    let counted = if has_guard_regions() { 2 } else { 1 };
    for figure in &exact[..counted] {
        assert_eq!(figure["value"], figure["bound"]["exactly"], "{figure}");
    }
}

#[test]
fn the_environment_does_not_change_what_is_measured() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_stack-report"));
    let output = program
        .args(["--quick", "--only", "resume-own"])
        .env("GOMAXPROCS", "nonsense")
        .env("GOROUTINE_STACK", "nonsense")
        .env("GOROUTINE_STACK_IDLE", "nonsense")
        .output()
        .unwrap();
    assert!(text_of(&output).contains("goroutines resumed"));
}

/// The figure `name` of the first scenario that `--only` leaves.
fn figure(arguments: &[&str], name: &str) -> f64 {
    let json = Json::new(&format!("figure-{}", arguments.len()));
    let flags = ["--quick", "--json", json.0.to_str().unwrap()];
    text_of(&stack_report(&[&flags, arguments].concat()));
    let value: Value = serde_json::from_str(&fs::read_to_string(&json.0).unwrap()).unwrap();
    let figures = value["scenarios"][0]["outcome"]["measured"].as_array();
    let figure = figures.unwrap().iter().find(|one| one["name"] == name);
    figure.unwrap()["value"].as_f64().unwrap()
}

/// Windows of 1 MiB share the page of a page table with one other, those of 64 KiB with 31.
#[test]
fn the_stacks_of_the_children_are_as_large_as_asked() {
    let tables = |stack: &[&str]| {
        let only = ["--only", "parked-own-3000-p1"];
        figure(&[&only, stack].concat(), "  page tables")
    };
    let (large, small) = (tables(&[]), tables(&["--stack", "64K"]));
    assert!(small < large / 4.0, "{small} B of {large} B");
}

#[test]
fn the_report_says_how_large_stacks_were_if_that_was_asked_for() {
    let text = text_of(&stack_report(&[
        "--quick", "--only", "growth", "--stack", "64K",
    ]));
    assert!(text.contains("of at most 65 536 B"), "{text}");
    let text = text_of(&stack_report(&["--quick", "--only", "resume-own-200-p1"]));
    assert!(!text.contains("of at most"), "{text}");
}

#[test]
fn each_round_has_every_chosen_scenario() {
    let chosen = ["--quick", "--only", "resume-own-200-p1", "--rounds", "3"];
    let text = text_of(&stack_report(&chosen));
    assert_eq!(text.matches("200 goroutines resumed").count(), 3, "{text}");
}

#[test]
fn only_the_chosen_scenarios_run() {
    let text = text_of(&stack_report(&["--quick", "--only", "parked-copy"]));
    let quick = all(true, None);
    let (chosen, others): (Vec<&Scenario>, Vec<&Scenario>) = quick
        .iter()
        .partition(|one| one.id().starts_with("parked-copy"));
    assert_eq!(chosen.len(), 6);
    assert!(
        chosen.iter().all(|one| text.contains(&one.title())),
        "{text}"
    );
    assert!(
        others.iter().all(|one| !text.contains(&one.title())),
        "{text}"
    );
}

#[test]
fn unknown_flags_stray_words_and_unknown_scenarios_are_errors_of_usage() {
    for (arguments, named) in [
        (&["--speed"][..], "--speed"),
        (&["fast"], "fast"),
        (&["--json"], "--json"),
        (&["--only", "heap"], "`heap`"),
        (&["--stack", "huge"], "64K"),
        (&["--stack", "0"], "64K"),
        (&["--rounds", "0"], "--rounds"),
        (&["--scenario", "heap"], "`heap`"),
        (&["--json", "/no/such/folder/x"], "/no/such/folder/x"),
    ] {
        let output = stack_report(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(error_of(&output).contains(named), "{output:?}");
    }
}

#[test]
fn a_scenario_that_breaks_is_named_and_ends_in_status_1() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_stack-report"));
    // A setting that the runtime refuses at its start, in the child.
    let output = program
        .args(["--quick", "--only", "growth"])
        .env("GOROUTINE_GUARD", "nonsense")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("FAILED:") && text.contains("GOROUTINE_GUARD"),
        "{text}"
    );
    assert!(text.contains("not measured"), "{text}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("1 of 1 scenarios could not be measured"),
        "{error}"
    );
}
