//! The scaling report as a program.

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use goroutines_benches::scaling::scenario::{CHECKS, charts};
use serde_json::Value;

use common::{complaint_of, output_of, text_of};

fn scaling_report(arguments: &[&str]) -> Output {
    output_of(env!("CARGO_BIN_EXE_scaling-report"), arguments)
}

#[test]
fn a_quick_run_has_every_curve_draws_every_chart_and_says_the_same_again() {
    let name = format!("scaling-report-{}", std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir(&folder).unwrap();
    let plots = folder.to_str().unwrap();
    let text = text_of(&scaling_report(&["--quick", "--plots", plots]));
    for chart in charts() {
        assert!(text.contains(chart.title), "{}: {text}", chart.title);
        let svg = fs::read_to_string(folder.join(format!("{}.svg", chart.name))).unwrap();
        for series in &chart.series {
            assert!(text.contains(series.name), "{}: {text}", series.name);
            assert!(svg.contains(series.name), "{}", series.name);
        }
    }
    assert!(text.contains("sysmon, 128 Ps"), "{text}");
    fs::remove_dir_all(&folder).unwrap();
    let rows = |text: &str| text.split_once("model of").unwrap().1.to_owned();
    let again = text_of(&scaling_report(&["--quick"]));
    assert_eq!(rows(&text), rows(&again));
}

#[test]
fn the_check_has_a_row_for_each_number_of_ps_in_text_and_json() {
    let name = format!("scaling-report-{}.json", std::process::id());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let json = path.to_str().unwrap();
    let text = text_of(&scaling_report(&["--quick", "--check", "--json", json]));
    let value: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    fs::remove_file(&path).unwrap();
    let rows = value["checks"].as_array().unwrap();
    let expected: usize = CHECKS.iter().map(|check| check.procs.len()).sum();
    assert_eq!(rows.len(), expected);
    for row in rows {
        for figure in ["measured", "model", "measured_on_one", "model_on_one"] {
            assert!(row[figure].as_f64() > Some(0.0), "{row}");
        }
    }
    for check in CHECKS {
        let count = text.matches(check.name).count();
        assert_eq!(count, check.procs.len(), "{}: {text}", check.name);
    }
}

#[test]
fn what_there_is_not_is_refused() {
    let complaint = complaint_of(&scaling_report(&["--only", "no such chart"]), 2);
    assert!(complaint.contains("fan-out"), "{complaint}");
    complaint_of(&scaling_report(&["--child", "99"]), 2);
    let nowhere = ["--quick", "--only", "echo", "--plots", "/no/such/folder"];
    complaint_of(&scaling_report(&nowhere), 2);
}
