//! The outcomes of the steps on the lists.

use super::Id;

/// What [`Idle::claim_wake`] found: an idle P, and a sleeping M if there was one.
#[must_use]
pub(crate) struct Wake {
    pub(crate) p: Id,
    pub(crate) m: Option<Id>,
}

/// An M that was asleep and is off the list: the caller wakes it with a P.
#[must_use]
pub(crate) struct Sleeper {
    pub(crate) m: Id,
    /// Whether it was the timekeeper. Then there is none now.
    pub(crate) was_timekeeper: bool,
}

/// Outcome of putting a P down.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PutIdle {
    /// It is on the list of idle Ps.
    Idle,
    /// This M waits for a P and is off the lists: the caller wakes it with this one.
    Waiting(Id),
    /// There shall be fewer Ps, and this one is off the lists: the caller clears it out (procs.rs).
    Left,
}

/// Outcome of an idle M leaving the idle list without having been woken.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SelfWake {
    /// It is off the lists and owns this P.
    Take(Id),
    /// Another thread took it off the list first and is about to wake it with a P: it sleeps to get it.
    Woken,
    /// No P is idle: it stays asleep.
    Stay,
}

/// Outcome of waking one particular M, for work that only that M can do.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WakeThis {
    /// It is not asleep, or it is being woken with a P already: it will look for itself.
    Awake,
    /// It is off the list and gets this P from the caller. `was_timekeeper`: there is no timekeeper now.
    Take { p: Id, was_timekeeper: bool },
    /// It is off the list, and in line for a P, with which it will be woken.
    Waiting,
}

/// Outcome of an M wanting to end that has been asleep for long.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Retire {
    /// It is off the lists, and no thread will wake it.
    End,
    /// Another thread took it off the list first and is about to wake it with a P: it sleeps to get it.
    Woken,
    /// It is needed: as the timekeeper, or because no more Ms sleep than there are idle Ps that have run.
    Stay,
}
