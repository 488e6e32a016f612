//! Code that is generic over the locks of `lock_api` runs on goroutines.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use goroutines::{
    go, sleep,
    sync::lock_api::{Mutex, RawMutex, RawRwLock, RwLock},
    yield_now,
};
use goroutines_tests::start;

/// Such code: it knows nothing of goroutines.
struct Register<M: lock_api::RawMutex, R: lock_api::RawRwLock> {
    count: lock_api::Mutex<M, u64>,
    names: lock_api::RwLock<R, Vec<u64>>,
}

impl<M: lock_api::RawMutex, R: lock_api::RawRwLock> Register<M, R> {
    fn new() -> Register<M, R> {
        Register {
            count: lock_api::Mutex::new(0),
            names: lock_api::RwLock::new(Vec::new()),
        }
    }

    fn enter(&self, name: u64) {
        let mut count = self.count.lock();
        *count += 1;
        if name.is_multiple_of(3) {
            yield_now();
        }
        self.names.write().push(name);
    }

    fn knows(&self, name: u64) -> bool {
        self.names.read().contains(&name)
    }
}

#[test]
fn generic_code_runs_on_goroutines_and_threads() {
    start(4);
    let register = Arc::new(Register::<RawMutex, RawRwLock>::new());
    let work = |i: u64| {
        let register = Arc::clone(&register);
        move || {
            for n in 0..50 {
                register.enter(i * 50 + n);
                assert!(register.knows(i * 50 + n));
            }
        }
    };
    let threads: Vec<_> = (0..2).map(|i| thread::spawn(work(i))).collect();
    let goroutines: Vec<_> = (2..20).map(|i| go(work(i))).collect();
    threads.into_iter().for_each(|one| one.join().unwrap());
    goroutines.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(*register.count.lock(), 1000);
    let mut names = register.names.read().clone();
    names.sort_unstable();
    assert_eq!(names, (0..1000).collect::<Vec<_>>());
}

#[test]
fn the_mutex_is_timed_fair_and_tells_its_state() {
    start(4);
    let mutex = Arc::new(Mutex::new(1));
    let guard = mutex.lock();
    assert!(mutex.is_locked() && mutex.try_lock().is_none());
    assert!(mutex.try_lock_for(Duration::from_millis(2)).is_none());
    assert!(mutex.try_lock_until(Instant::now()).is_none());
    let same = Arc::clone(&mutex);
    let waiter = go(move || *same.try_lock_for(Duration::MAX).unwrap() += 1);
    sleep(Duration::from_millis(20));
    lock_api::MutexGuard::unlock_fair(guard);
    waiter.join().unwrap();
    assert!(!mutex.is_locked());
    assert_eq!(*mutex.lock(), 2);
    assert_eq!(
        format!("{:?}", RawMutex::default()),
        "RawMutex { locked: false }"
    );
}

#[test]
fn a_bump_lets_the_first_waiter_in() {
    start(4);
    let (mutex, stop) = (Arc::new(Mutex::new(0)), Arc::new(AtomicBool::new(false)));
    let flags = (Arc::clone(&mutex), Arc::clone(&stop));
    // It never unlocks in the ordinary way: without `bump` no other goroutine would get in.
    let holder = go(move || {
        let mut guard = flags.0.lock();
        while !flags.1.load(Ordering::SeqCst) {
            lock_api::MutexGuard::bump(&mut guard);
            yield_now();
        }
    });
    let waiters: Vec<_> = (0..10)
        .map(|_| {
            let mutex = Arc::clone(&mutex);
            go(move || *mutex.lock() += 1)
        })
        .collect();
    waiters.into_iter().for_each(|one| one.join().unwrap());
    stop.store(true, Ordering::SeqCst);
    holder.join().unwrap();
    assert_eq!(*mutex.lock(), 10);
}

#[test]
fn the_reader_writer_lock_is_timed_downgrades_and_tells_its_state() {
    start(4);
    let lock = RwLock::new(1);
    let reader = lock.read();
    assert!(lock.is_locked() && !lock.is_locked_exclusive());
    assert!(lock.try_write().is_none() && lock.try_read().is_some());
    assert!(lock.try_write_for(Duration::from_millis(2)).is_none());
    assert!(lock.try_write_until(Instant::now()).is_none());
    lock_api::RwLockReadGuard::unlock_fair(reader);
    let mut writer = lock.try_write_for(Duration::MAX).unwrap();
    assert!(lock.is_locked_exclusive());
    assert!(lock.try_read_for(Duration::from_millis(2)).is_none());
    assert!(lock.try_read_until(Instant::now()).is_none());
    *writer = 2;
    let reader = lock_api::RwLockWriteGuard::downgrade(writer);
    assert_eq!((*reader, *lock.try_read().unwrap()), (2, 2));
    drop(reader);
    lock_api::RwLockWriteGuard::unlock_fair(lock.write());
    assert!(!lock.is_locked());
    assert_eq!(
        format!("{:?}", RawRwLock::default()),
        "RawRwLock { locked: false }"
    );
}
