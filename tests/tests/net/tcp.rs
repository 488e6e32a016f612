//! TCP sockets: a call that waits parks the goroutine, and everything else is as std has it.

use std::{
    io::{ErrorKind, Read, Write},
    net::{self as std_net, Shutdown},
    thread,
    time::{Duration, Instant},
};

use goroutines::{
    go,
    net::{TcpListener, TcpStream},
    time::sleep,
};
use goroutines_tests::start;

const LOCAL: &str = "127.0.0.1:0";

/// Both ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(LOCAL).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

fn in_goroutine<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    start(2);
    go(f).join().unwrap()
}

#[test]
fn many_connections_echo_at_once() {
    in_goroutine(|| {
        let listener = TcpListener::bind(LOCAL).unwrap();
        let address = listener.local_addr().unwrap();
        go(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                go(move || {
                    let mut buf = [0; 64];
                    while let Ok(n @ 1..) = stream.read(&mut buf) {
                        stream.write_all(&buf[..n]).unwrap();
                    }
                });
            }
        });
        let clients: Vec<_> = (0..100_u32)
            .map(|client| {
                go(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    for round in 0..100_u32 {
                        let sent = [client.to_le_bytes(), round.to_le_bytes()].concat();
                        stream.write_all(&sent).unwrap();
                        let mut got = [0; 8];
                        stream.read_exact(&mut got).unwrap();
                        assert_eq!(sent, got);
                    }
                })
            })
            .collect();
        clients
            .into_iter()
            .for_each(|client| client.join().unwrap());
    });
}

#[test]
fn a_goroutine_that_reads_does_not_hold_up_others() {
    in_goroutine(|| {
        let (mut client, mut server) = pair();
        let reader = go(move || {
            let mut buf = [0; 8];
            let n = server.read(&mut buf).unwrap();
            buf[..n].to_vec()
        });
        sleep(Duration::from_millis(10));
        assert!(!reader.is_finished());
        client.write_all(b"late").unwrap();
        assert_eq!(reader.join().unwrap(), b"late");
    });
}

#[test]
fn a_byte_from_a_thread_wakes_a_program_that_sleeps() {
    in_goroutine(|| {
        let (client, mut server) = pair();
        let mut client = std_net::TcpStream::from(client);
        let writer = thread::spawn(move || {
            for byte in 0..20_u8 {
                thread::sleep(Duration::from_millis(5));
                client.write_all(&[byte]).unwrap();
            }
        });
        for byte in 0..20_u8 {
            let mut got = [0];
            server.read_exact(&mut got).unwrap();
            assert_eq!(got, [byte]);
        }
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
        writer.join().unwrap();
    });
}

#[test]
fn each_connection_goes_to_one_of_many_acceptors() {
    in_goroutine(|| {
        let listener = TcpListener::bind(LOCAL).unwrap();
        let address = listener.local_addr().unwrap();
        let acceptors: Vec<_> = (0..8)
            .map(|_| {
                let listener = listener.try_clone().unwrap();
                go(move || {
                    let mut names = Vec::new();
                    for stream in listener.incoming() {
                        let mut name = [0; 4];
                        stream.unwrap().read_exact(&mut name).unwrap();
                        names.push(u32::from_le_bytes(name));
                    }
                    names
                })
            })
            .collect();
        let clients: Vec<_> = (0..400_u32)
            .map(|client| {
                go(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    stream.write_all(&client.to_le_bytes()).unwrap();
                    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
                })
            })
            .collect();
        clients
            .into_iter()
            .for_each(|client| client.join().unwrap());
        listener.closer().unwrap().close();
        let mut names: Vec<u32> = acceptors
            .into_iter()
            .flat_map(|acceptor| acceptor.join().unwrap())
            .collect();
        names.sort_unstable();
        assert!(names.into_iter().eq(0..400));
        assert_eq!(
            listener.accept().unwrap_err().kind(),
            ErrorKind::ConnectionAborted
        );
    });
}

#[test]
fn a_timeout_is_told_as_std_tells_it() {
    in_goroutine(|| {
        let (client, mut server) = pair();
        let timeout = Duration::from_millis(20);
        server.set_read_timeout(Some(timeout)).unwrap();
        let start = Instant::now();
        let ours = server.read(&mut [0]).unwrap_err();
        assert!(start.elapsed() >= timeout);
        // std's own, on the same socket.
        let mut server = std_net::TcpStream::from(server);
        let theirs = goroutines::blocking(|| server.read(&mut [0])).unwrap_err();
        assert_eq!(
            (ours.kind(), ours.raw_os_error()),
            (theirs.kind(), theirs.raw_os_error())
        );
        // Taken over from std's type.
        let mut server = TcpStream::from(server);
        assert_eq!(
            server.read(&mut [0]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        assert!(server.set_read_timeout(Some(Duration::ZERO)).is_err());
        drop(client);
    });
}

#[test]
fn a_deadline_may_be_changed_while_a_call_waits() {
    in_goroutine(|| {
        let (mut client, server) = pair();
        let waiter = server.try_clone().unwrap();
        let reader = go(move || (&waiter).read(&mut [0]).unwrap_err().kind());
        sleep(Duration::from_millis(5));
        server
            .set_read_deadline(Some(Instant::now() + Duration::from_millis(5)))
            .unwrap();
        assert_eq!(reader.join().unwrap(), ErrorKind::TimedOut);
        // It holds for the calls after it as well, until it is taken back. What is there is read all the same.
        assert_eq!(
            (&server).read(&mut [0]).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
        server.set_read_deadline(None).unwrap();
        client.write_all(b"x").unwrap();
        assert_eq!((&server).read(&mut [0]).unwrap(), 1);
    });
}

#[test]
fn half_a_connection_ends_and_the_other_half_goes_on() {
    in_goroutine(|| {
        let (mut client, mut server) = pair();
        let echo = go(move || {
            let mut all = Vec::new();
            server.read_to_end(&mut all).unwrap();
            server.write_all(&all).unwrap();
        });
        client.write_all(b"first").unwrap();
        sleep(Duration::from_millis(5));
        client.write_all(b" and last").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut all = String::new();
        client.read_to_string(&mut all).unwrap();
        assert_eq!(all, "first and last");
        echo.join().unwrap();
    });
}

#[test]
fn a_writer_waits_for_a_reader_that_is_slow() {
    in_goroutine(|| {
        let (mut client, mut server) = pair();
        let data: Vec<u8> = (0..16 << 20).map(|n: u32| (n % 251) as u8).collect();
        let sent = data.clone();
        let writer = go(move || client.write_all(&sent).unwrap());
        sleep(Duration::from_millis(20));
        let mut got = Vec::new();
        server.read_to_end(&mut got).unwrap();
        assert!(got == data);
        writer.join().unwrap();
    });
}

#[test]
fn errors_are_those_of_std() {
    in_goroutine(|| {
        let listener = TcpListener::bind(LOCAL).unwrap();
        let address = listener.local_addr().unwrap();
        let in_use = TcpListener::bind(address).unwrap_err();
        assert_eq!(in_use.kind(), ErrorKind::AddrInUse);
        drop(listener);
        let refused = TcpStream::connect(address).unwrap_err();
        let theirs = std_net::TcpStream::connect(address).unwrap_err();
        assert_eq!(
            (refused.kind(), refused.raw_os_error()),
            (theirs.kind(), theirs.raw_os_error())
        );
        assert_eq!(
            TcpStream::connect("nowhere").unwrap_err().to_string(),
            std_net::TcpStream::connect("nowhere")
                .unwrap_err()
                .to_string()
        );
        let nothing: &[std_net::SocketAddr] = &[];
        assert_eq!(
            TcpStream::connect(nothing).unwrap_err().to_string(),
            std_net::TcpStream::connect(nothing)
                .unwrap_err()
                .to_string()
        );
    });
}

#[test]
fn threads_use_the_same_sockets() {
    start(2);
    let listener = TcpListener::bind(LOCAL).unwrap();
    let address = listener.local_addr().unwrap();
    let clone = listener.try_clone().unwrap();
    // A goroutine has waited, so the listener does not block any more; a thread waits all the same.
    let first = go(move || clone.accept().unwrap());
    let client = TcpStream::connect(address).unwrap();
    first.join().unwrap();
    let accepting = thread::spawn(move || listener.accept().unwrap().0);
    thread::sleep(Duration::from_millis(10));
    let mut second = TcpStream::connect(address).unwrap();
    let mut server = accepting.join().unwrap();
    second.write_all(b"hello").unwrap();
    let mut got = [0; 5];
    server.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"hello");
    drop(client);
}

#[test]
fn a_connection_attempt_ends_in_time() {
    in_goroutine(|| {
        // A queue of one that is full does not answer.
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let local: std_net::SocketAddr = LOCAL.parse().unwrap();
        socket.bind(&local.into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let timeout = Duration::from_millis(50);
        let mut kept = Vec::new();
        let error = loop {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(stream) => kept.push(stream),
                Err(error) => break error,
            }
            assert!(kept.len() < 100, "the queue does not fill");
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn the_mode_that_another_owner_of_the_file_sets_holds_for_a_goroutine() {
    in_goroutine(|| {
        let (stream, _there) = pair();
        let std = std_net::TcpStream::from(stream);
        let owner = std.try_clone().unwrap();
        let stream = TcpStream::from(std);
        owner.set_nonblocking(true).unwrap();
        let deadline = Instant::now() + Duration::from_millis(200);
        stream.set_read_deadline(Some(deadline)).unwrap();
        let error = (&stream).read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let listener = std_net::TcpListener::bind(LOCAL).unwrap();
        let owner = listener.try_clone().unwrap();
        let listener = TcpListener::from(listener);
        owner.set_nonblocking(true).unwrap();
        let error = listener.accept_deadline(deadline).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn sockets_become_those_of_socket2_and_come_back() {
    in_goroutine(|| {
        let (stream, mut there) = pair();
        assert_eq!(stream.keepalive().unwrap(), None);
        let idle = Some(Duration::from_secs(77));
        stream.set_keepalive(idle).unwrap();
        let socket = socket2::Socket::from(stream);
        assert!(socket.keepalive().unwrap());
        let mut stream = TcpStream::from(socket);
        assert_eq!(stream.keepalive().unwrap(), idle);
        stream.set_keepalive(None).unwrap();
        assert_eq!(stream.keepalive().unwrap(), None);
        let too_short = stream.set_keepalive(Some(Duration::ZERO)).unwrap_err();
        assert_eq!(too_short.kind(), ErrorKind::InvalidInput);
        there.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
    });
}
