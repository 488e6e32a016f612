//! The other servers: what they say to a client of their protocol.

mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustls::{ClientConnection, StreamOwned};
use support::{Program, ask, connect, trust::trusting};
use tungstenite::{Message, WebSocket};

#[test]
fn handlers_of_hyper_block_and_hold_nobody_up() {
    let (_program, address) = Program::server(env!("CARGO_BIN_EXE_hyper_server"));
    let slow: Vec<_> = (0..20)
        .map(|_| {
            thread::spawn(move || {
                let request = b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
                assert!(ask(address, request).ends_with("slept\n"));
            })
        })
        .collect();
    for n in 1..=50 {
        let request = b"GET /count HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        assert!(ask(address, request).ends_with(&format!("\r\n\r\n{n}\n")));
    }
    let begin = Instant::now();
    slow.into_iter().for_each(|one| one.join().unwrap());
    assert!(
        begin.elapsed() < Duration::from_secs(6),
        "one after the other"
    );
    let request =
        b"POST /shouted HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello";
    assert!(ask(address, request).ends_with("HELLO"));
    assert!(ask(address, b"nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    // A head that does not come: hyper's timer, on ours.
    let mut silent = connect(address);
    silent.write_all(b"GET / HT").unwrap();
    let mut rest = Vec::new();
    let _ = silent.read_to_end(&mut rest);
}

#[test]
fn tls_echoes_what_a_client_sends() {
    let (_program, address) = Program::server(env!("CARGO_BIN_EXE_tls_echo"));
    // Not TLS at all: its connection ends, and the server goes on.
    let mut plain = connect(address);
    plain.write_all(&[b'x'; 100]).unwrap();
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest);
    let name = "localhost".try_into().unwrap();
    let client = ClientConnection::new(trusting(), name).unwrap();
    let mut stream = StreamOwned::new(client, connect(address));
    for line in lines() {
        stream.write_all(line.as_bytes()).unwrap();
        let mut echo = vec![0; line.len()];
        stream.read_exact(&mut echo).unwrap();
        assert_eq!(echo, line.as_bytes());
    }
}

#[test]
#[ignore = "needs the program openssl, of the package of that name; .ci/run runs it"]
fn tls_echoes_what_openssl_sends() {
    let (_program, address) = Program::server(env!("CARGO_BIN_EXE_tls_echo"));
    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &address.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program openssl, of the package of that name");
    let mut input = client.stdin.take().unwrap();
    let mut output = BufReader::new(client.stdout.take().unwrap());
    for line in lines() {
        input.write_all(line.as_bytes()).unwrap();
        let mut echo = String::new();
        output.read_line(&mut echo).unwrap();
        assert_eq!(echo, line);
    }
    client.kill().unwrap();
    client.wait().unwrap();
}

/// Longer and longer lines.
fn lines() -> impl Iterator<Item = String> {
    (0..100).map(|n| format!("{n} {}\n", "x".repeat(n * 20)))
}

#[test]
fn notes_are_kept_in_sqlite_and_clients_share_them() {
    let (_program, address) = Program::server(env!("CARGO_BIN_EXE_notes"));
    let clients: Vec<_> = (0..8)
        .map(|client| {
            thread::spawn(move || {
                let mut lines = BufReader::new(connect(address));
                for n in 0..20 {
                    writeln!(lines.get_mut(), "add {client}.{n}").unwrap();
                    let mut answer = String::new();
                    lines.read_line(&mut answer).unwrap();
                    assert!(answer.starts_with("ok "), "{answer}");
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|one| one.join().unwrap());
    let mut stream = connect(address);
    stream
        .write_all(b"list\ndrop 1\ndrop 1\nnonsense\n")
        .unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 160 + 4, "{text}");
    assert_eq!(&lines[160..162], ["ok", "ok"]);
    assert_eq!(lines[162], "error: there is no such note");
    assert!(lines[163].starts_with("error: say "));
}

#[test]
fn what_a_guest_of_the_chat_says_goes_to_all_and_a_goodbye_comes_back() {
    let (_program, address) = Program::server(env!("CARGO_BIN_EXE_chat"));
    let enter = |name: &str| -> WebSocket<TcpStream> {
        let url = format!("ws://{address}/");
        let (mut socket, _) = tungstenite::client(url, connect(address)).unwrap();
        socket.send(Message::text(name)).unwrap();
        let here = format!("{name} is here");
        while socket.read().unwrap() != Message::text(here.as_str()) {}
        socket
    };
    let (mut ann, mut bob) = (enter("ann"), enter("bob"));
    assert_eq!(ann.read().unwrap(), Message::text("bob is here"));
    for n in 0..100 {
        let (from, name) = match n % 2 {
            0 => (&mut ann, "ann"),
            _ => (&mut bob, "bob"),
        };
        from.send(Message::text(format!("word {n}"))).unwrap();
        for guest in [&mut ann, &mut bob] {
            let said = Message::text(format!("{name}: word {n}"));
            assert_eq!(guest.read().unwrap(), said);
        }
    }
    bob.close(None).unwrap();
    while let Ok(message) = bob.read() {
        assert!(message.is_close(), "{message}");
    }
    assert_eq!(ann.read().unwrap(), Message::text("bob has left"));
    // Neither a handshake nor a WebSocket.
    let _ = ask(address, b"GET / HTTP/1.1\r\n\r\n");
    ann.send(Message::text("still here")).unwrap();
    assert_eq!(ann.read().unwrap(), Message::text("ann: still here"));
}
