//! Contexts in reports.

use std::{any::Any, time::Instant};

use goroutines_insight::ContextState;

use super::{ContextError, family::Inner};

/// The state of what a goroutine has inherited, and its deadline, if it is a context. Takes no lock and allocates nothing.
pub(crate) fn read(inherited: &(dyn Any + Send + Sync)) -> Option<(ContextState, Option<Instant>)> {
    let inner = inherited.downcast_ref::<Inner>()?;
    let state = match (inner.err(), inner.deadline) {
        (Some(ContextError::Cancelled), _) => ContextState::Cancelled,
        (Some(ContextError::DeadlineExceeded), _) => ContextState::Late,
        (None, Some(_)) => ContextState::Deadline,
        (None, None) => ContextState::Open,
    };
    Some((state, inner.deadline))
}
