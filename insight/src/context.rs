//! The contexts of goroutines. What a goroutine has inherited is the public crate's, which says how it is read.

use std::{any::Any, fmt, sync::OnceLock, time::Instant};

/// The state of a context.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ContextState {
    /// It has no deadline, and is not cancelled.
    Open,
    /// It has a deadline that is to come.
    Deadline,
    /// It is cancelled.
    Cancelled,
    /// Its deadline has passed.
    Late,
}

impl fmt::Display for ContextState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ContextState::Open => "context",
            ContextState::Deadline => "context with deadline",
            ContextState::Cancelled => "context cancelled",
            ContextState::Late => "context deadline exceeded",
        })
    }
}

/// Reads what a goroutine has inherited: the state of a context, and its deadline; `None` if it is none. It is called while the
/// goroutine is held: it takes no lock and allocates nothing.
pub type ReadContext = fn(&(dyn Any + Send + Sync)) -> Option<(ContextState, Option<Instant>)>;

static READ: OnceLock<ReadContext> = OnceLock::new();

/// Contexts are read by `read`; once.
pub fn read_contexts_with(read: ReadContext) {
    // A process starts the runtime once.
    let _ = READ.set(read);
}

pub(crate) fn read(inherited: &(dyn Any + Send + Sync)) -> Option<(ContextState, Option<Instant>)> {
    READ.get()?(inherited)
}
