//! What callers should not ask for, or ask for seldom: it is refused with a text, or does what it says.

mod common;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use common::{On, settle};
use goroutines::{
    JoinHandle,
    chan::{self, Select, bounded, unbounded},
    go,
    sync::{
        Condvar, MappedMutexGuard, MappedRwLockReadGuard, MappedRwLockWriteGuard, Mutex,
        MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore,
    },
};

const BOTH: [On; 2] = [On::Goroutine, On::Thread];
const SHORT: Duration = Duration::from_millis(5);

fn start() {
    common::start(2);
}

/// The text that `f` panics with.
fn panic_text<R>(f: impl FnOnce() -> R) -> String {
    let payload = catch_unwind(AssertUnwindSafe(|| drop(f()))).expect_err("it did not panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => (*other.downcast::<&str>().expect("a text")).to_owned(),
    }
}

/// It is not over after a while; then the handle comes back.
fn still_waits<T>(goroutine: JoinHandle<T>) -> JoinHandle<T> {
    match goroutine.join_timeout(4 * SHORT) {
        Err(handle) => handle,
        Ok(_) => panic!("it did not wait"),
    }
}

#[test]
fn a_capacity_that_no_memory_has_is_refused() {
    for capacity in [usize::MAX, usize::MAX / 8, isize::MAX as usize] {
        let text = panic_text(|| bounded::<u64>(capacity));
        assert!(
            text.contains("capacity") || text.contains("buffer"),
            "{text}"
        );
    }
    // Messages without a size need none.
    let (tx, rx) = bounded::<()>(usize::MAX);
    tx.try_send(()).unwrap();
    assert_eq!(
        (tx.capacity(), rx.len(), tx.is_full()),
        (Some(usize::MAX), 1, false)
    );
}

#[test]
fn a_send_to_itself_waits_until_another_goroutine_receives() {
    start();
    for capacity in [0, 1] {
        let (tx, rx) = bounded(capacity);
        let (to_self, from_self) = (tx.clone(), rx.clone());
        // Nothing is received before, and it receives nothing itself before all was, however slow the machine is.
        let ((tell, told), (received, all_received)) = (bounded(1), bounded(1));
        let alone = go(move || {
            let late = to_self.send_timeout(0, SHORT);
            if capacity == 1 {
                late.unwrap();
                assert!(to_self.send_timeout(0, SHORT).unwrap_err().is_timeout());
            } else {
                assert!(late.unwrap_err().is_timeout());
            }
            tell.send(()).unwrap();
            to_self.send(1).unwrap();
            all_received.recv().unwrap();
            from_self.recv()
        });
        told.recv().unwrap();
        let alone = still_waits(alone);
        let messages: Vec<_> = (0..=capacity).map(|_| rx.recv().unwrap()).collect();
        assert_eq!(messages.last(), Some(&1));
        received.send(()).unwrap();
        // It continues, and waits for what it would have to send itself.
        let alone = still_waits(alone);
        drop(rx);
        tx.send(2).unwrap();
        assert_eq!(alone.join().unwrap(), Ok(2));
    }
}

#[test]
fn a_wait_for_itself_ends_when_the_channel_is_closed() {
    start();
    for on in BOTH {
        let (tx, rx) = bounded::<u32>(0);
        let same = tx.clone();
        let sender = on.spawn(move || {
            let _rx = rx;
            tx.send(1).unwrap_err().into_inner()
        });
        settle();
        assert!(!sender.is_finished());
        assert!(same.close());
        assert_eq!(sender.join(), 1);
    }
}

#[test]
fn a_select_without_a_case_fails_at_once_or_in_time() {
    start();
    for on in BOTH {
        on.spawn(|| {
            assert!(Select::new().try_select().is_err());
            assert!(Select::new().try_ready().is_err());
            for time in [Duration::ZERO, SHORT] {
                assert!(Select::new().select_timeout(time).is_err());
                assert!(Select::new_biased().ready_timeout(time).is_err());
            }
            chan::select! { default => {} }
            chan::select! { default(SHORT) => {} }
        })
        .join();
    }
    // These never end; the process does.
    drop(still_waits(go(|| chan::select! {})));
    let longest = || drop(Select::new().select_timeout(Duration::MAX));
    drop(still_waits(go(longest)));
}

#[test]
fn a_select_with_the_shortest_and_the_longest_time_does_what_can_be_done() {
    start();
    for on in BOTH {
        let (tx, rx) = unbounded::<u32>();
        let list = rx.clone();
        on.spawn(move || {
            let mut select = Select::new();
            select.recv(&list);
            assert!(select.select_timeout(Duration::ZERO).is_err());
            assert!(select.ready_timeout(Duration::ZERO).is_err());
        })
        .join();
        let waiting = on.spawn(move || {
            let mut select = Select::new();
            select.recv(&rx);
            assert_eq!(select.ready_timeout(Duration::MAX), Ok(0));
            let first = select.select_timeout(Duration::MAX).unwrap().recv(&rx);
            // What is there is taken in no time.
            common::until(|| !rx.is_empty());
            let second = select.select_timeout(Duration::ZERO).unwrap().recv(&rx);
            (first, second)
        });
        settle();
        tx.send(1).unwrap();
        tx.send(2).unwrap();
        assert_eq!(waiting.join(), (Ok(1), Ok(2)));
    }
}

#[test]
fn locks_with_the_shortest_and_the_longest_time_do_what_can_be_done() {
    start();
    for on in BOTH {
        let lock = Arc::new(RwLock::new(0));
        let semaphore = Arc::new(Semaphore::new(2));
        let read = lock.read().unwrap();
        let permit = semaphore.acquire();
        let (same, permits) = (Arc::clone(&lock), Arc::clone(&semaphore));
        let (tell, told) = bounded(1);
        let waiting = on.spawn(move || {
            assert!(same.try_write_for(Duration::ZERO).is_err());
            assert_eq!(*same.try_read_for(Duration::ZERO).unwrap(), 0);
            assert!(permits.acquire_many_timeout(2, Duration::ZERO).is_err());
            drop(permits.acquire_many_timeout(1, Duration::ZERO).unwrap());
            tell.send(()).unwrap();
            *same.try_write_for(Duration::MAX).unwrap() += 1;
            drop(permits.acquire_many_timeout(2, Duration::MAX).unwrap());
        });
        told.recv().unwrap();
        settle();
        assert!(!waiting.is_finished());
        drop((read, permit));
        waiting.join();
        assert_eq!(*lock.try_read_for(Duration::MAX).unwrap(), 1);
        assert_eq!(semaphore.available_permits(), 2);
    }
}

#[test]
fn a_poisoned_mutex_gives_its_value_to_every_way_of_locking_that_asks() {
    start();
    let pair = Arc::new((Mutex::new(1), Condvar::new()));
    let same = Arc::clone(&pair);
    let failed = go(move || {
        let _guard = same.0.lock().unwrap();
        panic!("under the lock");
    });
    assert!(failed.join().is_err());
    let (mutex, changed) = &*pair;
    assert_eq!(*mutex.lock().unwrap_err().into_inner(), 1);
    for time in [Duration::ZERO, Duration::MAX] {
        let error = mutex.try_lock_for(time).unwrap_err();
        assert!(
            error.to_string().contains("another task failed inside"),
            "{error}"
        );
    }
    let guard = mutex.lock().unwrap_err().into_inner();
    let (guard, late) = changed.wait_timeout(guard, SHORT).unwrap_err().into_inner();
    assert!(late.timed_out());
    drop(guard);
    mutex.clear_poison();
    assert_eq!(*mutex.lock().unwrap(), 1);
}

/// Compiles for a type that is not `Send` only: for one that is, `_` could be either.
macro_rules! not_send {
    ($($type:ty)*) => {{
        trait OneOf<A> {
            const YES: bool = true;
        }
        impl<T: ?Sized> OneOf<()> for T {}
        struct IsSend;
        impl<T: ?Sized + Send> OneOf<IsSend> for T {}
        [$(<$type as OneOf<_>>::YES),*]
    }};
}

#[test]
fn a_guard_cannot_be_given_to_another_goroutine() {
    let all = not_send!(
        MutexGuard<'static, u32> MappedMutexGuard<'static, u32>
        RwLockReadGuard<'static, u32> MappedRwLockReadGuard<'static, u32>
        RwLockWriteGuard<'static, u32> MappedRwLockWriteGuard<'static, u32>
    );
    assert_eq!(all, [true; 6]);
}

/// A permit can: a semaphore has no holder.
#[test]
fn a_permit_may_be_dropped_on_another_goroutine() {
    start();
    for on in BOTH {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&semaphore).acquire_owned();
        on.spawn(move || drop(permit)).join();
        assert_eq!(semaphore.available_permits(), 1);
    }
}
