//! What a step on the lists came to.

use super::Id;

/// What [`Idle::claim_wake`] found: an idle P, and a sleeping M if there was one.
#[must_use]
pub(crate) struct Wake {
    pub(crate) p: Id,
    pub(crate) m: Option<Id>,
}

/// An M that was asleep and is off the list: the caller hands it a P.
#[must_use]
pub(crate) struct Sleeper {
    pub(crate) m: Id,
    /// Was it the timekeeper? Then there is none now.
    pub(crate) was_timekeeper: bool,
}

/// What became of a P that was put down.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PutIdle {
    /// It is on the list of idle Ps.
    Idle,
    /// This M waits for a P and is off the lists: the caller hands it over.
    Waiting(Id),
    /// There shall be fewer Ps, and it is off the lists: the caller clears it out (procs.rs).
    Left,
}

/// What became of an M that wants to get up again by itself.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SelfWake {
    /// It is off the lists and owns this P.
    Take(Id),
    /// Somebody took it off the list first: a P is being handed over, sleep to get it.
    Woken,
    /// No P is idle: stay asleep.
    Stay,
}

/// What became of an M that somebody has work for which only that one can do.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WakeThis {
    /// It is not asleep, or somebody hands it a P already: it will look for itself.
    Awake,
    /// It is off the list and gets this P from the caller. Was it the timekeeper? Then there is none now.
    Take { p: Id, was_timekeeper: bool },
    /// It is off the list, and in line for a P: somebody will hand it one.
    Waiting,
}

/// What becomes of an M that has been asleep for long.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Retire {
    /// It is off the lists and nobody will wake it.
    End,
    /// Somebody took it off the list first: a P is being handed over, sleep to get it.
    Woken,
    /// It is needed: as the timekeeper, or because no more Ms sleep than there are idle Ps that have run.
    Stay,
}
