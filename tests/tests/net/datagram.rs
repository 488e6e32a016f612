//! UDP and UNIX sockets: a call that waits parks the goroutine, and everything else is as std has it.

use std::{
    io::{ErrorKind, Read, Write},
    net::Shutdown,
    os::unix::net as std_unix,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use goroutines::{
    go,
    net::{
        UdpSocket,
        unix::{UnixDatagram, UnixListener, UnixStream},
    },
    time::sleep,
};
use goroutines_tests::start;

fn in_goroutine<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    start(2);
    go(f).join().unwrap()
}

/// A path where nothing is.
fn free_path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("goroutines-{}-{number}", std::process::id()))
}

#[test]
fn many_goroutines_share_one_udp_socket() {
    in_goroutine(|| {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        for _ in 0..8 {
            let server = server.try_clone().unwrap();
            go(move || {
                let mut buf = [0; 16];
                while let Ok((n, from)) = server.recv_from(&mut buf) {
                    server.send_to(&buf[..n], from).unwrap();
                }
            });
        }
        let clients: Vec<_> = (0..16_u8)
            .map(|client| {
                go(move || {
                    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                    socket.connect(address).unwrap();
                    for round in 0..50_u8 {
                        socket.send(&[client, round]).unwrap();
                        let mut buf = [0; 16];
                        assert_eq!(socket.peek(&mut buf).unwrap(), 2);
                        assert_eq!(socket.recv(&mut buf).unwrap(), 2);
                        assert_eq!(buf[..2], [client, round]);
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
fn a_port_without_a_socket_wakes_the_receiver_with_the_error() {
    in_goroutine(|| {
        let nobody = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(nobody).unwrap();
        let receiver = socket.try_clone().unwrap();
        let waiting = go(move || receiver.recv(&mut [0]).unwrap_err().kind());
        sleep(Duration::from_millis(5));
        socket.send(b"x").unwrap();
        assert_eq!(waiting.join().unwrap(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_datagram_socket_has_timeouts_and_deadlines() {
    in_goroutine(|| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(10)))
            .unwrap();
        assert_eq!(
            socket.recv_from(&mut [0]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        socket.set_read_timeout(None).unwrap();
        socket.set_read_deadline(Some(Instant::now())).unwrap();
        assert_eq!(
            socket.recv_from(&mut [0]).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
        socket.set_nonblocking(true).unwrap();
        assert_eq!(
            socket.recv_from(&mut [0]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    });
}

#[test]
fn unix_streams_come_to_a_listener() {
    in_goroutine(|| {
        let path = free_path();
        let listener = UnixListener::bind(&path).unwrap();
        let server = go(move || {
            for stream in &listener {
                let mut stream = stream.unwrap();
                go(move || {
                    let mut all = Vec::new();
                    stream.read_to_end(&mut all).unwrap();
                    stream.write_all(&all).unwrap();
                });
            }
        });
        let clients: Vec<_> = (0..50_u8)
            .map(|client| {
                let path = path.clone();
                go(move || {
                    let mut stream = UnixStream::connect(&path).unwrap();
                    stream.write_all(&[client; 1000]).unwrap();
                    stream.shutdown(std::net::Shutdown::Write).unwrap();
                    let mut all = Vec::new();
                    stream.read_to_end(&mut all).unwrap();
                    assert!(all == [client; 1000]);
                })
            })
            .collect();
        clients
            .into_iter()
            .for_each(|client| client.join().unwrap());
        assert!(!server.is_finished());
        std::fs::remove_file(&path).unwrap();
    });
}

#[test]
fn a_full_unix_listener_lets_connects_wait() {
    in_goroutine(|| {
        let path = free_path();
        let socket =
            socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        socket
            .bind(&socket2::SockAddr::unix(&path).unwrap())
            .unwrap();
        socket.listen(1).unwrap();
        let listener = UnixListener::from(socket);
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                go(move || UnixStream::connect(path).map(drop))
            })
            .collect();
        sleep(Duration::from_millis(20));
        for _ in 0..8 {
            listener.accept().unwrap();
        }
        for client in clients {
            client.join().unwrap().unwrap();
        }
        std::fs::remove_file(&path).unwrap();
    });
}

#[test]
fn unix_datagrams_arrive_from_named_and_unnamed_sockets() {
    in_goroutine(|| {
        let (there, here) = (free_path(), free_path());
        let server = UnixDatagram::bind(&there).unwrap();
        let named = UnixDatagram::bind(&here).unwrap();
        let unnamed = UnixDatagram::unbound().unwrap();
        let receiver = go(move || {
            let mut buf = [0; 16];
            let first = server.recv_from(&mut buf).unwrap();
            let second = server.recv_from(&mut buf).unwrap();
            (first, second)
        });
        sleep(Duration::from_millis(5));
        assert_eq!(named.send_to(b"one", &there).unwrap(), 3);
        assert_eq!(unnamed.send_to(b"two!", &there).unwrap(), 4);
        let (first, second) = receiver.join().unwrap();
        assert_eq!((first.0, first.1.as_pathname()), (3, Some(here.as_path())));
        assert_eq!(second.0, 4);
        assert!(second.1.is_unnamed());
        [here, there]
            .iter()
            .for_each(|path| std::fs::remove_file(path).unwrap());
    });
}

#[test]
fn a_full_datagram_socket_holds_up_the_sender_only() {
    in_goroutine(|| {
        let path = free_path();
        let server = UnixDatagram::bind(&path).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        let to = path.clone();
        let sender = go(move || {
            (0..200).for_each(|n: u8| assert_eq!(client.send_to(&[n], &to).unwrap(), 1))
        });
        sleep(Duration::from_millis(20));
        assert!(!sender.is_finished(), "the queue took everything");
        for n in 0..200_u8 {
            let mut buf = [0; 4];
            assert_eq!(server.recv(&mut buf).unwrap(), 1);
            assert_eq!(buf[0], n);
        }
        sender.join().unwrap();
        // The same where both are connected.
        let (one, other) = UnixDatagram::pair().unwrap();
        let sender = go(move || (0..200).for_each(|n: u8| assert_eq!(one.send(&[n]).unwrap(), 1)));
        sleep(Duration::from_millis(20));
        for n in 0..200_u8 {
            let mut buf = [0; 4];
            other.recv(&mut buf).unwrap();
            assert_eq!(buf[0], n);
        }
        sender.join().unwrap();
        std::fs::remove_file(&path).unwrap();
    });
}

#[test]
fn an_end_of_a_pair_can_be_std_s_on_a_thread() {
    in_goroutine(|| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut theirs = std_unix::UnixStream::from(theirs);
        let thread = thread::spawn(move || {
            let mut buf = [0; 5];
            theirs.read_exact(&mut buf).unwrap();
            theirs.write_all(&buf).unwrap();
        });
        (&ours).write_all(b"hello").unwrap();
        let mut text = String::new();
        (&ours).read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        thread.join().unwrap();
    });
}

/// Ends `reader`'s direction while it waits, and before it reads again, and returns what it gets both times.
fn ended(reader: UnixDatagram) -> [usize; 2] {
    let clone = reader.try_clone().unwrap();
    let waiting = go(move || clone.recv(&mut [0; 8]).unwrap());
    sleep(Duration::from_millis(20));
    reader.shutdown(Shutdown::Read).unwrap();
    [waiting.join().unwrap(), reader.recv(&mut [0; 8]).unwrap()]
}

#[test]
fn a_reader_of_datagrams_ends_with_a_shutdown_as_with_std() {
    in_goroutine(|| {
        let (reader, _writer) = UnixDatagram::pair().unwrap();
        assert_eq!(ended(reader), [0, 0]);
        let (reader, writer) = UnixDatagram::pair().unwrap();
        // It has waited before.
        let sending = go(move || {
            sleep(Duration::from_millis(5));
            writer.send(b"one").unwrap();
            writer
        });
        assert_eq!(reader.recv(&mut [0; 8]).unwrap(), 3);
        assert_eq!(ended(reader), [0, 0]);
        drop(sending.join().unwrap());
        let (reader, _writer) = std_unix::UnixDatagram::pair().unwrap();
        reader.shutdown(Shutdown::Read).unwrap();
        assert_eq!(reader.recv(&mut [0; 8]).unwrap(), 0);
    });
}

#[test]
fn a_datagram_for_which_there_is_no_room_ends_at_its_deadline_also_if_that_is_moved() {
    in_goroutine(|| {
        let path = free_path();
        let receiver = UnixDatagram::bind(&path).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        let fill = |sender: &UnixDatagram| loop {
            if let Err(error) = sender.send_to(b"x", &path) {
                break error.kind();
            }
        };
        let soon = Instant::now() + Duration::from_millis(30);
        sender.set_write_deadline(Some(soon)).unwrap();
        assert_eq!(fill(&sender), ErrorKind::TimedOut);
        assert!(soon <= Instant::now());
        let later = Instant::now() + Duration::from_secs(3600);
        sender.set_write_deadline(Some(later)).unwrap();
        let clone = sender.try_clone().unwrap();
        let moving = go(move || {
            sleep(Duration::from_millis(20));
            clone.set_write_deadline(Some(Instant::now())).unwrap();
        });
        assert_eq!(fill(&sender), ErrorKind::TimedOut);
        moving.join().unwrap();
        // Its own timeout is told from that, and room ends the wait.
        sender.set_write_deadline(Some(later)).unwrap();
        let timeout = Some(Duration::from_millis(20));
        sender.set_write_timeout(timeout).unwrap();
        assert_eq!(fill(&sender), ErrorKind::WouldBlock);
        sender.set_write_timeout(None).unwrap();
        let receiving = go(move || {
            sleep(Duration::from_millis(20));
            receiver.recv(&mut [0; 8]).unwrap();
            receiver
        });
        assert_eq!(sender.send_to(b"y", &path).unwrap(), 1);
        drop(receiving.join().unwrap());
        std::fs::remove_file(&path).unwrap();
    });
}
