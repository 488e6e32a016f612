//! What `select!` expands to. Not for use by hand.

use std::time::Duration;

pub use super::case::Arm;
pub use goroutines_macros::{select_error, select_placed};
use goroutines_sched::WaitReason;

use super::{choose::Order, operation::Operation};
use crate::chan::{
    core::timeout::Timeout,
    error::{RecvError, SendError},
    receiver::Receiver,
    sender::Sender,
};

/// How long a `select!` waits.
pub struct Wait(Timeout);

impl Wait {
    /// Without `default`.
    pub const FOREVER: Wait = Wait(Timeout::Never);
    /// With `default`.
    pub const NOT_AT_ALL: Wait = Wait(Timeout::Now);

    /// With `default(timeout)`.
    pub fn at_most(timeout: Duration) -> Wait {
        Wait(Timeout::of(timeout))
    }
}

/// What a `select!` has chosen.
pub struct Chosen<'a>(Operation<'a>);

/// `select!`: each case is as likely.
#[inline]
pub fn random<'a>(arms: &[Arm<'a>], wait: Wait) -> Option<Chosen<'a>> {
    Operation::choose(arms, Order::Random, wait.0, false, WaitReason::Select).map(Chosen)
}

/// `select_biased!`: the first is chosen.
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
    /// The place of the case that was chosen.
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
