//! Whether what concurrent calls returned can be explained by calls that take place one after the other.
//!
//! A *history* is a list of calls, each with the moment before it began and the moment after it had ended. It is
//! *linearizable* by a model if a point can be found for each call, within its span, such that the model, run through the
//! calls in the order of their points, returns what they returned.
//!
//! The search is Wing's and Gong's: of the calls that no unplaced call has ended before, one is placed, and the search goes
//! on with the state that the model has after it. A set of what has been seen, calls placed and state, ends branches that
//! come to the same (Lowe). Three things are not in the textbook:
//!
//! - **Pairs.** A send and a receive over a channel without a buffer take place at one point, together: the model is asked
//!   for both ([`Model::pair`]), and neither has a point alone.
//! - **Pending calls.** A call that had not returned when the history ended may have taken place, or not.
//! - **Two points of one call.** A wait for a condition begins at one point (it is a waiter) and ends at another (it has
//!   been notified); a call that waits for a lock asks for it at one point, from which on others may be refused, and has it
//!   or gives up at another. Such a call is two, over the same span.
//!
//! A send or receive that gave up by a timeout has had no effect and proves nothing: it is not in the history.

mod history;
mod models;
mod search;
#[cfg(test)]
mod tests;

pub use history::{Call, History};
pub use models::{Channel, ChannelOp, Condition, ConditionOp, Lock, LockOp, Permits, PermitsOp};
pub use search::{Refused, check};

/// What calls do to an object, one after the other.
pub trait Model {
    /// All that the object remembers.
    type State: Clone + Eq + std::hash::Hash;
    /// A call with what it returned.
    type Op: Clone + std::fmt::Debug;

    /// The state before the first call.
    fn initial(&self) -> Self::State;

    /// The state after `op`; `None` if it cannot return that in `state`.
    fn step(&self, state: &Self::State, op: &Self::Op) -> Option<Self::State>;

    /// The state after both at one point; `None` if they are no pair in `state`.
    fn pair(&self, _: &Self::State, _: &Self::Op, _: &Self::Op) -> Option<Self::State> {
        None
    }

    /// Returns whether a history can end in `state` with these calls still pending: not if one of them had to return.
    fn can_end(&self, _: &Self::State) -> bool {
        true
    }
}
