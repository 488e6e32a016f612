//! Threads alone can use channels and locks without a running runtime: nothing here starts one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use goroutines::{
    block_on,
    chan::{RecvError, RecvTimeoutError, SendTimeoutError, bounded, unbounded},
    context::{Context, ContextError},
    sync::{LazyLock, Mutex, OnceLock, Semaphore, WaitGroup, mpsc},
};

const SHORT: Duration = Duration::from_millis(3);

#[test]
fn threads_exchange_messages() {
    for (tx, rx) in [bounded(0), bounded(1), bounded(10), unbounded()] {
        let sender = thread::spawn(move || (0..1000).for_each(|i| tx.send(i).unwrap()));
        assert!(rx.iter().eq(0..1000));
        sender.join().unwrap();
        assert_eq!(rx.recv(), Err(RecvError));
    }
}

#[test]
fn threads_time_out() {
    let (tx, rx) = bounded(0);
    assert_eq!(rx.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
    assert_eq!(tx.send_timeout(1, SHORT), Err(SendTimeoutError::Timeout(1)));
    // And can wait again after that.
    let sender = thread::spawn(move || tx.send_timeout(2, Duration::MAX));
    assert_eq!(rx.recv_timeout(Duration::from_secs(3600)), Ok(2));
    assert_eq!(sender.join().unwrap(), Ok(()));
}

#[test]
fn a_disconnect_wakes_threads() {
    let (tx, rx) = bounded::<u8>(0);
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let rx = rx.clone();
            thread::spawn(move || rx.recv())
        })
        .collect();
    thread::sleep(SHORT);
    drop(tx);
    for one in waiting {
        assert_eq!(one.join().unwrap(), Err(RecvError));
    }
}

#[test]
fn threads_share_a_mutex() {
    let mutex = Arc::new(Mutex::new(0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let mutex = Arc::clone(&mutex);
            thread::spawn(move || {
                for _ in 0..1000 {
                    let mut guard = mutex.lock().unwrap();
                    let before = *guard;
                    thread::yield_now();
                    *guard = before + 1;
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(*mutex.lock().unwrap(), 4000);
}

#[test]
fn threads_wait_for_a_group() {
    let (group, done) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
    for _ in 0..4 {
        let (group, done) = (group.clone(), Arc::clone(&done));
        thread::spawn(move || {
            thread::sleep(SHORT);
            done.fetch_add(1, Ordering::SeqCst);
            drop(group);
        });
    }
    group.wait();
    assert_eq!(done.load(Ordering::SeqCst), 4);
}

#[test]
fn metrics_are_all_zero() {
    assert_eq!(goroutines::metrics(), goroutines::Metrics::default());
    assert_eq!(goroutines::gomaxprocs(), 0);
}

#[test]
fn threads_make_a_value_once() {
    static LAZY: LazyLock<u32> = LazyLock::new(|| {
        thread::sleep(SHORT);
        7
    });
    let lock = Arc::new(OnceLock::new());
    let waiting = thread::spawn({
        let lock = Arc::clone(&lock);
        move || *lock.wait()
    });
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(|| *LAZY)).collect();
    assert!(threads.into_iter().all(|one| one.join().unwrap() == 7));
    lock.set(8).unwrap();
    assert_eq!(waiting.join().unwrap(), 8);
}

#[test]
fn threads_share_permits() {
    let semaphore = Arc::new(Semaphore::new(0));
    assert!(semaphore.acquire_timeout(SHORT).is_err());
    let threads: Vec<_> = (1..4)
        .map(|n| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.acquire_many(n).forget())
        })
        .collect();
    (0..6).for_each(|_| semaphore.add_permits(1));
    threads.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn threads_use_the_channels_of_std() {
    let (tx, rx) = mpsc::sync_channel(1);
    let sender = thread::spawn(move || (0..100).for_each(|n| tx.send(n).unwrap()));
    assert!(rx.iter().eq(0..100));
    sender.join().unwrap();
    assert_eq!(
        rx.recv_timeout(SHORT),
        Err(mpsc::RecvTimeoutError::Disconnected)
    );
}

#[test]
fn threads_wait_for_futures() {
    let (tx, rx) = bounded(0);
    let sender = thread::spawn(move || {
        block_on(async {
            for n in 0..100 {
                tx.send_async(n).await.unwrap();
            }
        });
    });
    let receiver = thread::spawn(move || {
        block_on(async {
            let mut sum = 0;
            while let Ok(n) = rx.recv_async().await {
                sum += n;
            }
            sum
        })
    });
    sender.join().unwrap();
    assert_eq!(receiver.join().unwrap(), 4950);
}

#[test]
fn threads_obey_contexts() {
    let (ctx, canceller) = Context::background().with_cancel();
    let (_tx, rx) = bounded::<u32>(0);
    let inside = ctx.clone();
    let waiter = thread::spawn(move || inside.run(|| rx.recv()));
    let sleeper = thread::spawn(move || ctx.sleep(Duration::MAX));
    thread::sleep(SHORT);
    canceller.cancel();
    assert_eq!(waiter.join().unwrap(), Err(RecvError));
    assert_eq!(sleeper.join().unwrap(), Err(ContextError::Cancelled));
    let (late, _) = Context::background().with_timeout(SHORT);
    assert_eq!(
        late.block_on(std::future::pending::<()>()),
        Err(ContextError::DeadlineExceeded)
    );
}
