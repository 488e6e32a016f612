//! [`Checked`]: a layer that must not park, and is watched in debug builds.

use std::{
    any::{TypeId, type_name},
    ptr, thread,
    thread::ThreadId,
};

use tracing::{
    Event, Metadata, Subscriber,
    metadata::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_core::Dispatch;
use tracing_subscriber::layer::{Context, Layer};

/// A layer whose calls are watched in debug builds: each must end on the thread on which it began.
///
/// `tracing` keeps some state on the thread while it calls layers, so a layer must not park: what it locks, waits for or
/// writes to must not be this crate's. A layer that does is found as soon as it resumes on another thread, soonest with
/// `GOROUTINE_FORCE_MIGRATION=on`. In release builds this only passes the calls on.
///
/// # Panics
///
/// In debug builds a call of the layer panics if it returns on another thread. The message names the layer and the call.
///
/// # Examples
///
/// ```
/// use goroutines::tracing::{Checked, registry};
/// use tracing_subscriber::{fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};
///
/// registry().with(Checked::new(fmt::layer())).init();
/// tracing::info!("written by a layer that is watched");
/// ```
#[derive(Clone, Debug)]
pub struct Checked<L> {
    layer: L,
}

impl<L> Checked<L> {
    /// Watches `layer`.
    pub fn new(layer: L) -> Checked<L> {
        Checked { layer }
    }

    /// Runs `call`, the method `name` of the layer.
    fn watch<R>(&self, name: &str, call: impl FnOnce(&L) -> R) -> R {
        if !cfg!(debug_assertions) {
            return call(&self.layer);
        }
        let before = this_thread();
        let result = call(&self.layer);
        let after = this_thread();
        assert!(
            before == after,
            "goroutines::tracing: the layer {} parked in {name}: it began on {before:?} and ended on {after:?}, but tracing \
             keeps state of the call on the thread; let the layer hand its work to a goroutine or thread of its own, and \
             use locks of std",
            type_name::<L>(),
        );
        result
    }
}

/// The thread that runs the caller. Not inlined: the compiler would take it to be the same in the whole function.
#[inline(never)]
fn this_thread() -> ThreadId {
    thread::current().id()
}

impl<S: Subscriber, L: Layer<S>> Layer<S> for Checked<L> {
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        self.watch("on_register_dispatch", |layer| {
            layer.on_register_dispatch(subscriber);
        });
    }

    fn on_layer(&mut self, subscriber: &mut S) {
        self.layer.on_layer(subscriber);
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.watch("register_callsite", |layer| {
            layer.register_callsite(metadata)
        })
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        self.watch("enabled", |layer| layer.enabled(metadata, context))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.watch("on_new_span", |layer| {
            layer.on_new_span(attributes, id, context);
        });
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.layer.max_level_hint()
    }

    fn on_record(&self, span: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.watch("on_record", |layer| layer.on_record(span, values, context));
    }

    fn on_follows_from(&self, span: &Id, follows: &Id, context: Context<'_, S>) {
        self.watch("on_follows_from", |layer| {
            layer.on_follows_from(span, follows, context);
        });
    }

    fn event_enabled(&self, event: &Event<'_>, context: Context<'_, S>) -> bool {
        self.watch("event_enabled", |layer| layer.event_enabled(event, context))
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        self.watch("on_event", |layer| layer.on_event(event, context));
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.watch("on_enter", |layer| layer.on_enter(id, context));
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.watch("on_exit", |layer| layer.on_exit(id, context));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.watch("on_close", |layer| layer.on_close(id, context));
    }

    fn on_id_change(&self, old: &Id, new: &Id, context: Context<'_, S>) {
        self.watch("on_id_change", |layer| {
            layer.on_id_change(old, new, context)
        });
    }

    unsafe fn downcast_raw(&self, id: TypeId) -> Option<*const ()> {
        if id == TypeId::of::<Self>() {
            return Some(ptr::from_ref(self).cast());
        }
        // SAFETY: the pointer is asked of the layer inside, by the contract that this function's caller keeps; it is valid
        // as long as `self`.
        unsafe { self.layer.downcast_raw(id) }
    }
}
