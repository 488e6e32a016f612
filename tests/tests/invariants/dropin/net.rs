// std::net and std::os::unix::net.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};

use net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use unix_net::{UnixDatagram, UnixListener, UnixStream};

fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn a_server_answers_line_by_line() {
    start();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        for stream in listener.incoming().take(4) {
            let stream = stream.unwrap();
            thread::spawn(move || {
                let mut writer = stream.try_clone().unwrap();
                for line in BufReader::new(stream).lines() {
                    let answer: String = line.unwrap().chars().rev().collect();
                    writeln!(writer, "{answer}").unwrap();
                }
            });
        }
    });
    let clients: Vec<_> = (0..4)
        .map(|number| {
            thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_nodelay(true).unwrap();
                assert!(stream.nodelay().unwrap());
                writeln!(stream, "client {number}").unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                assert_eq!(answer, format!("{number} tneilc\n"));
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    server.join().unwrap();
}

#[test]
fn one_reads_while_another_writes_through_references() {
    start();
    let (client, server) = connection();
    let client = Arc::new(client);
    let echo = thread::spawn(move || io::copy(&mut &server, &mut &server).unwrap());
    let writer = thread::spawn({
        let client = client.clone();
        move || {
            for part in 0..50_u8 {
                (&*client).write_all(&[part; 1000]).unwrap();
            }
            client.shutdown(Shutdown::Write).unwrap();
        }
    });
    let mut all = Vec::new();
    (&*client).read_to_end(&mut all).unwrap();
    assert!(all.chunks(1000).zip(0..50).all(|(chunk, part)| chunk == [part; 1000]));
    assert_eq!((all.len(), echo.join().unwrap()), (50_000, 50_000));
    writer.join().unwrap();
}

#[test]
fn what_is_peeked_at_stays() {
    start();
    let (mut client, mut server) = connection();
    client.write_all(b"hello").unwrap();
    let mut buf = [0; 5];
    server.peek(&mut buf[..2]).unwrap();
    assert_eq!(&buf[..2], b"he");
    server.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"hello");
    assert_eq!(client.local_addr().unwrap(), server.peer_addr().unwrap());
}

#[test]
fn a_timeout_ends_a_read_and_the_connection_goes_on() {
    start();
    let (mut client, mut server) = connection();
    server.set_read_timeout(Some(Duration::from_millis(40))).unwrap();
    assert_eq!(server.read_timeout().unwrap(), Some(Duration::from_millis(40)));
    let error = server.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    client.write_all(b"x").unwrap();
    server.set_read_timeout(None).unwrap();
    assert_eq!(server.read(&mut [0]).unwrap(), 1);
    drop(client);
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
}

#[test]
fn sockets_that_do_not_block_are_asked_again_and_again() {
    start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut server = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        thread::yield_now();
    };
    // On Linux an accepted connection blocks although its listener does not.
    client.write_all(b"x").unwrap();
    assert_eq!(server.read(&mut [0]).unwrap(), 1);
    server.set_nonblocking(true).unwrap();
    assert_eq!(server.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn datagrams_go_to_and_fro() {
    start();
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let echo = thread::spawn(move || {
        let mut buf = [0; 16];
        for _ in 0..3 {
            let (n, from) = server.recv_from(&mut buf).unwrap();
            assert_eq!(server.send_to(&buf[..n], from).unwrap(), n);
        }
    });
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(address).unwrap();
    assert_eq!(client.peer_addr().unwrap(), address);
    for text in ["", "one", "three"] {
        client.send(text.as_bytes()).unwrap();
        let mut buf = [0; 16];
        let n = client.recv(&mut buf).unwrap();
        assert_eq!(&buf[..n], text.as_bytes());
    }
    echo.join().unwrap();
}

#[test]
fn names_and_numbers_become_addresses() {
    start();
    fn first(from: impl ToSocketAddrs) -> Option<SocketAddr> {
        from.to_socket_addrs().unwrap().next()
    }
    let expected = "127.0.0.1:80".parse().ok();
    assert_eq!(first("127.0.0.1:80"), expected);
    assert_eq!(first(("127.0.0.1", 80)), expected);
    assert_eq!(first((net::IpAddr::from([127, 0, 0, 1]), 80)), expected);
    assert_eq!(first(&[expected.unwrap()][..]), expected);
    assert_eq!(first("127.0.0.1:80".to_string()), expected);
    assert_eq!(first("localhost:80").map(|addr| addr.ip().is_loopback()), Some(true));
}

#[test]
fn sockets_of_this_machine_are_used_by_path_and_in_pairs() {
    start();
    let name = format!("{}-{}", module_path!().replace("::", "-"), std::process::id());
    let path = std::env::temp_dir().join(name);
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        for stream in &listener {
            let mut text = String::new();
            let mut stream = stream.unwrap();
            stream.read_to_string(&mut text).unwrap();
            if text == "end" {
                return text;
            }
        }
        unreachable!("it does not end by itself")
    });
    for text in ["hello", "end"] {
        let mut stream = UnixStream::connect(&path).unwrap();
        assert_eq!(stream.peer_addr().unwrap().as_pathname(), Some(&*path));
        stream.write_all(text.as_bytes()).unwrap();
    }
    assert_eq!(server.join().unwrap(), "end");
    std::fs::remove_file(&path).unwrap();
    let (one, other) = UnixDatagram::pair().unwrap();
    let answer = thread::spawn(move || {
        let mut buf = [0; 8];
        let n = other.recv(&mut buf).unwrap();
        other.send(&buf[..n]).unwrap();
    });
    one.send(b"there").unwrap();
    let mut buf = [0; 8];
    assert_eq!(one.recv(&mut buf).unwrap(), 5);
    assert_eq!(&buf[..5], b"there");
    answer.join().unwrap();
}
