//! `join` runs both closures once, wherever they run: results, borrows, panics, parks, many at once.

use std::{
    cell::Cell,
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use goroutines::{
    Builder, Config, chan,
    context::Context,
    go, goroutine_local, join, reserve_stack, sleep,
    sync::{Mutex, WaitGroup},
    thread, yield_now,
};
use goroutines_tests::{Dice, start_with};

fn start() {
    // Windows of 1 MiB, for unoptimised frames.
    start_with(Config::new().procs(8).stack_size(1 << 20));
}

/// Runs `f` on a goroutine, which may borrow.
fn on_goroutine<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    start();
    thread::scope(|s| match s.spawn(f).join() {
        Ok(value) => value,
        Err(payload) => resume_unwind(payload),
    })
}

/// `join`, where another goroutine runs `b`: `a` begins when `b` has.
fn join_stolen<RA, RB: Send>(a: impl FnOnce() -> RA, b: impl FnOnce() -> RB + Send) -> (RA, RB) {
    let (tx, rx) = chan::bounded::<()>(1);
    join(
        move || {
            rx.recv().unwrap();
            a()
        },
        move || {
            tx.send(()).unwrap();
            b()
        },
    )
}

fn me() -> thread::ThreadId {
    thread::current().id()
}

fn text(payload: &(dyn std::any::Any + Send)) -> &str {
    payload.downcast_ref::<&str>().copied().unwrap_or("another")
}

/// The payload of the panic that ends `f`.
fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("there was no panic"),
        Err(payload) => text(&*payload).to_owned(),
    }
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = join(|| fib(n - 1), || fib(n - 2));
    a + b
}

fn sort(values: &mut [u32]) {
    if values.len() < 2 {
        return;
    }
    let pivot = values[values.len() / 2];
    let smaller = to_front(values, |&value| value < pivot);
    let (left, rest) = values.split_at_mut(smaller);
    let equal = to_front(rest, |&value| value == pivot);
    let right = &mut rest[equal..];
    join(|| sort(left), || sort(right));
}

/// Moves those that are `first` to the front. Returns how many there are.
fn to_front<T>(values: &mut [T], first: impl Fn(&T) -> bool) -> usize {
    let mut count = 0;
    for at in 0..values.len() {
        if first(&values[at]) {
            values.swap(at, count);
            count += 1;
        }
    }
    count
}

#[test]
fn results_are_those_of_two_calls() {
    assert_eq!(on_goroutine(|| fib(18)), 2584);
    assert_eq!(on_goroutine(|| join(|| 1, || "b")), (1, "b"));
}

#[test]
fn closures_borrow_from_the_caller() {
    let mut values: Vec<u32> = (0..5000_u32)
        .map(|i| i.wrapping_mul(2_654_435_761) >> 20)
        .collect();
    let mut expected = values.clone();
    expected.sort_unstable();
    on_goroutine(|| sort(&mut values));
    assert_eq!(values, expected);
}

#[test]
fn a_plain_thread_joins_too() {
    start();
    assert_eq!(fib(15), 610);
    let (a, b) = join_stolen(me, me);
    assert_ne!(a, b, "a goroutine has run the second");
    let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(|| fib(14))).collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 377);
    }
}

#[test]
fn the_second_runs_elsewhere_while_the_first_waits() {
    on_goroutine(|| {
        let caller = me();
        let (a, b) = join_stolen(me, me);
        assert_eq!(a, caller);
        assert_ne!(b, caller);
    });
}

#[test]
fn the_first_may_end_long_before_the_second() {
    on_goroutine(|| {
        for _ in 0..20 {
            let mut done = false;
            join_stolen(
                || (),
                || {
                    sleep(Duration::from_millis(2));
                    done = true;
                },
            );
            assert!(done);
        }
    });
}

#[test]
fn both_may_park() {
    fn tree(depth: u32, lock: &Mutex<u64>) -> u64 {
        if depth == 0 {
            *lock.lock().unwrap() += 1;
            yield_now();
            return 1;
        }
        let (a, b) = join(
            || {
                sleep(Duration::from_micros(20));
                tree(depth - 1, lock)
            },
            || {
                yield_now();
                tree(depth - 1, lock)
            },
        );
        a + b
    }
    let lock = Mutex::new(0);
    assert_eq!(on_goroutine(|| tree(8, &lock)), 256);
    assert_eq!(lock.into_inner().unwrap(), 256);
}

#[test]
fn calls_are_nested_deeper_than_a_deque_is_long() {
    fn chain(depth: u32, parks: bool) -> u32 {
        if depth == 0 {
            return 0;
        }
        let b = || {
            if parks {
                yield_now();
            }
            1
        };
        let (a, b) = join(|| chain(depth - 1, parks), b);
        a + b
    }
    let deep = || Builder::new().stack_size(8 << 20);
    start();
    for depth in [20, 63, 64, 65, 300] {
        for parks in [false, true] {
            let chain = deep().spawn(move || chain(depth, parks)).unwrap();
            assert_eq!(chain.join().unwrap(), depth);
        }
    }
}

#[test]
fn a_panic_of_the_first_drops_a_second_that_has_not_begun() {
    struct Dropped<'a>(&'a Cell<u32>);
    impl Drop for Dropped<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    // SAFETY: the cell is used by one goroutine at a time: the second closure is run or dropped once.
    unsafe impl Send for Dropped<'_> {}
    on_goroutine(|| {
        let dropped = Cell::new(0);
        let begun = AtomicUsize::new(0);
        for round in 1..=200 {
            let held = Dropped(&dropped);
            let begun = &begun;
            let panic = panic_of(|| {
                join(
                    || panic!("first"),
                    move || {
                        let _held = &held;
                        begun.fetch_add(1, Ordering::Relaxed);
                    },
                )
            });
            assert_eq!(panic, "first");
            assert_eq!(dropped.get(), round, "dropped before join has unwound");
        }
    });
}

#[test]
fn a_panic_of_the_first_waits_for_a_second_that_has_begun() {
    on_goroutine(|| {
        let mut ended = false;
        let panic = panic_of(|| {
            join_stolen(
                || panic!("first"),
                || {
                    sleep(Duration::from_millis(5));
                    ended = true;
                },
            )
        });
        assert_eq!(panic, "first");
        assert!(ended);
    });
}

#[test]
fn a_panic_of_the_second_comes_out_wherever_it_ran() {
    on_goroutine(|| {
        assert_eq!(panic_of(|| join(|| 1, || panic!("second"))), "second");
        assert_eq!(
            panic_of(|| join_stolen(|| 1, || panic!("second"))),
            "second"
        );
        assert_eq!(fib(10), 55, "the goroutine joins on");
    });
}

#[test]
fn of_two_panics_the_first_closures_comes_out() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a destructor");
        }
    }
    on_goroutine(|| {
        let both = || join_stolen(|| panic!("first"), || panic!("second"));
        assert_eq!(panic_of(both), "first");
        let bomb = Bomb;
        let unused = || {
            join(
                || panic!("first"),
                move || {
                    let _bomb = bomb;
                },
            )
        };
        // If an M takes the second, its own panic is the second one.
        assert_eq!(panic_of(unused), "first");
    });
}

#[test]
fn a_destructor_joins_while_its_goroutine_unwinds() {
    struct Joins;
    impl Drop for Joins {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            assert_eq!(fib(8), 21);
            assert_eq!(join_stolen(|| 1, || 2), (1, 2));
        }
    }
    let panic = on_goroutine(|| {
        panic_of(|| {
            let _joins = Joins;
            panic!("unwinds");
        })
    });
    assert_eq!(panic, "unwinds");
}

#[test]
fn a_value_of_a_goroutine_joins_when_it_is_dropped() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Joins;
    impl Drop for Joins {
        fn drop(&mut self) {
            assert_eq!(fib(8), 21);
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
    goroutine_local! {
        static JOINS: Joins = const { Joins };
    }
    start();
    // The result lies in the descriptor of the goroutine when the value is dropped.
    let result = go(|| {
        JOINS.with(|_| ());
        [7_u64; 12]
    });
    assert_eq!(result.join().unwrap(), [7; 12]);
    assert_eq!(DROPPED.load(Ordering::Relaxed), 1);
}

#[test]
fn the_second_has_the_context_of_the_caller() {
    on_goroutine(|| {
        let (context, canceller) = Context::background().with_cancel();
        context.run(|| {
            let is_cancelled = || Context::current().is_cancelled();
            assert!(!join(|| (), is_cancelled).1);
            let cancel = || {
                assert!(!is_cancelled());
                canceller.cancel();
                is_cancelled()
            };
            assert!(join_stolen(|| (), cancel).1);
            assert!(join(|| (), is_cancelled).1);
        });
    });
}

#[test]
fn thousands_of_goroutines_are_in_a_join_at_once() {
    start();
    const COUNT: usize = 3000;
    let inside = AtomicUsize::new(0);
    let all_inside = WaitGroup::new();
    let ran = on_goroutine(|| {
        let (tx, rx) = chan::bounded::<()>(0);
        let (inside, rx) = (&inside, &rx);
        thread::scope(|s| {
            for _ in 0..COUNT {
                let here = all_inside.clone();
                s.spawn(move || {
                    let wait = || {
                        inside.fetch_add(1, Ordering::Relaxed);
                        drop(here);
                        assert!(rx.recv().is_err());
                        fib(4)
                    };
                    assert_eq!(join(wait, || fib(5)), (3, 5));
                });
            }
            all_inside.wait();
            drop(tx);
        });
        inside.load(Ordering::Relaxed)
    });
    assert_eq!(ran, COUNT);
}

#[test]
fn goroutines_with_copied_stacks_join() {
    start();
    let all: Vec<_> = (0..40)
        .map(|i: u64| {
            // SAFETY: these goroutines lend what lies on their stacks to `join` alone, which pins the stack.
            let builder = unsafe { Builder::new().copy_stack() };
            builder
                .spawn(move || {
                    let values: Vec<u64> = (0..20).map(|n| n + i).collect();
                    let (mut a, mut b) = ([0_u64; 20], [0_u64; 20]);
                    for round in 0..10 {
                        join(
                            || {
                                yield_now();
                                a.copy_from_slice(&values);
                                yield_now();
                            },
                            || {
                                b.copy_from_slice(&values);
                                sleep(Duration::from_micros(10 * round));
                            },
                        );
                        yield_now();
                        assert_eq!(a.as_slice(), values);
                        assert_eq!(b.as_slice(), values);
                    }
                    fib(10)
                })
                .unwrap()
        })
        .collect();
    for one in all {
        assert_eq!(one.join().unwrap(), 55);
    }
}

#[test]
fn sums_are_right_whatever_happens_in_the_closures() {
    fn tree(dice: &mut Dice, size: usize, from: usize) -> usize {
        match dice.roll(12) {
            0 => yield_now(),
            1 => sleep(dice.micros(50)),
            2 => _ = join(yield_now, yield_now),
            _ => {}
        }
        if size == 1 {
            return from;
        }
        let left = 1 + dice.roll(size - 1);
        let (mut mine, mut others) = (dice.fork(), dice.fork());
        let (a, b) = join(
            || tree(&mut mine, left, from),
            || tree(&mut others, size - left, from + left),
        );
        a + b
    }
    start();
    let all: Vec<_> = (0..24_u64)
        .map(|seed| {
            go(move || {
                let size = 400;
                assert_eq!(
                    tree(&mut Dice::new(seed + 1), size, 0),
                    size * (size - 1) / 2
                );
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn each_closure_of_a_tree_runs_once() {
    fn tree(depth: u32, number: usize, seen: &Mutex<HashSet<usize>>) {
        assert!(seen.lock().unwrap().insert(number), "{number} ran twice");
        if depth > 0 {
            join(
                || tree(depth - 1, 2 * number, seen),
                || tree(depth - 1, 2 * number + 1, seen),
            );
        }
    }
    let seen = Mutex::new(HashSet::new());
    on_goroutine(|| tree(9, 1, &seen));
    assert_eq!(seen.into_inner().unwrap().len(), 1023);
}

/// A call that blocks the thread, in both closures.
#[test]
fn threads_are_started_inside() {
    on_goroutine(|| {
        // The system blocks all signals while it starts a thread.
        let thread = |n: u64| {
            reserve_stack(64 << 10);
            std::thread::spawn(move || n).join().unwrap()
        };
        assert_eq!(join_stolen(|| thread(1), || thread(2)), (1, 2));
    });
}
