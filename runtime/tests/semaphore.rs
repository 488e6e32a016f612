//! What Semaphore promises, to goroutines and to threads. Four Ps.

mod common;

use std::{
    error::Error,
    panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use common::{On, settle, until};
use goroutines::{
    Builder, go,
    sync::{
        AcquireTimeoutError, OwnedSemaphorePermit, Semaphore, SemaphorePermit, TryAcquireError,
    },
    yield_now,
};

const SHORT: Duration = Duration::from_millis(3);
const BOTH: [On; 2] = [On::Goroutine, On::Thread];

fn start() {
    common::start(4);
}

/// How many permits are in use, as their users count them.
struct InUse {
    semaphore: Semaphore,
    count: AtomicUsize,
    limit: usize,
}

impl InUse {
    fn of(limit: usize) -> Arc<InUse> {
        Arc::new(InUse {
            semaphore: Semaphore::new(limit),
            count: AtomicUsize::new(0),
            limit,
        })
    }

    fn with(&self, n: usize, f: impl FnOnce()) {
        let permit = self.semaphore.acquire_many(n);
        assert_eq!(permit.num_permits(), n);
        assert!(
            self.count.fetch_add(n, Ordering::SeqCst) + n <= self.limit,
            "too many permits"
        );
        f();
        self.count.fetch_sub(n, Ordering::SeqCst);
    }

    fn all_are_back(&self) {
        assert_eq!(self.count.load(Ordering::SeqCst), 0);
        assert_eq!(self.semaphore.available_permits(), self.limit);
        // There is no waiter.
        assert!(self.semaphore.try_acquire_many(self.limit).is_ok());
    }
}

#[test]
fn never_more_than_there_are_permits() {
    start();
    for limit in [1, 3] {
        for mixed in [false, true] {
            let shared = InUse::of(limit);
            let handles: Vec<_> = (0..8)
                .map(|i| {
                    let shared = Arc::clone(&shared);
                    let on = if mixed { BOTH[i % 2] } else { On::Goroutine };
                    on.spawn(move || {
                        for n in 0..2_000 {
                            shared.with(1 + (n + i) % limit, || {
                                if n % 5 == 0 {
                                    yield_now();
                                }
                            });
                        }
                    })
                })
                .collect();
            handles.into_iter().for_each(|one| one.join());
            shared.all_are_back();
        }
    }
}

#[test]
fn a_thousand_wait_for_one() {
    start();
    let shared = InUse::of(2);
    let handles: Vec<_> = (0..1000)
        .map(|i| {
            let shared = Arc::clone(&shared);
            let on = if i % 100 == 0 {
                On::Thread
            } else {
                On::Goroutine
            };
            on.spawn(move || shared.with(1 + i % 2, yield_now))
        })
        .collect();
    handles.into_iter().for_each(|one| one.join());
    shared.all_are_back();
}

#[test]
fn a_waiter_for_many_is_not_kept_out_by_callers_that_want_few() {
    start();
    let shared = InUse::of(4);
    let stop = Arc::new(AtomicUsize::new(0));
    let few: Vec<_> = (0..8)
        .map(|_| {
            let (shared, stop) = (Arc::clone(&shared), Arc::clone(&stop));
            go(move || {
                while stop.load(Ordering::Relaxed) == 0 {
                    shared.with(1, yield_now);
                }
            })
        })
        .collect();
    for on in BOTH {
        let shared = Arc::clone(&shared);
        on.spawn(move || (0..20).for_each(|_| shared.with(4, || ())))
            .join();
    }
    stop.store(1, Ordering::Relaxed);
    few.into_iter().for_each(|one| one.join().unwrap());
    shared.all_are_back();
}

#[test]
fn a_new_caller_does_not_overtake_a_waiter_that_has_waited_for_long() {
    start();
    for on in BOTH {
        let semaphore = Arc::new(Semaphore::new(2));
        let held = semaphore.acquire_many(2);
        let same = Arc::clone(&semaphore);
        let wants_two = on.spawn(move || same.acquire_many(2).forget());
        settle();
        // The first permit that is given back is kept for the waiter.
        let mut held = held;
        drop(held.split(1));
        assert_eq!(semaphore.available_permits(), 1);
        assert!(semaphore.try_acquire().is_err());
        assert!(semaphore.acquire_until(Instant::now()).is_err());
        assert!(semaphore.acquire_timeout(SHORT).is_err());
        drop(held);
        wants_two.join();
        assert_eq!(semaphore.available_permits(), 0);
        // That ends with the last waiter.
        semaphore.add_permits(1);
        assert!(semaphore.try_acquire().is_ok());
    }
}

#[test]
fn free_permits_go_to_a_new_caller_also_beside_a_waiter_for_more() {
    start();
    let semaphore = Arc::new(Semaphore::new(1));
    let same = Arc::clone(&semaphore);
    let wants_two = go(move || same.acquire_many(2).forget());
    settle();
    // None was given back since.
    let one = semaphore.try_acquire().unwrap();
    drop(one);
    semaphore.add_permits(1);
    wants_two.join().unwrap();
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn a_waiter_that_gives_up_lets_those_behind_pass() {
    start();
    for (first, second) in [(On::Goroutine, On::Thread), (On::Thread, On::Goroutine)] {
        let semaphore = Arc::new(Semaphore::new(1));
        let same = Arc::clone(&semaphore);
        let wants_many = first.spawn(move || {
            let error = same
                .acquire_many_timeout(5, Duration::from_millis(50))
                .unwrap_err();
            assert_eq!(error.to_string(), "timed out waiting for permits");
        });
        settle();
        let same = Arc::clone(&semaphore);
        // One is kept for the waiter that wants five, as soon as it was given back; and is free when that one leaves.
        drop(same.try_acquire().ok());
        second.spawn(move || drop(same.acquire())).join();
        wants_many.join();
        assert_eq!(semaphore.available_permits(), 1);
    }
}

#[test]
fn a_wait_with_a_deadline_ends_at_it_or_before() {
    start();
    for on in BOTH {
        on.spawn(|| {
            let semaphore = Semaphore::new(1);
            // What is there is taken without looking at the time.
            let past = Instant::now();
            let permit = semaphore.acquire_until(past).unwrap();
            assert!(semaphore.acquire_timeout(Duration::ZERO).is_err());
            let began = Instant::now();
            assert!(semaphore.acquire_timeout(SHORT).is_err());
            assert!(semaphore.acquire_until(began + 2 * SHORT).is_err());
            assert!(began.elapsed() >= 2 * SHORT);
            assert!(
                semaphore
                    .acquire_many_until(2, Instant::now() + SHORT)
                    .is_err()
            );
            drop(permit);
            let permits = semaphore.acquire_timeout(Duration::MAX).unwrap();
            assert_eq!(
                (permits.num_permits(), semaphore.available_permits()),
                (1, 0)
            );
        })
        .join();
    }
}

#[test]
fn a_permit_given_in_time_ends_the_wait() {
    start();
    for on in BOTH {
        let semaphore = Arc::new(Semaphore::new(0));
        let same = Arc::clone(&semaphore);
        let waiter = on.spawn(move || {
            same.acquire_many_timeout(2, Duration::from_secs(3600))
                .unwrap()
                .forget();
            same.acquire_timeout(Duration::MAX).unwrap().forget();
        });
        settle();
        (0..3).for_each(|_| semaphore.add_permits(1));
        waiter.join();
        assert_eq!(semaphore.available_permits(), 0);
    }
}

#[test]
fn no_permit_is_lost_between_waiters_that_give_up_and_releases() {
    start();
    let shared = InUse::of(2);
    let handles: Vec<_> = (0..16_usize)
        .map(|i| {
            let shared = Arc::clone(&shared);
            let on = if i % 8 == 7 {
                On::Thread
            } else {
                On::Goroutine
            };
            on.spawn(move || {
                for n in 0..300 {
                    let wants = 1 + (n + i) % 2;
                    match n % 3 {
                        0 => shared.with(wants, yield_now),
                        1 => {
                            let timeout = Duration::from_micros((n * 7 % 50) as u64);
                            if let Ok(permit) =
                                shared.semaphore.acquire_many_timeout(wants, timeout)
                            {
                                yield_now();
                                drop(permit);
                            }
                        }
                        _ => drop(shared.semaphore.try_acquire_many(wants)),
                    }
                }
            })
        })
        .collect();
    handles.into_iter().for_each(|one| one.join());
    shared.all_are_back();
}

#[test]
fn permits_are_added_forgotten_split_and_merged() {
    let semaphore = Semaphore::new(5);
    let mut permit = semaphore.acquire_many(4);
    let mut other = permit.split(3).unwrap();
    assert!(permit.split(2).is_none());
    assert_eq!((permit.num_permits(), other.num_permits()), (1, 3));
    drop(other.split(1));
    assert_eq!(semaphore.available_permits(), 2);
    permit.merge(other);
    assert_eq!(permit.num_permits(), 3);
    permit.forget();
    assert_eq!(semaphore.available_permits(), 2);
    semaphore.add_permits(2);
    assert_eq!(semaphore.forget_permits(3), 3);
    assert_eq!(semaphore.forget_permits(3), 1);
    assert!(semaphore.try_acquire().is_err());
    semaphore.add_permits(0);
    assert_eq!(semaphore.acquire_many(0).num_permits(), 0);
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn an_owned_permit_travels_and_keeps_its_semaphore() {
    start();
    let semaphore = Arc::new(Semaphore::new(3));
    let mut permit = Arc::clone(&semaphore).acquire_many_owned(2);
    assert!(Arc::ptr_eq(permit.semaphore(), &semaphore));
    let other = permit.split(1).unwrap();
    let third = Arc::clone(&semaphore).try_acquire_owned().unwrap();
    assert!(Arc::clone(&semaphore).try_acquire_many_owned(1).is_err());
    let fourth = Arc::clone(&semaphore);
    let waiter = go(move || fourth.acquire_owned().num_permits());
    go(move || drop(other)).join().unwrap();
    assert_eq!(waiter.join().unwrap(), 1);
    permit.merge(third);
    assert_eq!(permit.num_permits(), 2);
    let weak = Arc::downgrade(&semaphore);
    drop(semaphore);
    assert_eq!(weak.upgrade().map(|left| left.available_permits()), Some(1));
    permit.forget();
    assert!(
        weak.upgrade().is_none(),
        "a forgotten permit kept its semaphore"
    );
}

/// The text of the panic that `f` must end with.
fn panic_text(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("no panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => (*other.downcast::<&str>().expect("a text")).to_owned(),
    }
}

#[test]
fn too_many_permits_are_refused_with_numbers_and_nothing_changes() {
    let most = Semaphore::MAX_PERMITS;
    assert!(panic_text(|| _ = Semaphore::new(most + 1)).contains("MAX_PERMITS"));
    let full = Semaphore::new(most - 1);
    full.add_permits(1);
    for n in [1, usize::MAX] {
        let text = panic_text(|| full.add_permits(n));
        assert!(
            text.contains(&format!("{n} permits beside {most}")),
            "{text}"
        );
    }
    assert_eq!(full.available_permits(), most);
    assert_eq!(full.acquire_many(most).num_permits(), most);

    let none = Semaphore::new(0);
    let waits_for_ever: [fn(&Semaphore); 3] = [
        |none| drop(none.acquire_many(Semaphore::MAX_PERMITS + 1)),
        |none| drop(none.acquire_many_timeout(usize::MAX, SHORT)),
        |none| drop(none.acquire_many_until(usize::MAX, Instant::now())),
    ];
    for wait in waits_for_ever {
        assert!(panic_text(|| wait(&none)).contains("would wait for ever"));
    }
    assert!(none.try_acquire_many(usize::MAX).is_err());
    let owned = Arc::new(Semaphore::new(0));
    assert!(
        panic_text(|| drop(Arc::clone(&owned).acquire_many_owned(usize::MAX))).contains("ever")
    );
    assert!(
        Arc::clone(&owned)
            .try_acquire_many_owned(usize::MAX)
            .is_err()
    );
}

#[test]
fn permits_of_two_semaphores_are_not_merged_and_not_lost() {
    let (one, two) = (Semaphore::new(1), Semaphore::new(1));
    let (mut first, second) = (one.acquire(), two.acquire());
    assert!(panic_text(|| first.merge(second)).contains("two semaphores"));
    assert_eq!((first.num_permits(), two.available_permits()), (1, 1));
    drop(first);
    assert_eq!(one.available_permits(), 1);
}

#[test]
fn a_panic_gives_permits_back_also_to_waiters() {
    start();
    for on in BOTH {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&semaphore).acquire_owned();
        let same = Arc::clone(&semaphore);
        let waiter = on.spawn(move || same.acquire().num_permits());
        settle();
        assert!(!waiter.is_finished());
        let failed = go(move || {
            let _permit = permit;
            panic!("with a permit");
        });
        assert!(failed.join().is_err());
        assert_eq!(waiter.join(), 1);
        until(|| semaphore.available_permits() == 1);
    }
}

#[test]
fn a_destructor_may_wait_for_a_permit_while_its_goroutine_unwinds() {
    start();
    /// A semaphore, and how often waiting for it was given up.
    struct Farewell(Arc<(Semaphore, AtomicUsize)>);
    impl Drop for Farewell {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            assert!(self.0.0.acquire_timeout(SHORT).is_err());
            self.0.1.fetch_add(1, Ordering::SeqCst);
            drop(self.0.0.acquire());
        }
    }
    for on in BOTH {
        let shared = Arc::new((Semaphore::new(0), AtomicUsize::new(0)));
        let farewell = Farewell(Arc::clone(&shared));
        let failed = on.spawn(move || {
            let _farewell = farewell;
            panic!("elsewhere");
        });
        until(|| shared.1.load(Ordering::SeqCst) == 1);
        shared.0.add_permits(1);
        assert!(failed.try_join().is_err());
        assert_eq!(shared.0.available_permits(), 1);
    }
}

#[test]
fn goroutines_with_copied_stacks_wait_too() {
    start();
    let shared = InUse::of(2);
    let handles: Vec<_> = (0..50)
        .map(|i| {
            let shared = Arc::clone(&shared);
            // SAFETY: the closure lends nothing of its stack to others.
            let builder = unsafe { Builder::new().copy_stack() };
            let work = move || {
                for n in 0..20 {
                    if (n + i) % 3 == 0 {
                        drop(shared.semaphore.acquire_timeout(Duration::from_micros(50)));
                    } else {
                        shared.with(1 + n % 2, yield_now);
                    }
                }
            };
            builder.spawn(work).unwrap()
        })
        .collect();
    handles.into_iter().for_each(|one| one.join().unwrap());
    shared.all_are_back();
}

#[test]
fn texts_and_traits() {
    fn semaphore<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
    fn error<T: Error + Copy + Eq + Send + Sync>() {}
    semaphore::<Semaphore>();
    semaphore::<SemaphorePermit<'_>>();
    semaphore::<OwnedSemaphorePermit>();
    error::<TryAcquireError>();
    error::<AcquireTimeoutError>();
    let semaphore = Arc::new(Semaphore::new(2));
    assert_eq!(format!("{semaphore:?}"), "Semaphore { permits: 2 }");
    let text = format!(
        "{:?} {:?}",
        semaphore.acquire(),
        Arc::clone(&semaphore).acquire_owned()
    );
    assert_eq!(
        text,
        "SemaphorePermit { permits: 1, .. } OwnedSemaphorePermit { permits: 1, .. }"
    );
    assert_eq!(
        semaphore.try_acquire_many(3).unwrap_err().to_string(),
        "no permits available"
    );
}
