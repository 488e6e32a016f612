//! Many clients at once, most of which say nothing.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use goroutines::{
    blocking, go,
    net::{TcpListener, TcpStream},
    time::sleep,
};
use goroutines_tests::nothing_left_by;

const SILENT: usize = 10_000;
const BUSY: usize = 100;

/// Clients that say nothing hold up no other; when they are killed nothing is left of them.
#[test]
fn ten_thousand_silent_clients_hold_up_no_other_and_leave_nothing() {
    allow_descriptors();
    nothing_left_by(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let closer = listener.closer().unwrap();
        let here = Arc::new(AtomicUsize::new(0));
        let server = go({
            let here = here.clone();
            move || {
                for stream in listener.incoming() {
                    let (mut stream, here) = (stream.unwrap(), here.clone());
                    here.fetch_add(1, Ordering::Relaxed);
                    go(move || {
                        stream.write_all(&[0]).unwrap();
                        let mut buf = [0; 16];
                        while let Ok(n @ 1..) = stream.read(&mut buf) {
                            stream.write_all(&buf[..n]).unwrap();
                        }
                        here.fetch_sub(1, Ordering::Relaxed);
                    });
                }
            }
        });
        let mut silent = blocking(|| silent_clients(&address.to_string()));
        while here.load(Ordering::Relaxed) < SILENT {
            sleep(Duration::from_millis(1));
        }
        let busy: Vec<_> = (0..BUSY as u8)
            .map(|client| {
                go(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    stream.read_exact(&mut [0]).unwrap();
                    for round in 0..100 {
                        stream.write_all(&[client, round]).unwrap();
                        let mut got = [0; 2];
                        stream.read_exact(&mut got).unwrap();
                        assert_eq!(got, [client, round]);
                    }
                })
            })
            .collect();
        busy.into_iter().for_each(|client| client.join().unwrap());
        assert!(goroutines::metrics().registered >= SILENT);
        blocking(|| {
            silent.kill().unwrap();
            silent.wait().unwrap();
        });
        while here.load(Ordering::Relaxed) != 0 {
            sleep(Duration::from_millis(1));
        }
        closer.close();
        server.join().unwrap();
    });
}

/// A process that has so many, all of which are connected.
fn silent_clients(address: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockets"));
    command
        .args(["idle-clients", address, &SILENT.to_string()])
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "ready\n");
    child
}

/// As many as this process may have.
fn allow_descriptors() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the calls read and write `limit`, which lives until they return.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
    assert!(
        limit.rlim_cur >= 11_000,
        "the test needs 11000 descriptors; it may have {}",
        limit.rlim_cur
    );
}
