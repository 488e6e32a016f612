//! Values of contexts.
//!
//! A context shares the list of its parent, until it is made with a value of its own: then it has a longer copy. A type has
//! one value, so a list is as long as there are types, however many contexts lie above.
//!
//! Values are `Copy`, and so have no destructors: a context is freed wherever its last reference goes, also where no code of
//! others may run.

use std::{
    any::{Any, TypeId},
    sync::Arc,
};

use super::{Context, family::Inner};

#[derive(Clone, Default)]
pub(super) struct Values(Option<Arc<[Value]>>);

type Value = (TypeId, Arc<dyn Any + Send + Sync>);

impl Values {
    fn as_slice(&self) -> &[Value] {
        self.0.as_deref().unwrap_or_default()
    }

    fn with<T: Send + Sync + 'static>(&self, value: T) -> Values {
        let own = TypeId::of::<T>();
        let others = self.as_slice().iter().filter(|(of, _)| *of != own).cloned();
        let value: Arc<dyn Any + Send + Sync> = Arc::new(value);
        Values(Some(others.chain([(own, value)]).collect()))
    }

    fn get<T: 'static>(&self) -> Option<&T> {
        let own = TypeId::of::<T>();
        let found = self.as_slice().iter().find(|(of, _)| *of == own);
        found.and_then(|(_, value)| value.downcast_ref())
    }
}

impl Context {
    /// A context with a value, which code under it finds by its type, also in goroutines that are started there. It is done
    /// when this one is.
    ///
    /// This is for what belongs to a request and is of use to code that knows nothing of it, such as the number of a trace for
    /// a logger. What a function needs is an argument of it. The values of one goroutine alone are
    /// [goroutine-local](crate::goroutine_local); these here are inherited. A type of its own for each value keeps users apart.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{context::Context, go};
    ///
    /// #[derive(Clone, Copy, PartialEq, Debug)]
    /// struct TraceId(u128);
    ///
    /// fn log(text: &str) -> String {
    ///     match Context::current().value::<TraceId>() {
    ///         Some(TraceId(id)) => format!("[{id:x}] {text}"),
    ///         None => text.to_owned(),
    ///     }
    /// }
    ///
    /// let request = Context::background().with_value(TraceId(0xf00d));
    /// let line = request.run(|| go(|| log("looked up")).join().unwrap());
    /// assert_eq!(line, "[f00d] looked up");
    /// assert_eq!(log("idle"), "idle");
    /// ```
    #[doc(alias = "WithValue")]
    pub fn with_value<T: Copy + Send + Sync + 'static>(&self, value: T) -> Context {
        let above = self.0.as_ref().map(|inner| inner.values.clone());
        let values = above.unwrap_or_default().with(value);
        let inner = Inner::with_values(self.0.as_ref(), self.deadline(), values);
        // It has no canceller of its own.
        inner.one_canceller_less();
        Context(Some(inner))
    }

    /// The value of this type: that of this context, or of the nearest one above it that has one.
    pub fn value<T: Copy + Send + Sync + 'static>(&self) -> Option<T> {
        self.0.as_ref()?.values.get().copied()
    }
}
