//! Fork-join: [`join`].

use goroutines_sched as sched;

/// Calls `a` and `b`, at the same time if a processor has nothing to do, else one after the other. Returns the results of
/// both.
///
/// `b` is offered to processors without work, while `a` runs on the calling goroutine. If none has taken `b` when `a` is
/// done, the caller runs `b` itself: then no goroutine is made, and the call costs some 20 ns more than two calls. So work
/// can be split down to small pieces, without thought of how many processors there are. A processor that takes `b` runs it
/// as a goroutine of its own. Both may borrow from the caller, and may call `join` again; both may park.
///
/// `b` may begin after `a` has ended. So `a` must not wait for something that `b` does. Where both must make progress, as
/// the two ends of a channel, start goroutines: [`thread::scope`](crate::thread::scope).
///
/// `b` has the caller's [`Context`](crate::context::Context), wherever it runs. The rest of a goroutine's own it may have of
/// another one: goroutine-local values, [`thread::current`](crate::thread::current), a lock of the thread.
///
/// A plain OS thread may call it too; `b` is offered to processors then as well. Before [`start`](crate::start) the two
/// closures run one after the other.
///
/// # Or rayon
///
/// The interface is that of rayon's `join`, and what is written for one runs on the other; `a` and its result need not be
/// [`Send`] here. rayon is the better choice where data is all there is: it has parallel iterators and sorts, its threads
/// wait for nothing else, and the smallest pieces cost it less. `join` here is for work that is mixed with waiting: a piece
/// that receives from a channel, locks a [`Mutex`](crate::sync::Mutex) or reads from a socket parks its goroutine and
/// not a thread, and it shares the processors with all other goroutines. Both work side by side. A goroutine that calls rayon
/// holds its thread until rayon is done, as in any long computation.
///
/// # Parks
///
/// While another goroutine runs `b` and `a` is done. A plain OS thread sleeps.
///
/// A goroutine whose stack is copied ([`Builder::copy_stack`](crate::Builder::copy_stack)) keeps its run window during the
/// call, because `b` lies on its stack; those that share the window cannot run until then. `a` must not wait for what
/// one of them does.
///
/// # Panics
///
/// When `a` or `b` does, with the same payload, but not before both have ended. After a panic of `a`, a `b` that
/// has not begun is dropped. If both panic, the payload is `a`'s.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// fn sum(numbers: &[u64]) -> u64 {
///     if numbers.len() <= 1000 {
///         return numbers.iter().sum();
///     }
///     let (left, right) = numbers.split_at(numbers.len() / 2);
///     let (left, right) = goroutines::join(|| sum(left), || sum(right));
///     left + right
/// }
///
/// let numbers: Vec<u64> = (1..=100_000).collect();
/// let total = goroutines::thread::scope(|s| s.spawn(|| sum(&numbers)).join().unwrap());
/// assert_eq!(total, 5_000_050_000);
/// ```
#[doc(alias = "fork")]
#[doc(alias = "rayon")]
#[inline]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    sched::join(a, b)
}
