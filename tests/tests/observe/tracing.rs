//! Spans of the crate `tracing` on goroutines: each sees its own, whatever others do and wherever it resumes.

use std::{
    cell::RefCell,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use goroutines::{
    Config, chan, go, sleep, sync,
    tracing::{Checked, GoroutineRegistry, in_current_span, registry},
    yield_now,
};
use goroutines_tests::start_with;
use tracing::{
    Dispatch, Event, Level, Span, Subscriber, dispatcher,
    field::{Field, Visit},
    info, span,
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer, Registry,
    filter::LevelFilter,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
};

const OWNERS: u64 = 200;

fn start() {
    start_with(Config::new().procs(4).force_migration(true));
}

/// What a layer has seen: for each event its owner and those of the spans around it, the innermost first.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Log>>);

#[derive(Default)]
struct Log {
    events: Vec<(u64, Vec<u64>)>,
    /// For each new span its owner and its parent's.
    spans: Vec<(u64, Option<u64>)>,
    closed: usize,
}

impl Seen {
    fn log<R>(&self, f: impl FnOnce(&mut Log) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn events(&self) -> Vec<(u64, Vec<u64>)> {
        self.log(|log| log.events.clone())
    }
}

/// The field `owner`.
#[derive(Clone, Copy, Default)]
struct Owner(u64);

impl Visit for Owner {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "owner" {
            self.0 = value;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Seen {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut owner = Owner::default();
        attributes.record(&mut owner);
        let span = context.span(id).expect("a span that was just made");
        span.extensions_mut().replace(owner);
        let parent = span.parent().map(|parent| owner_of(&parent));
        self.log(|log| log.spans.push((owner.0, parent)));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut owner = Owner::default();
        event.record(&mut owner);
        let around = context.event_scope(event).into_iter().flatten();
        let around = around.map(|span| owner_of(&span)).collect();
        self.log(|log| log.events.push((owner.0, around)));
    }

    fn on_close(&self, _: Id, _: Context<'_, S>) {
        self.log(|log| log.closed += 1);
    }
}

fn owner_of<'a, S: LookupSpan<'a>>(span: &tracing_subscriber::registry::SpanRef<'a, S>) -> u64 {
    let extensions = span.extensions();
    extensions.get::<Owner>().map_or(0, |owner| owner.0)
}

/// A registry with one layer, whose log is returned.
fn seen_by<S>(registry: S) -> (Dispatch, Seen)
where
    S: Subscriber + Send + Sync + for<'a> LookupSpan<'a>,
{
    let seen = Seen::default();
    (Dispatch::new(registry.with(seen.clone())), seen)
}

/// A span in `dispatch`. The default is changed for the time of a call that does not park.
fn span(dispatch: &Dispatch, owner: u64) -> Span {
    dispatcher::with_default(dispatch, || span!(Level::INFO, "of", owner))
}

fn event(dispatch: &Dispatch, owner: u64) {
    dispatcher::with_default(dispatch, || info!(owner));
}

/// A goroutine is parked in a span of owner 1; another one makes an event of owner 2 on the same thread. Returns what that
/// event saw around it.
fn event_beside_a_parked_span(dispatch: Dispatch, seen: &Seen) -> Vec<u64> {
    let both = go(move || {
        let (entered, is_entered) = chan::bounded::<()>(0);
        let (leave, may_leave) = chan::bounded::<()>(0);
        let theirs = span(&dispatch, 1);
        let parked = goroutines::Builder::new().pinned().spawn(move || {
            theirs.in_scope(|| {
                entered.send(()).unwrap();
                may_leave.recv().unwrap();
            });
        });
        is_entered.recv().unwrap();
        event(&dispatch, 2);
        leave.send(()).unwrap();
        parked.unwrap().join().unwrap();
    });
    both.join().unwrap();
    seen.events().pop().expect("an event").1
}

#[test]
fn with_the_other_registry_an_event_is_in_a_span_of_another_goroutine() {
    start();
    let (dispatch, seen) = seen_by(Registry::default());
    assert_eq!(event_beside_a_parked_span(dispatch, &seen), [1]);
}

#[test]
fn an_event_is_not_in_a_span_of_another_goroutine() {
    start();
    let (dispatch, seen) = seen_by(registry());
    assert_eq!(event_beside_a_parked_span(dispatch, &seen), []);
}

/// What a goroutine of the crowd does between two events: each way to be away from its thread.
fn wait(turn: u64, lock: &sync::Mutex<u64>, messages: &(chan::Sender<u64>, chan::Receiver<u64>)) {
    match turn % 4 {
        0 => yield_now(),
        1 => sleep(Duration::from_micros(50)),
        2 => {
            let mut number = lock.lock().unwrap();
            *number += 1;
            yield_now();
        }
        _ => {
            messages.0.send(turn).unwrap();
            messages.1.recv().unwrap();
        }
    }
}

#[test]
fn each_of_200_goroutines_is_in_its_own_spans_only_wherever_it_resumes() {
    start();
    let (dispatch, seen) = seen_by(registry());
    // A span that is closed closes its parent by the default.
    dispatcher::set_global_default(dispatch.clone()).unwrap();
    let lock = Arc::new(sync::Mutex::new(0));
    let messages = chan::bounded(OWNERS as usize);
    let crowd: Vec<_> = (1..=OWNERS)
        .map(|owner| {
            let (dispatch, lock, messages) =
                (dispatch.clone(), Arc::clone(&lock), messages.clone());
            go(move || {
                for turn in owner..owner + 12 {
                    let outer = span(&dispatch, owner);
                    let _outer = outer.enter();
                    wait(turn, &lock, &messages);
                    let inner = span(&dispatch, owner);
                    let inner_entered = inner.enter();
                    wait(turn / 2, &lock, &messages);
                    event(&dispatch, owner); // in two spans
                    wait(turn / 3, &lock, &messages);
                    drop(inner_entered);
                    event(&dispatch, owner); // in one
                    wait(turn + 1, &lock, &messages);
                }
            })
        })
        .collect();
    crowd.into_iter().for_each(|one| one.join().unwrap());
    let log = seen.log(std::mem::take);
    assert_eq!(log.events.len() as u64, OWNERS * 12 * 2);
    for (owner, around) in &log.events {
        assert!(
            (1..=2).contains(&around.len()) && around.iter().all(|of| of == owner),
            "an event of {owner} in {around:?}"
        );
    }
    let twice = log.events.iter().filter(|(_, around)| around.len() == 2);
    assert_eq!(twice.count() as u64, OWNERS * 12);
    for (owner, parent) in &log.spans {
        assert!(
            parent.is_none_or(|parent| parent == *owner),
            "a span of {owner} has a parent of {parent:?}"
        );
    }
    assert_eq!(log.closed, log.spans.len(), "each span is closed once");
    assert_eq!(log.closed as u64, OWNERS * 12 * 2);
}

#[test]
fn a_new_goroutine_is_in_no_span_unless_its_spawner_gives_it_its_own() {
    start();
    let (dispatch, seen) = seen_by(registry());
    let spawner = go(move || {
        let outer = span(&dispatch, 5);
        let _entered = outer.enter();
        let (here, there) = (dispatch.clone(), dispatch.clone());
        go(move || event(&here, 1)).join().unwrap();
        let given = dispatcher::with_default(&dispatch, || {
            in_current_span(move || {
                yield_now();
                event(&there, 2);
            })
        });
        go(given).join().unwrap();
    });
    spawner.join().unwrap();
    assert_eq!(seen.events(), [(1, vec![]), (2, vec![5])]);
}

#[test]
fn a_span_of_one_registry_is_no_span_of_another() {
    start();
    let ((one, seen_one), (other, seen_other)) = (seen_by(registry()), seen_by(registry()));
    let (outer, inner) = (span(&one, 1), span(&other, 2));
    let (_outer, _inner) = (outer.enter(), inner.enter());
    event(&one, 3);
    event(&other, 4);
    assert_eq!(seen_one.events(), [(3, vec![1])]);
    assert_eq!(seen_other.events(), [(4, vec![2])]);
}

#[test]
fn threads_of_the_system_have_spans_of_their_own() {
    let (dispatch, seen) = seen_by(registry());
    let outer = span(&dispatch, 1);
    let _entered = outer.enter();
    let there = dispatch.clone();
    thread::spawn(move || {
        let own = span(&there, 2);
        let _entered = own.enter();
        event(&there, 2);
    })
    .join()
    .unwrap();
    event(&dispatch, 1);
    assert_eq!(seen.events(), [(2, vec![2]), (1, vec![1])]);
}

#[test]
fn guards_may_be_dropped_in_any_order_and_a_span_may_be_entered_twice() {
    let (dispatch, seen) = seen_by(registry());
    let (a, b) = (span(&dispatch, 1), span(&dispatch, 2));
    let (first, second, again) = (a.enter(), b.enter(), a.enter());
    event(&dispatch, 10);
    drop(second);
    event(&dispatch, 11);
    drop(first);
    event(&dispatch, 12);
    drop(again);
    event(&dispatch, 13);
    assert_eq!(
        seen.events(),
        [(10, vec![2]), (11, vec![1]), (12, vec![1]), (13, vec![])],
        "`b` was made in no span"
    );
}

goroutines::goroutine_local! {
    static LATE: RefCell<Option<Late>> = RefCell::new(None);
}

/// Uses spans when the goroutine's local values are destroyed.
struct Late(Dispatch);

impl Drop for Late {
    fn drop(&mut self) {
        let late = span(&self.0, 8);
        let _entered = late.enter();
        event(&self.0, 9);
    }
}

#[test]
fn a_destructor_at_the_end_of_a_goroutine_may_use_spans() {
    start();
    let (dispatch, seen) = seen_by(registry());
    let there = dispatch.clone();
    let ends = go(move || {
        LATE.with_borrow_mut(|late| *late = Some(Late(there.clone())));
        // The list of spans is younger, and destroyed before.
        let own = span(&there, 7);
        own.in_scope(yield_now);
    });
    ends.join().unwrap();
    assert_eq!(seen.events(), [(9, vec![])]);
}

/// What a layer that takes spans from a level up sees while it is on a registry, inside or outside of a layer that sees
/// all: an event in two spans, of which the inner one is below the level.
fn filtered<S>(registry: S, filtered_is_outside: bool) -> (Vec<u64>, Vec<u64>)
where
    S: Subscriber + Send + Sync + for<'a> LookupSpan<'a>,
{
    let (all, some) = (Seen::default(), Seen::default());
    let (all_too, some_too) = (all.clone(), some.clone());
    let dispatch = match filtered_is_outside {
        true => Dispatch::new(
            registry
                .with(all_too)
                .with(some_too.with_filter(LevelFilter::INFO)),
        ),
        false => Dispatch::new(
            registry
                .with(some_too.with_filter(LevelFilter::INFO))
                .with(all_too),
        ),
    };
    let nested = go(move || {
        let outer = span(&dispatch, 1);
        let _outer = outer.enter();
        yield_now();
        let inner = dispatcher::with_default(&dispatch, || span!(Level::DEBUG, "in", owner = 2u64));
        let inner = inner.entered();
        (0..5).for_each(|_| yield_now());
        event(&dispatch, 3);
        dispatcher::with_default(&dispatch, || {
            tracing::debug!(owner = 4u64);
            drop(inner); // closes its parent as well, by the default
        });
    });
    nested.join().unwrap();
    assert_eq!(all.events()[1], (4, vec![2, 1]), "unfiltered");
    assert_eq!(some.events().len(), 1, "the other event is below the level");
    (all.events().remove(0).1, some.events().remove(0).1)
}

#[test]
fn a_layer_whose_filter_refuses_the_inner_span_is_shown_the_outer_one() {
    start();
    for outside in [true, false] {
        assert_eq!(filtered(registry(), outside), (vec![2, 1], vec![1]));
    }
}

#[test]
fn a_watched_layer_sees_what_the_layer_alone_would() {
    start();
    let seen = Seen::default();
    let dispatch = Dispatch::new(registry().with(Checked::new(seen.clone())));
    go(move || {
        let own = span(&dispatch, 1);
        own.in_scope(|| {
            yield_now();
            event(&dispatch, 1);
        });
    })
    .join()
    .unwrap();
    assert_eq!(seen.events(), [(1, vec![1])]);
    assert_eq!(seen.log(|log| log.closed), 1);
}

#[test]
fn a_registry_is_found_behind_its_layers() {
    let dispatch = Dispatch::new(registry().with(Checked::new(Seen::default())));
    assert!(dispatch.is::<GoroutineRegistry>());
    assert!(dispatch.is::<Registry>(), "layers look for it");
}
