//! The guards of a mutex: of its whole value, and of a part of it.

use std::{
    fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

use super::{Mutex, poison, raw::rawlock::RawLock};

/// The right to the value of a locked [`Mutex`]. Dropping it unlocks.
///
/// As std's it is not `Send`, so that porting in either direction is changing an import. A goroutine may
/// hold it over a park all the same, and go on on another thread: the lock knows goroutines, not threads.
/// What is ruled out is that one goroutine locks and another unlocks. Poisoning asks whether *the holder*
/// panics, and debug builds tell who waits for itself.
#[must_use = "dropping the guard unlocks the mutex at once"]
pub struct MutexGuard<'a, T: ?Sized + 'a> {
    mutex: &'a Mutex<T>,
    poison: poison::Guard,
    _not_send: PhantomData<*const ()>,
}

// SAFETY: a shared guard gives shared access to the value.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// For who has just locked `mutex`.
    #[inline(always)]
    pub(super) fn new(mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        MutexGuard {
            mutex,
            poison: mutex.poison.guard(),
            _not_send: PhantomData,
        }
    }

    /// The mutex that it holds.
    #[inline]
    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }

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
    pub fn map<U, F>(orig: Self, f: F) -> MappedMutexGuard<'a, U>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> &mut U,
    {
        // SAFETY: the guard is the one holder, and ours.
        let data = NonNull::from(f(unsafe { &mut *orig.mutex.data.get() }));
        MappedMutexGuard::of(data, orig)
    }

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
    pub fn filter_map<U, F>(orig: Self, f: F) -> Result<MappedMutexGuard<'a, U>, Self>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        // SAFETY: as in `map`; what `f` borrowed is gone when it returned `None`.
        match f(unsafe { &mut *orig.mutex.data.get() }).map(NonNull::from) {
            Some(data) => Ok(MappedMutexGuard::of(data, orig)),
            None => Err(orig),
        }
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the guard is the one holder.
        unsafe { &*self.mutex.data.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the one holder, and borrowed mutably.
        unsafe { &mut *self.mutex.data.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.poison.done(&self.poison);
        // SAFETY: the guard was made when the lock was taken.
        unsafe { self.mutex.raw.unlock() };
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

// SAFETY: a shared guard gives shared access to the value. (A NonNull makes it neither Send nor Sync.)
unsafe impl<T: ?Sized + Sync> Sync for MappedMutexGuard<'_, T> {}

impl<'a, T: ?Sized> MappedMutexGuard<'a, T> {
    /// `data` is a part of the value of `orig`, which was borrowed from it mutably.
    fn of<W: ?Sized>(data: NonNull<T>, orig: MutexGuard<'a, W>) -> MappedMutexGuard<'a, T> {
        let orig = ManuallyDrop::new(orig);
        MappedMutexGuard {
            data,
            raw: &orig.mutex.raw,
            flag: &orig.mutex.poison,
            poison: orig.poison,
            _borrows: PhantomData,
        }
    }

    /// `data` is a part of what `orig` guards, which was borrowed from it mutably.
    fn part<W: ?Sized>(data: NonNull<T>, orig: MappedMutexGuard<'a, W>) -> MappedMutexGuard<'a, T> {
        let orig = ManuallyDrop::new(orig);
        MappedMutexGuard {
            data,
            raw: orig.raw,
            flag: orig.flag,
            poison: orig.poison,
            _borrows: PhantomData,
        }
    }

    /// As [`MutexGuard::map`].
    pub fn map<U, F>(mut orig: Self, f: F) -> MappedMutexGuard<'a, U>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> &mut U,
    {
        // SAFETY: the guard is the one holder, and ours.
        let data = NonNull::from(f(unsafe { orig.data.as_mut() }));
        MappedMutexGuard::part(data, orig)
    }

    /// As [`MutexGuard::filter_map`].
    ///
    /// # Errors
    ///
    /// The guard itself, when `f` returns `None`.
    pub fn filter_map<U, F>(mut orig: Self, f: F) -> Result<MappedMutexGuard<'a, U>, Self>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        // SAFETY: as in `map`; what `f` borrowed is gone when it returned `None`.
        match f(unsafe { orig.data.as_mut() }).map(NonNull::from) {
            Some(data) => Ok(MappedMutexGuard::part(data, orig)),
            None => Err(orig),
        }
    }
}

impl<T: ?Sized> Deref for MappedMutexGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the guard is the one holder.
        unsafe { self.data.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for MappedMutexGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the one holder, and borrowed mutably.
        unsafe { self.data.as_mut() }
    }
}

impl<T: ?Sized> Drop for MappedMutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.flag.done(&self.poison);
        // SAFETY: the guard was made of one that was made when the lock was taken.
        unsafe { self.raw.unlock() };
    }
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
