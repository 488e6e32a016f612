//! No descriptors are left.

use std::{
    fs::File,
    io::{Read, Write},
    net as std_net,
    os::fd::AsRawFd,
    thread,
    time::{Duration, Instant},
};

use goroutines::{
    go,
    net::{TcpListener, TcpStream, UdpSocket},
    time::sleep,
};

use super::{
    filter::{Refused, refuse},
    start,
};

fn limit() -> libc::rlimit {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the call writes to `limit`, which lives until it returns.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    assert_eq!(result, 0);
    limit
}

/// No descriptor from `number` on.
fn allow(number: u64) {
    let limit = libc::rlimit {
        rlim_cur: number,
        ..limit()
    };
    // SAFETY: the call reads `limit`, which lives until it returns.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(result, 0);
}

/// As many as are open now, and so many more.
fn allow_more(more: u64) {
    let next = File::open("/dev/null").expect("a descriptor");
    allow(next.as_raw_fd() as u64 + more);
}

/// Connections wait while there are no descriptors, and are served when there are.
pub(crate) fn no_descriptors() {
    start(2);
    let many = limit().rlim_cur;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let clients: Vec<_> = (0..20_u8)
        .map(|byte| {
            let mut client = std_net::TcpStream::connect(address).expect("it is queued");
            client.write_all(&[byte]).expect("it is sent");
            client
        })
        .collect();
    // The poller has its own.
    go(|| {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let timeout = Some(Duration::from_millis(1));
        socket.set_read_timeout(timeout).expect("a timeout");
        let _ = socket.recv(&mut [0]);
    })
    .join()
    .expect("a goroutine");
    allow_more(0);
    let server = go(move || {
        let (mut errors, mut bytes) = (Vec::new(), Vec::new());
        while bytes.len() < 20 {
            match listener.accept() {
                Ok((mut stream, _)) => {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).expect("it was sent");
                    bytes.push(byte[0]);
                }
                Err(error) => errors.push(error.raw_os_error()),
            }
        }
        (errors, bytes)
    });
    thread::sleep(Duration::from_millis(500));
    allow(many);
    let (errors, bytes) = server.join().expect("a server");
    // A loop that ignores errors does not spin: 5, 10, 20 .. ms between them.
    assert!((2..=8).contains(&errors.len()), "{errors:?}");
    assert!(errors.iter().all(|&error| error == Some(libc::EMFILE)));
    assert!(bytes.into_iter().eq(0..20));
    drop(clients);
    println!("served");
}

/// The table of files of the whole system is full: a filter answers so, until the process ends.
pub(crate) fn no_files() {
    start(2);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let _queued = std_net::TcpStream::connect(address).expect("it is queued");
    let begin = Instant::now();
    let calls = [libc::SYS_accept4, libc::SYS_socket];
    refuse(&calls.map(|call| Refused::always(call, libc::ENFILE)), true);
    let server = go(move || {
        let mut errors = Vec::new();
        while begin.elapsed() < Duration::from_millis(300) {
            errors.push(listener.accept().map(drop));
        }
        errors
    });
    let client = go(move || TcpStream::connect(address).map(drop));
    // Others run while the server waits for files.
    for _ in 0..20 {
        go(|| sleep(Duration::from_millis(1)))
            .join()
            .expect("a goroutine");
    }
    let client = client.join().expect("a client").expect_err("no socket");
    let theirs = std_net::TcpStream::connect(address).expect_err("no socket");
    assert_eq!(client.raw_os_error(), theirs.raw_os_error());
    let errors = server.join().expect("a server");
    // A loop that ignores errors does not spin: 5, 10, 20 .. ms between them.
    assert!((2..=8).contains(&errors.len()), "{errors:?}");
    for error in errors {
        let error = error.expect_err("no file").raw_os_error();
        assert_eq!(error, Some(libc::ENFILE));
    }
    println!("backed off");
}

/// The first wait finds no descriptor for the poller: the call blocks, with a thread, and a later one is polled for.
pub(crate) fn no_descriptors_for_the_poller() {
    start(2);
    let many = limit().rlim_cur;
    let listener = std_net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let mut client = std_net::TcpStream::connect(address).expect("a connection");
    let server = listener.accept().expect("a client").0;
    let listener = TcpListener::from(listener);
    // One for an accept that waits; the poller needs more.
    allow_more(1);
    let reader = go(move || {
        let mut server = TcpStream::from(server);
        let mut got = [0; 2];
        server.read_exact(&mut got[..1]).expect("it comes");
        (server, got[0])
    });
    thread::sleep(Duration::from_millis(50));
    client.write_all(&[7]).expect("it is sent");
    let (mut server, got) = reader.join().expect("a reader");
    assert_eq!((got, goroutines::metrics().registered), (7, 0));
    let accepts = go(move || {
        let deadline = Instant::now() + Duration::from_millis(50);
        listener
            .accept_deadline(deadline)
            .map(drop)
            .expect_err("no client")
            .kind()
    });
    println!("{:?}", accepts.join().expect("a goroutine"));
    allow(many);
    let reader = go(move || {
        let mut got = [0];
        server.read_exact(&mut got).expect("it comes");
        (got[0], goroutines::metrics().registered)
    });
    // It finds nothing, and registers.
    while goroutines::metrics().registered == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    client.write_all(&[8]).expect("it is sent");
    assert_eq!(reader.join().expect("a reader"), (8, 1));
    go(|| sleep(Duration::from_millis(1)))
        .join()
        .expect("a goroutine");
    println!("served");
}
