//! Signals in the middle of everything.

use std::{
    io::{ErrorKind, IoSlice, Read, Write},
    mem, ptr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use goroutines::{
    go,
    io::pipe,
    net::{TcpListener, TcpStream, UdpSocket, unix::UnixStream},
    process::Command,
    time::sleep,
};

use super::{ask, serve, start};

static SIGNALS: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// A thousand signals a second, of which each interrupts the system call that it meets.
fn storm_begins() {
    // SAFETY: a handler of zeros is valid, and the fields that matter are set.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    let handler: extern "C" fn(libc::c_int) = count;
    action.sa_sigaction = handler as usize;
    // On the alternate stack: the handler may meet a small one. No SA_RESTART.
    action.sa_flags = libc::SA_ONSTACK;
    let period = libc::timeval {
        tv_sec: 0,
        tv_usec: 1000,
    };
    let timer = libc::itimerval {
        it_interval: period,
        it_value: period,
    };
    // SAFETY: both live through the calls, which read them; the handler only counts.
    let set = unsafe {
        libc::sigaction(libc::SIGALRM, &raw const action, ptr::null_mut()) == 0
            && libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut()) == 0
    };
    assert!(set, "{}", std::io::Error::last_os_error());
}

pub(crate) fn storm() {
    start(2);
    storm_begins();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    go(move || serve(listener));
    let clients: Vec<_> = (0..20_u8)
        .map(|client| {
            go(move || {
                for round in 0..20 {
                    let mut stream = TcpStream::connect(address).expect("a connection");
                    ask(&mut stream, client);
                    sleep(Duration::from_millis(2));
                    ask(&mut stream, round);
                    let timeout = Duration::from_millis(5);
                    stream.set_read_timeout(Some(timeout)).expect("a timeout");
                    let begin = Instant::now();
                    let error = stream.read(&mut [0]).expect_err("time is over");
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    assert!(begin.elapsed() >= timeout);
                }
            })
        })
        .collect();
    let datagrams = go(|| {
        let one = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let here = one.local_addr().expect("its address");
        for byte in 0..100 {
            let other = one.try_clone().expect("a clone");
            let late = go(move || {
                sleep(Duration::from_millis(1));
                other.send_to(&[byte], here).expect("it is sent");
            });
            let mut got = [0];
            one.recv_from(&mut got).expect("it comes");
            assert_eq!(got, [byte]);
            late.join().expect("a goroutine");
        }
    });
    let pipes = go(pipes_and_children);
    for client in clients {
        client.join().expect("a client");
    }
    datagrams.join().expect("datagrams");
    pipes.join().expect("pipes");
    assert!(SIGNALS.load(Ordering::Relaxed) > 50);
    println!("nobody sees a signal");
}

fn pipes_and_children() {
    let (mut reader, mut writer) = pipe().expect("a pipe");
    let sum = go(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).expect("it is read");
        all.iter().map(|&byte| u64::from(byte)).sum::<u64>()
    });
    for _ in 0..100 {
        writer.write_all(&[1; 10_000]).expect("it is written");
        sleep(Duration::from_micros(500));
    }
    drop(writer);
    assert_eq!(sum.join().expect("a goroutine"), 1_000_000);
    for _ in 0..20 {
        let mut sleeper = Command::new("sleep");
        let status = sleeper.arg("0.01").status().expect("its status");
        assert!(status.success());
    }
}

/// SIGPIPE kills, as it does in a program in C; a write to nobody does not raise it.
pub(crate) fn broken_pipes() {
    // SAFETY: the call takes numbers only; the default action is what a C program begins with.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    start(2);
    go(|| {
        let (mut one, other) = UnixStream::pair().expect("a pair");
        drop(other);
        println!("{:?}", one.write(b"x").expect_err("nobody reads").kind());
        let parts = [IoSlice::new(b"x")];
        println!(
            "{:?}",
            one.write_vectored(&parts).expect_err("nobody reads").kind()
        );
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let mut client = TcpStream::connect(address).expect("a connection");
        drop(listener.accept().expect("a client"));
        let error = loop {
            match client.write_all(b"x") {
                Ok(()) => sleep(Duration::from_millis(1)),
                Err(error) => break error,
            }
        };
        assert!(matches!(
            error.kind(),
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
        ));
        println!("{:?}", client.write(b"x").expect_err("nobody reads").kind());
    })
    .join()
    .expect("a goroutine");
}
