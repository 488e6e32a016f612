//! Goroutines that borrow: [`std::thread::scope`] for goroutines.
//!
//! What a goroutine of a scope returns is a [`Packet`]: its result, and the scope's count of it. The packet is
//! dropped where the result is: by [`ScopedJoinHandle::join`], by the handle's drop, or by the end of a goroutine
//! whose handle is gone. So by the time the count is 0, closures and results that borrow are gone, and `scope` may
//! return. It waits for that with a lock of its own, and its caller's stack is not copied out meanwhile.

use std::{
    cell::UnsafeCell,
    fmt, io,
    marker::PhantomData,
    panic::{AssertUnwindSafe, RefUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

use goroutines_sched::{
    self as sched, ByteLock, GRef, Task, WaitReason, current, park, pin_stack, ready,
};

use super::{Result, Thread};
use crate::Builder;

/// Where goroutines can be started that borrow: see [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    count: Arc<Count>,
    /// Invariant in both, so that neither can be made shorter for a goroutine that borrows for less.
    _scope: PhantomData<&'scope mut &'scope ()>,
    _env: PhantomData<&'env mut &'env ()>,
}

/// The goroutines that have not ended.
struct Count {
    lock: ByteLock,
    /// Under `lock`.
    state: UnsafeCell<State>,
}

struct State {
    running: usize,
    /// Whether one panicked whose result was never taken.
    panicked: bool,
    /// Waits for `running` to be 0.
    waiter: Option<GRef>,
}

// SAFETY: the state is touched under the lock only; a GRef is Send.
unsafe impl Sync for Count {}
// SAFETY: moved or dropped, the state is reached by one owner only; a GRef is Send.
unsafe impl Send for Count {}
// No user code runs while the state changes.
impl RefUnwindSafe for Count {}

/// Calls `f` with a [`Scope`], in which it can start goroutines that borrow what lives outside of the call. Returns
/// when all of them have ended and their results are gone, also those that were not joined, and those that were
/// started by others of them.
///
/// The lifetimes are as in [`std::thread::scope`]: goroutines borrow from `'env`, and from nothing in `f` itself.
///
/// A goroutine whose stack is copied ([`Builder::copy_stack`]) keeps its run window during the call, because
/// others borrow from its stack; those that share the window cannot run until then. It must not wait in the scope
/// for what one of them does.
///
/// # Parks
///
/// Until all have ended, also when `f` panics: only the goroutine. A plain OS thread sleeps.
///
/// # Panics
///
/// When `f` does, with the same payload, after the wait. When a goroutine that was not joined has panicked: with
/// "a scoped thread panicked".
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::thread;
///
/// let numbers = [1, 2, 3];
/// let mut total = 0;
/// thread::scope(|s| {
///     let sum = s.spawn(|| numbers.iter().sum::<i32>());
///     s.spawn(|| assert!(numbers.len() == 3));
///     total = sum.join().unwrap();
/// });
/// assert_eq!(total, 6);
/// ```
#[doc(alias = "join_all")]
#[track_caller]
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let scope = Scope {
        count: Arc::new(Count {
            lock: ByteLock::new(),
            state: UnsafeCell::new(State {
                running: 0,
                panicked: false,
                waiter: None,
            }),
        }),
        _scope: PhantomData,
        _env: PhantomData,
    };
    let _stays = pin_stack();
    let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
    let panicked = scope.count.wait();
    match result {
        Err(payload) => resume_unwind(payload),
        Ok(_) if panicked => panic!("a scoped thread panicked"),
        Ok(value) => value,
    }
}

impl Count {
    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        self.lock.lock();
        // SAFETY: the lock is held, and `f` is one of the short closures below.
        let result = f(unsafe { &mut *self.state.get() });
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        result
    }

    fn one_more(&self) {
        self.with(|state| state.running += 1);
    }

    fn one_less(&self, panicked: bool) {
        let waiter = self.with(|state| {
            state.running -= 1;
            state.panicked |= panicked;
            state.waiter.take_if(|_| state.running == 0)
        });
        if let Some(waiter) = waiter {
            // SAFETY: it has parked, because its commit unlocks as its last step, and it was taken once.
            unsafe { ready(waiter) };
        }
    }

    /// Waits until no goroutine runs. Returns whether one panicked that was not joined.
    fn wait(&self) -> bool {
        let g = current();
        self.lock.lock();
        // SAFETY: the lock is held.
        let state = unsafe { &mut *self.state.get() };
        if state.running == 0 {
            let panicked = state.panicked;
            // SAFETY: locked above.
            unsafe { self.lock.unlock() };
            return panicked;
        }
        state.waiter = Some(g);
        // SAFETY: the last goroutine takes the waiter out and makes it ready, once. It needs the lock for that, which the
        // commit gives up as its last step.
        unsafe {
            park(WaitReason::Scope.on(self), || {
                self.lock.unlock();
                true
            });
        }
        self.with(|state| state.panicked)
    }
}

/// What a goroutine of a scope returns. Holds the scope open.
struct Packet<T> {
    /// Dropped before the scope's count goes down, and after it was checked whether it is a panic.
    result: Option<Result<T>>,
    open: Open,
}

struct Open {
    count: Arc<Count>,
    panicked: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.count.one_less(self.panicked);
    }
}

impl<T> Drop for Packet<T> {
    fn drop(&mut self) {
        // The result is still here. The fields go in their order, also if the result's destructor panics.
        self.open.panicked = matches!(self.result, Some(Err(_)));
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a goroutine in this scope. It may borrow what outlives the scope.
    ///
    /// # Panics
    ///
    /// As [`go`](crate::go); [`Builder::spawn_scoped`] returns some of that as an error.
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        match Builder::new().spawn_scoped(self, f) {
            Ok(handle) => handle,
            Err(error) => panic!(
                "Scope::spawn: cannot make a goroutine: {error}; use Builder::spawn_scoped to handle this as an \
                 error"
            ),
        }
    }
}

impl Builder {
    /// Starts a goroutine in `scope`: see [`Scope::spawn`]. It has a stack of its own, whatever
    /// [`copy_stack`](Builder::copy_stack) says: others of its window could wait for the scope.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Builder::spawn).
    ///
    /// # Panics
    ///
    /// As [`spawn`](Builder::spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::thread;
    ///
    /// let mut text = String::from("a");
    /// thread::scope(|s| {
    ///     let named = thread::Builder::new().name("pusher".to_owned());
    ///     let pusher = named.spawn_scoped(s, || text.push('b')).unwrap();
    ///     assert_eq!(pusher.thread().name(), Some("pusher"));
    /// });
    /// assert_eq!(text, "ab");
    /// ```
    #[track_caller]
    pub fn spawn_scoped<'scope, F, T>(
        self,
        scope: &'scope Scope<'scope, '_>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let mut options = self.options()?;
        options.copied = Some(false);
        scope.count.one_more();
        let mut packet = Packet {
            result: None,
            open: Open {
                count: Arc::clone(&scope.count),
                panicked: false,
            },
        };
        let run = move || {
            packet.result = Some(catch_unwind(AssertUnwindSafe(f)));
            packet
        };
        // SAFETY: what closure and result borrow outlives 'scope, which lasts until `scope` returns, or unwinds;
        // before that it waits until every packet is dropped, and each is what remains of its goroutine last. If
        // none is made, the packet goes with the closure.
        let task = unsafe { sched::spawn_unchecked(options, run) }?;
        Ok(ScopedJoinHandle {
            task,
            _scope: PhantomData,
        })
    }
}

/// The right to the result of a goroutine of a [`scope`]: shaped as [`std::thread::ScopedJoinHandle`].
pub struct ScopedJoinHandle<'scope, T> {
    task: Task<Packet<T>>,
    _scope: PhantomData<&'scope ()>,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// A handle on the goroutine, for its name and for [`unpark`](Thread::unpark).
    pub fn thread(&self) -> &Thread {
        Thread::of(self.task.identity())
    }

    /// Waits for the end of the goroutine and returns what it returned, or the payload of the panic that ended it.
    ///
    /// # Parks
    ///
    /// Until the goroutine has ended. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// The payload, when the goroutine panicked. The scope does not panic for that one then.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// goroutines::thread::scope(|s| {
    ///     let failed = s.spawn(|| panic!("oh no")).join();
    ///     assert_eq!(*failed.unwrap_err().downcast::<&str>().unwrap(), "oh no");
    /// });
    /// ```
    pub fn join(self) -> Result<T> {
        match self.task.join() {
            Ok(mut packet) => match packet.result.take() {
                Some(result) => result,
                None => unreachable!("a packet without a result"),
            },
            Err(payload) => Err(payload),
        }
    }

    /// Returns whether the goroutine has ended.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (running, panicked) = self.count.with(|state| (state.running, state.panicked));
        f.debug_struct("Scope")
            .field("running", &running)
            .field("panicked", &panicked)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle").finish_non_exhaustive()
    }
}
