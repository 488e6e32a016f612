//! The other side ends its half of a connection at each step of a read: before the call, between the call and the note of
//! what it said, before and after the registration, while the reader waits, after it was woken. All bytes come, then the end.
//!
//! The reader makes the steps of a socket's read itself, on the scheduler's functions for them, and the step at which the
//! other side acts is a number: first the first, then the second, and so on.

use std::{
    cell::Cell,
    io::{self, Read, Write},
    net::{self as std_net, Shutdown},
    os::{fd::AsRawFd, unix::net as std_unix},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use goroutines::{go, time::sleep};
use goroutines_sched::{Interest, IoSource, IoWait};
use goroutines_tests::nothing_left_by;

/// More than a reader makes until it has waited three times.
const STEPS: usize = 24;

/// Time for the poller to announce what came.
const SETTLED: Duration = Duration::from_micros(300);

/// What the other side does.
#[derive(Clone, Copy, Debug)]
struct Act {
    /// Bytes that come first.
    bytes: usize,
    end: End,
    /// The reader goes on before the poller has announced it.
    at_once: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// With the bytes, in one event.
    With,
    /// In an event of its own.
    Apart,
    /// When the reader has the bytes: no later event helps it to them.
    AfterRead,
}

/// A connection of std, in non-blocking mode on the side of the reader.
trait Stream: AsRawFd + Send + Sync + Sized + 'static {
    fn pair() -> (Self, Self);
    fn recv(&self, buf: &mut [u8]) -> io::Result<usize>;
    fn send(&self, bytes: &[u8]);
    fn end(&self);
    /// Whether a read that got less than it asked for shows that there is no more.
    const IS_SHORT: bool;
}

macro_rules! stream {
    ($type:ty, $is_short:literal, $pair:expr) => {
        impl Stream for $type {
            const IS_SHORT: bool = $is_short;

            fn pair() -> (Self, Self) {
                let (reader, other) = $pair;
                reader.set_nonblocking(true).unwrap();
                (reader, other)
            }

            fn recv(mut self: &Self, buf: &mut [u8]) -> io::Result<usize> {
                self.read(buf)
            }

            fn send(mut self: &Self, bytes: &[u8]) {
                self.write_all(bytes).unwrap();
            }

            fn end(&self) {
                self.shutdown(Shutdown::Write).unwrap();
            }
        }
    };
}

stream!(std_net::TcpStream, true, {
    let listener = std_net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other = std_net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, other)
});
stream!(
    std_unix::UnixStream,
    false,
    std_unix::UnixStream::pair().unwrap()
);

/// The other side: a byte from time to time, until it acts.
struct Other<S> {
    stream: S,
    /// What was sent, and whether that is all.
    sent: Mutex<(Vec<u8>, bool)>,
    /// How much the reader has.
    read: AtomicUsize,
}

impl<S: Stream> Other<S> {
    /// False: all was sent.
    fn send_one(&self) -> bool {
        let mut sent = self.sent.lock().unwrap();
        if !sent.1 {
            self.send_to(&mut sent.0, 1);
        }
        !sent.1
    }

    /// Returns how many there are then.
    fn send_to(&self, sent: &mut Vec<u8>, count: usize) -> usize {
        let from = sent.len();
        sent.extend((from..from + count).map(|n| n as u8));
        self.stream.send(&sent[from..]);
        sent.len()
    }

    fn act(self: &Arc<Self>, act: Act) {
        let mut sent = self.sent.lock().unwrap();
        sent.1 = true;
        let count = self.send_to(&mut sent.0, act.bytes);
        drop(sent);
        match act.end {
            End::With => self.stream.end(),
            End::Apart => {
                sleep(SETTLED);
                self.stream.end();
            }
            End::AfterRead => {
                let this = self.clone();
                go(move || {
                    while this.read.load(SeqCst) < count {
                        sleep(SETTLED);
                    }
                    this.stream.end();
                });
            }
        }
        if !act.at_once {
            sleep(SETTLED);
        }
    }
}

/// Reads to the end; `step` is called at each step. The steps are those of io_line.rs.
fn read_all<S: Stream>(stream: &S, io: &IoSource, read: &AtomicUsize, step: impl Fn()) -> Vec<u8> {
    let late = Instant::now() + Duration::from_secs(20);
    let mut all = Vec::new();
    loop {
        let mut buf = [0; 64];
        step(); // before W1
        let call = || {
            step(); // between W1 and W2
            let result = stream.recv(&mut buf);
            step(); // between the call and the note of its result
            result
        };
        let takes_all = |&n: &usize| S::IS_SHORT && n != 0 && n < 64;
        match io.attempt(Interest::Read, false, call, takes_all) {
            Some(result) => match result.unwrap() {
                0 => return all,
                n => {
                    all.extend_from_slice(&buf[..n]);
                    read.store(all.len(), SeqCst);
                }
            },
            None => {
                step(); // between W2 and W3
                match io
                    .wait(stream.as_raw_fd(), Interest::Read, Some(late))
                    .unwrap()
                {
                    IoWait::Ready => step(), // after R1 to R4, and after W6
                    other => panic!("{other:?} after {all:?}: nobody wakes the reader"),
                }
            }
        }
    }
}

fn ends_at_each_step<S: Stream>() {
    for (bytes, end) in [
        (0, End::With),
        (3, End::With),
        (3, End::Apart),
        (3, End::AfterRead),
    ] {
        for at_once in [true, false] {
            let act = Act {
                bytes,
                end,
                at_once,
            };
            (1..=STEPS).for_each(|at| ends_at::<S>(act, at));
        }
    }
}

fn ends_at<S: Stream>(act: Act, at: usize) {
    let (reader, stream) = S::pair();
    let other = Arc::new(Other {
        stream,
        sent: Mutex::default(),
        read: AtomicUsize::new(0),
    });
    let feeder = go({
        let other = other.clone();
        move || {
            while other.send_one() {
                sleep(SETTLED);
            }
        }
    });
    let mut io = IoSource::new();
    let steps = Cell::new(0);
    let got = read_all(&reader, &io, &other.read, || {
        steps.set(steps.get() + 1);
        if steps.get() == at {
            other.act(act);
        }
    });
    assert!(steps.get() >= at, "{act:?} at step {at} did not come");
    feeder.join().unwrap();
    assert_eq!(got, other.sent.lock().unwrap().0, "{act:?} at step {at}");
    // The end stays.
    let rest = read_all(&reader, &io, &other.read, || ());
    assert_eq!(rest, [], "{act:?} at step {at}");
    io.release(reader.as_raw_fd(), true);
}

#[test]
fn all_bytes_come_before_the_end_at_whatever_step_of_a_tcp_read_it_comes() {
    nothing_left_by(ends_at_each_step::<std_net::TcpStream>);
}

#[test]
fn all_bytes_come_before_the_end_at_whatever_step_of_a_unix_read_it_comes() {
    nothing_left_by(ends_at_each_step::<std_unix::UnixStream>);
}
