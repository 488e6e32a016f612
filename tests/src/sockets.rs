//! Sockets of tests, and what they leave behind.

use std::{fs, io::Read, path::Path, thread, time::Duration};

use goroutines::{
    go, metrics,
    net::{TcpListener, TcpStream},
    time::sleep,
};

use crate::{alone, until};

/// Both ends of a TCP connection of this machine.
///
/// # Panics
///
/// When there is none to be had.
pub fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let client = TcpStream::connect(address).expect("a connection");
    (client, listener.accept().expect("the other end").0)
}

/// What a process has of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stock {
    goroutines: u64,
    descriptors: usize,
    records: usize,
    registered: usize,
    /// What the kernel knows as registered.
    in_epoll: usize,
}

impl Stock {
    fn now() -> Stock {
        let metrics = metrics();
        Stock {
            goroutines: metrics.goroutines,
            descriptors: fs::read_dir("/proc/self/fd").expect("/proc").count(),
            records: metrics.sockets,
            registered: metrics.registered,
            in_epoll: in_epoll(),
        }
    }

    /// Returns whether no more is there than before. The runtime opens files of its own for a moment, also while the stock
    /// before is taken.
    fn is_as(&self, before: &Stock) -> bool {
        let descriptors = before.descriptors;
        self.descriptors <= descriptors
            && Stock {
                descriptors,
                ..*self
            } == *before
    }
}

/// How many descriptors the kernel knows as registered with the epolls of this process.
///
/// # Panics
///
/// Without /proc.
pub fn in_epoll() -> usize {
    let is_epoll = |entry: &fs::DirEntry| {
        fs::read_link(entry.path()).is_ok_and(|file| file.ends_with("anon_inode:[eventpoll]"))
    };
    let registrations = |entry: fs::DirEntry| {
        let info = Path::new("/proc/self/fdinfo").join(entry.file_name());
        let info = fs::read_to_string(info).expect("/proc");
        info.lines().filter(|line| line.starts_with("tfd:")).count()
    };
    let descriptors = fs::read_dir("/proc/self/fd").expect("/proc").flatten();
    descriptors.filter(is_epoll).map(registrations).sum()
}

/// Runs `f` on a goroutine, while no other test of the process that calls this one runs. Afterwards there are as many
/// goroutines, descriptors, records of sockets and registrations as before.
///
/// # Panics
///
/// When something is left, and when `f` does.
#[track_caller]
pub fn nothing_left_by<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let _alone = alone(2);
    // The poller's own descriptors come with the first wait.
    let warm = go(|| {
        let (client, server) = tcp_pair();
        let reader = go(move || (&server).read(&mut [0]));
        sleep(Duration::from_millis(1));
        drop(client);
        reader.join().expect("it reads").expect("the end");
    });
    warm.join().expect("a connection");
    until("the goroutines before this test end", || {
        metrics().goroutines == 0
    });
    let before = Stock::now();
    let result = go(f).join();
    let mut after = Stock::now();
    for _ in 0..5000 {
        if after.is_as(&before) || result.is_err() {
            break;
        }
        thread::sleep(Duration::from_millis(1));
        after = Stock::now();
    }
    match result {
        Ok(result) => {
            assert!(
                after.is_as(&before),
                "something is left: {after:?} after {before:?}"
            );
            result
        }
        Err(payload) => std::panic::resume_unwind(payload),
    }
}
