//! What a client of the socket may ask of waits, and for profiles and traces.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{self, Child, ChildStdout, Stdio},
};

use client::Client;
use goroutines_tests::{program, until};
use serde_json::Value;

#[path = "serve/client.rs"]
mod client;

/// A child program of which two goroutines wait for each other, others contend for a lock, and one computes.
struct Stuck {
    child: Child,
    /// It says when it ends.
    stdout: BufReader<ChildStdout>,
    path: PathBuf,
}

impl Stuck {
    fn start(name: &str) -> Stuck {
        let path = env::temp_dir().join(format!("gl-{}-{name}", process::id()));
        let mut command = program(env!("CARGO_BIN_EXE_served"));
        command.arg("stuck").arg(&path);
        // Rings are certain only where goroutines can be held.
        command.env_remove("GOROUTINE_MEMBARRIER");
        command.env_remove("GOROUTINE_STACK_IDLE");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Stuck {
            child,
            stdout,
            path,
        }
    }

    fn client(&self) -> Client {
        Client::of(&self.path)
    }

    /// It closes its server, and ends.
    fn end(mut self) {
        self.child.stdin.take().unwrap().write_all(b"\n").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "ended\n");
        assert!(self.child.wait().unwrap().success());
        assert!(!self.path.exists());
    }
}

fn list<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    let list = answer[name].as_array();
    list.unwrap_or_else(|| panic!("no `{name}`: {answer}"))
}

#[test]
fn rings_of_waits_leaks_and_the_longest_waits_are_told() {
    let stuck = Stuck::start("waits");
    let mut client = stuck.client();
    let mut ring = Vec::new();
    until("the ring is there", || {
        let answer = client.ask("waits");
        assert!(answer["waits"].is_u64(), "{answer}");
        let [deadlock] = list(&answer, "deadlocks") else {
            return false;
        };
        let waits = list(deadlock, "waits");
        assert!(waits.iter().all(|wait| wait["reason"] == "mutex lock"));
        ring = waits.iter().map(|wait| wait["goroutine"].clone()).collect();
        deadlock["certain"] == true
    });
    assert_eq!(ring.len(), 2);

    let leaks = client.ask("leaks 0");
    assert_eq!(leaks["older_than"], 0);
    let certain = list(&leaks, "groups").iter();
    let certain: Vec<_> = certain.filter(|leak| leak["certain"] == true).collect();
    let ids = certain.iter().flat_map(|leak| list(&leak["group"], "ids"));
    assert!(ids.clone().all(|id| ring.contains(id)), "{leaks}");
    assert_eq!(ids.count(), 2, "{leaks}");
    let old = client.ask("leaks 31536000");
    assert_eq!(
        (&old["goroutines"], list(&old, "groups").len()),
        (&0.into(), 0)
    );

    until("both are among those that have waited long", || {
        let longest = client.ask("longest 1000");
        let waits = list(&longest, "waits");
        let times = waits
            .iter()
            .map(|wait| wait["parked_for"].as_f64().unwrap());
        assert!(times.is_sorted_by(|a, b| a >= b), "{longest}");
        let is_old = |id| {
            let mut all = waits.iter();
            all.any(|wait| &wait["goroutine"] == id && wait["state"] == "mutex lock")
        };
        ring.iter().all(is_old)
    });
    let one = client.ask("longest 1");
    assert_eq!(list(&one, "waits").len(), 1);
    assert!(one["further"].as_u64() >= Some(1), "{one}");
    stuck.end();
}

#[test]
fn profiles_are_taken_for_a_client_one_of_a_kind_at_a_time() {
    let stuck = Stuck::start("profiles");
    let mut client = stuck.client();
    for (kind, function, behind) in [
        ("cpu", "burns", " "),
        ("block", "contends", "[mutex lock] "),
        ("contention", "contends", "[mutex lock] "),
    ] {
        // A machine that is busy may give the child no time to be seen in.
        until("it is in a profile", || {
            let profile = client.ask(&format!("profile {kind} 1"));
            assert_eq!(profile["kind"], kind, "{profile}");
            assert!(profile["seconds"].as_f64() >= Some(1.0), "{profile}");
            assert!(profile["lost"].is_u64(), "{profile}");
            let folded = profile["folded"].as_str().unwrap();
            let others = kind == "contention" && folded.contains("[sleep]");
            assert!(!others, "{folded}");
            let is_it = |line: &str| line.contains(function) && line.contains(behind);
            folded.lines().any(is_it)
        });
    }
    // One that takes long, and another beside it. Where the other was first, the one that takes long was refused.
    let mut long = stuck.client();
    long.say("profile contention 60");
    until("it runs", || {
        let answer = client.ask("profile block 1");
        let runs = answer["error"] == "a profile of this kind runs already: stop it first";
        if !runs {
            long = stuck.client();
            long.say("profile contention 60");
        }
        runs
    });
    // It ends when its client leaves.
    drop(long);
    until("there is room for another", || {
        client.ask("profile block 1")["kind"] == "block"
    });
    // And when the server is closed: neither its client nor the program waits for it.
    client.say("profile cpu 60");
    stuck.end();
    while client.hear().is_some() {}
}

#[test]
fn a_trace_is_taken_for_a_client_one_at_a_time() {
    let stuck = Stuck::start("traced");
    let mut client = stuck.client();
    let trace = client.ask("trace 1");
    assert_eq!(trace["seconds"], 1, "{trace}");
    assert!(trace["events"].as_u64() > Some(0) && trace["lost"].is_u64());
    let page = trace["page"].as_str().unwrap();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    for words in ["<td>mutex lock</td>", "served::stuck::", "<td>P 1</td>"] {
        assert!(page.contains(words), "no {words}: {page}");
    }
    // One that takes long, and another beside it. Where the other was first, the one that takes long was refused.
    let mut long = stuck.client();
    long.say("trace 60");
    until("it runs", || {
        let answer = client.ask("trace 1");
        let why = answer["error"].as_str().unwrap_or_default();
        let runs = why.contains("a trace or a flight recorder is on already");
        if !runs {
            long = stuck.client();
            long.say("trace 60");
        }
        runs
    });
    // It ends when its client leaves.
    drop(long);
    until("there is room for another", || {
        client.ask("trace 1")["page"].is_string()
    });
    // And when the server is closed.
    client.say("trace 60");
    stuck.end();
    while client.hear().is_some() {}
}

#[test]
fn requests_that_make_no_sense_are_refused_on_a_line() {
    let stuck = Stuck::start("refused");
    let mut client = stuck.client();
    for (line, says) in [
        (
            "leaks",
            "`leaks`: say for how many seconds they have waited",
        ),
        ("leaks for ever", "`leaks` takes no such words"),
        (
            "longest all",
            "`all` is no number of goroutines: say 1 or more",
        ),
        ("waits 1", "`waits` takes no such words"),
        (
            "profile heap 1",
            "`profile heap`: say cpu, block or contention",
        ),
        (
            "profile cpu 61",
            "`profile cpu 61`: the seconds are 1 to 60",
        ),
        ("profile", "`profile` takes a kind and seconds"),
        ("trace", "`trace`: say for how many seconds"),
        ("trace start", "`trace start`: the seconds are 1 to 60"),
    ] {
        assert_eq!(client.refused(line), says);
    }
    assert_eq!(client.ask("bye")["bye"], true);
    stuck.end();
}
