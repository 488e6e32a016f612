//! [`GoroutineRegistry`]: the registry of `tracing-subscriber`, with the entered spans per goroutine.
//!
//! It wraps the other registry, which stores the spans, and differs in what belongs to a thread there:
//!
//! | | the other registry | here |
//! |---|---|---|
//! | enter, exit, the current span | a stack of spans for each thread | the stack of the goroutine (entered.rs) |
//! | a new span without a given parent | asks itself for the current span | is given the goroutine's as its parent |
//! | a filter that refuses the innermost span looks for the next one outside | goes through the thread's stack | the thread's stack is made a copy of the goroutine's before |
//!
//! The last is needed for filters of single layers only. The way from a layer to the stack of a thread leads through
//! `downcast_raw`, which asks us for the registry inside: that is where the copy is renewed. It stays until another
//! goroutine asks on that thread.

use std::{
    any::TypeId,
    cell::RefCell,
    ptr,
    sync::atomic::{AtomicUsize, Ordering},
};

use thread_local::ThreadLocal;
use tracing::{
    Event, Metadata, Subscriber,
    metadata::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_core::{Dispatch, span::Current};
use tracing_subscriber::{
    filter::FilterId,
    registry::{Data, LookupSpan, Registry, SpanData as _},
};

use super::entered;

/// The number of the last registry.
static REGISTRIES: AtomicUsize = AtomicUsize::new(0);

/// A registry of spans that keeps the current span of each goroutine: takes the place of
/// [`Registry`]. The [module](crate::tracing) says how it is used, and what its limits are.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{go, tracing::GoroutineRegistry, yield_now};
/// use tracing::{Span, info_span};
/// use tracing_subscriber::util::SubscriberInitExt as _;
///
/// GoroutineRegistry::default().init();
/// let one_of = |name: &'static str| move || {
///     let span = info_span!("one", name);
///     let _entered = span.enter();
///     (0..10).for_each(|_| yield_now());
///     assert_eq!(Span::current().id(), span.id());
/// };
/// let (a, b) = (go(one_of("a")), go(one_of("b")));
/// a.join().unwrap();
/// b.join().unwrap();
/// ```
#[derive(Debug)]
pub struct GoroutineRegistry {
    registry: Registry,
    /// Tells the entries of different registries apart.
    number: usize,
    /// Whether a layer has a filter of its own.
    filtered: bool,
    /// What lies on the stack that `registry` has for the thread.
    copies: ThreadLocal<RefCell<Vec<Id>>>,
}

/// A new [`GoroutineRegistry`], for layers to be put on: `registry().with(layer).init()`.
#[must_use]
pub fn registry() -> GoroutineRegistry {
    GoroutineRegistry::default()
}

impl Default for GoroutineRegistry {
    fn default() -> GoroutineRegistry {
        GoroutineRegistry {
            registry: Registry::default(),
            // Relaxed: numbers only have to differ.
            number: REGISTRIES.fetch_add(1, Ordering::Relaxed),
            filtered: false,
            copies: ThreadLocal::new(),
        }
    }
}

impl GoroutineRegistry {
    /// Makes the stack that the registry inside has for this thread a copy of the caller's.
    fn copy_entered(&self) {
        let mut copy = self.copies.get_or_default().borrow_mut();
        entered::copy_to(
            self.number,
            &mut copy,
            |id| self.registry.exit(id),
            |id| self.registry.enter(id),
        );
    }
}

impl Subscriber for GoroutineRegistry {
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        self.registry.on_register_dispatch(subscriber);
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let interest = self.registry.register_callsite(metadata);
        // Layers without a filter know that a "never" of the other registry is that of a filtered layer further out. Of
        // ours they would take it as everybody's.
        match self.filtered && interest.is_never() {
            true => Interest::sometimes(),
            false => interest,
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.registry.enabled(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.registry.max_level_hint()
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        if !attributes.is_contextual() {
            return self.registry.new_span(attributes);
        }
        let (metadata, values) = (attributes.metadata(), attributes.values());
        self.registry
            .new_span(&match entered::current(self.number) {
                // It may be closed, if it was entered by its id alone.
                Some(parent) if self.registry.span_data(&parent).is_some() => {
                    Attributes::child_of(parent, metadata, values)
                }
                _ => Attributes::new_root(metadata, values),
            })
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.registry.record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.registry.record_follows_from(span, follows);
    }

    fn event_enabled(&self, event: &Event<'_>) -> bool {
        self.registry.event_enabled(event)
    }

    fn event(&self, event: &Event<'_>) {
        self.registry.event(event);
    }

    fn enter(&self, span: &Id) {
        entered::enter(self.number, span.clone());
    }

    fn exit(&self, span: &Id) {
        entered::exit(self.number, span);
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.registry.clone_span(span)
    }

    fn try_close(&self, span: Id) -> bool {
        self.registry.try_close(span)
    }

    fn current_span(&self) -> Current {
        let current = entered::current(self.number).and_then(|id| {
            let data = self.registry.span_data(&id)?;
            Some(Current::new(id, data.metadata()))
        });
        current.unwrap_or_else(Current::none)
    }

    unsafe fn downcast_raw(&self, id: TypeId) -> Option<*const ()> {
        if id == TypeId::of::<Self>() {
            return Some(ptr::from_ref(self).cast());
        }
        if self.filtered && id == TypeId::of::<Registry>() {
            self.copy_entered();
        }
        // SAFETY: the pointer is asked of the registry inside, by the contract that this function's caller keeps; it is
        // valid as long as `self`.
        unsafe { self.registry.downcast_raw(id) }
    }
}

impl<'a> LookupSpan<'a> for GoroutineRegistry {
    type Data = Data<'a>;

    fn span_data(&'a self, id: &Id) -> Option<Data<'a>> {
        self.registry.span_data(id)
    }

    fn register_filter(&mut self) -> FilterId {
        self.filtered = true;
        self.registry.register_filter()
    }
}
