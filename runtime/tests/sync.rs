//! What Mutex and WaitGroup promise, to goroutines and to threads. Four Ps.

mod common;

use std::{
    panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{Census, On, settle};
use goroutines::{
    chan, go, sleep,
    sync::{Mutex, MutexGuard, PoisonError, TryLockError, WaitGroup},
    yield_now,
};

fn start() {
    common::start(4);
}

const BOTH: [On; 2] = [On::Goroutine, On::Thread];

/// `counter` without atomics: a second holder would be seen as a lost update.
fn count(on: impl Fn(usize) -> On, each: usize, in_the_middle: fn(usize)) {
    let counter = Arc::new(Mutex::new(0));
    let inside = Arc::new(AtomicBool::new(false));
    let handles: Vec<_> = (0..8)
        .map(|i| {
            let (counter, inside) = (Arc::clone(&counter), Arc::clone(&inside));
            on(i).spawn(move || {
                for n in 0..each {
                    let mut guard = counter.lock().unwrap();
                    assert!(!inside.swap(true, Ordering::Relaxed), "two holders");
                    let before = *guard;
                    in_the_middle(n);
                    *guard = before + 1;
                    inside.store(false, Ordering::Relaxed);
                }
            })
        })
        .collect();
    handles.into_iter().for_each(|one| one.join());
    assert_eq!(*counter.lock().unwrap(), 8 * each);
}

#[test]
fn one_holder_at_a_time() {
    start();
    count(|_| On::Goroutine, 20_000, |_| {});
    count(|_| On::Thread, 5_000, |_| {});
    count(|i| BOTH[i % 2], 5_000, |_| {});
}

#[test]
fn one_holder_at_a_time_when_the_holder_parks() {
    start();
    let park = |n: usize| {
        if n.is_multiple_of(3) {
            yield_now();
        }
        if n.is_multiple_of(100) {
            sleep(Duration::from_micros(50));
        }
    };
    count(|_| On::Goroutine, 1_000, park);
    count(|i| BOTH[i % 2], 500, park);
}

#[test]
fn a_second_lock_waits_for_the_first() {
    start();
    for holder in BOTH {
        for waiter in BOTH {
            let mutex = Arc::new(Mutex::new(1));
            let (same, hold) = (Arc::clone(&mutex), Arc::new(AtomicBool::new(true)));
            let flag = Arc::clone(&hold);
            let (held, is_held) = chan::bounded(0);
            let holder = holder.spawn(move || {
                let mut guard = same.lock().unwrap();
                held.send(()).unwrap();
                while flag.load(Ordering::SeqCst) {
                    yield_now();
                }
                *guard = 2;
            });
            is_held.recv().unwrap();
            let same = Arc::clone(&mutex);
            let waiter = waiter.spawn(move || *same.lock().unwrap());
            settle();
            assert!(!waiter.is_finished());
            hold.store(false, Ordering::SeqCst);
            holder.join();
            assert_eq!(waiter.join(), 2);
        }
    }
}

#[test]
fn try_lock_does_not_wait() {
    let mutex = Mutex::new(5);
    {
        let guard = mutex.try_lock().unwrap();
        assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
        assert_eq!(*guard, 5);
    }
    assert_eq!(*mutex.try_lock().unwrap(), 5);
}

#[test]
fn every_waiter_gets_its_turn_among_greedy_ones() {
    start();
    // Four goroutines that want the lock all the time, on four Ps, and one that wants it a few times.
    let mutex = Arc::new(Mutex::new(0_u64));
    let stop = Arc::new(AtomicBool::new(false));
    let greedy: Vec<_> = (0..4)
        .map(|_| {
            let (mutex, stop) = (Arc::clone(&mutex), Arc::clone(&stop));
            go(move || {
                while !stop.load(Ordering::Relaxed) {
                    let mut guard = mutex.lock().unwrap();
                    *guard += 1;
                    yield_now();
                }
            })
        })
        .collect();
    for on in BOTH {
        let mutex = Arc::clone(&mutex);
        on.spawn(move || (0..50).for_each(|_| *mutex.lock().unwrap() += 1))
            .join();
    }
    stop.store(true, Ordering::Relaxed);
    greedy.into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn a_panic_under_the_lock_poisons_it_and_unlocks() {
    start();
    for on in BOTH {
        let mutex = Arc::new(Mutex::new(1));
        let same = Arc::clone(&mutex);
        let failed = on.spawn(move || {
            let mut guard = same.lock().unwrap();
            *guard = 2;
            panic!("under the lock");
        });
        assert!(failed.try_join().is_err());
        assert!(mutex.is_poisoned());
        assert_eq!(*mutex.lock().unwrap_err().into_inner(), 2);
        match mutex.try_lock() {
            Err(TryLockError::Poisoned(poisoned)) => assert_eq!(**poisoned.get_ref(), 2),
            other => panic!("not poisoned: {other:?}"),
        }
        let mut mutex = Arc::into_inner(mutex).unwrap();
        assert_eq!(*mutex.get_mut().unwrap_err().into_inner(), 2);
        mutex.clear_poison();
        assert!(!mutex.is_poisoned());
        assert_eq!(*mutex.lock().unwrap(), 2);
        assert_eq!(mutex.into_inner().unwrap(), 2);
    }
}

#[test]
fn a_poisoned_value_comes_out_as_an_error() {
    let mutex = Mutex::new(3);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _guard = mutex.lock().unwrap();
        panic!("under the lock");
    }));
    assert!(panicked.is_err());
    assert_eq!(mutex.into_inner().map_err(PoisonError::into_inner), Err(3));
}

#[test]
fn a_waiter_learns_that_the_lock_was_poisoned_meanwhile() {
    start();
    let mutex = Arc::new(Mutex::new(()));
    let same = Arc::clone(&mutex);
    let (held, is_held) = chan::bounded(0);
    let (go_on, wait) = chan::bounded::<()>(0);
    let failed = go(move || {
        let _guard = same.lock().unwrap();
        held.send(()).unwrap();
        let _ = wait.recv();
        panic!("while others wait");
    });
    is_held.recv().unwrap();
    let waiting = BOTH.map(|on| {
        let mutex = Arc::clone(&mutex);
        on.spawn(move || mutex.lock().is_err())
    });
    settle();
    drop(go_on);
    assert!(failed.join().is_err());
    assert!(waiting.into_iter().all(|one| one.join()));
}

#[test]
fn a_destructor_that_locks_while_unwinding_does_not_poison() {
    start();
    struct Farewell(Arc<Mutex<u32>>);
    impl Drop for Farewell {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            *self.0.lock().unwrap() += 1;
        }
    }
    for on in BOTH {
        let mutex = Arc::new(Mutex::new(0));
        let farewell = Farewell(Arc::clone(&mutex));
        let same = Arc::clone(&mutex);
        // It has to wait for the lock, in the middle of the unwinding.
        let (held, is_held) = chan::bounded(0);
        let (go_on, wait) = chan::bounded::<()>(0);
        let holder = go(move || {
            let guard = same.lock().unwrap();
            held.send(()).unwrap();
            let _ = wait.recv();
            drop(guard);
        });
        is_held.recv().unwrap();
        let failed = on.spawn(move || {
            let _farewell = farewell;
            panic!("outside of the lock");
        });
        settle();
        drop(go_on);
        assert!(failed.try_join().is_err());
        holder.join().unwrap();
        assert_eq!(*mutex.lock().unwrap(), 1);
    }
}

#[test]
fn the_value_is_dropped_once() {
    let census = Census::new();
    drop(Mutex::new(census.birth(1)));
    let value = Mutex::new(census.birth(2)).into_inner().unwrap();
    assert_eq!(census.alive(), 1);
    drop(value);
    assert_eq!((census.born(), census.alive()), (2, 0));
}

#[test]
fn a_mutex_can_be_static_unsized_and_debugged() {
    static COUNT: Mutex<u32> = Mutex::new(1);
    *COUNT.lock().unwrap() += 1;
    assert_eq!(*COUNT.lock().unwrap(), 2);
    let unsized_: &Mutex<[u8]> = &Mutex::new([1, 2, 3]);
    unsized_.lock().unwrap()[0] = 9;
    assert_eq!(*unsized_.lock().unwrap(), [9, 2, 3]);

    // As std's says it.
    let (ours, std) = (Mutex::from(7), std::sync::Mutex::from(7));
    assert_eq!(format!("{ours:?}"), format!("{std:?}"));
    let guards = (ours.lock().unwrap(), std.lock().unwrap());
    assert_eq!(format!("{ours:?}"), format!("{std:?}"));
    assert_eq!(format!("{:?} {}", guards.0, guards.0), "7 7");
    drop(guards);
    assert_eq!(Mutex::<String>::default().into_inner().unwrap(), "");
}

#[test]
fn a_mutex_is_sync_and_its_guard_too_as_std_has_it() {
    fn mutex<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
    fn guard<T: Sync>() {}
    // A Cell is Send and not Sync: that is enough for the mutex.
    mutex::<Mutex<std::cell::Cell<u8>>>();
    guard::<MutexGuard<'_, u8>>();
}

#[test]
fn a_wait_group_waits_for_every_clone() {
    start();
    for workers in BOTH {
        for waiter in BOTH {
            let done = Arc::new(AtomicUsize::new(0));
            let group = WaitGroup::new();
            for i in 0..10 {
                let (group, done) = (group.clone(), Arc::clone(&done));
                workers.spawn(move || {
                    sleep(Duration::from_millis(i % 3));
                    done.fetch_add(1, Ordering::SeqCst);
                    drop(group);
                });
            }
            let seen = Arc::clone(&done);
            let seen = waiter.spawn(move || {
                group.wait();
                seen.load(Ordering::SeqCst)
            });
            assert_eq!(seen.join(), 10);
        }
    }
}

#[test]
fn a_wait_group_without_others_does_not_wait() {
    WaitGroup::new().wait();
    let group = WaitGroup::default();
    drop(group.clone());
    assert_eq!(format!("{group:?}"), "WaitGroup { count: 1 }");
    group.wait();
    fn as_the_original<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
    as_the_original::<WaitGroup>();
}

#[test]
fn all_can_wait_for_each_other() {
    start();
    for _ in 0..200 {
        let group = WaitGroup::new();
        let here = Arc::new(AtomicUsize::new(0));
        let handles: Vec<_> = (0..8)
            .map(|i| {
                let (group, here) = (group.clone(), Arc::clone(&here));
                let on = if i == 7 { On::Thread } else { On::Goroutine };
                on.spawn(move || {
                    here.fetch_add(1, Ordering::SeqCst);
                    group.wait();
                    assert_eq!(here.load(Ordering::SeqCst), 8, "somebody has not come yet");
                })
            })
            .collect();
        drop(group);
        handles.into_iter().for_each(|one| one.join());
    }
}

#[test]
fn a_panic_lets_go_of_the_wait_group() {
    start();
    let group = WaitGroup::new();
    let inner = group.clone();
    let failed = go(move || {
        let _group = inner;
        panic!("before it was done");
    });
    group.wait();
    assert!(failed.join().is_err());
}
