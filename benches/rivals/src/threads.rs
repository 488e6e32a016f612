//! OS threads with crossbeam's channels and std's mutex.

use std::{
    sync::Mutex,
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded, select};

use crate::{
    kit::{Kit, select_of_four},
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
        select_of_four!(n, bounded, thread::spawn, select)
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
