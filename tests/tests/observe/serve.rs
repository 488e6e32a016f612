//! The socket on which other processes look into this one.

use std::{
    env, fs,
    hint::black_box,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::{UnixListener, UnixStream},
        process::ExitStatusExt,
    },
    path::{Path, PathBuf},
    process::{self, Child, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use client::Client;
use goroutines::{
    chan::{self, Receiver},
    debug::{Server, serve},
    go, metrics,
};
use goroutines_tests::{program, start, until};
use serde_json::Value;

#[path = "serve/client.rs"]
mod client;

/// A path that no other test uses.
fn new_path() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // Short, as the path of a socket must be.
    env::temp_dir().join(format!("gs-{}-{number}", process::id()))
}

fn served() -> Server {
    start(2);
    serve(new_path()).expect("it serves")
}

#[inline(never)]
fn waits_served(rx: &Receiver<u32>) {
    assert!(rx.recv().is_err());
    black_box(());
}

/// The sum of the counts of `answer`'s entries `list` in which `key` contains `word`.
fn count(answer: &Value, list: &str, key: &str, word: &str) -> u64 {
    let entries = answer[list].as_array().expect("a list").iter();
    entries
        .filter(|entry| entry[key].to_string().contains(word) && entry["state"] == "chan receive")
        .map(|entry| entry["count"].as_u64().expect("a count"))
        .sum()
}

#[test]
fn each_request_is_answered_with_a_line_of_json() {
    let server = served();
    let (tx, rx) = chan::bounded::<u32>(0);
    let site = "each_request_is_answered";
    for _ in 0..7 {
        let rx = rx.clone();
        drop(go(move || waits_served(&rx)));
    }
    let mut client = Client::of(server.path());

    let hello = client.ask("hello");
    assert_eq!(hello["protocol"], 1);
    assert_eq!(hello["pid"], process::id());
    assert_eq!(
        hello["program"],
        env::current_exe().unwrap().to_str().unwrap()
    );
    let requests = hello["requests"].as_array().unwrap();
    assert!(requests.iter().any(|name| name == "stats"), "{hello}");

    let stats = client.ask("stats");
    assert_eq!(
        stats["procs"].as_array().unwrap().len(),
        metrics().gomaxprocs
    );
    assert!(stats["goroutines"].as_u64() >= Some(7), "{stats}");
    assert!(stats["counts"]["spawned"].as_u64() >= Some(7), "{stats}");
    for proc in stats["procs"].as_array().unwrap() {
        let state = proc["state"].as_str().unwrap();
        assert!(["idle", "busy", "lent"].contains(&state), "{stats}");
        assert!(proc["queue"].is_u64() && proc["runs"].is_u64(), "{stats}");
    }
    let threads = &stats["threads"];
    for state in ["all", "running", "spinning", "asleep", "waiting", "blocked"] {
        assert!(threads[state].is_u64(), "no `{state}`: {stats}");
    }

    until("all wait, and are counted at their site", || {
        let sites = client.ask("goroutines site 1000");
        let all = sites["states"].as_array().unwrap();
        let states = all.iter().map(|state| state["count"].as_u64().unwrap());
        assert_eq!(sites["goroutines"], states.sum::<u64>());
        count(&sites, "sites", "spawned_as", site) == 7
    });
    let few = client.ask("goroutines site 1");
    assert_eq!(few["sites"].as_array().unwrap().len(), 1);

    let groups = client.ask("goroutines group 1000");
    assert_eq!(groups["version"], 1);
    // Without the kernel's barrier there are no stacks.
    if groups["stacks_read"] == true {
        assert_eq!(
            count(&groups, "groups", "frames", "waits_served"),
            7,
            "{groups}"
        );
    }
    let dump = client.ask("dump");
    let text = dump["text"].as_str().unwrap();
    assert!(text.starts_with("goroutines: "), "{text}");
    assert!(text.contains(site), "{text}");

    assert_eq!(client.ask("bye")["bye"], true);
    assert!(client.hear().is_none());
    drop(tx);
}

#[test]
fn numbers_come_again_and_again_until_another_line() {
    let server = served();
    let mut client = Client::of(server.path());
    client.say("stats 10");
    let times: Vec<u64> = (0..5)
        .map(|_| client.hear().expect("numbers")["time_us"].as_u64().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    client.say("hello");
    until("the other answer comes", || {
        client.hear().expect("an answer")["protocol"] == 1
    });
    assert_eq!(client.ask("bye")["bye"], true);
    assert!(client.hear().is_none());
    // A line that comes in parts is one.
    let mut client = Client::of(server.path());
    client.say("stats 10");
    for part in ["hel", "lo", "\n"] {
        client.0.get_mut().write_all(part.as_bytes()).unwrap();
        for _ in 0..3 {
            if client.hear().expect("an answer")["protocol"] == 1 {
                return;
            }
        }
    }
    until("the line is understood", || {
        client.hear().expect("an answer")["protocol"] == 1
    });
}

#[test]
fn only_the_user_may_connect_and_the_socket_goes_with_the_server() {
    let server = served();
    let path = server.path().to_owned();
    let data = fs::symlink_metadata(&path).unwrap();
    assert!(data.file_type().is_socket());
    assert_eq!(data.permissions().mode() & 0o777, 0o600);
    let mut client = Client::of(&path);
    client.ask("hello");
    drop(server);
    assert!(!path.exists());
    // It may have been about to answer.
    assert!(client.hear().is_none());
    assert!(UnixStream::connect(&path).is_err());
    // The name is free again.
    drop(serve(&path).unwrap());
    assert!(!path.exists());
}

#[test]
fn a_path_that_is_in_use_is_refused_and_what_is_there_stays() {
    let server = served();
    let error = serve(server.path()).expect_err("it is in use");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains("serves there"), "{error}");
    Client::of(server.path()).ask("hello");

    let path = new_path();
    fs::write(&path, "precious").unwrap();
    let error = serve(&path).expect_err("there is a file");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains("no socket"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    fs::remove_file(&path).unwrap();

    // One whose process does not accept.
    let full = UnixListener::bind(&path).unwrap();
    let error = serve(&path).expect_err("another listens");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    drop(full);
    // And now it is what a killed process leaves.
    let replaced = serve(&path).unwrap();
    Client::of(&path).ask("hello");

    // Another file at its name is not removed.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "precious").unwrap();
    drop(replaced);
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_path_that_cannot_be_a_socket_is_refused_with_the_reason() {
    start(2);
    let long = PathBuf::from(format!("/tmp/{}", "x".repeat(103)));
    for (path, kind, says) in [
        (
            long.clone(),
            ErrorKind::InvalidInput,
            "may have 107 bytes, and this has 108",
        ),
        (PathBuf::new(), ErrorKind::InvalidInput, "empty"),
        ("a\0b".into(), ErrorKind::InvalidInput, "NUL"),
        (
            new_path().join("below"),
            ErrorKind::NotFound,
            "debug::serve",
        ),
    ] {
        let error = serve(&path).expect_err("no socket");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    assert!(!long.exists());
}

#[test]
fn what_is_no_request_gets_an_error_and_the_next_is_served() {
    let server = served();
    let mut client = Client::of(server.path());
    for (line, says) in [
        ("", "an empty line is no request"),
        ("help", "`help` is no request: `hello` lists them"),
        ("stats soon", "`stats soon`: the milliseconds"),
        ("goroutines all", "say group or site"),
    ] {
        let why = client.refused(line);
        assert!(why.contains(says), "{line}: {why}");
    }
    client.0.get_mut().write_all(b"\xff\xfe\n").unwrap();
    assert!(client.hear().expect("an answer")["error"].is_string());
    assert_eq!(client.ask(&format!("{:256}", "hello"))["protocol"], 1);
    // What is longer is not read to its end.
    let long = "x".repeat(1 << 16);
    let _ = client.0.get_mut().write_all(long.as_bytes());
    let answer = client.hear();
    // The rest of the line may have reset the connection.
    if let Some(answer) = answer {
        let why = answer["error"].as_str().unwrap();
        assert!(why.contains("more than 256 bytes"), "{why}");
    }
    assert!(client.hear().is_none());
    // A line without an end, and no more.
    let mut client = Client::of(server.path());
    client.0.get_mut().write_all(b"hello").unwrap();
    let stream = client.0.get_ref();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(client.hear().is_none());
}

#[test]
fn the_fifth_client_is_sent_away_until_another_leaves() {
    let server = served();
    let mut clients: Vec<Client> = (0..4).map(|_| Client::of(server.path())).collect();
    for client in &mut clients {
        client.ask("hello");
    }
    let mut fifth = Client::of(server.path());
    let answer = fifth.hear().expect("a reason");
    let why = answer["error"].as_str().unwrap();
    assert!(why.contains("4 clients are attached"), "{why}");
    assert!(fifth.hear().is_none());
    clients.pop();
    until("there is room again", || {
        let mut fifth = Client::of(server.path());
        // It may be sent away before it asks.
        let _ = fifth.0.get_mut().write_all(b"hello\n");
        fifth.hear().is_some_and(|answer| answer["protocol"] == 1)
    });
    clients[0].ask("stats");
}

#[test]
fn a_client_that_does_not_read_is_sent_away_and_stops_no_other() {
    let server = served();
    let mut deaf = UnixStream::connect(server.path()).unwrap();
    deaf.set_nonblocking(true).unwrap();
    let mut client = Client::of(server.path());
    let mut asked = 0;
    until("it is sent away", || {
        match deaf.write(b"dump\n") {
            Ok(_) => asked += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
                assert!(kinds.contains(&error.kind()), "{error}");
                return true;
            }
        }
        client.ask("hello");
        go(|| 7).join().unwrap() != 7
    });
    assert!(asked > 0);
    client.ask("stats");
}

#[test]
fn a_goroutine_may_open_and_close_it() {
    start(2);
    let path = go(|| {
        let server = serve(new_path()).unwrap();
        let path = server.path().to_owned();
        let mut client = Client::of(&path);
        assert_eq!(client.ask("hello")["protocol"], 1);
        path
    })
    .join()
    .unwrap();
    assert!(!path.exists());
}

/// A child program that serves at `path`.
fn child(case: &str, path: &Path) -> (Child, BufReader<process::ChildStdout>) {
    let mut child = program(env!("CARGO_BIN_EXE_served"));
    child.arg(case).arg(path);
    child.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, stdout)
}

#[test]
fn a_program_that_nothing_can_wake_ends_although_a_client_is_attached() {
    let path = new_path();
    let (mut child, mut stdout) = child("deadlock", &path);
    let mut client = Client::of(&path);
    client.say("stats 500");
    client.hear().expect("numbers");
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    while client.hear().is_some() {}
    let status = child.wait().unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    stdout.read_to_string(&mut out).unwrap();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut err).unwrap();
    assert_eq!((status.code(), &*out), (Some(2), ""), "{err}");
    assert!(
        err.contains("all goroutines are asleep - deadlock!"),
        "{err}"
    );
    // It had no time to remove the socket.
    fs::remove_file(&path).unwrap();
}

#[test]
fn the_socket_of_a_killed_process_is_replaced() {
    let path = new_path();
    let (mut killed, _stdout) = child("killed", &path);
    killed.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert_eq!(killed.wait().unwrap().signal(), Some(libc::SIGABRT));
    assert!(path.exists());
    let (mut next, mut stdout) = child("10", &path);
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "busy\n");
    let mut client = Client::of(&path);
    until("its goroutines are listed", || {
        let sites = client.ask("goroutines site");
        count(&sites, "sites", "spawned_as", "served") >= 10
    });
    next.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(next.wait().unwrap().success());
    while client.hear().is_some() {}
    assert!(!path.exists());
}
