//! The guards of a reader of a reader-writer lock: of the whole value, and of a part of it.

use std::{fmt, mem, ops::Deref, panic::RefUnwindSafe, ptr::NonNull};

use super::{RwLock, guard::shown_as_value, raw::rawrw::RawRw};

// A panic leaves a lock as any other unlock does. So the guards are unwind safe where a reference to the value is, as
// std's.
impl RefUnwindSafe for RawRw {}

/// The right to read the value of a [`RwLock`]. Dropping it unlocks.
///
/// Not `Send`, as std's: see [`MutexGuard`](super::MutexGuard).
#[must_use = "dropping the guard unlocks the lock at once"]
pub struct RwLockReadGuard<'a, T: ?Sized + 'a> {
    data: NonNull<T>,
    raw: &'a RawRw,
}

// SAFETY: a shared guard gives shared access to the value. (A NonNull makes it neither Send nor Sync.)
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}

/// The right to read a part of the value of a [`RwLock`]: made by [`RwLockReadGuard::map`]. Dropping it
/// unlocks.
#[must_use = "dropping the guard unlocks the lock at once"]
pub struct MappedRwLockReadGuard<'a, T: ?Sized + 'a> {
    data: NonNull<T>,
    raw: &'a RawRw,
}

// SAFETY: as for the guard of the whole value.
unsafe impl<T: ?Sized + Sync> Sync for MappedRwLockReadGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// The caller has just become a reader of `lock`.
    #[inline(always)]
    pub(super) fn new(lock: &'a RwLock<T>) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard {
            // SAFETY: while there are readers there is no mutable reference. (And a cell is never null.)
            data: unsafe { NonNull::new_unchecked(lock.data.get()) },
            raw: &lock.raw,
        }
    }
}

/// What both kinds are.
macro_rules! reads {
    ($($guard:ident)*) => {$(
        impl<'a, T: ?Sized> $guard<'a, T> {
            /// A guard of a part of the value. Associated, so that it hides no method of the value.
            ///
            /// # Examples
            ///
            /// ```
            /// use goroutines::sync::{RwLock, RwLockReadGuard};
            ///
            /// let pair = RwLock::new((1, "one"));
            /// let name = RwLockReadGuard::map(pair.read().unwrap(), |pair| pair.1);
            /// assert_eq!(&*name, "one");
            /// assert!(pair.try_write().is_err());
            /// ```
            pub fn map<U, F>(orig: Self, f: F) -> MappedRwLockReadGuard<'a, U>
            where
                U: ?Sized,
                F: FnOnce(&T) -> &U,
            {
                let data = NonNull::from(f(&orig));
                MappedRwLockReadGuard {
                    data,
                    raw: orig.hand_on(),
                }
            }

            /// As [`RwLockReadGuard::map`], if there is such a part.
            ///
            /// # Errors
            ///
            /// The guard itself, when `f` returns `None`.
            pub fn filter_map<U, F>(orig: Self, f: F) -> Result<MappedRwLockReadGuard<'a, U>, Self>
            where
                U: ?Sized,
                F: FnOnce(&T) -> Option<&U>,
            {
                match f(&orig).map(NonNull::from) {
                    Some(data) => Ok(MappedRwLockReadGuard {
                        data,
                        raw: orig.hand_on(),
                    }),
                    None => Err(orig),
                }
            }

            /// The lock, which stays locked.
            fn hand_on(self) -> &'a RawRw {
                let raw = self.raw;
                mem::forget(self);
                raw
            }
        }

        impl<T: ?Sized> Deref for $guard<'_, T> {
            type Target = T;

            #[inline(always)]
            fn deref(&self) -> &T {
                // SAFETY: while there is a reader, there is no mutable reference to the value.
                unsafe { self.data.as_ref() }
            }
        }

        impl<T: ?Sized> Drop for $guard<'_, T> {
            #[inline]
            fn drop(&mut self) {
                // SAFETY: the guard stands for one reader, which is inside.
                unsafe { self.raw.unlock_read() };
            }
        }
    )*};
}

reads!(RwLockReadGuard MappedRwLockReadGuard);
shown_as_value!(RwLockReadGuard MappedRwLockReadGuard);
