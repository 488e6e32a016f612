//! The metrics of the runtime in a recorder of the crate `metrics`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
    time::Duration,
};

use goroutines::{go, metrics, metrics_recorder};
use goroutines_tests::{alone, until};
use metrics_util::{
    MetricKind,
    debugging::{DebugValue, DebuggingRecorder, Snapshotter},
};

/// What the recorder has, by the names and labels of the numbers.
fn numbers(snapshotter: &Snapshotter) -> BTreeMap<String, (MetricKind, f64)> {
    let all = snapshotter.snapshot().into_vec();
    let numbers = all.into_iter().map(|(key, unit, text, value)| {
        assert!(unit.is_some() && text.is_some(), "{key:?} is not described");
        let (kind, key) = key.into_parts();
        let labels = key
            .labels()
            .map(|label| format!(" {}={}", label.key(), label.value()));
        let name = format!("{}{}", key.name(), labels.collect::<String>());
        let value = match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(_) => panic!("{name} is a histogram"),
        };
        (name, (kind, value))
    });
    numbers.collect()
}

fn recorder() -> &'static Snapshotter {
    static SNAPSHOTTER: OnceLock<Snapshotter> = OnceLock::new();
    SNAPSHOTTER.get_or_init(|| {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        recorder.install().expect("the only recorder");
        snapshotter
    })
}

/// The names in the table of the documentation, with their kinds.
fn documented() -> BTreeSet<(String, String)> {
    let page = include_str!("../../../runtime/src/metrics_recorder.rs");
    let rows = page.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let rows = rows.map(|row| {
        let (name, rest) = row.split_once("` | ").expect("a row of the table");
        let kind = rest.split([' ', ',']).next().expect("a kind");
        (name.to_owned(), kind.to_owned())
    });
    rows.collect()
}

#[test]
fn every_documented_number_is_reported_and_no_other() {
    let _alone = alone(2);
    let snapshotter = recorder();
    metrics_recorder::record();
    let reported = numbers(snapshotter).into_iter().map(|(name, (kind, _))| {
        let name = name.split(' ').next().unwrap_or_default().to_owned();
        (name, format!("{kind:?}").to_lowercase())
    });
    assert_eq!(reported.collect::<BTreeSet<_>>(), documented());
}

#[test]
fn reports_follow_the_program_until_they_are_stopped_and_outlive_their_handle() {
    let _alone = alone(2);
    let snapshotter = recorder();
    // A snapshot of this recorder leaves 0 behind.
    let spawned = || numbers(snapshotter)["goroutines_spawned_total"].1;
    let reports = metrics_recorder::spawn(Duration::from_millis(2));
    for _ in 0..3 {
        (0..50).for_each(|_| go(|| ()).join().unwrap());
        let now = metrics().spawned as f64;
        until("the count is reported", || spawned() == now);
    }
    let whole = |seen: &BTreeMap<String, (MetricKind, f64)>| {
        let proc = |number: usize| {
            seen.get(&format!("goroutines_proc_runs_total proc={number}"))
                .map_or(0.0, |(_, runs)| *runs)
        };
        seen["goroutines_procs"].1 == metrics().gomaxprocs as f64 && proc(0) + proc(1) > 0.0
    };
    until("all is reported", || whole(&numbers(snapshotter)));
    reports.stop();
    spawned();
    go(|| ()).join().unwrap();
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(spawned(), 0.0, "it was stopped");

    drop(metrics_recorder::spawn(Duration::from_millis(2)));
    let before = metrics().spawned as f64;
    go(|| ()).join().unwrap();
    until("one more is reported", || spawned() > before);
}

#[test]
#[should_panic(
    expected = "metrics_recorder::spawn: an interval of 0: ask for at least a millisecond"
)]
fn an_interval_of_zero_is_refused() {
    let _alone = alone(2);
    metrics_recorder::spawn(Duration::ZERO);
}
