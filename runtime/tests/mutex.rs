//! What Mutex promises beyond std's: time limits, mapped guards, and a panic of a holder that waits for itself. And
//! that it is one lock also among a thousand. Four Ps.

mod common;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use common::{On, settle, until};
use goroutines::{
    Builder, go, sleep,
    sync::{MappedMutexGuard, Mutex, MutexGuard, TryLockError},
    yield_now,
};

fn start() {
    common::start(4);
}

const BOTH: [On; 2] = [On::Goroutine, On::Thread];

#[test]
fn a_thousand_goroutines_lose_no_update() {
    start();
    let count = Arc::new(Mutex::new(0));
    let all: Vec<_> = (0..1000)
        .map(|i| {
            let count = Arc::clone(&count);
            let work = move || {
                for n in 0..200 {
                    let mut guard = if (i + n) % 5 == 0 {
                        // Some with a limit, which may end at any moment.
                        let limit = Duration::from_micros(n % 50);
                        match count.try_lock_for(limit) {
                            Ok(guard) => guard,
                            Err(_) => count.lock().unwrap(),
                        }
                    } else {
                        count.lock().unwrap()
                    };
                    let before = *guard;
                    if n % 64 == 0 {
                        yield_now();
                    }
                    *guard = before + 1;
                }
            };
            if i % 3 == 0 {
                // SAFETY: nothing on its stack is lent to others.
                unsafe { Builder::new().copy_stack() }.spawn(work).unwrap()
            } else {
                go(work)
            }
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(*count.try_lock().unwrap(), 200_000);
}

#[test]
fn a_lock_with_a_time_limit_waits_so_long_and_no_longer() {
    start();
    for on in BOTH {
        let mutex = Arc::new(Mutex::new(1));
        let held = mutex.lock().unwrap();
        let same = Arc::clone(&mutex);
        on.spawn(move || {
            let began = Instant::now();
            let limit = Duration::from_millis(20);
            assert!(matches!(
                same.try_lock_for(limit),
                Err(TryLockError::WouldBlock)
            ));
            assert!(began.elapsed() >= limit);
            let limit = Instant::now() + limit;
            assert!(matches!(
                same.try_lock_until(limit),
                Err(TryLockError::WouldBlock)
            ));
            assert!(Instant::now() >= limit);
            assert!(same.try_lock_for(Duration::ZERO).is_err());
            assert!(same.try_lock_until(began).is_err());
        })
        .join();
        let waiting = [Duration::MAX, Duration::from_secs(1000)].map(|limit| {
            let mutex = Arc::clone(&mutex);
            on.spawn(move || *mutex.try_lock_for(limit).unwrap() += 1)
        });
        settle();
        drop(held);
        waiting.into_iter().for_each(|one| one.join());
        // What is free is taken, time or not.
        assert_eq!(*mutex.try_lock_for(Duration::ZERO).unwrap(), 3);
        assert_eq!(*mutex.try_lock_until(Instant::now()).unwrap(), 3);
    }
}

#[test]
fn a_waiter_that_gives_up_leaves_the_lock_to_the_others() {
    start();
    for on in BOTH {
        let mutex = Arc::new(Mutex::new(0));
        let held = mutex.lock().unwrap();
        let waiting: Vec<_> = (0..20)
            .map(|i| {
                let mutex = Arc::clone(&mutex);
                on.spawn(move || {
                    let limit = Duration::from_millis(if i % 2 == 0 { 5 } else { 100_000 });
                    mutex
                        .try_lock_for(limit)
                        .map(|mut guard| *guard += 1)
                        .is_ok()
                })
            })
            .collect();
        sleep(Duration::from_millis(30));
        drop(held);
        let got = waiting.into_iter().filter(|_| true).map(|one| one.join());
        assert!(got.filter(|&got| got).count() >= 10);
        assert!(*mutex.try_lock().unwrap() >= 10);
    }
}

#[test]
fn a_poisoned_lock_with_a_time_limit_says_so() {
    start();
    let mutex = Mutex::new(1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _guard = mutex.try_lock_for(Duration::ZERO).unwrap();
        panic!("under the lock");
    }));
    assert!(panicked.is_err());
    assert!(matches!(
        mutex.try_lock_for(Duration::MAX),
        Err(TryLockError::Poisoned(_))
    ));
}

#[test]
fn a_mapped_guard_holds_the_lock_until_it_is_dropped() {
    let mutex = Mutex::new((1, String::from("one")));
    let name = MutexGuard::map(mutex.lock().unwrap(), |pair| &mut pair.1);
    let mut first = MappedMutexGuard::map(name, |name| &mut name[..1]);
    first.make_ascii_uppercase();
    assert_eq!(format!("{first} {first:?}"), "O \"O\"");
    assert!(mutex.try_lock().is_err());
    let first = MappedMutexGuard::filter_map(first, |first| first.get_mut(7..)).unwrap_err();
    assert!(mutex.try_lock().is_err());
    let part = MappedMutexGuard::filter_map(first, |first| first.get_mut(..0)).unwrap();
    assert_eq!(&*part, "");
    drop(part);
    let whole = MutexGuard::filter_map(mutex.lock().unwrap(), |_| None::<&mut u8>).unwrap_err();
    assert_eq!(*whole, (1, String::from("One")));
    drop(whole);
    *MutexGuard::filter_map(mutex.lock().unwrap(), |pair| Some(&mut pair.0)).unwrap() = 2;
    assert_eq!(mutex.try_lock().unwrap().0, 2);

    fn sync<T: Sync>() {}
    sync::<MappedMutexGuard<'_, u8>>();
}

#[test]
fn a_panic_under_a_mapped_guard_or_in_the_mapping_poisons() {
    for in_the_mapping in [true, false] {
        let mutex = Mutex::new(1);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _mapped = MutexGuard::map(mutex.lock().unwrap(), |value| {
                assert!(!in_the_mapping, "in the mapping");
                value
            });
            panic!("under the lock");
        }));
        assert!(panicked.is_err());
        assert!(matches!(mutex.try_lock(), Err(TryLockError::Poisoned(_))));
    }
}

#[test]
#[cfg(debug_assertions)]
fn debug_builds_detect_a_holder_that_waits_for_itself() {
    start();
    for on in BOTH {
        let mutex = Arc::new(Mutex::new(0));
        let same = Arc::clone(&mutex);
        on.spawn(move || {
            let guard = same.lock().unwrap();
            // It may resume on another thread, and still holds the lock.
            (0..10).for_each(|_| yield_now());
            let panic = catch_unwind(AssertUnwindSafe(|| drop(same.lock()))).unwrap_err();
            let text = panic.downcast_ref::<String>().unwrap();
            assert!(text.starts_with("goroutines: Mutex::lock: "), "{text}");
            assert!(text.ends_with("drop the guard first"), "{text}");
            assert!(same.try_lock().is_err());
            assert!(same.try_lock_for(Duration::from_millis(1)).is_err());
            drop(guard);
            assert!(!same.is_poisoned());
            assert_eq!(*same.lock().unwrap(), 0);
        })
        .join();
        // A goroutine that locks after another has unlocked is not mistaken for the other.
        assert_eq!(*mutex.lock().unwrap(), 0);
    }
}

#[test]
#[cfg(debug_assertions)]
fn a_holder_is_known_also_when_its_guard_has_left_the_segment_on_which_it_was_made() {
    start();
    let mutex = Arc::new(Mutex::new(0));
    go(move || {
        // More than the window of this goroutine: on a segment.
        let guard = goroutines::grow(4 << 20, || mutex.lock().unwrap());
        let panic = catch_unwind(AssertUnwindSafe(|| drop(mutex.lock()))).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.starts_with("goroutines: Mutex::lock: "), "{text}");
        drop(guard);
        assert_eq!(*mutex.lock().unwrap(), 0);
    })
    .join()
    .unwrap();
}

#[test]
fn a_guard_may_be_held_over_parks_and_threads() {
    start();
    let mutex = Arc::new(Mutex::new(0));
    let inside = Arc::new(AtomicUsize::new(0));
    let all: Vec<_> = (0..50)
        .map(|_| {
            let (mutex, inside) = (Arc::clone(&mutex), Arc::clone(&inside));
            go(move || {
                let mut guard = mutex.lock().unwrap();
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                sleep(Duration::from_micros(200));
                *guard += 1;
                assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(*mutex.lock().unwrap(), 50);
}

#[test]
fn a_timed_wait_in_a_destructor_that_unwinds_keeps_its_thread() {
    start();
    struct Farewell(Arc<Mutex<u32>>, Arc<AtomicBool>);
    impl Drop for Farewell {
        fn drop(&mut self) {
            assert!(self.0.try_lock_for(Duration::from_millis(5)).is_err());
            self.1.store(true, Ordering::SeqCst);
            *self.0.try_lock_for(Duration::MAX).unwrap() += 1;
        }
    }
    for on in BOTH {
        let (mutex, gave_up) = (Arc::new(Mutex::new(0)), Arc::new(AtomicBool::new(false)));
        let farewell = Farewell(Arc::clone(&mutex), Arc::clone(&gave_up));
        let held = mutex.lock().unwrap();
        let failed = on.spawn(move || {
            let _farewell = farewell;
            panic!("outside of the lock");
        });
        until(|| gave_up.load(Ordering::SeqCst));
        drop(held);
        assert!(failed.try_join().is_err());
        assert_eq!(*mutex.lock().unwrap(), 1);
    }
}
