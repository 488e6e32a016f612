//! Traces and the flight recorder: the files say what has happened.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use goroutines::{
    Builder, blocking,
    chan::{self, Sender},
    debug::trace::{self, Flight, Format, Options, Trace, TraceError},
    go, set_gomaxprocs, sleep, yield_now,
};
use goroutines_tests::{program, start};

#[path = "trace/read.rs"]
mod read;

use read::{Shown, read};

/// There is one recording at a time: each test is alone with its own.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    start(2);
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A path that no other test uses, and whose file goes with it.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Temporary {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("goroutines-trace-{}-{number}", process::id());
        Temporary(env::temp_dir().join(name))
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.0).expect("a trace file")
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn options(path: &Path) -> Options {
    Options::new(path)
}

/// The trace of what happens in `body`, which ends all that it begins.
fn traced(body: impl FnOnce()) -> Shown {
    let file = Temporary::new();
    let trace = trace::start(&options(&file.0)).expect("a trace");
    body();
    let summary = trace.stop().expect("a file");
    assert_eq!(summary.lost, 0, "the rings are large enough");
    assert!(summary.events > 0);
    let bytes = file.bytes();
    assert_eq!(summary.bytes, bytes.len() as u64);
    read(&bytes, true)
}

/// Two goroutines that meet at a channel `count` times. Under these names they show up.
fn meet(count: u64) {
    let (tx, rx) = chan::bounded(0);
    let sends = Builder::new().name("sends".to_owned()).spawn(move || {
        (0..count).for_each(|number| tx.send(number).expect("it receives"));
    });
    let receives = Builder::new()
        .name("receives".to_owned())
        .spawn(move || rx.iter().count());
    sends.expect("a goroutine").join().expect("it ends");
    let received = receives.expect("a goroutine").join().expect("it ends");
    assert_eq!(received as u64, count);
}

/// Goroutines that go on until it is dropped.
struct Busy {
    over: Arc<AtomicBool>,
    handles: Vec<goroutines::JoinHandle<()>>,
}

fn busy() -> Busy {
    let over = Arc::new(AtomicBool::new(false));
    let (tx, rx) = chan::bounded::<u64>(0);
    let until = |each: fn(&Sender<u64>)| {
        let (over, tx) = (Arc::clone(&over), tx.clone());
        go(move || {
            while !over.load(Ordering::Relaxed) {
                each(&tx);
            }
        })
    };
    let mut handles = vec![
        until(|tx| {
            (0..10).for_each(|number| tx.send(number).expect("it receives"));
            sleep(Duration::from_micros(100));
        }),
        until(|tx| {
            tx.send(2).expect("it receives");
            sleep(Duration::from_micros(50));
        }),
        until(|_| sleep(Duration::from_micros(300))),
        until(|_| {
            go(yield_now).join().expect("it ends");
            sleep(Duration::from_micros(50));
        }),
        until(|_| blocking(|| thread::sleep(Duration::from_micros(200)))),
    ];
    handles.push(go(move || rx.iter().for_each(drop)));
    Busy { over, handles }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for handle in self.handles.drain(..) {
            handle.join().expect("it ends");
        }
    }
}

#[test]
fn goroutines_are_slices_with_the_reason_why_they_left() {
    let _alone = alone();
    let shown = traced(|| meet(100));
    for (name, reason) in [("sends", "chan send"), ("receives", "chan receive")] {
        assert!(shown.runs(name).count() > 1, "{name} runs: {shown:#?}");
        let left = shown.runs(name).filter(|run| run.args["leaves"] == reason);
        assert!(left.count() > 0, "{name} waits: {shown:#?}");
        // On its thread as well.
        let on_m = |slice: &&read::Slice| slice.track.starts_with("M ") && slice.name == name;
        assert_eq!(
            shown.slices.iter().filter(on_m).count(),
            shown.runs(name).count()
        );
        // Each waits on the channel.
        let waits = shown.runs(name).find(|run| run.args["leaves"] == reason);
        assert_ne!(waits.and_then(|run| run.args.get("object")), None);
    }
    assert_eq!(shown.count("go"), 2, "two were made: {shown:#?}");
}

#[test]
fn arrows_lead_from_each_wake_to_the_run() {
    let _alone = alone();
    let shown = traced(|| {
        meet(100);
        for _ in 0..20 {
            go(yield_now).join().expect("it ends");
            go(|| sleep(Duration::from_micros(100)))
                .join()
                .expect("it ends");
        }
    });
    assert!(shown.flows > 100, "{} arrows", shown.flows);
    // All of them have ended, so whatever was made ready has run.
    assert_eq!(shown.ended, shown.flows, "{shown:#?}");
}

#[test]
fn a_join_between_goroutines_is_a_wake() {
    let _alone = alone();
    let shown = traced(|| {
        let joins = Builder::new().name("joins".to_owned());
        let joins = joins.spawn(|| (0..50).for_each(|_| go(yield_now).join().expect("it ends")));
        joins.expect("a goroutine").join().expect("it ends");
    });
    let waits = shown
        .runs("joins")
        .filter(|run| run.args["leaves"] == "join")
        .count();
    assert!(waits > 0, "{shown:#?}");
    assert_eq!(shown.ended, shown.flows);
    assert!(
        // Of the first ones, some may come before their thread has begun to write events.
        shown.flows >= 51 + waits / 2,
        "{} arrows, {waits} waits",
        shown.flows
    );
}

#[test]
fn regions_marks_calls_and_waits_of_threads_are_shown() {
    let _alone = alone();
    let shown = traced(|| {
        go(|| {
            let _outer = trace::region("parse");
            {
                let _inner = trace::region("read");
                // The region goes on in the next slice.
                sleep(Duration::from_millis(1));
            }
            trace::mark("half");
            blocking(|| thread::sleep(Duration::from_millis(1)));
            // Until the join waits, also on a busy machine.
            sleep(Duration::from_millis(200));
        })
        .join()
        .expect("it ends");
    });
    let on = |name: &str, track: &str| {
        let slices = shown.slices.iter().chain(&shown.instants);
        slices
            .filter(|slice| slice.name == name && slice.track.starts_with(track))
            .count()
    };
    for name in ["parse", "read"] {
        assert!(on(name, "P ") >= 2, "{name} in two slices: {shown:#?}");
    }
    assert_eq!(shown.count("half"), 1);
    assert_eq!(on("blocking call", "M "), 1, "{shown:#?}");
    // This test is a plain thread.
    assert_eq!(on("join", "thread "), 1, "{shown:#?}");
}

#[test]
fn json_says_the_same_in_the_form_that_firefox_reads() {
    let _alone = alone();
    let file = Temporary::new();
    let trace = trace::start(&options(&file.0).format(Format::Chrome)).expect("a trace");
    meet(50);
    trace.stop().expect("a file");
    let json: serde_json::Value = serde_json::from_slice(&file.bytes()).expect("JSON");
    let events = json["traceEvents"].as_array().expect("the object form");
    let with = |key: &str, value: &str| events.iter().filter(|event| event[key] == value).count();
    assert_eq!(with("ph", "B"), with("ph", "E"));
    assert_eq!(with("ph", "s"), with("ph", "f"));
    assert!(with("name", "sends") > 2 && with("ph", "s") > 2);
    // Whoever has an event has a name.
    let place = |event: &serde_json::Value| (event["pid"].to_string(), event["tid"].to_string());
    let named: Vec<_> = events
        .iter()
        .filter(|event| event["name"] == "thread_name")
        .map(place)
        .collect();
    for event in events.iter().filter(|event| event["ph"] != "M") {
        assert!(named.contains(&place(event)), "{event}");
        assert!(event["ts"].is_number());
    }
}

#[test]
fn a_trace_of_a_busy_program_begins_and_ends_a_hundred_times() {
    let _alone = alone();
    let _busy = busy();
    for round in 0..100 {
        let file = Temporary::new();
        let trace = trace::start(&options(&file.0).thread_bytes(1 << 20)).expect("a trace");
        meet(round % 7);
        trace.stop().expect("a file");
        // Reading takes longer than tracing.
        if round % 20 == 0 {
            let shown = read(&file.bytes(), true);
            assert!(shown.ended <= shown.flows);
        }
    }
}

#[test]
fn the_number_of_ps_may_change_meanwhile() {
    let _alone = alone();
    let busy = busy();
    let before = goroutines::gomaxprocs();
    let file = Temporary::new();
    let trace = trace::start(&options(&file.0)).expect("a trace");
    for count in [1, 4, 2, 3, 1, 2] {
        set_gomaxprocs(count);
        meet(100);
    }
    set_gomaxprocs(before);
    drop(busy);
    trace.stop().expect("a file");
    let shown = read(&file.bytes(), true);
    assert!(shown.runs("sends").count() > 6, "{shown:#?}");
}

#[test]
fn there_is_one_recording_at_a_time() {
    let _alone = alone();
    let (one, other) = (Temporary::new(), Temporary::new());
    let trace = trace::start(&options(&one.0)).expect("a trace");
    let second = trace::start(&options(&other.0));
    assert!(
        matches!(second, Err(TraceError::AlreadyRunning)),
        "{second:?}"
    );
    assert!(!other.0.exists(), "the second has made no file");
    assert!(matches!(
        trace::flight(1 << 16),
        Err(TraceError::AlreadyRunning)
    ));
    drop(trace);
    let flight = trace::flight(1 << 16).expect("a recorder");
    let error = trace::start(&options(&other.0)).expect_err("a recorder is on");
    assert!(error.to_string().contains("on already"), "{error}");
    drop(flight);
    trace::start(&options(&other.0))
        .and_then(Trace::stop)
        .expect("a trace");
}

#[test]
fn a_file_that_cannot_be_made_is_an_error_that_names_it() {
    let _alone = alone();
    let nowhere = Temporary::new().0.join("trace");
    let error = trace::start(&options(&nowhere)).expect_err("there is no such directory");
    let text = error.to_string();
    assert!(matches!(error, TraceError::Io(..)), "{text}");
    assert!(
        text.contains(&*nowhere.to_string_lossy()) && text.contains("No such file"),
        "{text}"
    );
    // The next one is not in its way.
    traced(|| meet(1));
}

#[test]
fn a_reader_that_is_too_slow_loses_the_oldest_events_and_says_so() {
    let _alone = alone();
    for _ in 0..1000 {
        let file = Temporary::new();
        let trace = trace::start(&options(&file.0).thread_bytes(1)).expect("a trace");
        for _ in 0..20_000 {
            trace::mark("one of many");
        }
        let summary = trace.stop().expect("a file");
        let shown = read(&file.bytes(), true);
        if summary.lost > 0 {
            assert!(shown.count("events lost") > 0, "{summary:?}");
            return;
        }
        assert_eq!(shown.count("one of many"), 20_000);
    }
    panic!("a ring of a thousand slots was always read in time");
}

fn written(flight: &Flight) -> Shown {
    let mut file = Vec::new();
    let summary = flight.write(&mut file, Format::Perfetto).expect("a vector");
    assert_eq!(summary.bytes, file.len() as u64);
    read(&file, true)
}

#[test]
fn the_flight_recorder_has_the_last_events_whenever_it_is_asked() {
    let _alone = alone();
    let flight = trace::flight(1 << 16).expect("a recorder");
    meet(20);
    assert!(written(&flight).runs("sends").count() > 1);
    // More than the rings have room for.
    for _ in 0..20_000 {
        trace::mark("early");
    }
    trace::mark("late");
    let shown = written(&flight);
    assert_eq!(shown.count("late"), 1);
    let early = shown.count("early");
    assert!(early > 100 && early < 20_000, "{early} of the early events");
    // What was read stays.
    assert_eq!(written(&flight).count("late"), 1);
    let busy = busy();
    for _ in 0..3 {
        meet(10);
        written(&flight);
    }
    drop(busy);
}

#[test]
fn a_fatal_error_writes_the_recorder_of_the_configuration() {
    let file = Temporary::new();
    let output = program(env!("CARGO_BIN_EXE_traced"))
        .arg("fatal")
        .arg(&file.0)
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{output:?}");
    assert!(text.contains("exceeds 3 threads"), "{text}");
    let place = format!("the last events are in {}", file.0.display());
    assert!(text.contains(&place), "{text}");
    let shown = read(&file.bytes(), true);
    assert!(shown.runs("worker").count() >= 2, "{shown:#?}");
    assert!(shown.count("blocking call") > 0, "{shown:#?}");
}

#[test]
fn a_full_disk_ends_the_trace_with_an_error_and_a_file_that_is_good_up_to_there() {
    let file = Temporary::new();
    let output = program(env!("CARGO_BIN_EXE_traced"))
        .arg("full")
        .arg(&file.0)
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(
        text.contains("File too large") && text.contains(&*file.0.to_string_lossy()),
        "{text}"
    );
    assert!(text.contains("goes on"), "{text}");
    let bytes = file.bytes();
    assert!(!bytes.is_empty() && bytes.len() <= 1 << 16);
    read(&bytes, false);
}
