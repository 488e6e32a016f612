//! Goroutines that wait while they unwind, or in a blocking call, beside others that can run on their thread only.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use goroutines::{Builder, JoinHandle, blocking, chan, go, sleep, yield_now};
use goroutines_tests::start;

/// Far longer than anything here takes; what waits for ever is told from what takes long.
const FOR_EVER: Duration = Duration::from_secs(30);

/// Calls it when it is dropped.
struct AtTheEnd<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> AtTheEnd<F> {
    fn new(f: F) -> AtTheEnd<F> {
        AtTheEnd(Some(f))
    }
}

impl<F: FnOnce()> Drop for AtTheEnd<F> {
    fn drop(&mut self) {
        self.0.take().expect("dropped once")();
    }
}

/// Runs `f` on a goroutine; fails if that takes for ever.
fn ends<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    match go(f).join_timeout(FOR_EVER) {
        Ok(result) => result.expect("it does not panic"),
        Err(_) => panic!("it waits for ever"),
    }
}

fn pinned<T: 'static>(f: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    Builder::new().pinned().spawn(f).unwrap()
}

/// Runs `wait` while the calling goroutine unwinds.
fn unwinding(wait: impl FnOnce()) {
    let before = thread::panicking();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _end = AtTheEnd::new(|| {
            assert!(thread::panicking());
            wait();
            assert!(thread::panicking(), "the count of panics was lost");
        });
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert_eq!(
        caught.expect_err("it panics").downcast_ref(),
        Some(&"on purpose")
    );
    assert_eq!(thread::panicking(), before, "panics are miscounted");
}

/// Each way to wait for a pinned goroutine, which parks and yields before it is there.
fn each_wait(run: fn(&mut dyn FnMut())) {
    for _ in 0..10 {
        let child = || {
            pinned(|| {
                assert!(!thread::panicking(), "it counts the panics of another");
                yield_now();
                sleep(Duration::from_micros(300));
                assert!(!thread::panicking());
                7
            })
        };
        // A join, with and without a deadline; a message; a yield until it is there; sleep.
        let mut one = Some(child());
        run(&mut || assert_eq!(one.take().unwrap().join().unwrap(), 7));
        let mut one = Some(child());
        run(&mut || {
            let joined = one.take().unwrap().join_timeout(FOR_EVER);
            assert_eq!(joined.unwrap().unwrap(), 7);
        });
        let (tx, rx) = chan::bounded(0);
        let sender = pinned(move || tx.send(7).unwrap());
        run(&mut || assert_eq!(rx.recv(), Ok(7)));
        sender.join().unwrap();
        let one = child();
        run(&mut || {
            while !one.is_finished() {
                yield_now();
            }
        });
        let one = child();
        run(&mut || {
            while !one.is_finished() {
                sleep(Duration::from_micros(100));
            }
        });
    }
}

#[test]
fn a_wait_while_unwinding_does_not_keep_those_that_share_its_thread() {
    start(2);
    ends(|| each_wait(|wait| unwinding(wait)));
}

#[test]
fn a_wait_in_a_blocking_call_does_not_keep_those_that_share_its_thread() {
    start(2);
    ends(|| each_wait(|wait| blocking(wait)));
    // Also where the other one is in such a call, and where sysmon takes the P meanwhile.
    ends(|| {
        let child = pinned(|| {
            blocking(|| thread::sleep(Duration::from_millis(3)));
            yield_now();
            blocking(|| sleep(Duration::from_millis(3)));
        });
        blocking(|| {
            thread::sleep(Duration::from_millis(3));
            child.join().unwrap();
            thread::sleep(Duration::from_millis(3));
        });
        yield_now();
    });
}

#[test]
fn a_wait_in_a_blocking_call_while_unwinding_does_not_keep_them_either() {
    start(2);
    ends(|| each_wait(|wait| unwinding(|| blocking(wait))));
    ends(|| each_wait(|wait| blocking(|| unwinding(wait))));
}

#[test]
fn several_that_unwind_on_one_thread_each_count_their_own_panics() {
    start(2);
    ends(|| {
        const ALL: usize = 8;
        let turns = Rc::new(Mutex::new(Vec::new()));
        let all: Vec<_> = (0..ALL)
            .map(|n| {
                let turns = Rc::clone(&turns);
                pinned(move || {
                    // Panics within panics: each level waits.
                    unwinding(|| {
                        sleep(Duration::from_micros(50 * n as u64));
                        unwinding(|| {
                            yield_now();
                            unwinding(|| sleep(Duration::from_micros(100)));
                            turns.lock().unwrap().push(n);
                        });
                        yield_now();
                    });
                    sleep(Duration::from_micros(50));
                    assert!(!thread::panicking());
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        let mut turns = turns.lock().unwrap().clone();
        turns.sort_unstable();
        assert_eq!(turns, (0..ALL).collect::<Vec<_>>());
    });
}

#[test]
fn a_goroutine_that_panics_beside_one_that_unwinds_gives_its_panic_to_its_join() {
    start(2);
    ends(|| {
        let fails = pinned(|| {
            yield_now();
            std::panic::resume_unwind(Box::new(9));
        });
        unwinding(|| {
            let joined: Result<(), _> = fails.join();
            assert_eq!(joined.unwrap_err().downcast_ref(), Some(&9));
        });
    });
}

#[test]
fn those_that_are_not_bound_run_elsewhere_meanwhile() {
    start(2);
    ends(|| {
        let child = pinned(|| sleep(Duration::from_millis(20)));
        unwinding(|| {
            let began = Instant::now();
            let others: Vec<_> = (0..50).map(|n| go(move || n)).collect();
            let sum: u32 = others.into_iter().map(|one| one.join().unwrap()).sum();
            assert_eq!(sum, 1225);
            assert!(began.elapsed() < FOR_EVER);
            child.join().unwrap();
        });
    });
}
