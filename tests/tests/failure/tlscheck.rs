//! The checker of finished programs, on programs of this workspace. What it looks for is there only with optimisation.

use std::{collections::BTreeSet, path::Path};

use goroutines_tlscheck::{Options, Report, check_file};

fn check(program: &str, indirect: bool) -> Report {
    check_file(Path::new(program), Options { indirect }).expect("a program with a switch")
}

/// The functions of `module` that were found.
fn found(report: &Report, module: &str) -> BTreeSet<String> {
    let names = report.findings.iter().map(|one| one.function.as_str());
    let ours = names.filter_map(|name| name.strip_prefix(module)?.strip_prefix("::"));
    ours.map(|name| name.split("::<").next().unwrap_or(name).to_owned())
        .collect()
}

#[test]
#[cfg_attr(debug_assertions, ignore = "nothing is kept without optimisation")]
fn a_program_that_keeps_addresses_over_parks_is_found_out_and_only_where_it_does() {
    let report = check(env!("CARGO_BIN_EXE_cached"), false);
    let all = found(&report, "cached");
    let expected = ["keeps_an_answer", "keeps_over_a_channel", "takes_twice"];
    assert_eq!(all, expected.map(str::to_owned).into(), "{report:#?}");
    assert_eq!(report.findings.len(), all.len(), "{report:#?}");
}

#[test]
fn programs_that_do_not_are_not() {
    for program in [
        env!("CARGO_BIN_EXE_watched"),
        env!("CARGO_BIN_EXE_rounds"),
        env!("CARGO_BIN_EXE_child"),
    ] {
        let report = check(program, false);
        assert_eq!(report.findings, [], "{program}");
        assert!(report.can_park > 10 && report.functions > report.can_park);
    }
}

/// It is given the function that parks as a pointer.
#[test]
#[cfg_attr(debug_assertions, ignore = "nothing is kept without optimisation")]
fn a_library_that_parks_through_a_pointer_is_found_when_pointers_count() {
    let program = env!("CARGO_BIN_EXE_canary");
    assert_eq!(check(program, false).findings, []);
    let all = found(&check(program, true), "goroutines_canary");
    for name in ["borrow", "cached_address", "scoped"] {
        assert!(all.contains(name), "no {name} in {all:?}");
    }
}
