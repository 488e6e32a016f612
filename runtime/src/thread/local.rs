//! `goroutine_local!` and its keys: `thread_local!` for goroutines.

use std::{
    cell::{Cell, RefCell},
    error::Error,
    fmt, mem,
};

/// Declares values of which each goroutine has its own, as `thread_local!` does for threads; a plain OS thread has
/// its own as well. Each is a [`LocalKey`].
///
/// A value is made when a goroutine first uses it. It belongs to the goroutine and not to the thread that runs it: a
/// reference to it stays valid over calls that park, and it need be neither `Send` nor `Sync`. A goroutine that uses
/// none pays nothing.
///
/// Its destructor runs when the goroutine ends, on the goroutine, before it counts as ended for
/// [`JoinHandle::join`](crate::JoinHandle::join) and [`scope`](crate::thread::scope()); it may do what the goroutine
/// could do, such as send, lock and sleep. The youngest value is destroyed first. A destructor can use values that are
/// not yet destroyed, and make those that have never been; a destroyed one is not made again ([`AccessError`]).
/// Values without a destructor stay to the end. On a plain OS thread that is when the thread's thread-local
/// storage is destroyed. A destructor that panics ends the process. The process ends when `main` returns, and
/// with it the goroutines that are left: their destructors do not run.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use std::cell::{Cell, RefCell};
///
/// goroutines::goroutine_local! {
///     static DEPTH: Cell<u32> = const { Cell::new(0) };
///     /// What was said so far.
///     pub static WORDS: RefCell<Vec<String>> = RefCell::new(vec!["so".to_owned()]);
/// }
///
/// DEPTH.set(7);
/// let other = goroutines::go(|| {
///     WORDS.with_borrow_mut(|words| words.push("far".to_owned()));
///     (DEPTH.get(), WORDS.take().join(" "))
/// });
/// assert_eq!(other.join().unwrap(), (0, "so far".to_owned()));
/// assert_eq!(DEPTH.get(), 7);
/// ```
#[macro_export]
macro_rules! goroutine_local {
    () => {};
    ($(#[$attribute:meta])* $vis:vis static $name:ident: $type:ty = $init:expr; $($rest:tt)*) => {
        $crate::goroutine_local!($(#[$attribute])* $vis static $name: $type = $init);
        $crate::goroutine_local!($($rest)*);
    };
    ($(#[$attribute:meta])* $vis:vis static $name:ident: $type:ty = $init:expr) => {
        $(#[$attribute])*
        $vis static $name: $crate::thread::LocalKey<$type> = {
            fn init() -> $type {
                $init
            }
            $crate::thread::LocalKey::new(init)
        };
    };
}

/// A value of each goroutine, and of each plain OS thread: shaped as [`std::thread::LocalKey`]. Made by
/// [`goroutine_local!`](crate::goroutine_local).
pub struct LocalKey<T: 'static> {
    key: goroutines_sched::LocalKey<T>,
    init: fn() -> T,
}

/// The value has been destroyed, or is being: the goroutine or thread is at its end. Shaped as
/// [`std::thread::AccessError`].
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessError;

impl fmt::Debug for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessError").finish()
    }
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("already destroyed")
    }
}

impl Error for AccessError {}

#[cold]
#[track_caller]
fn gone() -> ! {
    panic!(
        "LocalKey: this goroutine_local value is destroyed already, because the goroutine or thread is at its end; \
         use `try_with` in destructors"
    );
}

impl<T: 'static> LocalKey<T> {
    /// Made by the macro.
    #[doc(hidden)]
    pub const fn new(init: fn() -> T) -> LocalKey<T> {
        LocalKey {
            key: goroutines_sched::LocalKey::new(),
            init,
        }
    }

    /// Calls `f` with the caller's value, which is made before if this is the first use.
    ///
    /// # Panics
    ///
    /// When the value has been destroyed (see [`goroutine_local!`](crate::goroutine_local)), and with what `f` or the
    /// initialiser panics.
    ///
    /// # Examples
    ///
    /// ```
    /// goroutines::goroutine_local!(static GREETING: String = "hello".to_owned());
    /// assert_eq!(GREETING.with(String::len), 5);
    /// ```
    #[inline]
    #[track_caller]
    pub fn with<F, R>(&'static self, f: F) -> R
    where
        F: FnOnce(&T) -> R,
    {
        match self.try_with(f) {
            Ok(result) => result,
            Err(AccessError) => gone(),
        }
    }

    /// As [`with`](LocalKey::with), for code that may run in destructors.
    ///
    /// # Errors
    ///
    /// When the value has been destroyed; `f` is not called then.
    #[inline]
    pub fn try_with<F, R>(&'static self, f: F) -> Result<R, AccessError>
    where
        F: FnOnce(&T) -> R,
    {
        self.key.with(self.init, f).map_err(|_| AccessError)
    }

    /// Calls `f` with the caller's value and with `value`, or makes it of `value` if it is not there.
    #[track_caller]
    fn set_with(&'static self, value: T, f: impl FnOnce(&T, T)) {
        let seed = Cell::new(Some(value));
        let init = || seed.take().unwrap_or_else(self.init);
        let done = self.key.with(init, |place| {
            if let Some(value) = seed.take() {
                f(place, value);
            }
        });
        if done.is_err() {
            gone();
        }
    }
}

impl<T: 'static> LocalKey<Cell<T>> {
    /// Sets the caller's value. The initialiser does not run for that.
    ///
    /// # Panics
    ///
    /// When the value has been destroyed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// goroutines::goroutine_local!(static X: Cell<i32> = panic!("not initialised"));
    /// X.set(123);
    /// assert_eq!(X.get(), 123);
    /// ```
    #[track_caller]
    pub fn set(&'static self, value: T) {
        self.set_with(Cell::new(value), |cell, value| cell.set(value.into_inner()));
    }

    /// A copy of the caller's value.
    ///
    /// # Panics
    ///
    /// When the value has been destroyed.
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    /// Takes the caller's value and leaves the default.
    ///
    /// # Panics
    ///
    /// When the value has been destroyed.
    #[track_caller]
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(Cell::take)
    }

    /// Takes the caller's value and leaves `value`.
    ///
    /// # Panics
    ///
    /// When the value has been destroyed.
    #[track_caller]
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: 'static> LocalKey<RefCell<T>> {
    /// Calls `f` with the caller's value, borrowed.
    ///
    /// # Panics
    ///
    /// When the value is borrowed mutably, or has been destroyed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::RefCell;
    /// goroutines::goroutine_local!(static LOG: RefCell<Vec<u32>> = RefCell::new(Vec::new()));
    /// LOG.with_borrow_mut(|log| log.push(1));
    /// assert_eq!(LOG.with_borrow(Vec::len), 1);
    /// assert_eq!(LOG.replace(vec![2, 3]), [1]);
    /// assert_eq!(LOG.take(), [2, 3]);
    /// ```
    #[track_caller]
    pub fn with_borrow<F, R>(&'static self, f: F) -> R
    where
        F: FnOnce(&T) -> R,
    {
        self.with(|cell| f(&cell.borrow()))
    }

    /// Calls `f` with the caller's value, borrowed mutably.
    ///
    /// # Panics
    ///
    /// When the value is borrowed, or has been destroyed.
    #[track_caller]
    pub fn with_borrow_mut<F, R>(&'static self, f: F) -> R
    where
        F: FnOnce(&mut T) -> R,
    {
        self.with(|cell| f(&mut cell.borrow_mut()))
    }

    /// Sets the caller's value. The initialiser does not run for that.
    ///
    /// # Panics
    ///
    /// When the value is borrowed, or has been destroyed.
    #[track_caller]
    pub fn set(&'static self, value: T) {
        self.set_with(RefCell::new(value), |cell, value| {
            *cell.borrow_mut() = value.into_inner();
        });
    }

    /// Takes the caller's value and leaves the default.
    ///
    /// # Panics
    ///
    /// When the value is borrowed, or has been destroyed.
    #[track_caller]
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(|cell| mem::take(&mut *cell.borrow_mut()))
    }

    /// Takes the caller's value and leaves `value`.
    ///
    /// # Panics
    ///
    /// When the value is borrowed, or has been destroyed.
    #[track_caller]
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}
