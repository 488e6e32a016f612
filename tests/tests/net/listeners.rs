//! Listeners: which calls accept, in what mode, until when.

use std::{
    io::{ErrorKind, Read, Write},
    net as std_net,
    os::fd::{AsRawFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use goroutines::{
    blocking, go,
    net::{
        TcpListener, TcpStream,
        unix::{UnixListener, UnixStream},
    },
    time::sleep,
};
use goroutines_tests::{alone, nothing_left_by, tcp_pair};

const LOCAL: &str = "127.0.0.1:0";

/// A listener for which a goroutine has waited, and where it is.
fn prepared() -> (TcpListener, std_net::SocketAddr) {
    let listener = TcpListener::bind(LOCAL).unwrap();
    let address = listener.local_addr().unwrap();
    let connecting = go(move || {
        sleep(Duration::from_millis(2));
        drop(TcpStream::connect(address).unwrap());
    });
    listener.accept().unwrap();
    connecting.join().unwrap();
    (listener, address)
}

fn is_nonblocking(file: &impl AsRawFd) -> bool {
    // SAFETY: takes numbers only.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    assert!(flags >= 0);
    flags & libc::O_NONBLOCK != 0
}

#[test]
fn a_listener_that_becomes_std_s_is_in_the_mode_that_its_user_wants() {
    nothing_left_by(|| {
        let (listener, _) = prepared();
        assert!(!is_nonblocking(&std_net::TcpListener::from(listener)));
        let (listener, _) = prepared();
        listener.set_nonblocking(true).unwrap();
        let listener = std_net::TcpListener::from(listener);
        assert!(is_nonblocking(&listener));
        // And back: the mode is taken over.
        let listener = TcpListener::from(listener);
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn a_clone_goes_on_to_park_after_the_other_has_become_std_s() {
    nothing_left_by(|| {
        let (listener, address) = prepared();
        let clone = listener.try_clone().unwrap();
        let std = std_net::TcpListener::from(listener);
        let deadline = Instant::now() + Duration::from_millis(20);
        let (done, is_done) = goroutines::chan::bounded::<()>(1);
        // On a listener that blocks only this would end it.
        let late = go(move || {
            let _ = is_done.recv_timeout(Duration::from_secs(10));
            drop(TcpStream::connect(address));
        });
        let start = Instant::now();
        let result = clone.accept_deadline(deadline);
        assert!(start.elapsed() < Duration::from_secs(9));
        assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
        done.send(()).unwrap();
        late.join().unwrap();
        drop((std, clone));
    });
}

#[test]
fn the_mode_that_was_set_through_the_descriptor_holds_for_goroutines() {
    nothing_left_by(|| {
        let listener = TcpListener::bind(LOCAL).unwrap();
        socket2::SockRef::from(&listener)
            .set_nonblocking(true)
            .unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn threads_that_accept_are_back_at_their_deadline() {
    nothing_left_by(|| {
        let (listener, address) = prepared();
        let listener = Arc::new(listener);
        for _ in 0..50 {
            let deadline = Instant::now() + Duration::from_millis(10);
            // The connection wakes all of them, and one gets it.
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    let listener = listener.clone();
                    thread::spawn(move || listener.accept_deadline(deadline).map(drop))
                })
                .collect();
            sleep(Duration::from_millis(2));
            drop(TcpStream::connect(address).unwrap());
            let ends: Vec<_> = blocking(|| {
                let join = |one: thread::JoinHandle<_>| one.join().unwrap();
                threads.into_iter().map(join).collect()
            });
            let errors: Vec<ErrorKind> = ends
                .into_iter()
                .filter_map(|end| Some(end.err()?.kind()))
                .collect();
            // None of them, where this goroutine was late itself.
            assert!(errors.len() >= 7);
            assert!(errors.iter().all(|&kind| kind == ErrorKind::TimedOut));
            if errors.len() == 8 {
                listener.accept().unwrap();
            }
        }
    });
}

#[test]
fn what_is_no_listener_says_so_as_with_std() {
    nothing_left_by(|| {
        let datagrams = || OwnedFd::from(std_net::UdpSocket::bind(LOCAL).unwrap());
        let ours = TcpListener::from(datagrams()).accept().unwrap_err();
        let theirs = std_net::TcpListener::from(datagrams())
            .accept()
            .unwrap_err();
        assert_eq!(ours.raw_os_error(), theirs.raw_os_error());
        let stream = || OwnedFd::from(std_net::TcpStream::from(tcp_pair().0));
        let ours = TcpListener::from(stream()).accept().unwrap_err();
        let theirs = std_net::TcpListener::from(stream()).accept().unwrap_err();
        assert_eq!(ours.raw_os_error(), theirs.raw_os_error());
    });
}

#[test]
fn connections_are_collected_until_the_listener_is_closed() {
    nothing_left_by(|| {
        let path = std::env::temp_dir().join(format!("goroutines-closed-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let closer = listener.closer().unwrap();
        let all = go(move || listener.incoming().collect::<Vec<_>>().len());
        drop(UnixStream::connect(&path).unwrap());
        sleep(Duration::from_millis(5));
        closer.close();
        assert_eq!(all.join().unwrap(), 1);
        std::fs::remove_file(path).unwrap();
    });
}

#[test]
fn a_closed_listener_accepts_nobody_who_is_queued() {
    nothing_left_by(|| {
        let listener = TcpListener::bind(LOCAL).unwrap();
        let address = listener.local_addr().unwrap();
        let closer = listener.closer().unwrap();
        let queued: Vec<_> = (0..20)
            .map(|_| std_net::TcpStream::connect(address).unwrap())
            .collect();
        assert!(listener.accept().is_ok());
        closer.close();
        assert_eq!(listener.incoming().count(), 0);
        let kind = listener.accept().unwrap_err().kind();
        assert_eq!(kind, ErrorKind::ConnectionAborted);
        let deadline = Instant::now() + Duration::from_secs(10);
        let on_a_thread = blocking(|| listener.accept_deadline(deadline).unwrap_err().kind());
        assert_eq!(on_a_thread, ErrorKind::ConnectionAborted);
        listener.set_nonblocking(true).unwrap();
        let kind = listener.accept().unwrap_err().kind();
        assert_eq!(kind, ErrorKind::ConnectionAborted);
        drop(queued);
    });
}

#[test]
fn a_port_is_free_when_its_listeners_are_dropped_although_a_closer_lives() {
    nothing_left_by(|| {
        let listener = TcpListener::bind(LOCAL).unwrap();
        let clone = listener.try_clone().unwrap();
        let address = listener.local_addr().unwrap();
        let closers = [listener.closer().unwrap(), clone.closer().unwrap()];
        let servers = [listener, clone].map(|listener| {
            go(move || {
                let end = listener.accept().unwrap_err().kind();
                assert_eq!(end, ErrorKind::ConnectionAborted);
            })
        });
        sleep(Duration::from_millis(2));
        closers[0].close();
        servers
            .into_iter()
            .for_each(|server| server.join().unwrap());
        let refused = TcpStream::connect(address).unwrap_err().kind();
        assert_eq!(refused, ErrorKind::ConnectionRefused);
        // A listener at the same port has nothing to do with the closers of the first.
        let listener = TcpListener::bind(address).unwrap();
        closers[1].close();
        drop(closers);
        let client = go(move || TcpStream::connect(address).unwrap());
        listener.accept().unwrap();
        client.join().unwrap();
    });
}

#[test]
fn a_connection_that_is_reset_in_the_queue_holds_up_no_other() {
    nothing_left_by(|| {
        let listener = TcpListener::bind(LOCAL).unwrap();
        let address = listener.local_addr().unwrap();
        for byte in 0..20_u8 {
            let reset = std_net::TcpStream::connect(address).unwrap();
            socket2::SockRef::from(&reset)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            drop(reset);
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(&[byte]).unwrap();
            drop(client);
            let served = (0..2).filter(|_| {
                let (mut server, _) = listener.accept().unwrap();
                let mut got = Vec::new();
                server.read_to_end(&mut got).is_ok() && got == [byte]
            });
            assert_eq!(served.count(), 1);
        }
    });
}

#[test]
fn twenty_thousand_connections_go_to_one_of_sixteen_each_and_none_starves() {
    const CONNECTIONS: usize = 20_000;
    const ACCEPTORS: usize = 16;
    let shares = nothing_left_by(|| {
        let listener = Arc::new(TcpListener::bind(LOCAL).unwrap());
        let address = listener.local_addr().unwrap();
        let closer = listener.closer().unwrap();
        let served: Arc<Vec<AtomicUsize>> =
            Arc::new((0..CONNECTIONS).map(|_| AtomicUsize::new(0)).collect());
        let acceptors: Vec<_> = (0..ACCEPTORS)
            .map(|_| {
                let (listener, served) = (listener.clone(), served.clone());
                go(move || {
                    let mut share = 0;
                    for stream in listener.incoming() {
                        let mut stream = stream.unwrap();
                        let mut name = [0; 4];
                        stream.read_exact(&mut name).unwrap();
                        stream.write_all(&name).unwrap();
                        served[u32::from_le_bytes(name) as usize].fetch_add(1, Ordering::Relaxed);
                        share += 1;
                    }
                    share
                })
            })
            .collect();
        let next = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..100)
            .map(|_| {
                let next = next.clone();
                go(move || {
                    loop {
                        let name = next.fetch_add(1, Ordering::Relaxed);
                        if name >= CONNECTIONS {
                            break;
                        }
                        let mut stream = TcpStream::connect(address).unwrap();
                        // The ports of this machine are few: none shall linger.
                        let stay = socket2::SockRef::from(&stream);
                        stay.set_linger(Some(Duration::ZERO)).unwrap();
                        let name = (name as u32).to_le_bytes();
                        stream.write_all(&name).unwrap();
                        let mut got = [0; 4];
                        stream.read_exact(&mut got).unwrap();
                        assert_eq!(got, name);
                    }
                })
            })
            .collect();
        clients
            .into_iter()
            .for_each(|client| client.join().unwrap());
        closer.close();
        let shares: Vec<usize> = acceptors
            .into_iter()
            .map(|one| one.join().unwrap())
            .collect();
        assert!(
            served
                .iter()
                .all(|count| count.load(Ordering::Relaxed) == 1)
        );
        shares
    });
    assert_eq!(shares.iter().sum::<usize>(), CONNECTIONS);
    let fair = CONNECTIONS / ACCEPTORS;
    assert!(
        shares.iter().all(|&share| share * 4 >= fair),
        "one of them starves: {shares:?}"
    );
}

#[test]
fn clients_that_come_together_are_all_let_in_before_any_is_accepted() {
    // The others count what is left of theirs.
    let _alone = alone(2);
    let listener = TcpListener::bind(LOCAL).unwrap();
    let address = listener.local_addr().unwrap();
    let limit = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let clients = limit.trim().parse::<usize>().unwrap().min(500);
    // A client that finds no room in the queue gets no answer, and tries again seconds later.
    let connect = || std_net::TcpStream::connect_timeout(&address, Duration::from_secs(10));
    let clients: Vec<_> = (0..clients).map(|_| connect().unwrap()).collect();
    drop(clients);
}

#[test]
fn a_group_of_listeners_shares_an_address_and_serves_all_clients() {
    nothing_left_by(|| {
        let error = TcpListener::bind_group(LOCAL, 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let group = TcpListener::bind_group(LOCAL, 4).unwrap();
        let address = group[0].local_addr().unwrap();
        let closers: Vec<_> = group.iter().map(|one| one.closer().unwrap()).collect();
        let servers: Vec<_> = group
            .into_iter()
            .map(|one| {
                assert_eq!(one.local_addr().unwrap(), address);
                go(move || {
                    one.incoming()
                        .map(|client| client.unwrap().write_all(b"x").unwrap())
                        .count()
                })
            })
            .collect();
        for _ in 0..100 {
            let mut client = TcpStream::connect(address).unwrap();
            client.read_exact(&mut [0]).unwrap();
        }
        closers.iter().for_each(|closer| closer.close());
        let served: Vec<_> = servers.into_iter().map(|one| one.join().unwrap()).collect();
        assert_eq!(served.iter().sum::<usize>(), 100);
        // Clients are spread by their ports.
        assert!(served.iter().filter(|&&one| one != 0).count() >= 2);
    });
}
