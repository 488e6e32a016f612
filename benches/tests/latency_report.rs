//! The latency report as its user meets it: arguments, exit status, every row.

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use goroutines_benches::latency::scenario::Scenario;
use serde_json::Value;

use common::{complaint_of, output_of, text_of};

fn latency_report(arguments: &[&str]) -> Output {
    output_of(env!("CARGO_BIN_EXE_latency-report"), arguments)
}

/// The four numbers at the end of a row.
fn figures(line: &str) -> Vec<f64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    words[words.len() - 4..]
        .iter()
        .map(|word| word.parse().unwrap())
        .collect()
}

#[test]
fn a_quick_run_has_a_row_for_goroutines_and_one_for_threads() {
    let text = text_of(&latency_report(&["--quick"]));
    for scenario in Scenario::all() {
        for who in ["ours", "threads"] {
            let is_it = |line: &&str| {
                line.starts_with(&scenario.name()) && line.split_whitespace().any(|w| w == who)
            };
            let rows: Vec<&str> = text.lines().filter(is_it).collect();
            assert_eq!(rows.len(), 1, "{} {who}: {text}", scenario.name());
            let figures = figures(rows[0]);
            assert!(figures.is_sorted(), "{}", rows[0]);
            assert!(figures[3] > 0.0, "{}", rows[0]);
        }
    }
}

#[test]
fn only_the_rows_that_were_asked_for_are_measured_as_often_as_asked() {
    let text = text_of(&latency_report(&[
        "--only",
        "ticker, alone",
        "--samples",
        "3",
        "--rounds",
        "2",
    ]));
    let count = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
    assert_eq!(count("1 ms ticker, alone"), 4, "{text}");
    assert_eq!(count("woken by"), 0, "{text}");
    assert!(text.contains("3 ticks or wakes a row"), "{text}");
}

#[test]
fn help_says_what_is_measured() {
    let text = text_of(&latency_report(&["--help"]));
    for word in ["--quick", "--samples", "--only", "--rounds", "microseconds"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn rows_that_do_not_exist_are_refused_with_those_that_do() {
    let complaint = complaint_of(&latency_report(&["--only", "no such row"]), 2);
    assert!(complaint.contains("`no such row`"), "{complaint}");
    for scenario in Scenario::all() {
        assert!(complaint.contains(&scenario.name()), "{complaint}");
    }
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    for wrong in [
        &["--no-such-flag"][..],
        &["--samples", "0"],
        &["--samples", "many"],
        &["--rounds", "0"],
        &["--quick", "--samples", "10"],
        &["a-word"],
    ] {
        let complaint = complaint_of(&latency_report(wrong), 2);
        assert!(complaint.contains("--help"), "{wrong:?}: {complaint}");
    }
}

#[test]
fn the_json_has_the_samples_of_each_row() {
    let name = format!("latency-report-{}.json", std::process::id());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let json = path.to_str().unwrap();
    text_of(&latency_report(&[
        "--quick",
        "--only",
        "ticker, alone",
        "--json",
        json,
    ]));
    let value: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    fs::remove_file(&path).unwrap();
    let rows = value["rows"].as_array().unwrap();
    let who: Vec<_> = rows.iter().map(|row| row["who"].as_str()).collect();
    assert_eq!(who, [Some("ours"), Some("threads")]);
    for row in rows {
        assert_eq!(row["late"].as_array().unwrap().len(), 50, "{row}");
    }
}
