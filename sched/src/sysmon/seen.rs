//! What sysmon remembers of a P from one look to the next, the result of a look, and the times that decide.

use crate::{
    gmp::{m::M, p::P},
    protocol::lending::SyscallTick,
    schedule::fairness::Turns,
};

/// How long a P's rounds may stand still while something waits for it, in nanoseconds.
pub(crate) const STUCK: u64 = 5_000_000;

/// How long a round may last while something waits for its P, in nanoseconds, until its goroutine is asked to yield
/// (checkpoint.rs).
pub(crate) const SLICE: u64 = STUCK / 2;

/// How long a blocked M may keep a P that no goroutine waits for, in nanoseconds.
pub(crate) const UNUSED: u64 = 20_000_000;

/// The result of a look.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Look {
    Nothing,
    /// There may be something to do later.
    Watchful,
    /// Something may have to be done soon.
    Soon,
    /// The next look decides, and a goroutine waits for that.
    Close,
    Acted,
}

/// What sysmon saw of a P at its last look.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) call: Option<SyscallTick>,
    pub(crate) tick: u64,
    pub(crate) since: u64,
    /// The M that held it, and the CPU time which that M had used.
    pub(crate) cpu: Option<Used>,
    /// Whether there was a `runnext`.
    pub(crate) next: bool,
    /// When it was last taken from a blocked M, or its `runnext` moved to the global queue.
    pub(crate) acted: u64,
    pub(crate) turns: Turns,
}

impl Seen {
    pub(crate) fn first(p: &P, now: u64) -> Seen {
        Seen {
            call: p.lending.lent(),
            tick: p.tick(),
            since: now,
            cpu: None,
            next: false,
            acted: 0,
            turns: Turns::new(p, now),
        }
    }
}

/// The CPU time that the thread of an M had used at a moment.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    pub(crate) m: usize,
    pub(crate) used: u64,
    pub(crate) at: u64,
}

impl Used {
    pub(crate) fn new(m: &'static M, used: u64, at: u64) -> Used {
        let m = m.id();
        Used { m, used, at }
    }
}
