//! Sandboxes, and kernels, without the calls by which pipes and processes are waited for.

use std::{
    future::poll_fn,
    io::{Read, Write},
    time::{Duration, Instant},
};

use goroutines::{
    block_on, go,
    io::pipe,
    net::{Polled, UdpSocket, unix::UnixStream},
    process::Command,
    time::sleep,
};

use crate::{
    filter::{Refused, refuse},
    start,
};

/// `preadv2` and `pwritev2` are refused with the first argument: a pipe works in `blocking` then.
pub(crate) fn pipes() {
    for errno in [libc::EOPNOTSUPP, libc::ENOSYS, libc::EPERM] {
        let calls = [libc::SYS_preadv2, libc::SYS_pwritev2];
        refuse(&calls.map(|call| Refused::always(call, errno)), true);
        start_once();
        go(|| {
            let (mut reader, mut writer) = pipe().expect("a pipe");
            let other = go(move || {
                let mut text = String::new();
                reader.read_to_string(&mut text).map(|_| text)
            });
            // The reader waits, and this goroutine runs.
            sleep(Duration::from_millis(5));
            writer.write_all(b"through").expect("it is written");
            drop(writer);
            println!("{}", other.join().expect("no panic").expect("it is read"));
        })
        .join()
        .expect("no panic");
    }
}

/// No descriptor for a child: it is waited for in `blocking`, and looked at from time to time up to a deadline.
pub(crate) fn pidfd() {
    for errno in [libc::ENOSYS, libc::EPERM] {
        refuse(&[Refused::always(libc::SYS_pidfd_open, errno)], true);
        start_once();
        go(|| {
            let shell = |script: &str| {
                let mut command = Command::new("sh");
                command.args(["-c", script]).spawn().expect("a shell")
            };
            let status = shell("sleep 0.02; exit 3").wait().expect("its status");
            let mut long = shell("exec sleep 60");
            let soon = Instant::now() + Duration::from_millis(20);
            let late = long.wait_deadline(soon).expect("no error");
            long.kill().expect("it is there");
            let killed = long.wait_deadline(Instant::now() + Duration::from_secs(60));
            let killed = killed.expect("no error").expect("its end");
            println!(
                "{:?} {} {}",
                status.code(),
                late.is_none(),
                killed.success()
            );
        })
        .join()
        .expect("no panic");
    }
}

/// The poller takes no more sockets: a call that waits blocks, with a thread, and nothing counts as registered. Futures
/// cannot wait, and say so.
pub(crate) fn registrations() {
    start_once();
    // The poller's own come with the first wait.
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let soon = Some(Duration::from_millis(1));
    socket.set_read_timeout(soon).expect("a timeout");
    go(move || socket.recv(&mut [0]).expect_err("nobody sends"))
        .join()
        .expect("no panic");
    for errno in [libc::ENOSPC, libc::ENOMEM] {
        let add = Refused {
            argument: Some((1, libc::EPOLL_CTL_ADD as u32)),
            ..Refused::always(libc::SYS_epoll_ctl, errno)
        };
        refuse(&[add], true);
        go(move || {
            let (mut one, mut other) = UnixStream::pair().expect("a pair");
            let reader = go(move || {
                let mut got = [0];
                one.read_exact(&mut got).map(|()| (one, got[0]))
            });
            sleep(Duration::from_millis(5));
            other.write_all(b"x").expect("it is sent");
            let (one, got) = reader.join().expect("no panic").expect("it is read");
            assert_eq!(got, b'x');
            let mut polled = Polled::new(one);
            let future = poll_fn(|cx| polled.poll_read(cx, &mut [0]));
            let error = block_on(future).expect_err("no wait");
            drop((polled, other));
            let metrics = goroutines::metrics();
            println!(
                "{} {} {}",
                error.kind(),
                metrics.sockets,
                metrics.registered
            );
        })
        .join()
        .expect("no panic");
    }
}

fn start_once() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| start(2));
}
