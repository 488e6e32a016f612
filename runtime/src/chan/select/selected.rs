//! What a `Select` has chosen.

use std::{
    fmt,
    mem::ManuallyDrop,
    panic::{RefUnwindSafe, UnwindSafe},
    ptr, thread,
};

use super::operation::Operation;
use crate::chan::{
    error::{RecvError, SendError},
    receiver::Receiver,
    sender::Sender,
};

/// An operation that a [`Select`](crate::chan::Select) has chosen: it has begun, and must be completed with
/// [`send`](SelectedOperation::send) or [`recv`](SelectedOperation::recv), which do not wait any more.
///
/// # Panics
///
/// When it is dropped without. The operation is undone then, as far as that is possible: a receiver that waits for the
/// message waits on; a message that was received is lost.
#[must_use]
pub struct SelectedOperation<'a> {
    pub(super) operation: Operation<'a>,
    pub(super) index: usize,
}

// As crossbeam's: what a panic leaves behind is an operation that was not finished, and its drop says so.
impl UnwindSafe for SelectedOperation<'_> {}
impl RefUnwindSafe for SelectedOperation<'_> {}

impl SelectedOperation<'_> {
    /// The index of the operation: what [`Select::send`](crate::chan::Select::send) or
    /// [`Select::recv`](crate::chan::Select::recv) returned.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Sends `msg` with the sender that was added. Does not wait.
    ///
    /// # Parks
    ///
    /// No: the waiting is over.
    ///
    /// # Errors
    ///
    /// When every receiver is gone. The message is in the error.
    ///
    /// # Panics
    ///
    /// When `s` is not the very reference that was given to [`Select::send`](crate::chan::Select::send).
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::chan::{Select, SendError, bounded};
    ///
    /// let (tx, rx) = bounded(1);
    /// let mut select = Select::new();
    /// select.send(&tx);
    /// assert_eq!(select.select().send(&tx, 10), Ok(()));
    /// drop(rx);
    /// assert_eq!(select.select().send(&tx, 11), Err(SendError(11)));
    /// ```
    pub fn send<T>(self, s: &Sender<T>, msg: T) -> Result<(), SendError<T>> {
        assert!(
            self.operation.is_of(s),
            "passed a sender that wasn't selected"
        );
        self.into_operation().send(s, msg)
    }

    /// Receives with the receiver that was added. Does not wait.
    ///
    /// # Parks
    ///
    /// No: the waiting is over.
    ///
    /// # Errors
    ///
    /// When the channel is empty and every sender is gone.
    ///
    /// # Panics
    ///
    /// When `r` is not the very reference that was given to [`Select::recv`](crate::chan::Select::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::chan::{RecvError, Select, bounded};
    ///
    /// let (tx, rx) = bounded(1);
    /// tx.send(10).unwrap();
    /// drop(tx);
    /// let mut select = Select::new();
    /// select.recv(&rx);
    /// assert_eq!(select.select().recv(&rx), Ok(10));
    /// assert_eq!(select.select().recv(&rx), Err(RecvError));
    /// ```
    pub fn recv<T>(self, r: &Receiver<T>) -> Result<T, RecvError> {
        assert!(
            self.operation.is_of(r),
            "passed a receiver that wasn't selected"
        );
        self.into_operation().recv(r)
    }
}

impl<'a> SelectedOperation<'a> {
    fn into_operation(self) -> Operation<'a> {
        let this = ManuallyDrop::new(self);
        // SAFETY: moved out of what is not dropped.
        unsafe { ptr::read(&raw const this.operation) }
    }
}

impl Drop for SelectedOperation<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("dropped `SelectedOperation` without completing the operation");
        }
    }
}

impl fmt::Debug for SelectedOperation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("SelectedOperation { .. }")
    }
}
