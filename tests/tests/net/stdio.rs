//! The standard streams of programs whose goroutines use them.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Stdio},
};

use goroutines_tests::program;

fn start(case: &str) -> Child {
    program(env!("CARGO_BIN_EXE_stdio"))
        .arg(case)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the case writes when it reads `input`.
fn run(case: &str, input: &str) -> (String, String) {
    let mut child = start(case);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    (stdout, stderr)
}

#[test]
fn lines_come_in_and_go_out() {
    let (stdout, stderr) = run("upper", "one\ntwo\nthree");
    assert_eq!((&*stdout, &*stderr), ("ONE\nTWO\nTHREE\n", "end\n"));
}

#[test]
fn goroutines_go_on_while_others_wait_for_input() {
    let mut child = start("beside");
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // Before there is any.
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "counted 40\n");
    child.stdin.take().unwrap().write_all(b"a\nb\nc\n").unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "a\nb\nc\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn who_has_the_lock_writes_alone_over_waits() {
    let (stdout, _) = run("turns", "");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 24);
    for three in lines.chunks(3) {
        let writer = three[0].split_once(' ').unwrap().0;
        let expected: Vec<_> = (0..3).map(|part| format!("{writer} {part}")).collect();
        assert_eq!(three, expected);
    }
}

#[test]
fn std_s_streams_and_ours_share_what_is_buffered() {
    let (stdout, _) = run("shared", "one\ntwo\nthree\n");
    assert_eq!(stdout, "one\ntwo\nthree\nend\n");
}

#[test]
fn goroutines_go_on_while_others_wait_for_room_in_the_output() {
    let mut child = start("full");
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    // Before anything is read.
    stderr.read_line(&mut line).unwrap();
    assert_eq!(line, "went on\n");
    drop(child.stdin.take());
    let mut all = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), 1_000_000);
    line.clear();
    stderr.read_line(&mut line).unwrap();
    assert_eq!(line, "true\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn children_write_to_the_streams_of_this_program_also_while_it_has_the_locks() {
    let (stdout, stderr) = run("crossed", "");
    assert_eq!((&*stdout, &*stderr), ("to stdout\n", "to stderr\n"));
}
