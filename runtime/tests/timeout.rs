//! `timeout`: what it reaches, and what comes back when the time is up.

mod common;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use common::On;
use goroutines::{
    chan,
    context::{Context, ContextError},
    go,
    sync::Mutex,
    timeout,
};

const SIDES: [On; 2] = [On::Goroutine, On::Thread];
const SOON: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(3600);

fn start() {
    common::start(2);
}

#[test]
fn a_function_that_returns_in_time_gives_its_value() {
    start();
    for on in SIDES {
        on.spawn(|| {
            assert_eq!(timeout(LONG, |_| 5), Ok(5));
            assert_eq!(timeout(Duration::MAX, |ctx| ctx.deadline()), Ok(None));
            assert_eq!(Context::current().deadline(), None);
        })
        .join();
    }
}

#[test]
fn waits_with_the_context_and_waits_under_it_end_with_the_time() {
    start();
    for on in SIDES {
        on.spawn(|| {
            let (_tx, rx) = chan::bounded::<u32>(0);
            let lock = Mutex::new(());
            let _guard = lock.lock().unwrap();
            let late = timeout(SOON, |ctx| {
                assert_eq!(ctx.deadline(), Context::current().deadline());
                goroutines::sleep(LONG);
                let inherited = go({
                    let rx = rx.clone();
                    move || rx.recv().is_err()
                });
                (
                    rx.recv().is_err(),
                    lock.lock_ctx(ctx).unwrap_err(),
                    inherited.join().unwrap(),
                )
            });
            let what = late.unwrap_err().into_inner();
            assert_eq!(what, (true, ContextError::DeadlineExceeded, true));
            // It is over for the caller.
            assert!(Context::current().err().is_none());
        })
        .join();
    }
}

#[test]
fn what_takes_no_context_goes_on_and_what_came_late_is_in_the_error() {
    start();
    let begin = Instant::now();
    let late = timeout(Duration::ZERO, |_| {
        while begin.elapsed() < SOON {
            std::hint::spin_loop();
        }
        String::from("computed")
    });
    let late = late.unwrap_err();
    assert_eq!(
        format!("{late} {late:?}"),
        "deadline has elapsed Elapsed(..)"
    );
    assert_eq!(late.into_inner(), "computed");
}

#[test]
fn an_earlier_deadline_of_the_caller_is_an_end_of_the_time_and_its_cancellation_is_not() {
    start();
    let (outer, _) = Context::background().with_timeout(SOON);
    let inner = outer.run(|| timeout(LONG, |ctx| ctx.sleep(LONG)));
    assert_eq!(
        inner.unwrap_err().into_inner(),
        Err(ContextError::DeadlineExceeded)
    );
    let (outer, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let inner = outer.run(|| timeout(LONG, |ctx| ctx.sleep(LONG)));
    assert_eq!(inner, Ok(Err(ContextError::Cancelled)));
}

#[test]
fn a_panic_comes_out_and_leaves_the_caller_its_own_context() {
    start();
    for on in SIDES {
        on.spawn(|| {
            let caught = catch_unwind(AssertUnwindSafe(|| timeout(SOON, |_| panic!("inside"))));
            let payload = caught.map(|_: Result<(), _>| ()).unwrap_err();
            assert_eq!(payload.downcast_ref(), Some(&"inside"));
            assert_eq!(Context::current().deadline(), None);
        })
        .join();
    }
}
