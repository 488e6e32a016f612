//! An operation that was chosen, between the choice and its end.

use std::ptr;

use goroutines_sched::{WaitReason, give_way};

use super::{
    case::{Arm, SelectHandle, Won},
    choose::{self, Order},
    stash::Stash,
};
use crate::chan::{
    core::timeout::Timeout,
    error::{RecvError, SendError},
    receiver::Receiver,
    sender::Sender,
};

/// An operation that has begun. If it is dropped, it is undone.
pub(super) struct Operation<'a> {
    handle: &'a dyn SelectHandle,
    at: usize,
    /// `None`: completed.
    won: Option<Won>,
    stash: Stash,
}

impl<'a> Operation<'a> {
    /// Chooses one of `handles`, as [`choose::choose`]. `None`: the time is up.
    #[inline(always)]
    pub(super) fn choose(
        handles: &[Arm<'a>],
        order: Order,
        timeout: Timeout,
        revocable: bool,
        reason: WaitReason,
    ) -> Option<Operation<'a>> {
        if !matches!(timeout, Timeout::Now) {
            give_way();
        }
        let mut stash = Stash::new();
        let (at, won) = choose::choose(handles, order, timeout, revocable, reason, &mut stash)?;
        Some(Operation {
            handle: handles[at].0,
            at,
            won: Some(won),
            stash,
        })
    }

    /// Its place in the list.
    #[inline(always)]
    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// Returns whether it was chosen for this very handle.
    #[inline(always)]
    pub(super) fn is_of<H>(&self, handle: &H) -> bool {
        ptr::addr_eq(ptr::from_ref(self.handle), ptr::from_ref(handle))
    }

    #[inline(always)]
    pub(super) fn send<T>(mut self, sender: &Sender<T>, msg: T) -> Result<(), SendError<T>> {
        debug_assert!(self.is_of(sender));
        match self.won.take() {
            // SAFETY: won by this sender, as the callers know, and now used.
            Some(won) => unsafe { sender.complete(won, msg) },
            None => unreachable!("goroutines: an operation was completed twice"),
        }
    }

    #[inline(always)]
    pub(super) fn recv<T>(mut self, receiver: &Receiver<T>) -> Result<T, RecvError> {
        debug_assert!(self.is_of(receiver));
        match self.won.take() {
            // SAFETY: won by this receiver with this stash, as the callers know, and now used.
            Some(won) => unsafe { receiver.complete(won, &self.stash) },
            None => unreachable!("goroutines: an operation was completed twice"),
        }
    }
}

impl Drop for Operation<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(won) = self.won.take() {
            // SAFETY: it was won by this handle, and is not used any more.
            unsafe { self.handle.abandon(won) };
        }
    }
}
