//! The closure and the result of a goroutine, in its G or in a box of their own.
//!
//! One place serves both: the closure lies there until the goroutine starts, which moves it onto its
//! stack; the result is put there when it ends. What does not fit into the G is boxed.

use std::{
    any::{self, Any},
    panic::{self, AssertUnwindSafe},
};

use crate::gmp::g::{GRef, INLINE};

/// What a goroutine returned, or the payload of the panic that ended it.
pub(crate) type Outcome<T> = Result<T, Box<dyn Any + Send>>;

/// What is known of a closure and its result once their types are forgotten.
pub(crate) struct Entry {
    /// Runs the closure on the current stack and puts the outcome into its place.
    pub(crate) run: unsafe fn(GRef),
    /// Drops the outcome.
    pub(crate) drop_outcome: unsafe fn(GRef),
    /// The closure's type, for messages.
    pub(crate) name: fn() -> &'static str,
}

struct EntryOf<F, T>(F, T);

impl<F: FnOnce() -> T, T> EntryOf<F, T> {
    const ENTRY: Entry = Entry {
        run: run::<F, T>,
        drop_outcome: drop_value::<Outcome<T>>,
        name: any::type_name::<F>,
    };
}

/// The entry for closures of type `F`.
pub(crate) fn entry_of<F: FnOnce() -> T, T>() -> &'static Entry {
    &EntryOf::<F, T>::ENTRY
}

/// # Safety
///
/// The payload of `g` is an `F`, and the caller is the goroutine `g`.
unsafe fn run<F: FnOnce() -> T, T>(g: GRef) {
    // SAFETY: the caller says that the payload is an F; from here on it is empty.
    let closure = unsafe { take::<F>(g) };
    let outcome: Outcome<T> = panic::catch_unwind(AssertUnwindSafe(closure));
    // SAFETY: the payload is empty and the goroutine owns its G.
    unsafe { put(g, outcome) };
}

const fn fits<V>() -> bool {
    size_of::<V>() <= INLINE && align_of::<V>() <= 16
}

/// Puts `value` into the payload of `g`.
///
/// # Safety
///
/// The caller owns `g` and its payload is empty.
pub(crate) unsafe fn put<V>(g: GRef, value: V) {
    let place = g.get().payload();
    // SAFETY: the payload is INLINE bytes, aligned to 16, owned by the caller and empty; `fits` has
    // checked that a V lies in it, and a pointer always does.
    unsafe {
        if fits::<V>() {
            place.cast::<V>().write(value);
        } else {
            place.cast::<*mut V>().write(Box::into_raw(Box::new(value)));
        }
    }
}

/// Takes the value out of the payload of `g`.
///
/// # Safety
///
/// The caller owns `g`, and its payload is a `V` that [`put`] put there.
pub(crate) unsafe fn take<V>(g: GRef) -> V {
    let place = g.get().payload();
    // SAFETY: the caller says that `put` stored a V, which it did in the branch that `fits` chooses.
    unsafe {
        if fits::<V>() {
            place.cast::<V>().read()
        } else {
            *Box::from_raw(place.cast::<*mut V>().read())
        }
    }
}

/// # Safety
///
/// As for [`take`].
unsafe fn drop_value<V>(g: GRef) {
    // SAFETY: passed on.
    drop(unsafe { take::<V>(g) });
}
