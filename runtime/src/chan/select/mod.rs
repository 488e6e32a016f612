//! `Select`: a list of operations that is made while the program runs, of which one is chosen. How it chooses is in
//! choose.rs. A file imports only from those before it:
//!
//! ```text
//! macros < stash < inline_vec < case < choose < operation < expansion < selected < mod
//! ```

use std::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
    time::{Duration, Instant},
};

use goroutines_sched::WaitReason;

use super::{
    core::timeout::Timeout,
    error::{ReadyTimeoutError, SelectTimeoutError, TryReadyError, TrySelectError},
    receiver::Receiver,
    sender::Sender,
};
use case::{Arm, SelectHandle};
use choose::{Order, watch};
use inline_vec::InlineVec;
use operation::Operation;

mod case;
mod choose;
#[doc(hidden)]
pub mod expansion;
mod inline_vec;
mod macros;
mod operation;
mod selected;
mod stash;

pub use selected::SelectedOperation;

/// A list of operations on channels, of which one is chosen: as [`select!`](macro@super::select), for lists that are made
/// while the program runs.
///
/// An operation can be chosen when it need not wait; also when it would only fail, because the channel is
/// disconnected. If several can be chosen, each is as likely; with [`Select::new_biased`] it is the first.
///
/// - [`select`](Select::select) and its kind choose an operation and begin it. The [`SelectedOperation`] must be
///   completed.
/// - [`ready`](Select::ready) and its kind tell which operation need not wait, and leave it to the caller to try it.
///   By then another caller may have been faster.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::chan::{Receiver, RecvError, Select, unbounded};
///
/// fn recv_any<T>(receivers: &[Receiver<T>]) -> Result<T, RecvError> {
///     let mut select = Select::new();
///     for receiver in receivers {
///         select.recv(receiver);
///     }
///     let chosen = select.select();
///     let index = chosen.index();
///     chosen.recv(&receivers[index])
/// }
///
/// let (senders, receivers): (Vec<_>, Vec<_>) = (0..20).map(|_| unbounded()).unzip();
/// goroutines::go(move || {
///     senders[11].send("hello").unwrap();
///     goroutines::sleep(std::time::Duration::from_millis(50));
/// });
/// assert_eq!(recv_any(&receivers), Ok("hello"));
/// ```
pub struct Select<'a> {
    handles: InlineVec<Arm<'a>>,
    /// The indices of `handles`, in the same order.
    indices: InlineVec<usize>,
    next_index: usize,
    order: Order,
}

// SAFETY: without an operation's own `&Sender<T>` or `&Receiver<T>` nothing is done to a message but to move it,
// and to forget it; and these references get to another thread only if T is Send.
unsafe impl Send for Select<'_> {}
// SAFETY: nothing is reached through `&Select`.
unsafe impl Sync for Select<'_> {}

impl UnwindSafe for Select<'_> {}
impl RefUnwindSafe for Select<'_> {}

impl<'a> Select<'a> {
    /// An empty list, that chooses fairly.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::chan::Select;
    ///
    /// assert!(Select::new().try_select().is_err());
    /// ```
    pub fn new() -> Select<'a> {
        Select::with(Order::Random)
    }

    /// An empty list, that chooses the first of what can be chosen.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::chan::{Select, unbounded};
    ///
    /// let (tx, rx) = unbounded();
    /// tx.send(1).unwrap();
    /// let mut select = Select::new_biased();
    /// select.recv(&rx);
    /// select.send(&tx);
    /// assert_eq!(select.ready(), 0);
    /// ```
    pub fn new_biased() -> Select<'a> {
        Select::with(Order::Listed)
    }

    fn with(order: Order) -> Select<'a> {
        Select {
            handles: InlineVec::new(),
            indices: InlineVec::new(),
            next_index: 0,
            order,
        }
    }

    /// Adds a send; returns its index. Does not wait.
    pub fn send<T>(&mut self, s: &'a Sender<T>) -> usize {
        self.add(s)
    }

    /// Adds a receive; returns its index. Does not wait.
    pub fn recv<T>(&mut self, r: &'a Receiver<T>) -> usize {
        self.add(r)
    }

    fn add(&mut self, handle: &'a dyn SelectHandle) -> usize {
        let index = self.next_index;
        self.handles.push(Arm(handle));
        self.indices.push(index);
        self.next_index += 1;
        index
    }

    /// Takes the operation with this index out of the list. Indices are not used again.
    ///
    /// # Panics
    ///
    /// When there is none, or not any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::chan::{Select, unbounded};
    ///
    /// let (_tx, rx) = unbounded::<i32>();
    /// let (_, closed) = unbounded::<i32>();
    /// let mut select = Select::new();
    /// select.recv(&rx);
    /// let second = select.recv(&closed);
    /// let chosen = select.select();
    /// assert_eq!(chosen.index(), second);
    /// assert!(chosen.recv(&closed).is_err());
    /// select.remove(second);
    /// assert!(select.try_select().is_err());
    /// ```
    pub fn remove(&mut self, index: usize) {
        assert!(
            index < self.next_index,
            "index out of bounds; {index} >= {}",
            self.next_index
        );
        let at = self.indices.as_slice().iter().position(|&i| i == index);
        let at = at.expect("no operation with this index");
        self.handles.remove(at);
        self.indices.remove(at);
    }

    /// Chooses an operation that need not wait.
    ///
    /// # Parks
    ///
    /// Only where its counterpart is another select that is about to send: for at most 1 ms, while that one makes its
    /// message. A message that comes later can be received later.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn try_select(&mut self) -> Result<SelectedOperation<'a>, TrySelectError> {
        self.choose(Timeout::Now).ok_or(TrySelectError)
    }

    /// Chooses an operation; waits until one need not wait.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Panics
    ///
    /// When the list is empty.
    pub fn select(&mut self) -> SelectedOperation<'a> {
        self.must_not_be_empty();
        match self.choose(Timeout::Never) {
            Some(chosen) => chosen,
            None => unreachable!("goroutines: a select without a timeout timed out"),
        }
    }

    /// As [`select`](Select::select), but waits at most for `timeout`.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When the time is up.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::chan::{Select, bounded};
    /// use std::time::Duration;
    ///
    /// let (tx, rx) = bounded::<i32>(0);
    /// let mut select = Select::new();
    /// select.recv(&rx);
    /// select.send(&tx); // a select is not its own counterpart
    /// assert!(select.select_timeout(Duration::from_millis(2)).is_err());
    /// ```
    pub fn select_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<SelectedOperation<'a>, SelectTimeoutError> {
        self.choose(Timeout::of(timeout)).ok_or(SelectTimeoutError)
    }

    /// As [`select`](Select::select), but waits at most until `deadline`.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When the time is up.
    pub fn select_deadline(
        &mut self,
        deadline: Instant,
    ) -> Result<SelectedOperation<'a>, SelectTimeoutError> {
        self.choose(Timeout::Until(deadline))
            .ok_or(SelectTimeoutError)
    }

    fn choose(&self, timeout: Timeout) -> Option<SelectedOperation<'a>> {
        self.choose_as(timeout, false, WaitReason::Select)
    }

    /// As [`Select::select_deadline`] and its kind; with `revocable`, another select that makes a message for one case
    /// is not waited for if another case can be chosen. It parks for `reason`.
    pub(super) fn choose_as(
        &self,
        timeout: Timeout,
        revocable: bool,
        reason: WaitReason,
    ) -> Option<SelectedOperation<'a>> {
        let handles = self.handles.as_slice();
        let operation = Operation::choose(handles, self.order, timeout, revocable, reason)?;
        let index = self.indices.as_slice()[operation.place()];
        Some(SelectedOperation { operation, index })
    }

    /// The index of an operation that need not wait now.
    ///
    /// # Errors
    ///
    /// When there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::chan::{Select, unbounded};
    ///
    /// let (tx, rx) = unbounded();
    /// let mut select = Select::new();
    /// let receive = select.recv(&rx);
    /// assert!(select.try_ready().is_err());
    /// tx.send(5).unwrap();
    /// assert_eq!(select.try_ready(), Ok(receive));
    /// assert_eq!(rx.try_recv(), Ok(5));
    /// ```
    pub fn try_ready(&mut self) -> Result<usize, TryReadyError> {
        self.watch(Timeout::Now).ok_or(TryReadyError)
    }

    /// Waits until one of the operations need not wait; returns its index. Another caller may be faster then: try the
    /// operation, and wait again if it fails.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Panics
    ///
    /// When the list is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::chan::{Select, bounded};
    ///
    /// let (tx, rx) = bounded(0);
    /// goroutines::go(move || tx.send(5));
    /// let mut select = Select::new();
    /// select.recv(&rx);
    /// loop {
    ///     select.ready();
    ///     if let Ok(msg) = rx.try_recv() {
    ///         assert_eq!(msg, 5);
    ///         break;
    ///     }
    /// }
    /// ```
    pub fn ready(&mut self) -> usize {
        self.must_not_be_empty();
        match self.watch(Timeout::Never) {
            Some(index) => index,
            None => unreachable!("goroutines: a select without a timeout timed out"),
        }
    }

    /// As [`ready`](Select::ready), but waits at most for `timeout`.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When the time is up.
    pub fn ready_timeout(&mut self, timeout: Duration) -> Result<usize, ReadyTimeoutError> {
        self.watch(Timeout::of(timeout)).ok_or(ReadyTimeoutError)
    }

    /// As [`ready`](Select::ready), but waits at most until `deadline`.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When the time is up.
    pub fn ready_deadline(&mut self, deadline: Instant) -> Result<usize, ReadyTimeoutError> {
        self.watch(Timeout::Until(deadline))
            .ok_or(ReadyTimeoutError)
    }

    fn watch(&self, timeout: Timeout) -> Option<usize> {
        let at = watch(self.handles.as_slice(), self.order, timeout)?;
        Some(self.indices.as_slice()[at])
    }

    fn must_not_be_empty(&self) {
        assert!(
            !self.handles.as_slice().is_empty(),
            "no operations have been added to `Select`"
        );
    }
}

impl Clone for Select<'_> {
    fn clone(&self) -> Self {
        Select {
            handles: self.handles.clone(),
            indices: self.indices.clone(),
            ..*self
        }
    }
}

impl Default for Select<'_> {
    fn default() -> Self {
        Select::new()
    }
}

impl fmt::Debug for Select<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Select { .. }")
    }
}
