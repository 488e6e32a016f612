//! What the guards of a mutex and of a writer have in common: each belongs to the one holder of a lock that can be
//! poisoned, and guards the whole value or a part of it.

/// Implements a guard of the whole value, with the fields `lock` and `poison`, and the guard of a part, with `data`, `raw`,
/// `flag`, `poison` and `_borrows`. The attributes are of `map` and `filter_map`.
macro_rules! exclusive_guards {
    (
        $whole:ident $mapped:ident $unlock:ident
        $(#[$map:meta])* map
        $(#[$filter_map:meta])* filter_map
    ) => {
        impl<'a, T: ?Sized> $whole<'a, T> {
            $(#[$map])*
            pub fn map<U, F>(orig: Self, f: F) -> $mapped<'a, U>
            where
                U: ?Sized,
                F: FnOnce(&mut T) -> &mut U,
            {
                // SAFETY: the guard is the one holder, and ours.
                let data = NonNull::from(f(unsafe { &mut *orig.lock.data.get() }));
                $mapped::of(data, orig)
            }

            $(#[$filter_map])*
            pub fn filter_map<U, F>(orig: Self, f: F) -> Result<$mapped<'a, U>, Self>
            where
                U: ?Sized,
                F: FnOnce(&mut T) -> Option<&mut U>,
            {
                // SAFETY: the guard is the one holder, and ours; what `f` borrowed is gone when it returned `None`.
                match f(unsafe { &mut *orig.lock.data.get() }).map(NonNull::from) {
                    Some(data) => Ok($mapped::of(data, orig)),
                    None => Err(orig),
                }
            }
        }

        impl<T: ?Sized> Deref for $whole<'_, T> {
            type Target = T;

            #[inline(always)]
            fn deref(&self) -> &T {
                // SAFETY: the guard is the one holder.
                unsafe { &*self.lock.data.get() }
            }
        }

        impl<T: ?Sized> DerefMut for $whole<'_, T> {
            #[inline(always)]
            fn deref_mut(&mut self) -> &mut T {
                // SAFETY: the guard is the one holder, and borrowed mutably.
                unsafe { &mut *self.lock.data.get() }
            }
        }

        impl<T: ?Sized> Drop for $whole<'_, T> {
            #[inline]
            fn drop(&mut self) {
                self.lock.poison.done(&self.poison);
                // SAFETY: the guard was made when the lock was taken, and gives it up once.
                unsafe { self.lock.raw.$unlock() };
            }
        }

        // SAFETY: a shared guard gives shared access to the value.
        unsafe impl<T: ?Sized + Sync> Sync for $whole<'_, T> {}

        impl<'a, T: ?Sized> $mapped<'a, T> {
            /// `data` is a part of the value of `orig`, which was borrowed from it mutably.
            fn of<W: ?Sized>(data: NonNull<T>, orig: $whole<'a, W>) -> $mapped<'a, T> {
                let orig = ManuallyDrop::new(orig);
                $mapped {
                    data,
                    raw: &orig.lock.raw,
                    flag: &orig.lock.poison,
                    poison: orig.poison,
                    _borrows: PhantomData,
                }
            }

            /// `data` is a part of what `orig` guards, which was borrowed from it mutably.
            fn part<W: ?Sized>(data: NonNull<T>, orig: $mapped<'a, W>) -> $mapped<'a, T> {
                let orig = ManuallyDrop::new(orig);
                $mapped {
                    data,
                    raw: orig.raw,
                    flag: orig.flag,
                    poison: orig.poison,
                    _borrows: PhantomData,
                }
            }

            #[doc = concat!("As [`", stringify!($whole), "::map`].")]
            pub fn map<U, F>(mut orig: Self, f: F) -> $mapped<'a, U>
            where
                U: ?Sized,
                F: FnOnce(&mut T) -> &mut U,
            {
                // SAFETY: the guard is the one holder, and ours.
                let data = NonNull::from(f(unsafe { orig.data.as_mut() }));
                $mapped::part(data, orig)
            }

            #[doc = concat!("As [`", stringify!($whole), "::filter_map`].")]
            ///
            /// # Errors
            ///
            /// The guard itself, when `f` returns `None`.
            pub fn filter_map<U, F>(mut orig: Self, f: F) -> Result<$mapped<'a, U>, Self>
            where
                U: ?Sized,
                F: FnOnce(&mut T) -> Option<&mut U>,
            {
                // SAFETY: the guard is the one holder, and ours; what `f` borrowed is gone when it returned `None`.
                match f(unsafe { orig.data.as_mut() }).map(NonNull::from) {
                    Some(data) => Ok($mapped::part(data, orig)),
                    None => Err(orig),
                }
            }
        }

        impl<T: ?Sized> Deref for $mapped<'_, T> {
            type Target = T;

            #[inline(always)]
            fn deref(&self) -> &T {
                // SAFETY: the guard is the one holder.
                unsafe { self.data.as_ref() }
            }
        }

        impl<T: ?Sized> DerefMut for $mapped<'_, T> {
            #[inline(always)]
            fn deref_mut(&mut self) -> &mut T {
                // SAFETY: the guard is the one holder, and borrowed mutably.
                unsafe { self.data.as_mut() }
            }
        }

        impl<T: ?Sized> Drop for $mapped<'_, T> {
            #[inline]
            fn drop(&mut self) {
                self.flag.done(&self.poison);
                // SAFETY: it was made of the guard that was made when the lock was taken, and gives it up once.
                unsafe { self.raw.$unlock() };
            }
        }

        // SAFETY: a shared guard gives shared access to the part. (A NonNull makes it neither Send nor Sync.)
        unsafe impl<T: ?Sized + Sync> Sync for $mapped<'_, T> {}
    };
}
pub(super) use exclusive_guards;
