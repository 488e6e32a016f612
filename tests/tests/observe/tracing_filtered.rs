//! A layer without a filter sees what the filter of another layer refuses. In a process of its own: with a second registry
//! in the process no call site would be refused for good.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use goroutines::tracing::registry;
use tracing::{Event, Subscriber, debug, dispatcher, info};
use tracing_subscriber::{
    Layer,
    filter::LevelFilter,
    layer::{Context, SubscriberExt as _},
};

/// Counts events.
#[derive(Clone, Default)]
struct Counts(Arc<AtomicUsize>);

impl Counts {
    fn so_far(&self) -> usize {
        // Relaxed: all on one thread.
        self.0.load(Ordering::Relaxed)
    }
}

impl<S: Subscriber> Layer<S> for Counts {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        // Relaxed: as above.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn what_one_layer_refuses_reaches_the_layer_inside_it() {
    let (all, some) = (Counts::default(), Counts::default());
    let outside = some.clone().with_filter(LevelFilter::INFO);
    let dispatch = registry().with(all.clone()).with(outside).into();
    dispatcher::set_global_default(dispatch).unwrap();
    for _ in 0..3 {
        info!("for both");
        debug!("for one");
    }
    assert_eq!((all.so_far(), some.so_far()), (6, 3));
}
