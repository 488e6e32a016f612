//! may. Its channels have no bound: a bound is a semaphore beside one here, and a hand-over one with a second message back.

use std::{sync::Arc, time::Duration};

use may::{
    coroutine::{self, Builder, JoinHandle},
    sync::{
        Mutex, Semphore,
        mpsc::{Receiver, Sender, channel},
    },
};

use crate::{
    kit::Kit,
    late,
    measure::{Answer, Task},
    work,
};

pub struct May;

pub struct Bounded {
    tx: Sender<u64>,
    /// Room for so many; none yet, if each message is handed over.
    room: Arc<Semphore>,
    handed_over: bool,
}

impl Clone for Bounded {
    fn clone(&self) -> Bounded {
        Bounded {
            tx: self.tx.clone(),
            room: Arc::clone(&self.room),
            handed_over: self.handed_over,
        }
    }
}

impl Kit for May {
    const MOST: (u64, &'static str) = (20_000, "out of mappings at 32 000 coroutines");

    type Handle<T: Send + 'static> = JoinHandle<T>;
    type Sender = Bounded;
    type Receiver = (Receiver<u64>, Arc<Semphore>);
    type Mutex = Mutex<u64>;

    fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        // SAFETY: nothing here uses thread-local storage, and 32 KiB of stack are enough.
        unsafe { Builder::new().spawn(f) }.unwrap()
    }

    fn join<T: Send + 'static>(handle: JoinHandle<T>) -> T {
        handle.join().unwrap()
    }

    fn yield_now() {
        coroutine::yield_now();
    }

    fn sleep(duration: Duration) {
        coroutine::sleep(duration);
    }

    fn park_forever() {
        loop {
            coroutine::park();
        }
    }

    fn channel(capacity: usize) -> (Self::Sender, Self::Receiver) {
        let (tx, rx) = channel();
        let room = Arc::new(Semphore::new(capacity));
        let bounded = Bounded {
            tx,
            room: Arc::clone(&room),
            handed_over: capacity == 0,
        };
        (bounded, (rx, room))
    }

    fn send(tx: &Self::Sender, value: u64) {
        if tx.handed_over {
            tx.tx.send(value).unwrap();
            tx.room.wait();
        } else {
            tx.room.wait();
            tx.tx.send(value).unwrap();
        }
    }

    fn recv((rx, room): &Self::Receiver) -> u64 {
        let value = rx.recv().unwrap();
        room.post();
        value
    }

    fn recv_within((rx, room): &Self::Receiver, duration: Duration) -> u64 {
        let value = rx.recv_timeout(duration).unwrap();
        room.post();
        value
    }

    fn select4(_n: u64) -> Result<f64, String> {
        Err("its select ends the other arms: none in a loop".to_owned())
    }

    fn mutex() -> Mutex<u64> {
        Mutex::new(0)
    }

    fn with(mutex: &Mutex<u64>, f: impl FnOnce(&mut u64)) {
        f(&mut mutex.lock().unwrap());
    }
}

pub fn run(task: &Task) -> Answer {
    may::config().set_workers(task.procs);
    if ["blockers", "loops"].contains(&task.row.as_str()) {
        return late::ticker::<May>(task);
    }
    let task = task.clone();
    May::join(May::spawn(move || work::run::<May>(&task)))
}
