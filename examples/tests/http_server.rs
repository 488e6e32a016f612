//! The HTTP server: what it answers, what it refuses, and how it stops.

mod support;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use support::{Program, ask, connect};

fn server() -> (Program, SocketAddr) {
    Program::server(env!("CARGO_BIN_EXE_http_server"))
}

/// Reads one response: its status and its body.
fn response(stream: &mut TcpStream) -> (u16, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.split("content-length: ").nth(1).unwrap();
    let length = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head[9..12].parse().unwrap(), body)
}

#[test]
fn a_connection_stays_for_several_requests_and_bodies_come_back() {
    let (_program, address) = server();
    let mut stream = connect(address);
    for n in 0..10 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .unwrap();
        assert_eq!(
            response(&mut stream),
            (200, b"hello from a goroutine\n".to_vec())
        );
        let body = vec![n; 100_000];
        let head = format!(
            "POST /echo HTTP/1.1\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        assert_eq!(response(&mut stream), (200, body));
    }
    let chunked = "POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n";
    for byte in chunked.bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(response(&mut stream), (200, b"hello world".to_vec()));
}

#[test]
fn requests_that_come_together_are_answered_in_order() {
    let (_program, address) = server();
    let mut stream = connect(address);
    let mut all = Vec::new();
    for n in 0..500 {
        let body = format!("number {n}");
        let request = format!(
            "POST /echo HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        all.extend_from_slice(request.as_bytes());
    }
    let mut writer = stream.try_clone().unwrap();
    let writer = thread::spawn(move || writer.write_all(&all).unwrap());
    for n in 0..500 {
        assert_eq!(
            response(&mut stream),
            (200, format!("number {n}").into_bytes())
        );
    }
    writer.join().unwrap();
}

#[test]
fn bad_requests_get_an_answer_that_says_why() {
    let (_program, address) = server();
    let big = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
    let cases: &[(&[u8], &str)] = &[
        (b"\x00\x01\x02\x03\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\nbroken header\r\n\r\n", "400"),
        (b"GET / HTTP/2.0\r\n\r\n", "505"),
        (b"GET /nowhere HTTP/1.1\r\nconnection: close\r\n\r\n", "404"),
        (
            b"PUT / HTTP/1.1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "405",
        ),
        (b"POST /echo HTTP/1.1\r\n\r\n", "411"),
        (
            b"POST /echo HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n",
            "413",
        ),
        (b"POST /echo HTTP/1.1\r\ncontent-length: -1\r\n\r\n", "400"),
        (
            b"POST /echo HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "400",
        ),
        (
            b"POST /echo HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            "400",
        ),
        (
            b"POST /echo HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
            "501",
        ),
        (
            b"POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "400",
        ),
        (
            b"POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nfffffff\r\n",
            "413",
        ),
        (
            b"GET /sleep?ms=never HTTP/1.1\r\nconnection: close\r\n\r\n",
            "400",
        ),
        (big.as_bytes(), "431"),
        (many.as_bytes(), "431"),
    ];
    for (request, status) in cases {
        let text = ask(address, request);
        let shown = String::from_utf8_lossy(&request[..request.len().min(60)]);
        assert!(
            text.starts_with(&format!("HTTP/1.1 {status} ")),
            "{shown:?}: {text}"
        );
        assert!(text.contains("connection: close"), "{shown:?}: {text}");
    }
}

#[test]
fn a_target_may_be_a_whole_url_and_the_end_of_a_connection_one_of_several_words() {
    let (_program, address) = server();
    let mut stream = connect(address);
    for target in ["http://some.host:80/", "HTTP://some.host"] {
        let request = format!("GET {target} HTTP/1.1\r\nconnection: te, keep-alive\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        assert_eq!(response(&mut stream).0, 200, "{target}");
    }
    let last = b"GET / HTTP/1.1\r\nconnection: te\r\nconnection: x, Close\r\n\r\n";
    stream.write_all(last).unwrap();
    assert_eq!(response(&mut stream).0, 200);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

/// Sends 6 MB of chunks for a body of 7 KB, and returns how the server answers.
fn answer_to_chunks_of_little_body(address: SocketAddr) -> u16 {
    let mut stream = connect(address);
    let head = b"POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).unwrap();
    let chunk = format!("1;{}\r\nx\r\n", "y".repeat(900));
    let mut writer = stream.try_clone().unwrap();
    let writer = thread::spawn(move || writer.write_all(chunk.repeat(7000).as_bytes()));
    let answer = response(&mut stream).0;
    let written = writer.join().unwrap();
    assert!(answer == 408 || written.is_ok(), "{answer}: {written:?}");
    answer
}

#[test]
fn chunks_of_little_body_and_long_lines_are_refused_before_they_fill_the_memory() {
    let (_program, address) = server();
    // On a busy machine the time for a request may end before.
    let mut answers = (0..10).map(|_| answer_to_chunks_of_little_body(address));
    assert_eq!(answers.find(|&answer| answer != 408), Some(413));
}

#[test]
fn a_client_that_trickles_is_told_and_one_that_ends_early_too() {
    let (_program, address) = server();
    let mut slow = connect(address);
    let mut early = connect(address);
    early.write_all(b"GET / HT").unwrap();
    early.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(response(&mut early).0, 400);
    let begin = Instant::now();
    let answer = thread::spawn({
        let mut slow = slow.try_clone().unwrap();
        move || response(&mut slow).0
    });
    while !answer.is_finished() && begin.elapsed() < Duration::from_secs(20) {
        // Refused, once the server has ended the connection.
        let _ = slow.write_all(b"x");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(answer.join().unwrap(), 408);
}

#[test]
fn a_handler_that_waits_holds_nobody_up() {
    let (_program, address) = server();
    let mut waiting: Vec<_> = (0..50).map(|_| connect(address)).collect();
    for stream in &mut waiting {
        stream
            .write_all(b"GET /sleep?ms=3000 HTTP/1.1\r\n\r\n")
            .unwrap();
    }
    let begin = Instant::now();
    let mut quick = connect(address);
    for _ in 0..20 {
        quick.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!(response(&mut quick).0, 200);
    }
    assert!(begin.elapsed() < Duration::from_secs(3));
    for stream in &mut waiting {
        assert_eq!(response(stream).0, 200);
    }
}

#[test]
fn sigterm_lets_requests_end_and_idle_connections_at_once() {
    let (mut program, address) = server();
    let mut idle = connect(address);
    idle.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    response(&mut idle);
    let mut busy = connect(address);
    busy.write_all(b"GET /sleep?ms=500 HTTP/1.1\r\n\r\n")
        .unwrap();
    let mut halfway = connect(address);
    halfway.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    thread::sleep(Duration::from_millis(200));
    program.terminate();
    let mut rest = Vec::new();
    assert_eq!(idle.read_to_end(&mut rest).unwrap(), 0);
    halfway.write_all(b"\r\n").unwrap();
    assert_eq!(response(&mut halfway).0, 200);
    assert_eq!(response(&mut busy), (200, b"slept 500 ms\n".to_vec()));
    assert_eq!(busy.read(&mut [0]).unwrap(), 0);
    assert_eq!(program.line(), "stopped after 3 requests");
    assert!(program.end().success());
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn an_address_that_is_none_or_in_use_ends_the_program_with_a_message() {
    let (_program, address) = server();
    let path = env!("CARGO_BIN_EXE_http_server");
    for (argument, message) in [
        (address.to_string(), "Address already in use"),
        ("nonsense".to_owned(), "cannot listen on nonsense"),
    ] {
        let output = std::process::Command::new(path)
            .arg(&argument)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(text.contains(message), "{text}");
    }
}
