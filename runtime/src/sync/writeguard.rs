//! The guards of the writer of a reader-writer lock: of the whole value, and of a part of it.

use std::{
    fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

use super::{
    RwLock, RwLockReadGuard, exclusive::exclusive_guards, guard::shown_as_value, poison,
    raw::rawrw::RawRw,
};

/// The right to change the value of a [`RwLock`]. Dropping it unlocks.
///
/// Not `Send`, as std's: see [`MutexGuard`](super::MutexGuard).
#[must_use = "dropping the guard unlocks the lock at once"]
pub struct RwLockWriteGuard<'a, T: ?Sized + 'a> {
    lock: &'a RwLock<T>,
    poison: poison::Guard,
    _not_send: PhantomData<*const ()>,
}

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

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// The caller has just become the writer of `lock`.
    #[inline(always)]
    pub(super) fn new(lock: &'a RwLock<T>) -> RwLockWriteGuard<'a, T> {
        RwLockWriteGuard {
            lock,
            poison: lock.poison.guard(),
            _not_send: PhantomData,
        }
    }

    /// The writer becomes a reader, and no other writer gets in between. Waiting readers go in with it.
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
}

exclusive_guards! {
    RwLockWriteGuard MappedRwLockWriteGuard unlock_write

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
    map

    /// As [`RwLockWriteGuard::map`], if there is such a part.
    ///
    /// # Errors
    ///
    /// The guard itself, when `f` returns `None`.
    filter_map
}

shown_as_value!(RwLockWriteGuard MappedRwLockWriteGuard);
