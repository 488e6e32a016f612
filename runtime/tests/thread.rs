//! `goroutines::thread` beside `std::thread`: on goroutines and on plain OS threads.

mod common;

use std::{
    collections::HashSet,
    hash::Hash,
    panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use common::{Census, On, settle, until};
use goroutines::{
    chan,
    thread::{self, Builder, JoinHandle, Scope, ScopedJoinHandle, Thread, ThreadId},
};

const SIDES: [On; 2] = [On::Goroutine, On::Thread];
const SHORT: Duration = Duration::from_millis(3);

fn start() {
    common::start(2);
}

/// The message that a panic came with.
fn text<T>(result: thread::Result<T>) -> String {
    match result
        .map(|_| ())
        .expect_err("it did not panic")
        .downcast::<String>()
    {
        Ok(text) => *text,
        Err(other) => (*other.downcast::<&str>().expect("a panic with a text")).to_owned(),
    }
}

#[test]
fn the_types_are_as_free_as_those_of_std() {
    fn shared<T: Send + Sync>() {}
    fn name_tag<T: Clone + Send + Sync + UnwindSafe + RefUnwindSafe + std::fmt::Debug>() {}
    fn number<T: Copy + Eq + Hash + Send + Sync + std::fmt::Debug>() {}
    shared::<JoinHandle<u8>>();
    shared::<ScopedJoinHandle<'_, u8>>();
    shared::<Scope<'_, '_>>();
    shared::<Builder>();
    name_tag::<Thread>();
    number::<ThreadId>();
    assert_eq!(size_of::<Option<ThreadId>>(), size_of::<ThreadId>());
}

#[test]
fn spawn_returns_what_the_closure_did() {
    start();
    assert_eq!(thread::spawn(|| 6 * 7).join().unwrap(), 42);
    let failed = thread::spawn(|| panic!("on purpose"));
    until(|| failed.is_finished());
    assert_eq!(text(failed.join()), "on purpose");
    let unit: goroutines::JoinHandle<()> = thread::spawn(|| ());
    unit.join().unwrap();
}

#[test]
fn a_builder_gives_name_and_stack() {
    start();
    let named = Builder::new().name("baker".to_owned()).stack_size(1 << 20);
    let handle = named
        .spawn(|| thread::current().name().map(str::to_owned))
        .unwrap();
    assert_eq!(handle.name(), Some("baker"));
    assert_eq!(handle.thread().name(), Some("baker"));
    assert_eq!(handle.join().unwrap().as_deref(), Some("baker"));
    let error = Builder::new()
        .stack_size(usize::MAX)
        .spawn(|| ())
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn a_name_with_a_null_byte_is_the_callers_mistake() {
    start();
    let spawn = || Builder::new().name("a\0b".to_owned()).spawn(|| ());
    let said = text(catch_unwind(spawn).map(drop));
    assert_eq!(
        said,
        r#"Builder::name: "a\0b" contains a null byte; give a name without one"#
    );
}

#[test]
fn a_borrowing_closure_can_be_spawned_unchecked_and_joined() {
    start();
    let mut numbers = vec![1, 2, 3];
    // SAFETY: joined here.
    let task = unsafe { Builder::new().spawn_unchecked(|| numbers.push(4)) };
    task.unwrap().join().unwrap();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[test]
fn each_caller_has_one_identity_and_no_two_the_same() {
    start();
    for side in SIDES {
        let ids: Vec<ThreadId> = (0..100)
            .map(|_| {
                side.spawn(|| {
                    let first = thread::current();
                    thread::yield_now();
                    assert_eq!(first.id(), thread::current().id());
                    assert_eq!(format!("{first:?}"), format!("{:?}", thread::current()));
                    first.id()
                })
                .join()
            })
            .collect();
        let mut all: HashSet<ThreadId> = ids.iter().copied().collect();
        assert_eq!(all.len(), 100);
        assert!(all.insert(thread::current().id()));
        let printed: HashSet<String> = all.iter().map(|id| format!("{id:?}")).collect();
        assert_eq!(printed.len(), 101);
    }
}

#[test]
fn handle_and_goroutine_agree_on_the_identity_whichever_asks_first() {
    start();
    for round in 0..2000 {
        let (tx, rx) = chan::bounded(1);
        let handle = thread::spawn(move || {
            if round % 2 == 0 {
                thread::yield_now();
            }
            tx.send(thread::current()).unwrap();
        });
        let asked = handle.thread().clone();
        let told = rx.recv().unwrap();
        assert_eq!(asked.id(), told.id());
        assert_eq!(asked.id(), handle.thread().id());
        // It names a goroutine that is over, and not the one that uses its descriptor next.
        handle.join().unwrap();
        let next = thread::spawn(|| ());
        assert_ne!(next.thread().id(), told.id());
        next.join().unwrap();
        told.unpark();
    }
}

#[test]
fn an_os_thread_has_the_name_that_std_gave_it() {
    let named = std::thread::Builder::new().name("plain".to_owned());
    let who = named.spawn(thread::current).unwrap().join().unwrap();
    assert_eq!(who.name(), Some("plain"));
    assert!(format!("{who:?}").starts_with("Thread { id: ThreadId(os "));
    let nameless = std::thread::spawn(thread::current).join().unwrap();
    assert_eq!(nameless.name(), None);
    who.unpark(); // long after its end
}

#[test]
fn an_unpark_before_the_park_is_kept_and_two_count_once() {
    start();
    for side in SIDES {
        side.spawn(|| {
            let me = thread::current();
            me.unpark();
            me.unpark();
            thread::park();
            let start = Instant::now();
            thread::park_timeout(SHORT);
            assert!(start.elapsed() >= SHORT, "the second one counted");
        })
        .join();
    }
}

#[test]
fn unpark_wakes_one_that_is_parked_from_anywhere() {
    start();
    for (parks, wakes) in common::PAIRS {
        let (tx, rx) = chan::bounded(1);
        let parked = parks.spawn(move || {
            tx.send(thread::current()).unwrap();
            thread::park();
            thread::park_timeout(Duration::MAX);
        });
        wakes
            .spawn(move || {
                let who = rx.recv().unwrap();
                settle();
                who.unpark();
                settle();
                who.unpark();
            })
            .join();
        parked.join();
    }
}

#[test]
fn a_timed_park_ends_by_itself_and_leaves_nothing_behind() {
    start();
    for side in SIDES {
        side.spawn(|| {
            for timeout in [Duration::ZERO, SHORT] {
                let start = Instant::now();
                thread::park_timeout(timeout);
                assert!(start.elapsed() >= timeout);
            }
            // And can be unparked after that.
            thread::current().unpark();
            thread::park();
        })
        .join();
    }
}

#[test]
fn no_unpark_is_lost_whether_the_time_is_up_or_not() {
    start();
    for (parks, wakes) in common::PAIRS {
        let turns = 3000;
        let given = Arc::new(AtomicUsize::new(0));
        let (tx, rx) = chan::bounded(1);
        let parked = {
            let given = Arc::clone(&given);
            parks.spawn(move || {
                tx.send(thread::current()).unwrap();
                for turn in 1..=turns {
                    // Short enough to end now and then in the moment of the unpark.
                    while given.load(Ordering::Acquire) < turn {
                        if turn % 3 == 0 {
                            thread::park();
                        } else {
                            thread::park_timeout(Duration::from_micros(turn as u64 % 50));
                        }
                    }
                    given.store(0, Ordering::Release);
                }
            })
        };
        let who = rx.recv().unwrap();
        wakes
            .spawn(move || {
                for turn in 1..=turns {
                    while given.load(Ordering::Acquire) != 0 {
                        thread::yield_now();
                    }
                    given.store(turn, Ordering::Release);
                    who.unpark();
                    // Its turn is over when it has put the number back.
                    while given.load(Ordering::Acquire) == turn {
                        thread::yield_now();
                    }
                }
            })
            .join();
        parked.join();
    }
}

#[test]
fn what_came_before_an_unpark_is_seen_after_the_park() {
    start();
    for (parks, wakes) in common::PAIRS {
        for _ in 0..300 {
            let cell = Arc::new(AtomicUsize::new(0));
            let seen = Arc::clone(&cell);
            let (tx, rx) = chan::bounded(1);
            let parked = parks.spawn(move || {
                tx.send(thread::current()).unwrap();
                thread::park();
                // Relaxed: the park orders it.
                seen.load(Ordering::Relaxed)
            });
            wakes
                .spawn(move || {
                    let who = rx.recv().unwrap();
                    cell.store(1, Ordering::Relaxed);
                    who.unpark();
                })
                .join();
            assert_eq!(parked.join(), 1);
        }
    }
}

#[test]
fn a_goroutine_parks_while_it_unwinds() {
    start();
    struct Parks(chan::Sender<Thread>);
    impl Drop for Parks {
        fn drop(&mut self) {
            assert!(thread::panicking());
            self.0.send(thread::current()).unwrap();
            thread::park();
            thread::park_timeout(SHORT);
        }
    }
    for side in SIDES {
        let (tx, rx) = chan::bounded(1);
        let unwinds = side.spawn(move || {
            let _parks = Parks(tx);
            panic!("unwinding");
        });
        let who = rx.recv().unwrap();
        settle();
        who.unpark();
        assert_eq!(text::<()>(unwinds.try_join()), "unwinding");
    }
    assert!(!thread::panicking());
}

#[test]
fn a_scope_lends_and_waits() {
    start();
    for side in SIDES {
        side.spawn(|| {
            let numbers: Vec<u64> = (0..1000).collect();
            let mut last = 0;
            let total = AtomicUsize::new(0);
            let returned = thread::scope(|s| {
                for chunk in numbers.chunks(10) {
                    let total = &total;
                    s.spawn(move || {
                        thread::yield_now();
                        total.fetch_add(chunk.iter().sum::<u64>() as usize, Ordering::Relaxed);
                    });
                }
                s.spawn(|| last = numbers[999]);
                "value"
            });
            assert_eq!(returned, "value");
            assert_eq!((total.into_inner(), last), (499_500, 999));
        })
        .join();
    }
}

#[test]
fn a_scoped_handle_joins_with_what_is_borrowed() {
    start();
    let words = ["one".to_owned(), "two".to_owned()];
    let longest = thread::scope(|s| {
        let named = Builder::new().name("finder".to_owned());
        let finder = named
            .spawn_scoped(s, || words.iter().max_by_key(|word| word.len()).unwrap())
            .unwrap();
        assert_eq!(finder.thread().name(), Some("finder"));
        assert_eq!(format!("{finder:?}"), "ScopedJoinHandle { .. }");
        assert_eq!(
            format!("{s:?}"),
            "Scope { running: 1, panicked: false, .. }"
        );
        until(|| finder.is_finished());
        finder.join().unwrap()
    });
    assert!(std::ptr::eq(longest, &words[1]));
}

#[test]
fn goroutines_of_a_scope_start_others_in_it_and_scopes_nest() {
    start();
    let count = AtomicUsize::new(0);
    thread::scope(|s| {
        for _ in 0..10 {
            s.spawn(|| {
                s.spawn(|| {
                    settle();
                    count.fetch_add(1, Ordering::Relaxed);
                });
                let inner = AtomicUsize::new(0);
                thread::scope(|s| {
                    for _ in 0..10 {
                        s.spawn(|| inner.fetch_add(1, Ordering::Relaxed));
                    }
                });
                count.fetch_add(inner.into_inner(), Ordering::Relaxed);
            });
        }
    });
    assert_eq!(count.into_inner(), 110);
}

#[test]
fn a_panic_that_was_not_joined_is_the_scopes() {
    start();
    let ended = AtomicBool::new(false);
    let result = catch_unwind(AssertUnwindSafe(|| {
        thread::scope(|s| {
            s.spawn(|| panic!("unseen"));
            s.spawn(|| {
                settle();
                ended.store(true, Ordering::Relaxed);
            });
        })
    }));
    assert_eq!(text(result), "a scoped thread panicked");
    assert!(ended.into_inner(), "the scope did not wait");
}

#[test]
fn a_panic_that_was_joined_is_not() {
    start();
    thread::scope(|s| {
        let failed = s.spawn(|| panic!("seen"));
        assert_eq!(text::<()>(failed.join()), "seen");
    });
}

#[test]
fn a_scope_that_unwinds_waits_first_and_keeps_its_payload() {
    start();
    for side in SIDES {
        side.spawn(|| {
            let mut local = 0;
            let result = catch_unwind(AssertUnwindSafe(|| {
                thread::scope(|s| {
                    s.spawn(|| {
                        settle();
                        local = 1;
                        panic!("theirs");
                    });
                    panic!("mine");
                })
            }));
            assert_eq!(text::<()>(result), "mine");
            assert_eq!(local, 1);
        })
        .join();
    }
}

#[test]
fn a_scope_works_while_its_goroutine_unwinds() {
    start();
    struct Scopes(Arc<AtomicUsize>);
    impl Drop for Scopes {
        fn drop(&mut self) {
            let before = thread::current().id();
            thread::scope(|s| {
                for _ in 0..5 {
                    s.spawn(|| {
                        thread::sleep(SHORT);
                        self.0.fetch_add(1, Ordering::Relaxed);
                    });
                }
            });
            assert_eq!(thread::current().id(), before);
        }
    }
    for side in SIDES {
        let count = Arc::new(AtomicUsize::new(0));
        let scopes = Scopes(Arc::clone(&count));
        let unwinds = side.spawn(move || {
            let _scopes = scopes;
            panic!("unwinding");
        });
        assert_eq!(text::<()>(unwinds.try_join()), "unwinding");
        assert_eq!(count.load(Ordering::Relaxed), 5);
    }
}

#[test]
fn a_scope_drops_every_result_before_it_returns() {
    start();
    for _ in 0..200 {
        let census = Census::new();
        thread::scope(|s| {
            for id in 0..8 {
                let census = &census;
                let handle = s.spawn(move || {
                    if id % 2 == 0 {
                        thread::yield_now();
                    }
                    census.birth(id)
                });
                match id % 4 {
                    0 => drop(handle),
                    1 => drop(handle.join()),
                    2 => thread::yield_now(),
                    _ => {
                        until(|| handle.is_finished());
                        drop(handle);
                    }
                }
            }
        });
        assert_eq!((census.born(), census.alive()), (8, 0));
    }
}

#[test]
fn a_scoped_goroutine_that_cannot_be_made_holds_nothing_open() {
    start();
    let census = Census::new();
    thread::scope(|s| {
        let value = census.birth(1);
        let builder = Builder::new().stack_size(usize::MAX);
        let error = builder.spawn_scoped(s, move || drop(value)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    });
    assert_eq!(census.alive(), 0);
}

#[test]
fn goroutines_with_copied_stacks_lend_from_them_in_a_scope() {
    start();
    let all: Vec<_> = (0..100_usize)
        .map(|n| {
            // SAFETY: what borrows from this stack is in a scope, which pins it.
            let builder = unsafe { Builder::new().copy_stack() };
            let scoped = move || {
                let mut numbers = [n; 64];
                thread::scope(|s| {
                    for number in &mut numbers {
                        // SAFETY: it has no effect here.
                        let copied = unsafe { Builder::new().copy_stack() };
                        let add = move || {
                            thread::yield_now();
                            *number += 1;
                        };
                        copied.spawn_scoped(s, add).unwrap();
                    }
                });
                numbers.iter().sum::<usize>()
            };
            builder.spawn(scoped).unwrap()
        })
        .collect();
    for (n, one) in all.into_iter().enumerate() {
        assert_eq!(one.join().unwrap(), (n + 1) * 64);
    }
}

#[test]
fn copied_stacks_park_and_are_unparked() {
    start();
    let all: Vec<_> = (0..100)
        .map(|n| {
            // SAFETY: the closure lends nothing of its stack.
            let builder = unsafe { Builder::new().copy_stack() };
            let parks = move || {
                let numbers = [n; 32];
                thread::park();
                thread::park_timeout(SHORT);
                numbers.iter().sum::<usize>()
            };
            builder.spawn(parks).unwrap()
        })
        .collect();
    all.iter().for_each(|one| one.thread().unpark());
    for (n, one) in all.into_iter().enumerate() {
        assert_eq!(one.join().unwrap(), n * 32);
    }
}

#[test]
fn scopes_of_goroutines_and_threads_run_into_each_other() {
    start();
    let total = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for round in 0..200 {
                    thread::scope(|s| {
                        for _ in 0..round % 7 {
                            s.spawn(|| total.fetch_add(1, Ordering::Relaxed));
                        }
                    });
                }
            });
        }
    });
    let each: usize = (0..200).map(|round| round % 7).sum();
    assert_eq!(total.into_inner(), 4 * each);
}

#[test]
fn parallelism_is_the_number_of_processors() {
    start();
    let said = thread::available_parallelism().unwrap().get();
    assert_eq!(said, goroutines::gomaxprocs());
}

#[test]
fn sleepers_wake_no_sooner_than_they_asked() {
    start();
    for side in SIDES {
        side.spawn(|| {
            let start = Instant::now();
            thread::sleep(Duration::ZERO);
            thread::sleep_until(start);
            thread::sleep(SHORT);
            assert!(start.elapsed() >= SHORT);
            thread::sleep_until(start + 3 * SHORT);
            assert!(start.elapsed() >= 3 * SHORT);
        })
        .join();
    }
}

#[test]
fn a_join_with_a_timeout_gives_the_handle_back_until_the_end() {
    start();
    for (joins, ends) in common::PAIRS {
        let handle = thread::spawn(|| {
            thread::park();
            "over"
        });
        joins
            .spawn(move || {
                let early = handle.join_timeout(Duration::ZERO).unwrap_err();
                let early = early.join_timeout(SHORT).unwrap_err();
                let early = early.join_deadline(Instant::now()).unwrap_err();
                let who = early.thread().clone();
                let waker = ends.spawn(move || {
                    settle();
                    who.unpark();
                });
                let over = early.join_timeout(Duration::MAX).unwrap().unwrap();
                assert_eq!(over, "over");
                waker.join();
            })
            .join();
    }
    let ended = thread::spawn(|| panic!("at once"));
    until(|| ended.is_finished());
    let result = ended.join_timeout(Duration::ZERO).unwrap();
    assert_eq!(text::<()>(result), "at once");
}

#[test]
fn a_join_whose_time_is_up_just_then_has_one_outcome() {
    start();
    let census = Census::new();
    for round in 0..5000_u64 {
        let value = census.birth(round);
        let handle = thread::spawn(move || {
            thread::sleep(Duration::from_micros(round % 100));
            value
        });
        match handle.join_timeout(Duration::from_micros(50)) {
            Ok(result) => assert_eq!(result.unwrap().id, round),
            Err(handle) if round % 2 == 0 => assert_eq!(handle.join().unwrap().id, round),
            Err(handle) => drop(handle),
        }
        // The next wait of this goroutine is not ended by what came too late for that one.
        let start = Instant::now();
        thread::park_timeout(Duration::from_micros(20));
        assert!(start.elapsed() >= Duration::from_micros(20));
    }
    until(|| census.alive() == 0);
}
