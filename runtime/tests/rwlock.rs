//! What RwLock promises, to goroutines and to threads. Four Ps.

mod common;

use std::{
    panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use common::{Census, On, settle, until};
use goroutines::{
    go, sleep,
    sync::{
        MappedRwLockReadGuard, MappedRwLockWriteGuard, Mutex, PoisonError, RwLock, RwLockReadGuard,
        RwLockWriteGuard, TryLockError,
    },
    yield_now,
};

fn start() {
    common::start(4);
}

const BOTH: [On; 2] = [On::Goroutine, On::Thread];

/// A goroutine that reads until the flag is set; returns when it reads.
fn hold_read(on: On, lock: &Arc<RwLock<u32>>) -> (Arc<AtomicBool>, common::Handle<()>) {
    let (here, sent_back_expired) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let (lock, flags) = (
        Arc::clone(lock),
        (Arc::clone(&here), Arc::clone(&sent_back_expired)),
    );
    let holder = on.spawn(move || {
        let _guard = lock.read().unwrap();
        flags.0.store(true, Ordering::SeqCst);
        until(|| flags.1.load(Ordering::SeqCst));
    });
    until(|| here.load(Ordering::SeqCst));
    (sent_back_expired, holder)
}

/// Returns whether there is a waiter: then a new caller has to wait, also to read.
fn has_waiters(lock: &RwLock<u32>) -> bool {
    lock.try_read().is_err()
}

#[test]
fn readers_share_and_a_writer_is_alone() {
    let lock = RwLock::new(5);
    let writer = lock.try_write().unwrap();
    assert!(matches!(lock.try_read(), Err(TryLockError::WouldBlock)));
    assert!(matches!(lock.try_write(), Err(TryLockError::WouldBlock)));
    drop(writer);
    let readers = [lock.try_read().unwrap(), lock.read().unwrap()];
    assert_eq!(*readers[0] + *readers[1], 10);
    assert!(matches!(lock.try_write(), Err(TryLockError::WouldBlock)));
    drop(readers);
    *lock.write().unwrap() = 6;
    assert_eq!(*lock.read().unwrap(), 6);
}

/// Writers count without atomics; a reader that saw half a write, or a second writer, would be seen.
fn stress(on: impl Fn(usize) -> On, tasks: usize, each: usize) {
    let lock = Arc::new(RwLock::new((0_usize, 0_usize)));
    let writers = Arc::new(AtomicUsize::new(0));
    let handles: Vec<_> = (0..tasks)
        .map(|i| {
            let (lock, writers) = (Arc::clone(&lock), Arc::clone(&writers));
            on(i).spawn(move || {
                for n in 0..each {
                    if (i + n).is_multiple_of(4) {
                        let mut guard = lock.write().unwrap();
                        assert_eq!(writers.fetch_add(1, Ordering::Relaxed), 0, "two writers");
                        guard.0 += 1;
                        if n.is_multiple_of(8) {
                            yield_now();
                        }
                        guard.1 += 1;
                        assert_eq!(writers.fetch_sub(1, Ordering::Relaxed), 1);
                    } else {
                        let guard = lock.read().unwrap();
                        assert_eq!(
                            writers.load(Ordering::Relaxed),
                            0,
                            "a reader beside a writer"
                        );
                        assert_eq!(guard.0, guard.1);
                        if n.is_multiple_of(7) {
                            yield_now();
                        }
                    }
                }
            })
        })
        .collect();
    handles.into_iter().for_each(|one| one.join());
    let expected = (0..tasks)
        .map(|i| (0..each).filter(|n| (i + n).is_multiple_of(4)).count())
        .sum();
    assert_eq!(*lock.read().unwrap(), (expected, expected));
}

#[test]
fn a_writer_is_alone_under_stress() {
    start();
    stress(|_| On::Goroutine, 1000, 40);
    stress(|_| On::Goroutine, 8, 4_000);
    stress(|_| On::Thread, 8, 1_000);
    stress(|i| BOTH[i % 2], 16, 1_000);
}

#[test]
fn a_writer_waits_for_readers_and_readers_for_a_writer() {
    start();
    for holder in BOTH {
        for waiter in BOTH {
            let lock = Arc::new(RwLock::new(1));
            let (sent_back_expired, reader) = hold_read(holder, &lock);
            let same = Arc::clone(&lock);
            let writer = waiter.spawn(move || *same.write().unwrap() = 2);
            until(|| has_waiters(&lock));
            assert!(!writer.is_finished());
            sent_back_expired.store(true, Ordering::SeqCst);
            reader.join();
            writer.join();

            let held = lock.write().unwrap();
            let same = Arc::clone(&lock);
            let reader = waiter.spawn(move || *same.read().unwrap());
            settle();
            assert!(!reader.is_finished());
            drop(held);
            assert_eq!(reader.join(), 2);
        }
    }
}

#[test]
fn a_stream_of_readers_does_not_starve_a_writer() {
    start();
    let lock = Arc::new(RwLock::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    // There is always a reader inside: each goes out only after the next is in, or cannot get in.
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (lock, stop) = (Arc::clone(&lock), Arc::clone(&stop));
            go(move || {
                while !stop.load(Ordering::Relaxed) {
                    let guard = lock.read().unwrap();
                    yield_now();
                    drop(guard);
                }
            })
        })
        .collect();
    for on in BOTH {
        let lock = Arc::clone(&lock);
        on.spawn(move || (0..100).for_each(|_| *lock.write().unwrap() += 1))
            .join();
    }
    stop.store(true, Ordering::Relaxed);
    readers.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(*lock.read().unwrap(), 200);
}

#[test]
fn greedy_writers_do_not_starve_a_reader() {
    start();
    let lock = Arc::new(RwLock::new(0_u64));
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (lock, stop) = (Arc::clone(&lock), Arc::clone(&stop));
            go(move || {
                while !stop.load(Ordering::Relaxed) {
                    let mut guard = lock.write().unwrap();
                    *guard += 1;
                    yield_now();
                }
            })
        })
        .collect();
    for on in BOTH {
        let lock = Arc::clone(&lock);
        on.spawn(move || (0..100).for_each(|_| drop(lock.read().unwrap())))
            .join();
    }
    stop.store(true, Ordering::Relaxed);
    writers.into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn the_sides_take_turns_and_readers_go_in_together() {
    start();
    // All five queue up before the first is let in, unless the machine is very slow: then once more.
    let orders: Vec<String> = (0..10).map(|_| order_of_turns()).collect();
    assert!(orders.contains(&"rrrww".into()), "{orders:?}");
}

/// Under a writer come, one behind the other, W R W R R.
fn order_of_turns() -> String {
    let lock = Arc::new(RwLock::new(0));
    let log = Arc::new(Mutex::new(String::new()));
    let inside = Arc::new(AtomicUsize::new(0));
    let held = lock.write().unwrap();
    let all: Vec<_> = [true, false, true, false, false]
        .into_iter()
        .map(|writes| {
            let (lock, log) = (Arc::clone(&lock), Arc::clone(&log));
            let inside = Arc::clone(&inside);
            let one = go(move || {
                if writes {
                    let _guard = lock.write().unwrap();
                    log.lock().unwrap().push('w');
                } else {
                    let _guard = lock.read().unwrap();
                    inside.fetch_add(1, Ordering::SeqCst);
                    // The others are let in too, however long it takes; in vain if they are late.
                    let began = Instant::now();
                    let late = || began.elapsed() > Duration::from_millis(200);
                    until(|| inside.load(Ordering::SeqCst) == 3 || late());
                    log.lock().unwrap().push('r');
                }
            });
            sleep(Duration::from_millis(2));
            one
        })
        .collect();
    settle();
    drop(held);
    all.into_iter().for_each(|one| one.join().unwrap());
    Arc::into_inner(log).unwrap().into_inner().unwrap()
}

#[test]
fn a_reader_that_comes_while_a_writer_waits_queues_up() {
    start();
    let lock = Arc::new(RwLock::new(0));
    let held = lock.read().unwrap();
    let same = Arc::clone(&lock);
    let writer = go(move || *same.write().unwrap() = 7);
    until(|| has_waiters(&lock));
    let same = Arc::clone(&lock);
    let reader = go(move || *same.read().unwrap());
    settle();
    assert!(!reader.is_finished() && !writer.is_finished());
    drop(held);
    assert_eq!(reader.join().unwrap(), 7);
    writer.join().unwrap();
}

#[test]
fn a_downgrade_lets_readers_in_and_no_writer() {
    start();
    for on in BOTH {
        // All queue up before the downgrade, unless the machine is very slow: then once more.
        assert!((0..10).any(|_| all_read_beside_the_downgraded_writer(on)));
    }
    let lock = RwLock::new(1);
    let reader = RwLockWriteGuard::downgrade(lock.write().unwrap());
    assert_eq!((*lock.try_read().unwrap(), *reader), (1, 1));
    drop(reader);
    assert!(lock.try_write().is_ok());
}

/// A writer and three readers wait for a writer that becomes a reader. Returns whether all three got in.
fn all_read_beside_the_downgraded_writer(on: On) -> bool {
    let lock = Arc::new(RwLock::new(0));
    let mut held = lock.write().unwrap();
    let same = Arc::clone(&lock);
    let writer = on.spawn(move || *same.write().unwrap() += 1);
    settle();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let lock = Arc::clone(&lock);
            // A reader that comes after the downgrade waits behind the writer, and does not get in.
            on.spawn(move || {
                lock.try_read_for(Duration::from_millis(300))
                    .map(|r| *r)
                    .ok()
            })
        })
        .collect();
    settle();
    *held = 5;
    let held = RwLockWriteGuard::downgrade(held);
    let read: Vec<_> = readers.into_iter().map(|one| one.join()).collect();
    assert!(!writer.is_finished());
    assert_eq!(*held, 5);
    drop(held);
    writer.join();
    assert_eq!(*lock.read().unwrap(), 6);
    read == [Some(5); 3]
}

#[test]
fn a_waiter_with_a_timeout_gives_up_and_does_not_block_others() {
    start();
    for on in BOTH {
        let lock = Arc::new(RwLock::new(1));
        let held = lock.read().unwrap();
        let same = Arc::clone(&lock);
        let began = Instant::now();
        let writer = on.spawn(move || {
            same.try_write_for(Duration::from_millis(60))
                .map(|_| ())
                .is_err()
        });
        until(|| has_waiters(&lock) || writer.is_finished());
        let same = Arc::clone(&lock);
        let reader = on.spawn(move || *same.read().unwrap());
        assert_eq!(
            reader.join(),
            1,
            "the writer before it gave up, the first reader is inside"
        );
        assert!(writer.join());
        assert!(began.elapsed() >= Duration::from_millis(60));
        drop(held);

        let held = lock.write().unwrap();
        let same = Arc::clone(&lock);
        on.spawn(move || {
            let short = Duration::from_millis(5);
            assert!(matches!(
                same.try_read_for(short),
                Err(TryLockError::WouldBlock)
            ));
            assert!(matches!(
                same.try_write_for(short),
                Err(TryLockError::WouldBlock)
            ));
            assert!(same.try_read_for(Duration::ZERO).is_err());
            assert!(same.try_write_for(Duration::ZERO).is_err());
        })
        .join();
        let same = Arc::clone(&lock);
        let patient = on.spawn(move || *same.try_read_for(Duration::MAX).unwrap());
        settle();
        drop(held);
        assert_eq!(patient.join(), 1);
        *lock.try_write_for(Duration::ZERO).unwrap() = 2;
        assert_eq!(*lock.try_read_for(Duration::ZERO).unwrap(), 2);
    }
}

#[test]
fn a_panic_of_a_writer_poisons_and_unlocks_one_of_a_reader_only_unlocks() {
    start();
    for on in BOTH {
        let lock = Arc::new(RwLock::new(1));
        let same = Arc::clone(&lock);
        let failed = on.spawn(move || {
            let _guard = same.read().unwrap();
            panic!("while reading");
        });
        assert!(failed.try_join().is_err());
        assert!(!lock.is_poisoned());

        let same = Arc::clone(&lock);
        let failed = on.spawn(move || {
            *same.write().unwrap() = 2;
            let _guard = same.write().unwrap();
            panic!("while writing");
        });
        assert!(failed.try_join().is_err());
        assert!(lock.is_poisoned());
        assert_eq!(*lock.read().unwrap_err().into_inner(), 2);
        assert!(matches!(lock.try_read(), Err(TryLockError::Poisoned(_))));
        assert!(matches!(lock.try_write(), Err(TryLockError::Poisoned(_))));
        assert!(lock.try_write_for(Duration::ZERO).is_err());
        assert_eq!(*lock.write().unwrap_err().into_inner(), 2);
        let mut lock = Arc::into_inner(lock).unwrap();
        assert_eq!(*lock.get_mut().unwrap_err().into_inner(), 2);
        lock.clear_poison();
        assert!(!lock.is_poisoned());
        assert_eq!(lock.into_inner().unwrap(), 2);
    }
    let lock = RwLock::new(3);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _guard = lock.write().unwrap();
        panic!("while writing");
    }));
    assert!(panicked.is_err());
    assert_eq!(lock.into_inner().map_err(PoisonError::into_inner), Err(3));
}

#[test]
fn a_destructor_that_writes_while_unwinding_does_not_poison() {
    start();
    struct Farewell(Arc<RwLock<u32>>);
    impl Drop for Farewell {
        fn drop(&mut self) {
            *self.0.write().unwrap() += 1;
            assert_eq!(*self.0.read().unwrap(), 1);
        }
    }
    for on in BOTH {
        let lock = Arc::new(RwLock::new(0));
        let farewell = Farewell(Arc::clone(&lock));
        // It has to wait in the middle of the unwinding.
        let (sent_back_expired, holder) = hold_read(On::Goroutine, &lock);
        let failed = on.spawn(move || {
            let _farewell = farewell;
            panic!("outside of the lock");
        });
        until(|| has_waiters(&lock));
        sent_back_expired.store(true, Ordering::SeqCst);
        assert!(failed.try_join().is_err());
        holder.join();
        assert_eq!(*lock.read().unwrap(), 1);
    }
}

#[test]
fn mapped_guards_hold_the_lock_until_they_are_dropped() {
    let lock = RwLock::new((1, String::from("one")));
    let name = RwLockReadGuard::map(lock.read().unwrap(), |pair| &pair.1);
    let first = MappedRwLockReadGuard::map(name, |name| &name[..1]);
    assert_eq!(format!("{first} {first:?}"), "o \"o\"");
    assert!(lock.try_write().is_err() && lock.try_read().is_ok());
    let none = MappedRwLockReadGuard::filter_map(first, |first| first.get(7..));
    let again = none.unwrap_err();
    let some = MappedRwLockReadGuard::filter_map(again, |first| first.get(..0)).unwrap();
    assert_eq!(&*some, "");
    drop(some);
    assert!(RwLockReadGuard::filter_map(lock.read().unwrap(), |_| None::<&u8>).is_err());

    let name = RwLockWriteGuard::map(lock.write().unwrap(), |pair| &mut pair.1);
    let mut first = MappedRwLockWriteGuard::map(name, |name| &mut name[..1]);
    first.make_ascii_uppercase();
    assert!(lock.try_read().is_err());
    let first = MappedRwLockWriteGuard::filter_map(first, |s| s.get_mut(7..)).unwrap_err();
    let rest = MappedRwLockWriteGuard::filter_map(first, |s| s.get_mut(..1)).unwrap();
    assert_eq!(&*rest, "O");
    drop(rest);
    let number = RwLockWriteGuard::filter_map(lock.write().unwrap(), |pair| Some(&mut pair.0));
    *number.unwrap() += 1;
    assert_eq!(*lock.try_read().unwrap(), (2, String::from("One")));

    let panicked = catch_unwind(AssertUnwindSafe(|| {
        drop(RwLockWriteGuard::map(
            lock.write().unwrap(),
            |_| -> &mut u8 { panic!("in a map") },
        ));
    }));
    assert!(panicked.is_err());
    assert!(lock.is_poisoned());
    assert!(
        lock.try_write()
            .is_err_and(|e| matches!(e, TryLockError::Poisoned(_)))
    );
}

#[test]
fn it_can_be_static_unsized_and_debugged_as_std_has_it() {
    static COUNT: RwLock<u32> = RwLock::new(1);
    *COUNT.write().unwrap() += 1;
    assert_eq!(*COUNT.read().unwrap(), 2);
    let unsized_: &RwLock<[u8]> = &RwLock::new([1, 2, 3]);
    unsized_.write().unwrap()[0] = 9;
    assert_eq!(*unsized_.read().unwrap(), [9, 2, 3]);

    let (ours, std) = (RwLock::from(7), std::sync::RwLock::from(7));
    assert_eq!(format!("{ours:?}"), format!("{std:?}"));
    {
        let guards = (ours.read().unwrap(), std.read().unwrap());
        assert_eq!(format!("{ours:?}"), format!("{std:?}"));
        assert_eq!(format!("{:?} {}", guards.0, guards.0), "7 7");
    }
    let guards = (ours.write().unwrap(), std.write().unwrap());
    assert_eq!(format!("{ours:?}"), format!("{std:?}"));
    assert_eq!(format!("{:?} {}", guards.0, guards.0), "7 7");
    drop(guards);
    assert_eq!(RwLock::<String>::default().into_inner().unwrap(), "");

    fn lock<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
    fn sync<T: Sync>() {}
    lock::<RwLock<u8>>();
    sync::<RwLockReadGuard<'_, u8>>();
    sync::<RwLockWriteGuard<'_, u8>>();
    sync::<MappedRwLockReadGuard<'_, u8>>();
    sync::<MappedRwLockWriteGuard<'_, u8>>();
}

#[test]
fn the_value_is_dropped_once() {
    let census = Census::new();
    drop(RwLock::new(census.birth(1)));
    let value = RwLock::new(census.birth(2)).into_inner().unwrap();
    assert_eq!(census.alive(), 1);
    drop(value);
    assert_eq!((census.born(), census.alive()), (2, 0));
}

#[test]
#[cfg(debug_assertions)]
fn debug_builds_detect_a_holder_that_waits_for_itself() {
    start();
    for on in BOTH {
        let lock = Arc::new(RwLock::new(0));
        let same = Arc::clone(&lock);
        on.spawn(move || {
            let guard = same.write().unwrap();
            for again in [
                |lock: &RwLock<u32>| drop(lock.write()),
                |lock: &RwLock<u32>| drop(lock.read()),
            ] {
                let panic = catch_unwind(AssertUnwindSafe(|| again(&same))).unwrap_err();
                let text = panic.downcast_ref::<String>().unwrap();
                assert!(text.contains("holds the lock already"), "{text}");
                assert!(text.contains("goroutines: RwLock::"), "{text}");
            }
            assert!(same.try_read_for(Duration::from_millis(1)).is_err());
            drop(guard);
            assert!(same.read().is_ok());
        })
        .join();
    }
}

#[test]
fn a_reader_may_park_inside() {
    start();
    let lock = Arc::new(RwLock::new(0));
    let readers: Vec<_> = (0..100)
        .map(|_| {
            let lock = Arc::clone(&lock);
            go(move || {
                let guard = lock.read().unwrap();
                sleep(Duration::from_millis(2));
                *guard
            })
        })
        .collect();
    readers
        .into_iter()
        .for_each(|one| assert_eq!(one.join().unwrap(), 0));
    assert!(lock.try_write().is_ok());
}
