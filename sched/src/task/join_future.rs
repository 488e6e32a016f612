//! How a goroutine's result reaches a future.
//!
//! A goroutine that joins leaves its G in the join word, and g0 makes it ready once the joined goroutine is off its
//! stack. A future leaves a waker, which is foreign code that g0 must not run. So the future leaves a *cell* for the
//! result:
//!
//! ```text
//!  future                                            the goroutine, at its end, on its own stack
//!  F1 a cell with its waker                          E1 looks at the join word; a handle: as usual, but if the word
//!  F2 join word: CAS RUNNING -> cell                    is a cell by the time g0 looks, back to E1
//!     DONE instead: it takes the result as a join    E2 a cell: CAS cell -> DETACHED; the descriptor is the
//!  F3 polled again: the result is in the cell, or       goroutine's, as if it had been detached
//!     the new waker is                               E3 moves the result into the cell, takes the waker
//!  F4 dropped: CAS cell -> DETACHED, and the end     E4 calls the waker, and ends
//!     drops the result; too late: the cell does
//! ```
//!
//! The handle's right to the descriptor ends with F2, so the future never touches a G that has begun its next life.
//! Its CAS of F4 fails there, because the cell is still alive and no other has its address. With a CAS cell ->
//! RUNNING the future can become a handle again.

use std::{
    cell::UnsafeCell,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    ptr::NonNull,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
};

use crate::{
    gmp::{
        g::GRef,
        join::Cell,
        payload::{self, Outcome},
    },
    park::waker::wake,
    protocol::byte_lock::ByteLock,
    sys::fatal,
    task::handle::Task,
};

#[repr(C)]
struct CellOf<T> {
    head: Cell,
    lock: ByteLock,
    /// Under `lock`.
    state: UnsafeCell<State<T>>,
}

enum State<T> {
    Waits(Waker),
    Here(Outcome<T>),
    Taken,
}

// SAFETY: the state is touched under the lock only; it gives the T to one taker, which may be on another thread.
unsafe impl<T: Send> Sync for CellOf<T> {}
// SAFETY: a cell refers to no thread; the T in it is Send.
unsafe impl<T: Send> Send for CellOf<T> {}

impl<T> CellOf<T> {
    fn new(waker: Waker) -> Arc<CellOf<T>> {
        Arc::new(CellOf {
            head: Cell {
                deliver: deliver::<T>,
            },
            lock: ByteLock::new(),
            state: UnsafeCell::new(State::Waits(waker)),
        })
    }

    /// A counted reference for the join word.
    fn into_word(self: &Arc<Self>) -> NonNull<Cell> {
        let raw = Arc::into_raw(Arc::clone(self)).cast_mut();
        // SAFETY: an Arc's pointer is not null; the head is the first field.
        unsafe { NonNull::new_unchecked(raw.cast()) }
    }

    fn with<R>(&self, f: impl FnOnce(&mut State<T>) -> R) -> R {
        self.lock.lock();
        // SAFETY: the lock is held, and `f` is one of the short closures below.
        let result = f(unsafe { &mut *self.state.get() });
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        result
    }

    /// F3.
    fn poll(&self, waker: &Waker) -> Poll<Outcome<T>> {
        // Foreign code, so not under the lock; nor are the drops of what is not needed.
        let mut new = Some(waker.clone());
        let before = self.with(|state| {
            let next = match state {
                State::Waits(_) => new.take().map_or(State::Taken, State::Waits),
                State::Here(_) | State::Taken => State::Taken,
            };
            mem::replace(state, next)
        });
        match before {
            State::Here(outcome) => Poll::Ready(outcome),
            State::Waits(_) | State::Taken => Poll::Pending,
        }
    }
}

/// # Safety
///
/// As for [`Cell::deliver`], of a `CellOf<T>`.
unsafe fn deliver<T>(cell: NonNull<Cell>, g: GRef) {
    let all = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `into_word` made it of an Arc of this type, and the caller owns the reference.
        let cell = unsafe { Arc::from_raw(cell.as_ptr().cast::<CellOf<T>>().cast_const()) };
        // SAFETY: `g` runs here and has ended with its outcome in its payload, which no other thread takes: the end
        // has taken the cell out of the word, so it owns the descriptor.
        let outcome = unsafe { payload::take::<Outcome<T>>(g.get().payload()) };
        if let State::Waits(waker) = cell.with(|state| mem::replace(state, State::Here(outcome))) {
            wake(waker);
        }
        // If the future is gone, the result is dropped here.
        drop(cell);
    }));
    if all.is_err() {
        fatal::fatal(format_args!(
            "the result of goroutine {}, whose future was dropped, panicked when it was dropped",
            g.id()
        ));
    }
}

/// A [`Task`] as a future. Dropping it detaches the goroutine.
#[derive(Debug)]
pub struct JoinFuture<T>(Stage<T>);

#[derive(Debug)]
enum Stage<T> {
    /// Not polled yet.
    Task(Task<T>),
    Cell(GRef, Shared<T>),
    Over,
}

struct Shared<T>(Arc<CellOf<T>>);

impl<T> std::fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cell")
    }
}

impl<T> Unpin for JoinFuture<T> {}

impl<T> JoinFuture<T> {
    /// The future of a goroutine that runs or has ended.
    pub fn new(task: Task<T>) -> JoinFuture<T> {
        JoinFuture(Stage::Task(task))
    }

    /// The task again. `None` if the result has come, or comes at the same time: then the next polls give it.
    pub fn into_task(&mut self) -> Option<Task<T>> {
        match mem::replace(&mut self.0, Stage::Over) {
            Stage::Task(task) => Some(task),
            Stage::Cell(g, cell) => {
                let word = NonNull::from(&cell.0.head);
                if g.get().join.renounce(word, false) {
                    // SAFETY: this is the word's reference, which the goroutine's end cannot take any more.
                    drop(unsafe { Arc::from_raw(Arc::as_ptr(&cell.0)) });
                    return Some(Task::of(g));
                }
                self.0 = Stage::Cell(g, cell);
                None
            }
            Stage::Over => None,
        }
    }

    fn begin(&mut self, task: Task<T>, waker: &Waker) -> Poll<thread::Result<T>> {
        if !task.is_finished() {
            let cell = CellOf::<T>::new(waker.clone());
            let word = cell.into_word();
            if task.g().get().join.expect(word) {
                self.0 = Stage::Cell(task.give_up(), Shared(cell));
                return Poll::Pending;
            }
            // SAFETY: this is the reference that the word did not take.
            drop(unsafe { Arc::from_raw(Arc::as_ptr(&cell)) });
        }
        Poll::Ready(task.join()) // the goroutine has ended, so this does not wait
    }
}

impl<T> Future for JoinFuture<T> {
    type Output = thread::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<thread::Result<T>> {
        match mem::replace(&mut self.0, Stage::Over) {
            Stage::Task(task) => self.begin(task, cx.waker()),
            Stage::Cell(g, cell) => {
                let polled = cell.0.poll(cx.waker());
                if polled.is_pending() {
                    self.0 = Stage::Cell(g, cell);
                }
                polled
            }
            Stage::Over => {
                panic!("JoinHandle: its future was polled after it had given the result")
            }
        }
    }
}

impl<T> Drop for JoinFuture<T> {
    fn drop(&mut self) {
        if let Stage::Cell(g, cell) = &self.0
            && g.get().join.renounce(NonNull::from(&cell.0.head), true)
        {
            // SAFETY: this is the word's reference, which the goroutine's end cannot take any more.
            drop(unsafe { Arc::from_raw(Arc::as_ptr(&cell.0)) });
        }
    }
}
