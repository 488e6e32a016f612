//! What Limiter promises.

mod common;

use std::{
    panic::catch_unwind,
    time::{Duration, Instant},
};

use common::{On, settle};
use goroutines::{
    context::{Context, ContextError},
    go,
    sync::{Arc, Limiter},
};

const HOUR: Duration = Duration::from_secs(3600);

fn start() {
    common::start(2);
}

#[test]
fn a_burst_passes_at_once_and_the_next_has_to_wait() {
    start();
    let limiter = Limiter::new(HOUR, 3);
    let begin = Instant::now();
    assert!(limiter.allow());
    limiter.wait();
    assert!(limiter.reserve().unwrap() <= Instant::now());
    assert!(!limiter.allow());
    let next = limiter.reserve().unwrap();
    assert!(
        next >= begin + HOUR && next <= Instant::now() + HOUR,
        "{next:?}"
    );
    assert!(!limiter.allow());
}

#[test]
fn events_take_as_long_as_their_rate_says() {
    start();
    for on in [On::Goroutine, On::Thread] {
        on.spawn(|| {
            let limiter = Limiter::new(Duration::from_millis(2), 4);
            let begin = Instant::now();
            (0..14).for_each(|_| limiter.wait());
            assert!(begin.elapsed() >= Duration::from_millis(20));
        })
        .join();
    }
}

#[test]
fn those_that_wait_together_are_let_through_at_the_rate() {
    start();
    let limiter = Arc::new(Limiter::new(Duration::from_millis(1), 1));
    let begin = Instant::now();
    let all: Vec<_> = (0..20)
        .map(|_| {
            let limiter = Arc::clone(&limiter);
            go(move || limiter.wait())
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
    assert!(begin.elapsed() >= Duration::from_millis(19));
}

#[test]
fn a_context_ends_the_wait_and_gives_the_token_back() {
    start();
    let limiter = Arc::new(Limiter::new(HOUR, 1));
    limiter.wait();
    let (context, _canceller) = Context::background().with_timeout(Duration::from_millis(1));
    let error = limiter.wait_ctx(&context);
    assert_eq!(
        error,
        Err(ContextError::DeadlineExceeded),
        "the token is too late"
    );

    let (context, canceller) = Context::background().with_cancel();
    let waits = go({
        let limiter = Arc::clone(&limiter);
        move || limiter.wait_ctx(&context)
    });
    settle();
    canceller.cancel();
    assert_eq!(waits.join().unwrap(), Err(ContextError::Cancelled));
    // Neither has taken a token: the next one comes an hour after the first, not three.
    assert!(limiter.reserve().unwrap() <= Instant::now() + HOUR);

    let (context, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let free = Limiter::new(Duration::ZERO, 1);
    assert_eq!(free.wait_ctx(&context), Err(ContextError::Cancelled));
    assert_eq!(free.wait_ctx(&Context::background()), Ok(()));
}

#[test]
fn a_token_that_others_have_reserved_after_is_not_given_back() {
    start();
    let limiter = Arc::new(Limiter::new(HOUR, 1));
    limiter.wait();
    let (context, canceller) = Context::background().with_cancel();
    let waits = go({
        let limiter = Arc::clone(&limiter);
        move || limiter.wait_ctx(&context)
    });
    settle();
    let after = limiter.reserve().unwrap();
    canceller.cancel();
    assert_eq!(waits.join().unwrap(), Err(ContextError::Cancelled));
    // Else two events were due at the same time.
    assert!(limiter.reserve().unwrap() >= after + HOUR);
}

#[test]
fn the_caller_s_context_does_not_end_a_wait_without_one() {
    start();
    let (context, canceller) = Context::background().with_cancel();
    canceller.cancel();
    let limiter = Limiter::new(Duration::from_millis(5), 1);
    let begin = Instant::now();
    context.run(|| {
        limiter.wait();
        limiter.wait();
    });
    assert!(begin.elapsed() >= Duration::from_millis(5));
}

#[test]
fn a_rate_without_limit_never_waits_and_one_that_lets_nothing_pass_is_refused() {
    start();
    let free = Limiter::new(Duration::ZERO, 1);
    assert!((0..1000).all(|_| free.allow()));
    let never = catch_unwind(|| Limiter::new(HOUR, 0)).unwrap_err();
    let text = never.downcast_ref::<&str>().unwrap();
    assert!(
        text.contains("Limiter::new") && text.contains("at least 1"),
        "{text}"
    );
    let long = catch_unwind(|| Limiter::new(Duration::MAX, 2)).unwrap_err();
    let text = long.downcast_ref::<String>().unwrap();
    assert!(text.contains("Limiter::new: 2 times"), "{text}");
    // Far beyond what a clock can hold.
    let never = Limiter::new(Duration::MAX, 1);
    assert!(!never.allow() && never.reserve().is_none());
    let (context, canceller) = Context::background().with_cancel();
    let waits = go(move || never.wait_ctx(&context));
    settle();
    canceller.cancel();
    assert_eq!(waits.join().unwrap(), Err(ContextError::Cancelled));
}
