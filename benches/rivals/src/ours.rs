//! Goroutines.

use std::time::Duration;

use goroutines::{
    Config, JoinHandle,
    chan::{self, select},
    go, join, sleep,
    sync::Mutex,
    thread, yield_now,
};

use crate::{
    kit::{Kit, select_of_four},
    late,
    measure::{Answer, Task},
    raw, work,
};

pub struct Ours;

impl Kit for Ours {
    const MOST: (u64, &'static str) = (u64::MAX, "");

    type Handle<T: Send + 'static> = JoinHandle<T>;
    type Sender = chan::Sender<u64>;
    type Receiver = chan::Receiver<u64>;
    type Mutex = Mutex<u64>;

    fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        go(f)
    }

    fn join<T: Send + 'static>(handle: JoinHandle<T>) -> T {
        handle.join().unwrap()
    }

    fn yield_now() {
        yield_now();
    }

    fn sleep(duration: Duration) {
        sleep(duration);
    }

    fn park_forever() {
        loop {
            thread::park();
        }
    }

    fn channel(capacity: usize) -> (Self::Sender, Self::Receiver) {
        chan::bounded(capacity)
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
        select_of_four!(n, chan::bounded, go, select)
    }

    fn mutex() -> Mutex<u64> {
        Mutex::new(0)
    }

    fn with(mutex: &Mutex<u64>, f: impl FnOnce(&mut u64)) {
        f(&mut mutex.lock().unwrap());
    }

    fn both(
        a: impl FnOnce() -> u64 + Send + 'static,
        b: impl FnOnce() -> u64 + Send + 'static,
    ) -> (u64, u64) {
        join(a, b)
    }

    fn switch(task: &Task) -> Answer {
        raw::ours(task)
    }
}

pub fn run(task: &Task) -> Answer {
    // SAFETY: nothing here keeps an address of a thread-local over a call that can park.
    unsafe { Config::new().procs(task.procs).start() }.map_err(|error| error.to_string())?;
    if ["blockers", "loops"].contains(&task.row.as_str()) {
        return late::ticker::<Ours>(task);
    }
    let task = task.clone();
    let ended = go(move || work::run::<Ours>(&task)).join();
    ended.map_err(|_| "it panicked".to_owned())?
}
