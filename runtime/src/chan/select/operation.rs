//! An operation that was chosen, between the choice and its end; and what the macros are made of.

use std::ptr;

use goroutines_sched::{WaitReason, give_way};

use super::{
    case::{Arm, SelectHandle, Won},
    choose::{self, Order},
    stash::Stash,
};
use crate::chan::{
    core::timeout::Patience,
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
    /// Chooses one of `handles`, as [`choose::choose`]. `None`: patience is over.
    #[inline(always)]
    pub(super) fn choose(
        handles: &[Arm<'a>],
        order: Order,
        patience: Patience,
        revocable: bool,
        reason: WaitReason,
    ) -> Option<Operation<'a>> {
        if !matches!(patience, Patience::None) {
            give_way();
        }
        let mut stash = Stash::new();
        let (at, won) = choose::choose(handles, order, patience, revocable, reason, &mut stash)?;
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

    /// Was it chosen for this very handle?
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

/// What `select!` expands to. Not for use by hand.
pub mod expansion {
    use std::time::Duration;

    pub use super::super::case::Arm;
    use super::*;

    /// How long a `select!` waits.
    pub struct Wait(Patience);

    impl Wait {
        /// Without `default`.
        pub const FOREVER: Wait = Wait(Patience::Forever);
        /// With `default`.
        pub const NOT_AT_ALL: Wait = Wait(Patience::None);

        /// With `default(timeout)`.
        pub fn at_most(timeout: Duration) -> Wait {
            Wait(Patience::of(timeout))
        }
    }

    /// What a `select!` has chosen.
    pub struct Chosen<'a>(Operation<'a>);

    /// `select!`: each case is as likely.
    #[inline]
    pub fn random<'a>(arms: &[Arm<'a>], wait: Wait) -> Option<Chosen<'a>> {
        Operation::choose(arms, Order::Random, wait.0, false, WaitReason::Select).map(Chosen)
    }

    /// `select_biased!`: the first goes first.
    #[inline]
    pub fn listed<'a>(arms: &[Arm<'a>], wait: Wait) -> Option<Chosen<'a>> {
        Operation::choose(arms, Order::Listed, wait.0, false, WaitReason::Select).map(Chosen)
    }

    /// A case that sends.
    #[inline(always)]
    pub fn sender<T>(sender: &Sender<T>) -> Arm<'_> {
        Arm(sender)
    }

    /// A case that receives.
    #[inline(always)]
    pub fn receiver<T>(receiver: &Receiver<T>) -> Arm<'_> {
        Arm(receiver)
    }

    /// Without a case that was chosen, or a default.
    #[cold]
    pub fn no_such_case() -> ! {
        unreachable!("goroutines: a select! has chosen no case")
    }

    impl Chosen<'_> {
        /// Which of the cases.
        #[inline(always)]
        pub fn place(&self) -> usize {
            self.0.place()
        }

        /// Completes a send. Does not wait.
        #[inline(always)]
        pub fn send<T>(self, sender: &Sender<T>, msg: T) -> Result<(), SendError<T>> {
            assert!(
                self.0.is_of(sender),
                "goroutines: a select! sends elsewhere"
            );
            self.0.send(sender, msg)
        }

        /// Completes a receive. Does not wait.
        #[inline(always)]
        pub fn recv<T>(self, receiver: &Receiver<T>) -> Result<T, RecvError> {
            assert!(
                self.0.is_of(receiver),
                "goroutines: a select! receives elsewhere"
            );
            self.0.recv(receiver)
        }
    }
}
