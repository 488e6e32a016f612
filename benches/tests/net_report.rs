//! The net report as its user meets it: arguments, exit status, every row.

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use common::{complaint_of, output_of, text_of};

fn net_report(arguments: &[&str]) -> Output {
    output_of(env!("CARGO_BIN_EXE_net-report"), arguments)
}

/// A file that is removed at the end.
struct Made(std::path::PathBuf);

impl Made {
    fn new(name: &str) -> Made {
        let name = format!("net-report-{}-{name}", std::process::id());
        Made(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_quick_run_has_a_sample_of_every_row_in_text_json_and_picture() {
    let (json, svg) = (Made::new("all.json"), Made::new("all.svg"));
    let arguments = ["--quick", "--json", json.path(), "--svg", svg.path()];
    let text = text_of(&net_report(&arguments));
    let value: Value = serde_json::from_str(&fs::read_to_string(json.path()).unwrap()).unwrap();
    let svg = fs::read_to_string(svg.path()).unwrap();
    let rows = value["rows"].as_array().unwrap();
    let of = |who: &str| rows.iter().filter(|row| row["who"] == who).count();
    assert!(of("goroutines") == of("threads") && of("goroutines") > of("raw") && of("raw") > 0);
    assert_eq!(of("copied"), 1);
    for row in rows {
        let name = row["name"].as_str().unwrap();
        assert!(text.contains(name), "{name}: {text}");
        let sample = &row["samples"][0];
        let figures = ["rate", "p50", "bytes"].map(|figure| sample[figure].as_f64());
        assert!(figures.iter().any(Option::is_some), "{row}");
        let is_open = name.contains("open loop");
        assert_eq!(sample["offered"].as_f64().is_some(), is_open, "{row}");
        let has_bar = sample["processor"].as_f64().is_some_and(|time| time > 0.0);
        let bar = format!("{name}: {}", row["who"].as_str().unwrap());
        assert_eq!(svg.contains(&bar), has_bar, "{row}");
    }
}

#[test]
fn an_open_loop_asks_for_its_part_of_the_raw_loops_rate() {
    let json = Made::new("open.json");
    let arguments = ["--quick", "--only", "open loop", "--json", json.path()];
    text_of(&net_report(&arguments));
    let value: Value = serde_json::from_str(&fs::read_to_string(json.path()).unwrap()).unwrap();
    let offered = |share: &str| {
        let rows = value["rows"].as_array().unwrap().iter();
        let of_it = rows.filter(|row| row["name"].as_str().unwrap().contains(share));
        let offered = of_it.map(|row| row["samples"][0]["offered"].as_f64().unwrap());
        offered.collect::<Vec<f64>>()
    };
    let (half, most) = (offered("50 %"), offered("80 %"));
    assert!(half.len() > 1 && most.len() == half.len());
    // The same for all servers of a round.
    assert!(half.iter().all(|&rate| rate == half[0] && rate > 0.0));
    assert!(most.iter().all(|&rate| (rate / half[0] - 1.6).abs() < 1e-6));
}

#[test]
fn a_rival_is_asked_for_the_service_and_the_number_of_ps() {
    let this = env!("CARGO_BIN_EXE_net-report");
    let rival = format!("again={this} --serve threads");
    let only = "echo, 64 connections, 2 Ps";
    let arguments = [
        "--quick", "--rounds", "2", "--only", only, "--rival", &rival,
    ];
    let text = text_of(&net_report(&arguments));
    let row = text.lines().find(|line| line.contains(" again ")).unwrap();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert!(words[1].parse::<u64>().unwrap() > 0, "{row}");
}

const MARKS: [&str; 2] = [
    "<!-- net-report: what follows is written by `scripts/rivals.sh net --readme README.md` -->\n",
    "<!-- the end of net-report -->\n",
];

#[test]
fn the_readmes_table_is_replaced_and_nothing_else() {
    let readme = Made::new("readme.md");
    let [begin, end] = MARKS;
    let text = format!("before\n{begin}old\n{end}after\n");
    fs::write(&readme.0, text).unwrap();
    let this = env!("CARGO_BIN_EXE_net-report");
    let rival = format!("go={this} --serve threads");
    let arguments = ["--quick", "--readme", readme.path(), "--rival", &rival];
    let report = text_of(&net_report(&arguments));
    assert!(!report.contains("2 Ps"), "{report}");
    let text = fs::read_to_string(&readme.0).unwrap();
    let table = text.strip_prefix(&format!("before\n{begin}")).unwrap();
    let table = table.strip_suffix(&format!("{end}after\n")).unwrap();
    let echo = table.lines().find(|line| line.starts_with("| echo, 64"));
    let cells: Vec<&str> = echo.unwrap().split('|').map(str::trim).collect();
    // A name, the raw loop, goroutines, threads and Go; the others were not measured.
    assert!(
        cells[2..6].iter().all(|cell| cell.contains("k (")),
        "{cells:?}"
    );
    assert!(cells[6..8].iter().all(|cell| cell.is_empty()), "{cells:?}");
    assert!(!table.contains("old"), "{table}");
}

#[test]
fn the_projects_readme_has_both_marks_and_a_file_without_them_is_refused() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = fs::read_to_string(readme).unwrap();
    assert!(MARKS.iter().all(|mark| text.matches(mark).count() == 1));
    let other = Made::new("other.md");
    fs::write(&other.0, MARKS[0]).unwrap();
    let complaint = complaint_of(&net_report(&["--quick", "--readme", other.path()]), 2);
    assert!(
        complaint.contains("--readme") && complaint.contains("the end of"),
        "{complaint}"
    );
    assert_eq!(fs::read_to_string(&other.0).unwrap(), MARKS[0]);
}

#[test]
fn a_rival_that_cannot_serve_is_told_with_its_row() {
    for (command, word) in [
        ("/no/such/program", "No such file"),
        ("/bin/false", "no port"),
    ] {
        let rival = format!("broken={command}");
        let arguments = [
            "--quick",
            "--only",
            "echo, 1 connection, 1 P",
            "--rival",
            &rival,
        ];
        let complaint = complaint_of(&net_report(&arguments), 1);
        assert!(
            complaint.contains("broken") && complaint.contains(word),
            "{complaint}"
        );
    }
}

#[test]
fn help_says_what_is_measured() {
    let text = text_of(&net_report(&["--help"]));
    for word in [
        "--quick",
        "--rival",
        "--syscalls",
        "--readme",
        "--only",
        "--rounds",
        "microseconds",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains("--serve"), "{text}");
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    for wrong in [
        &["--no-such-flag"][..],
        &["--rounds", "0"],
        &["--sample", "1"],
        &["--quick", "--sample", "100"],
        &["--rival", "go"],
        &["--readme", "/no/such/file"],
        &["--readme", "x", "--only", "echo"],
        &["--only", "no such row"],
        &["--serve", "nobody", "echo", "1"],
        &["--serve", "raw", "nothing", "1"],
        &["--serve", "raw", "echo", "0"],
        &["a-word"],
    ] {
        let complaint = complaint_of(&net_report(wrong), 2);
        assert!(
            complaint.starts_with("net-report: ") || complaint.contains("--help"),
            "{wrong:?}: {complaint}"
        );
    }
}
