//! Error groups: goroutines that borrow, and that stop when one of them fails.
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::errgroup;
//!
//! let pages = ["one", "two", "three"];
//! let total = goroutines::sync::Mutex::new(0);
//! let fetched = errgroup::scope(|g| {
//!     for page in &pages {
//!         g.go(|| {
//!             *total.lock().unwrap() += page.len();
//!             Ok(())
//!         });
//!     }
//!     Ok::<(), String>(())
//! });
//! assert_eq!(fetched, Ok(()));
//! assert_eq!(*total.lock().unwrap(), 11);
//! ```

use std::{
    any::Any,
    cell::UnsafeCell,
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, OnceLock},
};

use goroutines_sched::ByteLock;

use crate::{
    chan::{self, Receiver, Sender},
    context::{Canceller, Context},
    thread,
};

/// Where goroutines are started that stop together: see [`scope`].
pub struct Group<'scope, 'env: 'scope, E> {
    scope: &'scope thread::Scope<'scope, 'env>,
    shared: Arc<Shared<E>>,
}

struct Shared<E> {
    context: Context,
    canceller: Canceller,
    /// As many places as may run at once.
    places: OnceLock<(Sender<()>, Receiver<()>)>,
    lock: ByteLock,
    /// Under `lock`: the first one.
    failure: UnsafeCell<Option<Failure<E>>>,
}

/// The payload of a panic.
type Payload = Box<dyn Any + Send>;

enum Failure<E> {
    Error(E),
    Panic(Payload),
}

// SAFETY: the failure is touched under the lock only, and goes from one goroutine to another.
unsafe impl<E: Send> Sync for Shared<E> {}
// SAFETY: moved or dropped, the failure goes to one other thread, which E allows.
unsafe impl<E: Send> Send for Shared<E> {}

/// Calls `f` with a [`Group`], in which it can start goroutines that borrow what lives outside of the call. Returns
/// when all of them have ended: what `f` returned, or the first error, of `f` or of one of them. So `?` works in `f` as
/// it does in them, and the result has one layer.
///
/// The first error, or panic, cancels the group's context. The goroutines run under it: their sends, receives and
/// sleeps end early then (see [`context`](crate::context)). It descends from the caller's. `f` itself runs under the
/// caller's; [`Group::context`] is what its own waits can take.
///
/// # Parks
///
/// Until all have ended, also when `f` fails or panics.
///
/// # Errors
///
/// The first one, of `f` or of a goroutine. Later ones are dropped.
///
/// # Panics
///
/// When `f` or one of the goroutines does, or the destructor of what is dropped, with the same payload, after all have
/// ended. A panic wins over an error that came before it. Of several panics that of `f` wins, or else the first.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{chan, errgroup};
///
/// let (_tx, rx) = chan::bounded::<u32>(0);
/// let result = errgroup::scope(|g| {
///     g.go(|| Err("no such file"));
///     g.go(|| {
///         assert!(rx.recv().is_err()); // no message comes, but the first goroutine has failed
///         Ok(())
///     });
///     Ok(())
/// });
/// assert_eq!(result, Err("no such file"));
/// ```
/// `?` in the body, and in a goroutine:
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::errgroup;
/// use std::num::ParseIntError;
///
/// fn sum(texts: &[&str]) -> Result<u32, ParseIntError> {
///     let total = goroutines::sync::Mutex::new(0);
///     errgroup::scope(|g| {
///         let factor: u32 = texts[0].parse()?;
///         for text in &texts[1..] {
///             g.go(|| {
///                 *total.lock().unwrap() += text.parse::<u32>()?;
///                 Ok(())
///             });
///         }
///         Ok(factor)
///     })
///     .map(|factor| factor * total.into_inner().unwrap())
/// }
///
/// assert_eq!(sum(&["10", "2", "3"]), Ok(50));
/// assert!(sum(&["10", "2", "three"]).is_err());
/// assert!(sum(&["ten", "2"]).is_err());
/// ```
#[doc(alias = "errgroup")]
#[doc(alias = "WithContext")]
#[doc(alias = "try_join_all")]
#[track_caller]
pub fn scope<'env, F, T, E>(f: F) -> Result<T, E>
where
    F: for<'scope> FnOnce(&Group<'scope, 'env, E>) -> Result<T, E>,
    E: Send + 'env,
{
    let (context, canceller) = Context::current().with_cancel();
    let shared = Arc::new(Shared {
        context,
        canceller,
        places: OnceLock::new(),
        lock: ByteLock::new(),
        failure: UnsafeCell::new(None),
    });
    let outcome = thread::scope(|scope| {
        let group = Group {
            scope,
            shared: Arc::clone(&shared),
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| f(&group)));
        match outcome {
            Ok(Ok(value)) => Ok(Some(value)),
            Ok(Err(error)) => {
                shared.fail(Failure::Error(error));
                Ok(None)
            }
            Err(payload) => {
                // Nothing else would tell them to stop.
                shared.canceller.cancel();
                Err(payload)
            }
        }
    });
    // For those that were not in the group but have its context.
    shared.canceller.cancel();
    shared.end(outcome)
}

/// Drops it. `Err`: with what its destructor panicked.
fn drop_caught<T>(value: T) -> Result<(), Payload> {
    catch_unwind(AssertUnwindSafe(|| drop(value)))
}

/// Drops it where another panic comes out already. What its destructor panics with is leaked, since dropping that may
/// panic as well.
fn discard<T>(value: T) {
    mem::forget(drop_caught(value));
}

impl<E> Shared<E> {
    fn with<R>(&self, f: impl FnOnce(&mut Option<Failure<E>>) -> R) -> R {
        self.lock.lock();
        // SAFETY: the lock is held, and `f` is one of the short closures below.
        let result = f(unsafe { &mut *self.failure.get() });
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        result
    }

    fn take(&self) -> Option<Failure<E>> {
        self.with(Option::take)
    }

    /// The first error counts, and before it the first panic. The others are dropped, not under the lock. A destructor
    /// that panics then counts as any other panic, except that of a panic's payload: that one is out already.
    fn fail(&self, failure: Failure<E>) {
        let mut next = Some(failure);
        while let Some(failure) = next.take() {
            let dropped = self.with(|first| match (&*first, &failure) {
                (None, _) | (Some(Failure::Error(_)), Failure::Panic(_)) => first.replace(failure),
                _ => Some(failure),
            });
            self.canceller.cancel();
            match dropped {
                Some(Failure::Panic(payload)) => discard(payload),
                dropped => next = drop_caught(dropped).err().map(Failure::Panic),
            }
        }
    }

    /// What the scope returns when all have ended. `outcome` is the body's: its value, that it failed, or its panic.
    ///
    /// Nothing is left to be dropped by the unwinding: a destructor that panicked then would end the process.
    fn end<T>(&self, outcome: Result<Option<T>, Payload>) -> Result<T, E> {
        match outcome {
            Ok(Some(value)) if self.with(|failure| failure.is_none()) => return Ok(value),
            Ok(value) => {
                if let Err(payload) = drop_caught(value) {
                    self.fail(Failure::Panic(payload));
                }
            }
            Err(payload) => {
                discard(self.take());
                resume_unwind(payload);
            }
        }
        match self.take() {
            Some(Failure::Panic(payload)) => resume_unwind(payload),
            Some(Failure::Error(error)) => Err(error),
            None => unreachable!("goroutines: a group has failed without a failure"),
        }
    }

    fn run(&self, f: impl FnOnce() -> Result<(), E>) {
        match self.context.run(|| catch_unwind(AssertUnwindSafe(f))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.fail(Failure::Error(error)),
            Err(payload) => self.fail(Failure::Panic(payload)),
        }
    }
}

/// A place among those that may run. Given back when this is dropped.
struct Place(Option<Receiver<()>>);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(taken) = &self.0 {
            let _ = taken.try_recv();
        }
    }
}

impl<'scope, 'env, E: Send + 'env> Group<'scope, 'env, E> {
    /// Starts a goroutine in the group. While as many run as [`limit`](Group::limit) allows, it waits first.
    ///
    /// # Parks
    ///
    /// While too many run.
    ///
    /// # Panics
    ///
    /// As [`go`](crate::go()).
    #[doc(alias = "Go")]
    #[track_caller]
    pub fn go<F>(&self, f: F)
    where
        F: FnOnce() -> Result<(), E> + Send + 'scope,
    {
        if let Some((places, _)) = self.shared.places.get() {
            // Those that run end by themselves, so this does not end with a context. The group has a receiver.
            let _ = Context::background().run(|| places.send(()));
        }
        self.start(f);
    }

    /// As [`go`](Group::go), but does nothing if as many run as [`limit`](Group::limit) allows. Returns whether the
    /// goroutine was started.
    ///
    /// # Panics
    ///
    /// As [`go`](crate::go()).
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{chan, errgroup};
    ///
    /// let (tx, rx) = chan::bounded::<()>(0);
    /// let result: Result<(), ()> = errgroup::scope(|g| {
    ///     g.limit(1);
    ///     g.go(|| rx.recv().map_err(drop));
    ///     assert!(!g.try_go(|| Ok(())));
    ///     tx.send(()).unwrap();
    ///     Ok(())
    /// });
    /// assert_eq!(result, Ok(()));
    /// ```
    #[doc(alias = "TryGo")]
    #[track_caller]
    pub fn try_go<F>(&self, f: F) -> bool
    where
        F: FnOnce() -> Result<(), E> + Send + 'scope,
    {
        if let Some((places, _)) = self.shared.places.get()
            && places.try_send(()).is_err()
        {
            return false;
        }
        self.start(f);
        true
    }

    /// The caller has a place.
    #[track_caller]
    fn start<F>(&self, f: F)
    where
        F: FnOnce() -> Result<(), E> + Send + 'scope,
    {
        let place = Place(self.shared.places.get().map(|(_, taken)| taken.clone()));
        let shared = Arc::clone(&self.shared);
        self.scope.spawn(move || {
            let _place = place;
            shared.run(f);
        });
    }

    /// From now on at most `n` goroutines of the group run at once. To be called once, before the first of them.
    ///
    /// A goroutine of a group with a limit should not start others in it: it could wait for its own place.
    ///
    /// # Panics
    ///
    /// When `n` is 0, with which nothing could ever be started, and when there is a limit already.
    #[doc(alias = "SetLimit")]
    pub fn limit(&self, n: usize) {
        assert!(
            n > 0,
            "Group::limit: 0 goroutines could run, so `go` would wait for ever; allow at least 1"
        );
        let set = self.shared.places.set(chan::bounded(n));
        assert!(
            set.is_ok(),
            "Group::limit: the group has a limit already; call it once, before the first `go`"
        );
    }

    /// The group's context: cancelled with the first error, and when the scope ends.
    pub fn context(&self) -> &Context {
        &self.shared.context
    }
}

impl<E> fmt::Debug for Group<'_, '_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("context", &self.shared.context)
            .finish_non_exhaustive()
    }
}
