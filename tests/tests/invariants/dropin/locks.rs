// Mutex, RwLock, Condvar, Barrier.

fn threads<F: Fn(usize) + Send + Sync + 'static>(count: usize, f: F) {
    let f = Arc::new(f);
    let all: Vec<thread::JoinHandle<()>> = (0..count)
        .map(|i| {
            let f = Arc::clone(&f);
            thread::spawn(move || f(i))
        })
        .collect();
    for one in all {
        one.join().unwrap();
    }
}

static COUNT: sync::Mutex<u64> = sync::Mutex::new(0);

#[test]
fn a_mutex_counts() {
    start();
    threads(8, |_| {
        for _ in 0..1000 {
            *COUNT.lock().unwrap() += 1;
        }
    });
    assert_eq!(*COUNT.lock().unwrap(), 8000);
}

#[test]
fn a_mutex_has_every_method() {
    start();
    let mut mutex: sync::Mutex<Vec<i32>> = sync::Mutex::from(vec![1]);
    assert!(!mutex.is_poisoned());
    mutex.get_mut().unwrap().push(2);
    {
        let guard: sync::MutexGuard<'_, Vec<i32>> = mutex.lock().unwrap();
        assert!(matches!(mutex.try_lock(), Err(sync::TryLockError::WouldBlock)));
        assert_eq!(format!("{mutex:?}"), "Mutex { data: \"<locked>\", poisoned: false, .. }");
        assert_eq!(format!("{guard:?}"), "[1, 2]");
    }
    assert_eq!(format!("{mutex:?}"), "Mutex { data: [1, 2], poisoned: false, .. }");
    assert_eq!(mutex.into_inner().unwrap(), [1, 2]);
    assert_eq!(*sync::Mutex::<i32>::default().lock().unwrap(), 0);
    // Unsized.
    let slice: &sync::Mutex<[i32]> = &sync::Mutex::new([1, 2, 3]);
    assert_eq!(slice.lock().unwrap().len(), 3);
}

#[test]
fn a_panic_poisons_a_mutex() {
    start();
    let mutex = Arc::new(sync::Mutex::new(1));
    let other = Arc::clone(&mutex);
    let died = thread::spawn(move || {
        let _guard = other.lock().unwrap();
        panic!("under the lock");
    });
    assert!(died.join().is_err());
    assert!(mutex.is_poisoned());
    let error: sync::PoisonError<sync::MutexGuard<'_, i32>> = mutex.lock().unwrap_err();
    assert_eq!(error.to_string(), "poisoned lock: another task failed inside");
    assert_eq!(*error.into_inner(), 1);
    assert!(matches!(mutex.try_lock(), Err(sync::TryLockError::Poisoned(_))));
    mutex.clear_poison();
    assert_eq!(*mutex.lock().unwrap(), 1);
}

#[test]
fn a_rwlock_has_every_method() {
    start();
    let mut lock = sync::RwLock::new(5);
    {
        let one: sync::RwLockReadGuard<'_, i32> = lock.read().unwrap();
        let two = lock.try_read().unwrap();
        assert_eq!(*one + *two, 10);
        assert!(matches!(lock.try_write(), Err(sync::TryLockError::WouldBlock)));
    }
    {
        let mut one: sync::RwLockWriteGuard<'_, i32> = lock.write().unwrap();
        *one += 1;
        assert!(matches!(lock.try_read(), Err(sync::TryLockError::WouldBlock)));
        assert_eq!(format!("{lock:?}"), "RwLock { data: <locked>, poisoned: false, .. }");
    }
    *lock.get_mut().unwrap() += 1;
    assert!(!lock.is_poisoned());
    lock.clear_poison();
    assert_eq!(format!("{lock:?}"), "RwLock { data: 7, poisoned: false, .. }");
    assert_eq!(lock.into_inner().unwrap(), 7);
    assert_eq!(*sync::RwLock::<u8>::default().read().unwrap(), 0);
    assert_eq!(*sync::RwLock::from(3).read().unwrap(), 3);
}

#[test]
fn a_write_guard_becomes_a_read_guard() {
    start();
    let lock = sync::RwLock::new(1);
    let mut writer = lock.write().unwrap();
    *writer = 2;
    let reader = sync::RwLockWriteGuard::downgrade(writer);
    assert_eq!((*reader, *lock.read().unwrap()), (2, 2));
}

#[test]
fn a_panic_of_a_writer_poisons_and_of_a_reader_does_not() {
    start();
    let lock = Arc::new(sync::RwLock::new(1));
    let other = Arc::clone(&lock);
    let died = thread::spawn(move || {
        let _guard = other.read().unwrap();
        panic!("reading");
    });
    assert!(died.join().is_err() && !lock.is_poisoned());
    let other = Arc::clone(&lock);
    let died = thread::spawn(move || {
        let _guard = other.write().unwrap();
        panic!("writing");
    });
    assert!(died.join().is_err() && lock.is_poisoned());
    assert!(lock.read().is_err() && lock.write().is_err());
}

#[test]
fn readers_see_whole_writes() {
    start();
    let lock = Arc::new(sync::RwLock::new((0_u64, 0_u64)));
    threads(8, move |i| {
        for _ in 0..200 {
            if i < 2 {
                let mut pair = lock.write().unwrap();
                pair.0 += 1;
                thread::yield_now();
                pair.1 += 1;
            } else {
                let pair = lock.read().unwrap();
                assert_eq!(pair.0, pair.1);
            }
        }
    });
}

#[test]
fn a_condvar_has_every_method() {
    start();
    let pair = Arc::new((sync::Mutex::new(0), sync::Condvar::new()));
    let other = Arc::clone(&pair);
    let teller = thread::spawn(move || {
        for _ in 0..3 {
            *other.0.lock().unwrap() += 1;
            other.1.notify_one();
        }
        other.1.notify_all();
    });
    let mut count = pair.0.lock().unwrap();
    while *count == 0 {
        count = pair.1.wait(count).unwrap();
    }
    let count = pair.1.wait_while(count, |count| *count < 3).unwrap();
    assert_eq!(*count, 3);
    let (count, result): (_, sync::WaitTimeoutResult) =
        pair.1.wait_timeout(count, Duration::from_millis(1)).unwrap();
    assert!(result.timed_out() || *count == 3);
    let (count, result) =
        pair.1.wait_timeout_while(count, Duration::from_millis(2), |count| *count < 9).unwrap();
    assert!(result.timed_out());
    let (_count, result) =
        pair.1.wait_timeout_while(count, Duration::MAX, |count| *count < 3).unwrap();
    assert!(!result.timed_out());
    teller.join().unwrap();
    assert_eq!(format!("{:?}", sync::Condvar::default()), "Condvar { .. }");
}

#[test]
fn a_barrier_lets_all_go_and_names_one_leader() {
    start();
    let barrier = Arc::new(sync::Barrier::new(10));
    let leaders = Arc::new(sync::Mutex::new(0));
    let counts = Arc::clone(&leaders);
    threads(10, move |_| {
        for _ in 0..5 {
            let result: sync::BarrierWaitResult = barrier.wait();
            *counts.lock().unwrap() += i32::from(result.is_leader());
        }
    });
    assert_eq!(*leaders.lock().unwrap(), 5);
}
