//! Values of contexts: who finds which.

mod common;

use goroutines::{JoinSet, context::Context, errgroup, go};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Trace(u64);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct User(&'static str);

fn trace() -> Option<u64> {
    Context::current().value::<Trace>().map(|trace| trace.0)
}

fn user() -> Option<&'static str> {
    Context::current().value::<User>().map(|user| user.0)
}

#[test]
fn a_value_is_found_by_its_type_below_its_context_alone() {
    let above = Context::background().with_value(Trace(1));
    let both = above.with_value(User("ann"));
    let other = both.with_value(Trace(2));
    assert_eq!(above.value(), Some(Trace(1)));
    assert_eq!(above.value::<User>(), None);
    assert_eq!(
        (both.value(), both.value()),
        (Some(Trace(1)), Some(User("ann")))
    );
    assert_eq!(
        (other.value(), other.value()),
        (Some(Trace(2)), Some(User("ann")))
    );
    assert_eq!(both.value(), Some(Trace(1)), "a context does not change");
    assert_eq!(Context::background().value::<Trace>(), None);
    assert_eq!(other.value::<u64>(), None);
}

#[test]
fn goroutines_inherit_the_values_however_they_are_started() {
    common::start(2);
    let request = Context::background()
        .with_value(Trace(7))
        .with_value(User("bob"));
    request.run(|| {
        assert_eq!(
            go(|| go(|| (trace(), user())).join().unwrap())
                .join()
                .unwrap(),
            (Some(7), Some("bob"))
        );
        let mut set = JoinSet::new();
        set.spawn(trace);
        assert_eq!(set.join_all(), [Some(7)]);
        errgroup::scope(|group| {
            group.go(|| {
                if trace() == Some(7) {
                    Ok(())
                } else {
                    Err("not inherited")
                }
            });
            Ok(())
        })
        .unwrap();
        let (a, b) = goroutines::join(trace, trace);
        assert_eq!((a, b), (Some(7), Some(7)));
        let own = Context::current().with_value(Trace(8));
        assert_eq!(own.run(|| go(trace).join().unwrap()), Some(8));
        assert_eq!(trace(), Some(7));
        assert_eq!(Context::background().run(trace), None);
    });
    assert_eq!((trace(), go(trace).join().unwrap()), (None, None));
    let thread = std::thread::spawn(move || request.run(trace));
    assert_eq!(thread.join().unwrap(), Some(7), "on a plain thread too");
}

#[test]
fn a_context_with_a_value_is_done_when_the_one_above_it_is() {
    common::start(2);
    let (above, canceller) = Context::background().with_cancel();
    let below = above
        .with_value(Trace(1))
        .with_cancel()
        .0
        .with_value(User("eve"));
    assert_eq!(
        (below.value(), below.value()),
        (Some(Trace(1)), Some(User("eve")))
    );
    assert!(!below.is_cancelled());
    let waits = below.run(|| go(|| (Context::current().done().recv().is_err(), trace())));
    canceller.cancel();
    assert_eq!(waits.join().unwrap(), (true, Some(1)));
    assert!(below.is_cancelled() && below.with_value(Trace(2)).is_cancelled());

    let (late, _canceller) = Context::background().with_deadline(std::time::Instant::now());
    assert!(late.with_value(Trace(3)).err().is_some());
    assert!(!Context::background().with_value(Trace(4)).is_cancelled());
}

#[test]
fn a_long_line_of_values_costs_what_the_last_one_does() {
    let mut context = Context::background();
    for n in 0..10_000 {
        context = context.with_value(Trace(n)).with_value(User("ann"));
    }
    assert_eq!(context.value(), Some(Trace(9_999)));
    // Freed without recursion.
    drop(context);
}
