//! OS threads with crossbeam's channels and std's mutex.

use std::{
    sync::Mutex,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded, select};

use crate::{
    kit::Kit,
    late,
    measure::{Answer, Task},
    work,
};

pub struct Threads;

impl Kit for Threads {
    const MOST: (u64, &'static str) = (5000, "not so many threads");

    type Handle<T: Send + 'static> = JoinHandle<T>;
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;
    type Mutex = Mutex<u64>;

    fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        thread::spawn(f)
    }

    fn join<T: Send + 'static>(handle: JoinHandle<T>) -> T {
        handle.join().unwrap()
    }

    fn yield_now() {
        thread::yield_now();
    }

    fn sleep(duration: Duration) {
        thread::sleep(duration);
    }

    fn park_forever() {
        loop {
            thread::park();
        }
    }

    fn channel(capacity: usize) -> (Self::Sender, Self::Receiver) {
        bounded(capacity)
    }

    fn send(tx: &Self::Sender, value: u64) {
        tx.send(value).unwrap();
    }

    fn recv(rx: &Self::Receiver) -> u64 {
        rx.recv().unwrap()
    }

    fn recv_within(rx: &Self::Receiver, duration: Duration) -> u64 {
        rx.recv_timeout(duration).unwrap()
    }

    fn select4(n: u64) -> Result<f64, String> {
        let pairs: [_; 4] = std::array::from_fn(|_| bounded::<u64>(0));
        let start = Instant::now();
        for (tx, _) in &pairs {
            let tx = tx.clone();
            thread::spawn(move || (0..n / 4).for_each(|i| tx.send(i).unwrap()));
        }
        // The senders here stay: a channel whose sender has gone would always be ready.
        let [(_s, a), (_t, b), (_u, c), (_v, d)] = pairs;
        for _ in 0..n {
            select! {
                recv(a) -> i => i.unwrap(),
                recv(b) -> i => i.unwrap(),
                recv(c) -> i => i.unwrap(),
                recv(d) -> i => i.unwrap(),
            };
        }
        Ok(start.elapsed().as_nanos() as f64)
    }

    fn mutex() -> Mutex<u64> {
        Mutex::new(0)
    }

    fn with(mutex: &Mutex<u64>, f: impl FnOnce(&mut u64)) {
        f(&mut mutex.lock().unwrap());
    }
}

pub fn run(task: &Task) -> Answer {
    if ["blockers", "loops"].contains(&task.row.as_str()) {
        return late::ticker::<Threads>(task);
    }
    work::run::<Threads>(task)
}
