//! Sandboxes, and kernels, without the calls by which pipes and processes are waited for.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use goroutines::{go, io::pipe, process::Command, time::sleep};

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

fn start_once() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| start(2));
}
