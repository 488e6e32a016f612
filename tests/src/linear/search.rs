//! The search for an order.

use std::{collections::HashSet, fmt};

use super::{Call, Model};

/// How many states are looked at before the search gives up.
const BUDGET: usize = 200_000;

/// Why a history was not accepted.
#[derive(Debug)]
pub enum Refused {
    /// No order explains it. The text has the calls, and how far the best attempt came.
    NoOrder(String),
    /// Neither an order was found nor that there is none, within the budget of states. This is no pass.
    NotDecided {
        /// States looked at.
        states: usize,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NoOrder(text) => f.write_str(text),
            Refused::NotDecided { states } => {
                write!(
                    f,
                    "not decided after {states} states: make the history shorter"
                )
            }
        }
    }
}

/// Looks for an order of `calls` that `model` explains. Returns how many states it looked at.
///
/// # Errors
///
/// If there is none, or the search was given up.
pub fn check<M: Model>(model: &M, calls: &[Call<M::Op>]) -> Result<usize, Refused> {
    let mut search = Search {
        model,
        calls,
        placed: Placed(vec![0; calls.len().div_ceil(64)]),
        order: Vec::new(),
        best: Vec::new(),
        seen: HashSet::new(),
    };
    match search.go(&model.initial()) {
        Some(true) => Ok(search.seen.len()),
        Some(false) => Err(Refused::NoOrder(search.text())),
        None => Err(Refused::NotDecided {
            states: search.seen.len(),
        }),
    }
}

/// A set of calls, a bit each.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Placed(Vec<u64>);

impl Placed {
    fn has(&self, call: usize) -> bool {
        self.0[call / 64] & 1 << (call % 64) != 0
    }

    fn flip(&mut self, call: usize) {
        self.0[call / 64] ^= 1 << (call % 64);
    }
}

struct Search<'a, M: Model> {
    model: &'a M,
    calls: &'a [Call<M::Op>],
    placed: Placed,
    order: Vec<usize>,
    /// The longest order that was found.
    best: Vec<usize>,
    seen: HashSet<(Placed, M::State)>,
}

impl<M: Model> Search<'_, M> {
    /// Places the rest, from `state` on. Returns whether it could be done; `None` is given up.
    fn go(&mut self, state: &M::State) -> Option<bool> {
        if self.is_done() && self.model.can_end(state) {
            return Some(true);
        }
        if self.seen.len() >= BUDGET {
            return None;
        }
        if !self.seen.insert((self.placed.clone(), state.clone())) {
            return Some(false);
        }
        let next = self.candidates();
        for &call in &next {
            let op = &self.calls[call].op;
            if let Some(after) = self.model.step(state, op)
                && self.place(&[call], &after)?
            {
                return Some(true);
            }
            for &other in next.iter().filter(|other| **other != call) {
                if let Some(after) = self.model.pair(state, op, &self.calls[other].op)
                    && self.place(&[call, other], &after)?
                {
                    return Some(true);
                }
            }
        }
        Some(false)
    }

    /// Goes on with `calls` placed, and takes them back.
    fn place(&mut self, calls: &[usize], after: &M::State) -> Option<bool> {
        for &call in calls {
            self.placed.flip(call);
            self.order.push(call);
        }
        if self.order.len() > self.best.len() {
            self.best.clone_from(&self.order);
        }
        let done = self.go(after);
        for &call in calls {
            self.placed.flip(call);
            self.order.pop();
        }
        done
    }

    /// The calls not placed that began before any other of these had ended.
    fn candidates(&self) -> Vec<usize> {
        let open = || (0..self.calls.len()).filter(|&call| !self.placed.has(call));
        let end = open().filter_map(|call| self.calls[call].end).min();
        let end = end.unwrap_or(u64::MAX);
        open()
            .filter(|&call| self.calls[call].start <= end)
            .collect()
    }

    fn is_done(&self) -> bool {
        let mut calls = self.calls.iter().enumerate();
        calls.all(|(index, call)| call.end.is_none() || self.placed.has(index))
    }

    fn text(&self) -> String {
        let line = |index: usize| {
            let Call {
                actor,
                start,
                end,
                op,
            } = &self.calls[index];
            let end = end.map_or_else(|| "never".to_owned(), |end| end.to_string());
            format!("  {start}..{end}: actor {actor}: {op:?}\n")
        };
        let best: String = self.best.iter().copied().map(line).collect();
        let rest = (0..self.calls.len()).filter(|index| !self.best.contains(index));
        let rest: String = rest.map(line).collect();
        format!(
            "no order explains these calls. The longest that was found:\n{best}and of these none can follow:\n{rest}"
        )
    }
}
