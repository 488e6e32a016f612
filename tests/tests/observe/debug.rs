//! What a program tells on stderr when `GODEBUG` asks for it.

use goroutines_tests::{Death, program, run};

fn watched(case: &str, godebug: Option<&str>) -> Death {
    let mut command = program(env!("CARGO_BIN_EXE_watched"));
    if let Some(value) = godebug {
        command.env("GODEBUG", value);
    }
    run(command.arg(case))
}

#[test]
fn schedtrace_prints_a_line_each_period_also_while_nothing_runs() {
    let death = watched("idle", Some("gctrace=1,schedtrace=100"));
    assert_eq!(death.code, Some(0), "{death:?}");
    let lines: Vec<&str> = death.stderr.lines().collect();
    // 700 ms, of which a loaded machine may miss some, and which may begin late.
    assert!((2..=9).contains(&lines.len()), "{death:?}");
    let mut before = 0;
    for line in lines {
        let rest = line.strip_prefix("SCHED ").expect("a trace line");
        let (time, rest) = rest.split_once("ms: ").expect("a time");
        let time: u64 = time.parse().expect("milliseconds");
        assert!(time >= before + 50, "{death:?}");
        before = time;
        assert!(rest.starts_with("gomaxprocs=2 idleprocs="), "{line}");
        assert!(rest.ends_with(" runqueue=0 [0 0]"), "{line}");
    }
}

#[test]
fn without_godebug_nothing_is_printed() {
    for godebug in [None, Some(""), Some("gctrace=1,madvdontneed=1")] {
        let death = watched("idle", godebug);
        assert_eq!((death.code, death.stderr.as_str()), (Some(0), ""));
        assert_eq!(death.stdout, "");
    }
}

#[test]
fn a_value_that_cannot_be_stops_the_start_and_is_named() {
    let death = watched("idle", Some("schedtrace=soon"));
    assert!(
        death.stdout.starts_with(
            "Err: goroutines::start: GODEBUG has `schedtrace=soon`, whose value is not a number"
        ),
        "{death:?}"
    );
}

#[test]
fn hogs_are_named_once_each_time_and_no_other_goroutine_is() {
    // On a loaded machine a goroutine that calls every millisecond may be kept from it: try again then.
    let death = (0..5)
        .map(|_| watched("hogs", Some("hogs=60")))
        .find(|death| death.stderr.lines().count() == 3)
        .expect("three reports, of three hogs");
    assert_eq!(death.stdout, "went on\n", "{death:?}");
    for line in death.stderr.lines() {
        let rest = line
            .strip_prefix("goroutines: goroutine 1 [crunch] has been running for ")
            .expect("a report");
        let (time, rest) = rest.split_once(" ms ").expect("a time");
        assert!(time.parse::<u64>().expect("a number") >= 60, "{line}");
        assert_eq!(
            rest,
            "without a call into the runtime (spawned as watched::hogs::{{closure}})"
        );
    }
}

#[test]
fn the_hook_hears_of_hogs_and_the_monitor_survives_its_panic() {
    let death = watched("hog-hook", None);
    assert_eq!(death.code, Some(0), "{death:?}");
    let told = death
        .stdout
        .lines()
        .filter(|line| line.starts_with("told: "));
    // Of three hogs; on a machine with much to do the monitor may be late for one.
    assert!(told.count() >= 2, "{death:?}");
    assert!(death.stderr.contains("in the hook"), "{death:?}");
    assert!(!death.stderr.contains("has been running"), "{death:?}");
}
