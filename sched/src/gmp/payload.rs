//! The closure and the result of a goroutine, in its G or in a box of their own.
//!
//! One place serves both: the closure lies there until the goroutine starts and moves it onto its stack; the result
//! is put there when the goroutine ends. A value that does not fit into the G is boxed.

use std::{
    any::{self, Any},
    mem::MaybeUninit,
    panic::{self, AssertUnwindSafe},
};

/// Bytes of closure or result that need no allocation of their own.
pub(crate) const INLINE: usize = 112;

/// Room for the closure, later for the result.
#[repr(C, align(16))]
pub(crate) struct Payload([MaybeUninit<u8>; INLINE]);

impl Payload {
    pub(crate) const fn empty() -> Payload {
        Payload([MaybeUninit::uninit(); INLINE])
    }
}

/// What a goroutine returned, or the payload of the panic that ended it.
pub(crate) type Outcome<T> = Result<T, Box<dyn Any + Send>>;

/// The functions for a closure and its result, without their types.
pub(crate) struct Entry {
    /// Runs the closure on the current stack and puts the outcome into its place.
    pub(crate) run: unsafe fn(*mut u8),
    /// Drops the outcome.
    pub(crate) drop_outcome: unsafe fn(*mut u8),
    /// The closure's type, for messages.
    pub(crate) name: fn() -> &'static str,
}

impl Entry {
    /// The entry of a function that puts an `Outcome<T>` into its place; `name` is the type for messages.
    pub(crate) const fn of_function<T>(
        run: unsafe fn(*mut u8),
        name: fn() -> &'static str,
    ) -> Entry {
        Entry {
            run,
            drop_outcome: drop_value::<Outcome<T>>,
            name,
        }
    }
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
/// `place` is a [`Payload`] with an `F` in it, of the goroutine that runs here.
unsafe fn run<F: FnOnce() -> T, T>(place: *mut u8) {
    // SAFETY: the payload holds an F, as the caller owes; from here on it is empty.
    let closure = unsafe { take::<F>(place) };
    let outcome: Outcome<T> = panic::catch_unwind(AssertUnwindSafe(closure));
    // SAFETY: the payload is empty, because `take` has moved the closure out, and the goroutine owns its G.
    unsafe { put(place, outcome) };
}

const fn fits<V>() -> bool {
    size_of::<V>() <= INLINE && align_of::<V>() <= 16
}

/// Puts `value` into the [`Payload`] at `place`.
///
/// # Safety
///
/// `place` is that of a G that the caller owns, and is empty.
pub(crate) unsafe fn put<V>(place: *mut u8, value: V) {
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

/// Takes the value out of the [`Payload`] at `place`.
///
/// # Safety
///
/// `place` is that of a G that the caller owns, and [`put`] has put a `V` there.
pub(crate) unsafe fn take<V>(place: *mut u8) -> V {
    // SAFETY: `put` stored a V, as the caller owes, in the branch that `fits` chooses.
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
unsafe fn drop_value<V>(place: *mut u8) {
    // SAFETY: the caller owns the G, and its outcome is a `V`.
    drop(unsafe { take::<V>(place) });
}
