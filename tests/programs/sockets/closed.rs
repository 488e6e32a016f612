//! A program that closes, or replaces, the descriptors of the poller.

use std::{
    fs::{self, File},
    io::Read,
    os::fd::AsRawFd,
    thread,
    time::Duration,
};

use goroutines::{blocking, go, net::unix::UnixStream};

use super::start;

/// The number of the first descriptor of this kind.
fn number_of(kind: &str) -> i32 {
    let descriptors = fs::read_dir("/proc/self/fd").expect("/proc").flatten();
    let numbers = descriptors.filter_map(|entry| {
        let file = fs::read_link(entry.path()).ok()?;
        file.ends_with(kind)
            .then(|| entry.file_name().to_str()?.parse().ok())?
    });
    numbers.min().expect("the poller has one")
}

/// Closes all from 3 on, as daemons do.
pub(crate) fn all() {
    // SAFETY: takes numbers only. What is closed here, nothing of this program uses later.
    sleeping(|| unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) == 0 });
}

/// Closes one of the poller's.
pub(crate) fn one(kind: &str) {
    let kind = format!("anon_inode:[{kind}]");
    // SAFETY: takes a number only.
    sleeping(|| unsafe { libc::close(number_of(&kind)) == 0 });
}

/// The file at `path` gets the number of the descriptor by which the sleeping poller is interrupted.
pub(crate) fn replaced(path: &str) {
    let file = File::create(path).expect("a file");
    // SAFETY: takes numbers only.
    sleeping(|| unsafe { libc::dup2(file.as_raw_fd(), number_of("anon_inode:[eventfd]")) >= 0 });
}

/// Calls `close` while a thread sleeps in the poller, and goes on.
fn sleeping(close: impl FnOnce() -> bool) {
    start(2);
    let (mut one, _other) = go(UnixStream::pair)
        .join()
        .expect("a goroutine")
        .expect("a pair");
    let _reader = go(move || one.read(&mut [0]));
    while goroutines::metrics().registered == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(50));
    assert!(close(), "{}", std::io::Error::last_os_error());
    // They need more threads than there are, so the one that sleeps in the poll is called as well.
    let many = (0..16).map(|_| go(|| blocking(|| thread::sleep(Duration::from_millis(100)))));
    for one in many.collect::<Vec<_>>() {
        one.join().expect("a goroutine");
    }
    println!("went on");
}
