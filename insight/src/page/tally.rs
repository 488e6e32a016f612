//! How long goroutines ran, waited, and were ready before they ran.
//!
//! A goroutine is known from the moment at which it waits, or is made ready, until it runs.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
};

use super::Opened;

/// The waits that are listed.
pub(super) const LONGEST: usize = 30;

#[derive(Default)]
pub(super) struct Tally {
    /// Those that do not run.
    away: HashMap<u64, Away>,
    /// By the reason.
    pub(super) reasons: BTreeMap<Box<str>, Waits>,
    /// By the number of the name.
    pub(super) names: BTreeMap<usize, Times>,
    longest: BinaryHeap<Reverse<Wait>>,
}

struct Away {
    name: usize,
    /// Why it has left, when, and what it waits on. `None`: it is new.
    left: Option<(Box<str>, u64, u64)>,
    /// When it was made ready.
    ready: Option<u64>,
}

/// Waits for one reason, in nanoseconds.
#[derive(Default)]
pub(super) struct Waits {
    pub(super) count: u64,
    pub(super) total: u64,
    pub(super) longest: u64,
}

/// What the goroutines of one name did, in nanoseconds.
#[derive(Default)]
pub(super) struct Times {
    pub(super) spawned: u64,
    pub(super) runs: u64,
    pub(super) ran: u64,
    pub(super) waited: u64,
    /// From ready to running.
    pub(super) queued: u64,
    pub(super) queued_longest: u64,
}

/// A wait. The order is that of its time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wait {
    pub(super) time: u64,
    pub(super) from: u64,
    /// 0 for a thread.
    pub(super) goroutine: u64,
    /// The number of its name.
    pub(super) name: Option<usize>,
    pub(super) reason: Box<str>,
    pub(super) object: u64,
    pub(super) is_over: bool,
}

impl Tally {
    /// It runs from here on.
    pub(super) fn runs(&mut self, goroutine: u64, name: usize, at: u64) {
        self.names.entry(name).or_default().runs += 1;
        let Some(away) = self.away.remove(&goroutine) else {
            return;
        };
        if let Some(ready) = away.ready {
            let times = self.names.entry(name).or_default();
            let queued = at.saturating_sub(ready);
            times.queued += queued;
            times.queued_longest = times.queued_longest.max(queued);
        }
        self.waited(goroutine, away, at, true);
    }

    /// It has run since `since`, and leaves its stack at `at`: to wait, if `why` says for what and on which object.
    pub(super) fn left(
        &mut self,
        goroutine: u64,
        name: usize,
        since: u64,
        at: u64,
        why: Option<(&str, Option<u64>)>,
    ) {
        self.names.entry(name).or_default().ran += at.saturating_sub(since);
        if let Some((reason, object)) = why.filter(|&(reason, _)| reason != crate::trace::YIELDS) {
            let left = Some((reason.into(), at, object.unwrap_or(0)));
            let ready = None;
            self.away.insert(goroutine, Away { name, left, ready });
        }
    }

    /// It is made ready, or made: `is_new`.
    pub(super) fn ready(&mut self, goroutine: u64, name: usize, at: u64, is_new: bool) {
        if is_new {
            self.names.entry(name).or_default().spawned += 1;
            let (left, ready) = (None, Some(at));
            self.away.insert(goroutine, Away { name, left, ready });
        } else if let Some(away) = self.away.get_mut(&goroutine) {
            away.ready.get_or_insert(at);
        }
    }

    /// A wait with the thread is over. `outer`: the name of the goroutine.
    pub(super) fn kept(&mut self, wait: &Opened, outer: Option<usize>, reason: &str, at: u64) {
        let time = at.saturating_sub(wait.since);
        if let Some(name) = outer {
            let times = self.names.entry(name).or_default();
            times.waited += time;
            // The slice around it counts as running when it ends, which may be later: until then this may be below zero.
            times.ran = times.ran.wrapping_sub(time);
        }
        self.note(Wait {
            time,
            from: wait.since,
            goroutine: wait.goroutine,
            name: outer,
            reason: reason.into(),
            object: wait.object,
            is_over: true,
        });
    }

    /// Nothing comes any more. What waits has waited until `end`.
    pub(super) fn finish(&mut self, end: u64) {
        for (goroutine, away) in std::mem::take(&mut self.away) {
            let is_over = away.ready.is_some();
            self.waited(goroutine, away, end, is_over);
        }
    }

    fn waited(&mut self, goroutine: u64, away: Away, end: u64, is_over: bool) {
        let Some((reason, from, object)) = away.left else {
            return;
        };
        let time = away.ready.unwrap_or(end).saturating_sub(from);
        self.names.entry(away.name).or_default().waited += time;
        self.note(Wait {
            time,
            from,
            goroutine,
            name: Some(away.name),
            reason,
            object,
            is_over,
        });
    }

    fn note(&mut self, wait: Wait) {
        let sums = match self.reasons.get_mut(&wait.reason) {
            Some(sums) => sums,
            None => self.reasons.entry(wait.reason.clone()).or_default(),
        };
        sums.count += 1;
        sums.total += wait.time;
        sums.longest = sums.longest.max(wait.time);
        let is_full = self.longest.len() == LONGEST;
        match self.longest.peek() {
            Some(Reverse(least)) if is_full && *least >= wait => return,
            Some(_) if is_full => drop(self.longest.pop()),
            _ => {}
        }
        self.longest.push(Reverse(wait));
    }

    /// The longest waits, the longest first.
    pub(super) fn longest(&self) -> Vec<&Wait> {
        let mut all: Vec<&Wait> = self.longest.iter().map(|Reverse(wait)| wait).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        all
    }
}
