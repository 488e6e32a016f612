//! The guards of a mutex: of its whole value, and of a part of it.

use std::{
    fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

use super::{Mutex, exclusive::exclusive_guards, poison, raw::rawlock::RawLock};

/// The right to the value of a locked [`Mutex`]. Dropping it unlocks.
///
/// As std's it is not `Send`, so that porting in either direction is changing an import. A goroutine may
/// hold it over a park all the same, and resume on another thread: the lock belongs to a goroutine, not to a
/// thread. But the goroutine that locks has to unlock: poisoning depends on whether *the holder* panics, and
/// debug builds detect a holder that waits for itself.
#[must_use = "dropping the guard unlocks the mutex at once"]
pub struct MutexGuard<'a, T: ?Sized + 'a> {
    lock: &'a Mutex<T>,
    poison: poison::Guard,
    _not_send: PhantomData<*const ()>,
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The caller has just locked `mutex`.
    #[inline(always)]
    pub(super) fn new(mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        MutexGuard {
            lock: mutex,
            poison: mutex.poison.guard(),
            _not_send: PhantomData,
        }
    }

    /// The mutex that it holds.
    #[inline]
    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.lock
    }
}

/// The right to a part of the value of a locked [`Mutex`]: made by [`MutexGuard::map`]. Dropping it
/// unlocks.
#[must_use = "dropping the guard unlocks the mutex at once"]
pub struct MappedMutexGuard<'a, T: ?Sized + 'a> {
    data: NonNull<T>,
    raw: &'a RawLock,
    flag: &'a poison::Flag,
    poison: poison::Guard,
    _borrows: PhantomData<&'a mut T>,
}

exclusive_guards! {
    MutexGuard MappedMutexGuard unlock

    /// A guard of a part of the value. Associated, so that it hides no method of the value.
    ///
    /// A panic in `f` unlocks the mutex and poisons it.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::{Mutex, MutexGuard};
    ///
    /// let pair = Mutex::new((1, String::from("one")));
    /// let mut name = MutexGuard::map(pair.lock().unwrap(), |pair| &mut pair.1);
    /// name.push('!');
    /// assert!(pair.try_lock().is_err());
    /// drop(name);
    /// assert_eq!(pair.lock().unwrap().1, "one!");
    /// ```
    map

    /// As [`MutexGuard::map`], if there is such a part.
    ///
    /// # Errors
    ///
    /// The guard itself, when `f` returns `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::{Mutex, MutexGuard};
    ///
    /// let list = Mutex::new(vec![1, 2]);
    /// let second = MutexGuard::filter_map(list.lock().unwrap(), |list| list.get_mut(1));
    /// *second.unwrap() = 3;
    /// let third = MutexGuard::filter_map(list.lock().unwrap(), |list| list.get_mut(2));
    /// assert_eq!(*third.unwrap_err(), [1, 3]);
    /// ```
    filter_map
}

/// Guards are shown as what they guard.
macro_rules! shown_as_value {
    ($($guard:ident)*) => {$(
        impl<T: ?Sized + fmt::Debug> fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: ?Sized + fmt::Display> fmt::Display for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    )*};
}
pub(super) use shown_as_value;

shown_as_value!(MutexGuard MappedMutexGuard);
