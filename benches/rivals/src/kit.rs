//! What a workload needs of a runtime whose tasks block: goroutines, may, OS threads.

use std::time::Duration;

use crate::measure::{Answer, Task};

/// Receives `$n` messages from whichever of four channels has one, each with a sender of its own; the nanoseconds of that.
/// A macro, since a `select!` is one.
macro_rules! select_of_four {
    ($n:expr, $channel:path, $spawn:path, $select:ident) => {{
        let n: u64 = $n;
        let pairs: [_; 4] = std::array::from_fn(|_| $channel(0));
        let start = std::time::Instant::now();
        for (tx, _) in &pairs {
            let tx = tx.clone();
            $spawn(move || (0..n / 4).for_each(|i| tx.send(i).unwrap()));
        }
        // The senders here stay: a channel whose sender has gone would always be ready.
        let [(_s, a), (_t, b), (_u, c), (_v, d)] = pairs;
        for _ in 0..n {
            $select! {
                recv(a) -> i => i.unwrap(),
                recv(b) -> i => i.unwrap(),
                recv(c) -> i => i.unwrap(),
                recv(d) -> i => i.unwrap(),
            };
        }
        Ok(start.elapsed().as_nanos() as f64)
    }};
}

pub(crate) use select_of_four;

pub trait Kit: 'static {
    /// More at once are refused, and why.
    const MOST: (u64, &'static str);

    type Handle<T: Send + 'static>: Send + 'static;
    type Sender: Clone + Send + 'static;
    type Receiver: Send + 'static;
    type Mutex: Send + Sync + 'static;

    fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Self::Handle<T>;
    fn join<T: Send + 'static>(handle: Self::Handle<T>) -> T;
    fn yield_now();
    fn sleep(duration: Duration);
    fn park_forever();

    fn channel(capacity: usize) -> (Self::Sender, Self::Receiver);
    fn send(tx: &Self::Sender, value: u64);
    fn recv(rx: &Self::Receiver) -> u64;
    /// A message that comes before its time.
    fn recv_within(rx: &Self::Receiver, duration: Duration) -> u64;
    /// Nanoseconds for so many messages, from four senders through one select.
    fn select4(n: u64) -> Result<f64, String>;

    fn mutex() -> Self::Mutex;
    fn with(mutex: &Self::Mutex, f: impl FnOnce(&mut u64));

    /// Both, perhaps at the same time.
    fn both(
        a: impl FnOnce() -> u64 + Send + 'static,
        b: impl FnOnce() -> u64 + Send + 'static,
    ) -> (u64, u64) {
        let a = Self::spawn(a);
        let b = b();
        (Self::join(a), b)
    }

    /// Ours alone has it.
    fn switch(_task: &Task) -> Answer {
        Err("has no switch without a scheduler".to_owned())
    }
}
