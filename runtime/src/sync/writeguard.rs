//! The guards of who writes under a reader-writer lock: of the whole value, and of a part of it.

use std::{
    fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

use super::{RwLock, RwLockReadGuard, guard::shown_as_value, poison, raw::rawrw::RawRw};

/// The right to change the value of a [`RwLock`]. Dropping it unlocks.
///
/// Not `Send`, as std's: see [`MutexGuard`](super::MutexGuard).
#[must_use = "dropping the guard unlocks the lock at once"]
pub struct RwLockWriteGuard<'a, T: ?Sized + 'a> {
    lock: &'a RwLock<T>,
    poison: poison::Guard,
    _not_send: PhantomData<*const ()>,
}

// SAFETY: a shared guard gives shared access to the value.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}

/// The right to change a part of the value of a [`RwLock`]: made by [`RwLockWriteGuard::map`]. Dropping
/// it unlocks.
#[must_use = "dropping the guard unlocks the lock at once"]
pub struct MappedRwLockWriteGuard<'a, T: ?Sized + 'a> {
    data: NonNull<T>,
    raw: &'a RawRw,
    flag: &'a poison::Flag,
    poison: poison::Guard,
    _borrows: PhantomData<&'a mut T>,
}

// SAFETY: as for the guard of the whole value. (A NonNull makes it neither Send nor Sync.)
unsafe impl<T: ?Sized + Sync> Sync for MappedRwLockWriteGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// For who has just become the writer of `lock`.
    #[inline(always)]
    pub(super) fn new(lock: &'a RwLock<T>) -> RwLockWriteGuard<'a, T> {
        RwLockWriteGuard {
            lock,
            poison: lock.poison.guard(),
            _not_send: PhantomData,
        }
    }

    /// The writer becomes a reader, and nobody writes in between. Readers that wait go in with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut writer = lock.write().unwrap();
    /// *writer = 2;
    /// let reader = RwLockWriteGuard::downgrade(writer);
    /// assert_eq!(*lock.read().unwrap(), 2);
    /// assert_eq!(*reader, 2);
    /// ```
    pub fn downgrade(s: Self) -> RwLockReadGuard<'a, T> {
        let writer = ManuallyDrop::new(s);
        writer.lock.poison.done(&writer.poison);
        // SAFETY: the guard stands for the writer, and is not dropped.
        unsafe { writer.lock.raw.downgrade() };
        RwLockReadGuard::new(writer.lock)
    }

    /// A guard of a part of the value. Associated, so that it hides no method of the value.
    ///
    /// A panic in `f` unlocks the lock and poisons it.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::{RwLock, RwLockWriteGuard};
    ///
    /// let pair = RwLock::new((1, String::from("one")));
    /// let mut name = RwLockWriteGuard::map(pair.write().unwrap(), |pair| &mut pair.1);
    /// name.push('!');
    /// drop(name);
    /// assert_eq!(pair.read().unwrap().1, "one!");
    /// ```
    pub fn map<U, F>(orig: Self, f: F) -> MappedRwLockWriteGuard<'a, U>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> &mut U,
    {
        // SAFETY: the guard is the one writer, and ours.
        let data = NonNull::from(f(unsafe { &mut *orig.lock.data.get() }));
        MappedRwLockWriteGuard::of(data, orig)
    }

    /// As [`RwLockWriteGuard::map`], if there is such a part.
    ///
    /// # Errors
    ///
    /// The guard itself, when `f` returns `None`.
    pub fn filter_map<U, F>(orig: Self, f: F) -> Result<MappedRwLockWriteGuard<'a, U>, Self>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        // SAFETY: as in `map`; what `f` borrowed is gone when it returned `None`.
        match f(unsafe { &mut *orig.lock.data.get() }).map(NonNull::from) {
            Some(data) => Ok(MappedRwLockWriteGuard::of(data, orig)),
            None => Err(orig),
        }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the guard is the one writer.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the one writer, and borrowed mutably.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.poison.done(&self.poison);
        // SAFETY: the guard stands for the writer, who is inside.
        unsafe { self.lock.raw.unlock_write() };
    }
}

impl<'a, T: ?Sized> MappedRwLockWriteGuard<'a, T> {
    /// `data` is a part of the value of `orig`, which was borrowed from it mutably.
    fn of<W>(data: NonNull<T>, orig: RwLockWriteGuard<'a, W>) -> MappedRwLockWriteGuard<'a, T>
    where
        W: ?Sized,
    {
        let orig = ManuallyDrop::new(orig);
        MappedRwLockWriteGuard {
            data,
            raw: &orig.lock.raw,
            flag: &orig.lock.poison,
            poison: orig.poison,
            _borrows: PhantomData,
        }
    }

    /// `data` is a part of what `orig` guards, which was borrowed from it mutably.
    fn part<W>(data: NonNull<T>, orig: MappedRwLockWriteGuard<'a, W>) -> Self
    where
        W: ?Sized,
    {
        let orig = ManuallyDrop::new(orig);
        MappedRwLockWriteGuard {
            data,
            raw: orig.raw,
            flag: orig.flag,
            poison: orig.poison,
            _borrows: PhantomData,
        }
    }

    /// As [`RwLockWriteGuard::map`].
    pub fn map<U, F>(mut orig: Self, f: F) -> MappedRwLockWriteGuard<'a, U>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> &mut U,
    {
        // SAFETY: the guard is the one writer, and ours.
        let data = NonNull::from(f(unsafe { orig.data.as_mut() }));
        MappedRwLockWriteGuard::part(data, orig)
    }

    /// As [`RwLockWriteGuard::filter_map`].
    ///
    /// # Errors
    ///
    /// The guard itself, when `f` returns `None`.
    pub fn filter_map<U, F>(mut orig: Self, f: F) -> Result<MappedRwLockWriteGuard<'a, U>, Self>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        // SAFETY: as in `map`; what `f` borrowed is gone when it returned `None`.
        match f(unsafe { orig.data.as_mut() }).map(NonNull::from) {
            Some(data) => Ok(MappedRwLockWriteGuard::part(data, orig)),
            None => Err(orig),
        }
    }
}

impl<T: ?Sized> Deref for MappedRwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the guard is the one writer.
        unsafe { self.data.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for MappedRwLockWriteGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the one writer, and borrowed mutably.
        unsafe { self.data.as_mut() }
    }
}

impl<T: ?Sized> Drop for MappedRwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.flag.done(&self.poison);
        // SAFETY: the guard stands for the writer, who is inside.
        unsafe { self.raw.unlock_write() };
    }
}

shown_as_value!(RwLockWriteGuard MappedRwLockWriteGuard);
