//! `LazyLock`: a value that is made when it is first used.

use std::{
    cell::UnsafeCell,
    fmt, mem,
    ops::{Deref, DerefMut},
    panic::{RefUnwindSafe, UnwindSafe},
};

use super::raw::rawonce::{OnPoison, RawOnce};

/// A value that is made when it is first used: shaped as [`std::sync::LazyLock`].
///
/// The closure that makes it may park: other callers that use the value park meanwhile.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::sync::LazyLock;
/// use std::collections::HashMap;
///
/// static NAMES: LazyLock<HashMap<u32, &str>> = LazyLock::new(|| [(1, "one")].into());
///
/// assert_eq!(goroutines::go(|| NAMES[&1]).join().unwrap(), "one");
/// ```
pub struct LazyLock<T, F = fn() -> T> {
    once: RawOnce,
    /// Changed by the closure of `once`. Complete: a value is here.
    data: UnsafeCell<Data<T, F>>,
}

enum Data<T, F> {
    Closure(F),
    Value(T),
    /// The closure runs, or has panicked.
    Gone,
}

// SAFETY: shared access to the lock gives shared access to the value (T: Sync), which one thread makes
// and another may drop (T: Send), by running a closure that another thread has put in (F: Send).
unsafe impl<T: Sync + Send, F: Send> Sync for LazyLock<T, F> {}

impl<T: RefUnwindSafe + UnwindSafe, F: UnwindSafe> RefUnwindSafe for LazyLock<T, F> {}
impl<T: UnwindSafe, F: UnwindSafe> UnwindSafe for LazyLock<T, F> {}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// A value that `f` will make.
    #[inline]
    pub const fn new(f: F) -> LazyLock<T, F> {
        LazyLock {
            once: RawOnce::new(),
            data: UnsafeCell::new(Data::Closure(f)),
        }
    }

    /// The value, which is made if it was not yet. The same as `&*lazy`.
    ///
    /// # Parks
    ///
    /// While another caller makes the value: only the goroutine. A plain OS thread sleeps.
    ///
    /// # Panics
    ///
    /// When the closure panics: the value cannot be made any more, and each later access panics as well.
    /// And when the closure uses the value that it makes.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::LazyLock;
    ///
    /// let lazy = LazyLock::new(|| 6 * 7);
    /// assert_eq!(LazyLock::force(&lazy), &42);
    /// ```
    #[inline]
    #[track_caller]
    pub fn force(this: &LazyLock<T, F>) -> &T {
        this.once.run(OnPoison::Panic("LazyLock"), |_| {
            // SAFETY: one closure at a time runs here, and the value is not read before it has completed.
            let closure = unsafe { mem::replace(&mut *this.data.get(), Data::Gone) };
            if let Data::Closure(f) = closure {
                let value = f();
                // SAFETY: one closure at a time runs here, and the value is not read before it has completed.
                unsafe { *this.data.get() = Data::Value(value) };
            }
        });
        // SAFETY: it is complete.
        unsafe { this.there() }
    }

    /// The value to be changed, which is made if it was not yet. The same as `&mut *lazy`.
    ///
    /// # Panics
    ///
    /// As [`force`](LazyLock::force).
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::LazyLock;
    ///
    /// let mut lazy = LazyLock::new(|| 1);
    /// *LazyLock::force_mut(&mut lazy) += 1;
    /// assert_eq!(*lazy, 2);
    /// ```
    #[inline]
    #[track_caller]
    pub fn force_mut(this: &mut LazyLock<T, F>) -> &mut T {
        LazyLock::force(this);
        match this.data.get_mut() {
            Data::Value(value) => value,
            _ => unreachable!("`force` returned, so it has made the value"),
        }
    }
}

impl<T, F> LazyLock<T, F> {
    /// # Safety
    ///
    /// `once` is complete.
    #[inline(always)]
    unsafe fn there(&self) -> &T {
        // SAFETY: nothing is written through a shared reference once it is complete.
        match unsafe { &*self.data.get() } {
            Data::Value(value) => value,
            // SAFETY: the first closure of `once` finds the user's; when that returns it leaves a value.
            // When it does not, `once` is poisoned, and no other runs.
            _ => unsafe { std::hint::unreachable_unchecked() },
        }
    }

    /// The value, if it was made.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::LazyLock;
    ///
    /// let lazy = LazyLock::new(|| 1);
    /// assert_eq!(LazyLock::get(&lazy), None);
    /// LazyLock::force(&lazy);
    /// assert_eq!(LazyLock::get(&lazy), Some(&1));
    /// ```
    #[inline]
    pub fn get(this: &LazyLock<T, F>) -> Option<&T> {
        // SAFETY: it is complete.
        this.once.is_completed().then(|| unsafe { this.there() })
    }

    /// The value, if it was made, to be changed.
    #[inline]
    pub fn get_mut(this: &mut LazyLock<T, F>) -> Option<&mut T> {
        match this.data.get_mut() {
            Data::Value(value) => Some(value),
            _ => None,
        }
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    /// As [`LazyLock::force`].
    ///
    /// # Parks
    ///
    /// While another caller makes the value.
    #[inline]
    #[track_caller]
    fn deref(&self) -> &T {
        LazyLock::force(self)
    }
}

impl<T, F: FnOnce() -> T> DerefMut for LazyLock<T, F> {
    /// As [`LazyLock::force_mut`].
    #[inline]
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        LazyLock::force_mut(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    /// A value that [`Default`] will make.
    fn default() -> LazyLock<T> {
        LazyLock::new(T::default)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_tuple("LazyLock");
        match LazyLock::get(self) {
            Some(value) => out.field(value),
            None => out.field(&format_args!("<uninit>")),
        };
        out.finish()
    }
}
