//! A layer of `tracing` that parks is named, where `Checked` watches it.
#![cfg(debug_assertions)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use goroutines::{
    Config, blocking, go,
    tracing::{Checked, registry},
    yield_now,
};
use goroutines_tests::start_with;
use tracing::{Dispatch, Event, Level, Subscriber, dispatcher, span};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
};

/// Breaks the rule for layers.
struct Parks;

impl<S: Subscriber> Layer<S> for Parks {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        let (home, start) = (this_thread(), Instant::now());
        while this_thread() == home {
            yield_now();
            assert!(start.elapsed() < Duration::from_secs(60), "it never moved");
        }
    }
}

/// Not inlined: the compiler would take it to be the same in the whole loop.
#[inline(never)]
fn this_thread() -> ThreadId {
    thread::current().id()
}

#[test]
fn a_watched_layer_that_parks_is_named() {
    // Without the migration check, which sends a goroutine in the middle of a call of tracing back to its thread.
    start_with(
        Config::new()
            .procs(4)
            .force_migration(true)
            .migration_check(false),
    );
    let dispatch = Dispatch::new(registry().with(Checked::new(Parks)));
    let span = dispatcher::with_default(&dispatch, || span!(Level::INFO, "any"));
    let metadata = span.metadata().expect("a span");
    let parks = go(move || {
        let fields = metadata.fields();
        dispatch.event(&Event::new(metadata, &fields.value_set(&[])));
    });
    // Each of these gives the P to another thread, also where there is one P.
    let done = Arc::new(AtomicBool::new(false));
    let others = (0..4).map(|_| {
        let done = Arc::clone(&done);
        go(move || {
            // Relaxed: only to end.
            while !done.load(Ordering::Relaxed) {
                blocking(|| thread::sleep(Duration::from_millis(1)));
            }
        })
    });
    let others: Vec<_> = others.collect();
    let panic = parks.join().unwrap_err();
    let text = panic.downcast_ref::<String>().expect("a text");
    assert!(
        text.contains("the layer tracing_checked::Parks parked in on_event: it began on "),
        "{text}"
    );
    // Relaxed: as above.
    done.store(true, Ordering::Relaxed);
    others.into_iter().for_each(|one| one.join().unwrap());
}
