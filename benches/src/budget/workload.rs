//! What the operations do: each function does about `n` of them, and the calling goroutine takes part.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use goroutines::chan::{self, select};
use goroutines::sync::{Mutex, OnceLock, RwLock};
use goroutines::{JoinHandle, go, join, sleep, yield_now};

const ENDED: &str = "it does not panic";

fn all_end(all: Vec<JoinHandle<()>>) {
    all.into_iter().for_each(|one| one.join().expect(ENDED));
}

fn among(goroutines: u64, n: u64) {
    let each = n / goroutines;
    let others = (1..goroutines).map(|_| go(move || (0..each).for_each(|_| yield_now())));
    let others: Vec<_> = others.collect();
    (0..each).for_each(|_| yield_now());
    all_end(others);
}

pub(super) fn yields(n: u64) {
    among(2, n);
}

pub(super) fn yields_1000(n: u64) {
    among(1000, n);
}

/// With a yield after each message, where the other pairs are to run between.
fn pairs(pairs: u64, capacity: usize, n: u64, yields: bool) {
    let each = n / pairs;
    let both = |_| {
        let (tx, rx) = chan::bounded(capacity);
        let sender = go(move || (0..each).for_each(|i| tx.send(i).expect(ENDED)));
        let receiver = go(move || {
            for i in 0..each {
                assert_eq!(rx.recv(), Ok(i));
                if yields {
                    yield_now();
                }
            }
        });
        [sender, receiver]
    };
    all_end((0..pairs).flat_map(both).collect());
}

pub(super) fn unbuffered(n: u64) {
    pairs(1, 0, n, false);
}

pub(super) fn unbuffered_500(n: u64) {
    pairs(500, 0, n, true);
}

pub(super) fn buffered(n: u64) {
    pairs(1, 128, n, false);
}

pub(super) fn spawn(n: u64) {
    (0..n).for_each(|_| go(|| ()).join().expect(ENDED));
}

fn rounds(size: u64, n: u64) {
    (0..n / size).for_each(|_| all_end((0..size).map(|_| go(|| ())).collect()));
}

pub(super) fn spawn_1000(n: u64) {
    rounds(1000, n);
}

pub(super) fn spawn_10_000(n: u64) {
    rounds(10_000, n);
}

pub(super) fn mutex_free(n: u64) {
    let mutex = Mutex::new(0);
    (0..n).for_each(|_| *black_box(&mutex).lock().expect(ENDED) += 1);
}

/// Each gives way while it holds the lock, so that the other has to wait for it, and again after, so that the other gets it.
pub(super) fn mutex_contended(n: u64) {
    let mutex = Arc::new(Mutex::new(0_u64));
    let half = move |mutex: &Mutex<u64>| {
        for _ in 0..n / 2 {
            let mut guard = mutex.lock().expect(ENDED);
            *guard += 1;
            yield_now();
            drop(guard);
            yield_now();
        }
    };
    let shared = Arc::clone(&mutex);
    let other = go(move || half(&shared));
    half(&mutex);
    other.join().expect(ENDED);
}

macro_rules! received {
    ($channels:expr) => {{
        let [a, b, c, d] = $channels;
        select! {
            recv(a) -> i => i.expect(ENDED),
            recv(b) -> i => i.expect(ENDED),
            recv(c) -> i => i.expect(ENDED),
            recv(d) -> i => i.expect(ENDED),
        }
    }};
}

/// With the send to one of the four before it.
pub(super) fn select_ready(n: u64) {
    let (tx, rx): (Vec<_>, Vec<_>) = (0..4).map(|_| chan::bounded::<u64>(1)).unzip();
    let rx = [&rx[0], &rx[1], &rx[2], &rx[3]];
    for i in 0..n {
        tx[i as usize % 4].send(i).expect(ENDED);
        assert_eq!(received!(rx), i);
    }
}

/// With the goroutine that sends, to one after the other.
pub(super) fn select_waits(n: u64) {
    let (tx, rx): (Vec<_>, Vec<_>) = (0..4).map(|_| chan::bounded::<u64>(0)).unzip();
    let rx = [&rx[0], &rx[1], &rx[2], &rx[3]];
    let send = move || (0..n).for_each(|i| tx[i as usize % 4].send(i).expect(ENDED));
    let sender = go(send);
    (0..n).for_each(|i| assert_eq!(received!(rx), i));
    sender.join().expect(ENDED);
}

/// Among so many that one of them is always due, and no M waits for the clock.
pub(super) fn sleeps(n: u64) {
    const SLEEPERS: u64 = 100;
    let sleeper = move || (0..n / SLEEPERS).for_each(|_| sleep(Duration::from_nanos(1)));
    all_end((0..SLEEPERS).map(|_| go(sleeper)).collect());
}

/// A message comes long before its time.
pub(super) fn timer_cancelled(n: u64) {
    let (tx, rx) = chan::bounded(0);
    let sender = go(move || (0..n).for_each(|i| tx.send(i).expect(ENDED)));
    let hour = Duration::from_secs(3600);
    (0..n).for_each(|i| assert_eq!(rx.recv_timeout(hour), Ok(i)));
    sender.join().expect(ENDED);
}

pub(super) fn once(n: u64) {
    let cell = OnceLock::new();
    for i in 0..n {
        black_box(black_box(&cell).get_or_init(|| i));
    }
}

pub(super) fn read(n: u64) {
    let lock = RwLock::new(1);
    for _ in 0..n {
        black_box(*black_box(&lock).read().expect(ENDED));
    }
}

pub(super) fn write(n: u64) {
    let lock = RwLock::new(0);
    (0..n).for_each(|_| *black_box(&lock).write().expect(ENDED) += 1);
}

pub(super) fn fork_join(n: u64) {
    for i in 0..n {
        black_box(join(|| black_box(i), || black_box(i)));
    }
}
