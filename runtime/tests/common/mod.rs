//! What the tests of this crate share. Each test file is a process with one runtime.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]

use std::{
    sync::{
        Arc, Once,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// Starts the runtime of this test process, with the first caller's number of Ps.
pub fn start(procs: usize) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: no test keeps thread-local storage over a call that can park.
        unsafe { goroutines::Config::new().procs(procs).start() }.unwrap();
    });
}

/// Where a piece of a test runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum On {
    Goroutine,
    Thread,
}

/// Sender's side and receiver's side, in all combinations.
pub const PAIRS: [(On, On); 4] = [
    (On::Goroutine, On::Goroutine),
    (On::Goroutine, On::Thread),
    (On::Thread, On::Goroutine),
    (On::Thread, On::Thread),
];

pub enum Handle<T> {
    Goroutine(goroutines::JoinHandle<T>),
    Thread(thread::JoinHandle<T>),
}

impl On {
    pub fn spawn<T, F>(self, f: F) -> Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        match self {
            On::Goroutine => Handle::Goroutine(goroutines::go(f)),
            On::Thread => Handle::Thread(thread::spawn(f)),
        }
    }
}

impl<T> Handle<T> {
    pub fn try_join(self) -> thread::Result<T> {
        match self {
            Handle::Goroutine(handle) => handle.join(),
            Handle::Thread(handle) => handle.join(),
        }
    }

    pub fn join(self) -> T {
        self.try_join().unwrap()
    }

    pub fn is_finished(&self) -> bool {
        match self {
            Handle::Goroutine(handle) => handle.is_finished(),
            Handle::Thread(handle) => handle.is_finished(),
        }
    }
}

/// Long enough, as a rule, for every goroutine that can run to have run, also where the machine has stood still meanwhile:
/// used to see that one waits, never to rely on it.
pub fn settle() {
    for _ in 0..4 {
        goroutines::sleep(Duration::from_millis(5));
        goroutines::go(goroutines::yield_now).join().unwrap();
    }
}

/// Waits until `condition` holds, however slow the machine is.
pub fn until(condition: impl Fn() -> bool) {
    while !condition() {
        goroutines::sleep(Duration::from_micros(100));
    }
}

/// Counts the values made of it that are alive; each must be dropped once.
#[derive(Clone, Default)]
pub struct Census(Arc<[AtomicUsize; 2]>);

impl Census {
    pub fn new() -> Census {
        Census::default()
    }

    pub fn birth(&self, id: u64) -> Counted {
        self.0[0].fetch_add(1, Ordering::SeqCst);
        Counted {
            id,
            census: self.clone(),
            dropped: false,
        }
    }

    pub fn born(&self) -> usize {
        self.0[0].load(Ordering::SeqCst)
    }

    pub fn dead(&self) -> usize {
        self.0[1].load(Ordering::SeqCst)
    }

    pub fn alive(&self) -> usize {
        self.born() - self.dead()
    }
}

pub struct Counted {
    pub id: u64,
    census: Census,
    dropped: bool,
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert!(!self.dropped, "value {} was dropped twice", self.id);
        self.dropped = true;
        self.census.0[1].fetch_add(1, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Counted({})", self.id)
    }
}
