//! The argument of the closure of a `Once`.

use std::{cell::Cell, fmt, marker::PhantomData};

/// What [`Once::call_once_force`](super::Once::call_once_force) tells its closure.
pub struct OnceState {
    poisoned: bool,
    /// As std's: not shared with others.
    _not_sync: PhantomData<Cell<()>>,
}

impl OnceState {
    pub(super) fn new(poisoned: bool) -> OnceState {
        OnceState {
            poisoned,
            _not_sync: PhantomData,
        }
    }

    /// Returns whether an earlier closure has panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// goroutines::sync::Once::new().call_once_force(|state| assert!(!state.is_poisoned()));
    /// ```
    #[inline]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }
}

impl fmt::Debug for OnceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceState")
            .field("poisoned", &self.poisoned)
            .finish()
    }
}
