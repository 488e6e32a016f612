//! goroutines-top attached to this process, and to what is no such program.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    process::{self, Command, Output, Stdio},
    sync::{
        Once,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use goroutines::{
    chan,
    debug::{Server, serve},
    go,
};
use serde_json::Value;

/// A path that no other test uses.
fn new_path() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    env::temp_dir().join(format!("gt-{}-{number}", process::id()))
}

fn served() -> Server {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: these tests keep no thread-local storage over a call that can park.
        unsafe { goroutines::start() }.expect("the runtime starts");
    });
    serve(new_path()).expect("it serves")
}

fn top() -> Command {
    Command::new(env!("CARGO_BIN_EXE_goroutines-top"))
}

fn run(path: &Path, arguments: &[&str]) -> Output {
    let mut top = top();
    top.arg(path).args(arguments).stdin(Stdio::null());
    top.output().expect("it runs")
}

#[track_caller]
fn refused(output: &Output, status: i32, says: &str) {
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    assert!(err.contains(says), "no `{says}`: {err}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

#[test]
fn a_line_of_json_has_what_the_program_does() {
    let server = served();
    let (tx, rx) = chan::bounded::<u32>(0);
    let name = "a_line_of_json";
    let waiting = (0..5).map(|_| {
        let rx = rx.clone();
        go(move || assert!(rx.recv().is_err()))
    });
    let waiting: Vec<_> = waiting.collect();
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let output = run(server.path(), &["--json", "--once", "--interval", "0.1"]);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && err.is_empty(), "{output:?}");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(line["hello"]["pid"], process::id());
        assert!(line["stats"]["goroutines"].as_u64() >= Some(5), "{text}");
        assert!(line["rates"]["runs"].is_f64(), "{text}");
        let sites = line["goroutines"]["sites"].as_array().expect("a list");
        let of_test = |site: &&Value| {
            site["spawned_as"].to_string().contains(name) && site["state"] == "chan receive"
        };
        if sites
            .iter()
            .find(of_test)
            .is_some_and(|site| site["count"] == 5)
        {
            break;
        }
        assert!(Instant::now() < end, "they do not wait: {text}");
    }
    drop(tx);
    waiting.into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn a_program_that_goes_away_ends_it_with_status_1() {
    let server = served();
    let mut top = top();
    top.arg(server.path()).args(["--json", "--interval", "0.1"]);
    top.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut top = top.spawn().expect("it runs");
    let mut lines = BufReader::new(top.stdout.take().expect("a pipe")).lines();
    for _ in 0..3 {
        let line = lines.next().expect("a line").expect("UTF-8");
        assert!(line.starts_with('{'), "{line}");
    }
    drop(server);
    lines.for_each(drop);
    let output = top.wait_with_output().expect("it ends");
    refused(&output, 1, "the program has gone away");
}

#[test]
fn a_trace_of_the_program_is_written_as_a_page() {
    let server = served();
    let page = new_path();
    let name = page.to_str().expect("UTF-8");
    let output = run(server.path(), &["--trace-page", name, "--seconds", "1"]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{output:?}");
    assert!(err.contains(" events of 1 s, 0 lost"), "{err}");
    let text = std::fs::read_to_string(&page).expect("a page");
    assert!(text.starts_with("<!doctype html>"), "{text}");
    std::fs::remove_file(page).expect("it is there");

    let output = run(server.path(), &["--trace-page", "/dev/null/page"]);
    refused(&output, 2, "/dev/null/page: Not a directory");
    let output = run(server.path(), &["--trace-page", "/dev/full", "--seconds=1"]);
    refused(&output, 2, "/dev/full: No space left on device");
    for words in [
        ["--trace-page=x", "--seconds=61"],
        ["--seconds=1", "--json"],
    ] {
        refused(&run(server.path(), &words), 2, "--");
    }
}

#[test]
fn what_cannot_be_shown_is_refused_with_a_remedy() {
    let server = served();
    // No terminal.
    let output = run(server.path(), &[]);
    refused(&output, 2, "this is no terminal: say --json");
    let output = run(server.path(), &["--once"]);
    refused(&output, 2, "--json");
    for interval in ["0", "-1", "x", "1e9", "nan"] {
        let interval = format!("--interval={interval}");
        let output = run(server.path(), &["--json", &interval]);
        refused(&output, 2, "the seconds between two looks are 0.1 to 3600");
    }
    let output = run(&new_path(), &["--json"]);
    refused(&output, 1, "has not called `debug::serve`");
    let path = new_path();
    drop(UnixListener::bind(&path).expect("a socket"));
    let output = run(&path, &["--json"]);
    refused(&output, 1, "the program that opened it has ended");
    std::fs::remove_file(&path).expect("it was left");
}

#[test]
fn what_speaks_other_lines_is_refused() {
    for (answer, says) in [
        ("hello yourself\n", "no answer of goroutines"),
        ("{\"protocol\": 7}\n", "speaks version 7 of the lines"),
        ("{\"error\": \"not you\"}\n", "not you"),
        ("", "the program has gone away"),
    ] {
        let path = new_path();
        let listener = UnixListener::bind(&path).expect("a socket");
        let other = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            stream.write_all(answer.as_bytes()).expect("it reads");
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut line = String::new();
            // The client may be gone.
            let _ = BufReader::new(stream).read_line(&mut line);
        });
        let output = run(&path, &["--json", "--once"]);
        refused(&output, 1, says);
        other.join().expect("it does not panic");
        std::fs::remove_file(&path).expect("it was left");
    }
}

#[test]
fn the_scripts_for_debuggers_are_printed() {
    for (option, words) in [
        ("--gdb-script", "InfoGoroutines()"),
        ("--lldb-script", "class OperatingSystemPlugIn"),
    ] {
        let output = top().arg(option).output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(words), "{option}: {text}");
    }
}
