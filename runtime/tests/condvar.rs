//! What Condvar and Barrier promise, to goroutines and to threads. Four Ps.

mod common;

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use common::{On, PAIRS, settle, until};
use goroutines::{
    Builder, go,
    sync::{Barrier, Condvar, Mutex},
};

fn start() {
    common::start(4);
}

const BOTH: [On; 2] = [On::Goroutine, On::Thread];

/// A value under a mutex, and its condition.
struct Shared<T> {
    value: Mutex<T>,
    changed: Condvar,
}

fn shared<T>(value: T) -> Arc<Shared<T>> {
    Arc::new(Shared {
        value: Mutex::new(value),
        changed: Condvar::new(),
    })
}

#[test]
fn a_notification_wakes_a_waiter_and_gives_the_lock_back() {
    start();
    for (notifier, waiter) in PAIRS {
        let shared = shared(0);
        let same = Arc::clone(&shared);
        let waiter = waiter.spawn(move || {
            let mut value = same.value.lock().unwrap();
            while *value == 0 {
                value = same.changed.wait(value).unwrap();
                assert!(same.value.try_lock().is_err());
            }
            *value
        });
        settle();
        assert!(!waiter.is_finished());
        let same = Arc::clone(&shared);
        notifier
            .spawn(move || {
                *same.value.lock().unwrap() = 7;
                same.changed.notify_one();
            })
            .join();
        assert_eq!(waiter.join(), 7);
        assert_eq!(*shared.value.try_lock().unwrap(), 7);
    }
}

#[test]
fn a_notification_without_a_waiter_notifies_no_later_one() {
    start();
    let shared = shared(());
    shared.changed.notify_one();
    shared.changed.notify_all();
    let guard = shared.value.lock().unwrap();
    let (_guard, result) = shared
        .changed
        .wait_timeout(guard, Duration::from_millis(5))
        .unwrap();
    assert!(result.timed_out());
}

/// A bounded queue of mutex and two conditions: a lost notification is a deadlock.
#[test]
fn no_notification_is_lost_between_many() {
    start();
    for (producers, consumers) in PAIRS {
        let queue = Arc::new((Mutex::new(VecDeque::new()), Condvar::new(), Condvar::new()));
        let each = 500;
        let sent: Vec<_> = (0..6)
            .map(|_| {
                let queue = Arc::clone(&queue);
                producers.spawn(move || {
                    for n in 1..=each {
                        let full = |q: &mut VecDeque<u64>| q.len() == 2;
                        let guard = queue.0.lock().unwrap();
                        let mut guard = queue.1.wait_while(guard, full).unwrap();
                        guard.push_back(n);
                        drop(guard);
                        queue.2.notify_one();
                    }
                })
            })
            .collect();
        let received: Vec<_> = (0..6)
            .map(|i| {
                let queue = Arc::clone(&queue);
                consumers.spawn(move || {
                    let mut sum = 0;
                    for _ in 0..each {
                        let mut guard = queue.0.lock().unwrap();
                        while guard.is_empty() {
                            guard = if i % 2 == 0 {
                                queue.2.wait(guard).unwrap()
                            } else {
                                // One whose time is always about to be up.
                                let limit = Duration::from_micros(100);
                                queue.2.wait_timeout(guard, limit).unwrap().0
                            };
                        }
                        sum += guard.pop_front().unwrap();
                        drop(guard);
                        queue.1.notify_one();
                    }
                    sum
                })
            })
            .collect();
        sent.into_iter().for_each(|one| one.join());
        let sum: u64 = received.into_iter().map(|one| one.join()).sum();
        assert_eq!(sum, 6 * each * (each + 1) / 2);
    }
}

#[test]
fn notify_one_wakes_one_and_notify_all_wakes_all() {
    start();
    for on in BOTH {
        let shared = shared(0_usize);
        let passed = Arc::new(AtomicUsize::new(0));
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let (shared, passed) = (Arc::clone(&shared), Arc::clone(&passed));
                on.spawn(move || {
                    let mut here = shared.value.lock().unwrap();
                    *here += 1;
                    // No loop: there are no spurious wake-ups.
                    drop(shared.changed.wait(here).unwrap());
                    passed.fetch_add(1, Ordering::SeqCst);
                })
            })
            .collect();
        // A goroutine that has counted itself under the lock waits by the time that we have the lock.
        until(|| *shared.value.lock().unwrap() == 10);
        shared.changed.notify_one();
        until(|| passed.load(Ordering::SeqCst) == 1);
        settle();
        assert_eq!(passed.load(Ordering::SeqCst), 1);
        shared.changed.notify_all();
        waiting.into_iter().for_each(|one| one.join());
        assert_eq!(passed.load(Ordering::SeqCst), 10);
    }
}

#[test]
fn a_thousand_goroutines_wait_and_are_notified() {
    start();
    let shared = shared((0, false));
    let all: Vec<_> = (0..1000)
        .map(|i| {
            let shared = Arc::clone(&shared);
            let wait = move || {
                let mut guard = shared.value.lock().unwrap();
                guard.0 += 1;
                drop(shared.changed.wait_while(guard, |value| !value.1).unwrap());
            };
            if i % 2 == 0 {
                // SAFETY: nothing on its stack is lent to others.
                unsafe { Builder::new().copy_stack() }.spawn(wait).unwrap()
            } else {
                go(wait)
            }
        })
        .collect();
    until(|| shared.value.lock().unwrap().0 == 1000);
    shared.value.lock().unwrap().1 = true;
    shared.changed.notify_all();
    all.into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn wait_while_asks_before_it_waits() {
    let shared = shared(3);
    let guard = shared.value.lock().unwrap();
    let mut asked = 0;
    let guard = shared.changed.wait_while(guard, |value| {
        asked += 1;
        *value != 3
    });
    assert_eq!(*guard.unwrap(), 3);
    assert_eq!(asked, 1);
}

#[test]
fn a_wait_with_a_limit_waits_so_long_and_no_longer() {
    start();
    for on in BOTH {
        let shared = shared(0);
        let same = Arc::clone(&shared);
        on.spawn(move || {
            for limit in [Duration::ZERO, Duration::from_millis(10)] {
                let began = Instant::now();
                let guard = same.value.lock().unwrap();
                let (guard, result) = same.changed.wait_timeout(guard, limit).unwrap();
                assert!(result.timed_out() && began.elapsed() >= limit);
                assert!(same.value.try_lock().is_err());
                let (guard, result) = same
                    .changed
                    .wait_timeout_while(guard, limit, |value| *value == 0)
                    .unwrap();
                assert!(result.timed_out());
                let (_guard, result) = same
                    .changed
                    .wait_timeout_while(guard, limit, |value| *value != 0)
                    .unwrap();
                assert!(!result.timed_out());
            }
            #[expect(deprecated, reason = "std has it")]
            let (_guard, in_time) = {
                let guard = same.value.lock().unwrap();
                same.changed.wait_timeout_ms(guard, 5).unwrap()
            };
            assert!(!in_time);
        })
        .join();
        // As good as for ever.
        let waiting = [Duration::MAX, Duration::from_secs(1000)].map(|limit| {
            let shared = Arc::clone(&shared);
            on.spawn(move || {
                let mut guard = shared.value.lock().unwrap();
                *guard += 1;
                let (guard, result) = shared.changed.wait_timeout(guard, limit).unwrap();
                assert!(!result.timed_out());
                let (_guard, result) = shared
                    .changed
                    .wait_timeout_while(guard, limit, |value| *value < 5)
                    .unwrap();
                assert!(!result.timed_out());
            })
        });
        until(|| *shared.value.lock().unwrap() == 2);
        shared.changed.notify_all();
        *shared.value.lock().unwrap() = 5;
        shared.changed.notify_all();
        waiting.into_iter().for_each(|one| one.join());
    }
}

#[test]
fn a_waiter_learns_that_the_mutex_was_poisoned_meanwhile() {
    start();
    for on in BOTH {
        let shared = shared(0);
        let waiting: Vec<_> = (0..4)
            .map(|i| {
                let shared = Arc::clone(&shared);
                on.spawn(move || {
                    let mut guard = shared.value.lock().unwrap();
                    *guard += 1;
                    let long = Duration::from_secs(1000);
                    let cv = &shared.changed;
                    match i {
                        0 => cv.wait(guard).is_err(),
                        1 => cv.wait_while(guard, |_| true).is_err(),
                        2 => {
                            let poisoned = cv.wait_timeout(guard, long).unwrap_err();
                            !poisoned.into_inner().1.timed_out()
                        }
                        _ => cv.wait_timeout_while(guard, long, |_| true).is_err(),
                    }
                })
            })
            .collect();
        until(|| *shared.value.lock().unwrap() == 4);
        let same = Arc::clone(&shared);
        let failed = on.spawn(move || {
            let _guard = same.value.lock().unwrap();
            panic!("while others wait");
        });
        assert!(failed.try_join().is_err());
        shared.changed.notify_all();
        assert!(waiting.into_iter().all(|one| one.join()));
    }
}

#[test]
fn a_condition_may_panic_and_poisons() {
    let shared = shared(());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let guard = shared.value.lock().unwrap();
        drop(
            shared
                .changed
                .wait_while(guard, |()| panic!("the condition")),
        );
    }));
    assert!(panicked.is_err());
    assert!(shared.value.is_poisoned());
}

#[test]
fn waiters_of_two_mutexes_get_their_own_back() {
    start();
    let both = Arc::new(([Mutex::new(0), Mutex::new(10)], Condvar::new()));
    let waiting = [0, 1].map(|i| {
        let both = Arc::clone(&both);
        go(move || {
            let mut guard = both.0[i].lock().unwrap();
            *guard += 1;
            let guard = both.1.wait(guard).unwrap();
            assert!(both.0[i].try_lock().is_err());
            *guard
        })
    });
    until(|| *both.0[0].lock().unwrap() == 1 && *both.0[1].lock().unwrap() == 11);
    both.1.notify_all();
    assert_eq!(waiting.map(|one| one.join().unwrap()), [1, 11]);
}

#[test]
fn a_wait_in_a_destructor_that_unwinds_is_woken() {
    start();
    struct Farewell(Arc<Shared<u32>>);
    impl Drop for Farewell {
        fn drop(&mut self) {
            let mut guard = self.0.value.lock().unwrap();
            *guard = 1;
            drop(
                self.0
                    .changed
                    .wait_while(guard, |value| *value == 1)
                    .unwrap(),
            );
        }
    }
    for on in BOTH {
        let shared = shared(0);
        let farewell = Farewell(Arc::clone(&shared));
        let failed = on.spawn(move || {
            let _farewell = farewell;
            panic!("outside of the lock");
        });
        until(|| *shared.value.lock().unwrap() == 1);
        *shared.value.lock().unwrap() = 2;
        shared.changed.notify_one();
        assert!(failed.try_join().is_err());
        assert!(!shared.value.is_poisoned());
    }
}

#[test]
fn a_barrier_opens_for_all_at_once_and_again_and_again() {
    start();
    let (count, rounds) = (8, 200);
    let barrier = Arc::new(Barrier::new(count));
    let here = Arc::new(AtomicUsize::new(0));
    let handles: Vec<_> = (0..count)
        .map(|i| {
            let (barrier, here) = (Arc::clone(&barrier), Arc::clone(&here));
            BOTH[usize::from(i % 4 == 0)].spawn(move || {
                let mut led = 0;
                for round in 1..=rounds {
                    here.fetch_add(1, Ordering::SeqCst);
                    led += usize::from(barrier.wait().is_leader());
                    let seen = here.load(Ordering::SeqCst);
                    assert!(seen >= round * count, "{seen} have come in round {round}");
                    // The next round does not start before all have looked.
                    led += usize::from(barrier.wait().is_leader());
                }
                led
            })
        })
        .collect();
    let led: usize = handles.into_iter().map(|one| one.join()).sum();
    assert_eq!(led, 2 * rounds, "one leader each time");
}

#[test]
fn the_last_of_a_thousand_is_the_leader() {
    start();
    let barrier = Arc::new(Barrier::new(1000));
    let passed = Arc::new(AtomicBool::new(false));
    let all: Vec<_> = (0..999)
        .map(|i| {
            let (barrier, passed) = (Arc::clone(&barrier), Arc::clone(&passed));
            let wait = move || {
                let leader = barrier.wait().is_leader();
                passed.store(true, Ordering::SeqCst);
                leader
            };
            if i % 2 == 0 {
                // SAFETY: nothing on its stack is lent to others.
                unsafe { Builder::new().copy_stack() }.spawn(wait).unwrap()
            } else {
                go(wait)
            }
        })
        .collect();
    settle();
    assert!(!passed.load(Ordering::SeqCst));
    // Late ones arrive in time all the same; then one of them leads.
    let leaders = usize::from(barrier.wait().is_leader());
    let others = all
        .into_iter()
        .filter_map(|one| one.join().unwrap().then_some(()));
    assert_eq!(leaders + others.count(), 1);
}

#[test]
fn a_barrier_of_none_or_one_does_not_block() {
    for n in [0, 1] {
        let (ours, std) = (Barrier::new(n), std::sync::Barrier::new(n));
        for _ in 0..3 {
            let (ours, std) = (ours.wait(), std.wait());
            assert!(ours.is_leader() && std.is_leader());
            assert_eq!(format!("{ours:?}"), format!("{std:?}"));
        }
        assert_eq!(format!("{ours:?}"), format!("{std:?}"));
    }
}

#[test]
fn they_are_what_std_has() {
    static CHANGED: Condvar = Condvar::new();
    static BARRIER: Barrier = Barrier::new(1);
    CHANGED.notify_all();
    assert!(BARRIER.wait().is_leader());
    assert_eq!(
        format!("{:?}", Condvar::default()),
        format!("{:?}", std::sync::Condvar::new())
    );
    fn both<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
    both::<Condvar>();
    both::<Barrier>();
}
