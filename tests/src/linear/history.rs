//! What happened, in the order of one clock.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

/// One call: what it did and returned, and when.
#[derive(Clone, Debug)]
pub struct Call<Op> {
    /// Who called.
    pub actor: usize,
    /// Before it began.
    pub start: u64,
    /// After it had ended; `None` if it never did.
    pub end: Option<u64>,
    /// What it was.
    pub op: Op,
}

/// A record of calls. Each moment of its clock is used once.
#[derive(Debug)]
pub struct History<Op> {
    clock: AtomicU64,
    calls: Mutex<Vec<Call<Op>>>,
}

impl<Op> Default for History<Op> {
    fn default() -> Self {
        History {
            clock: AtomicU64::new(0),
            calls: Mutex::new(Vec::new()),
        }
    }
}

impl<Op> History<Op> {
    /// The next moment.
    pub fn now(&self) -> u64 {
        // SeqCst: one order for all actors, which the calls between two readings cannot leave.
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// Runs `call`, and records what it makes of itself; nothing if that is `None`.
    pub fn record<R>(
        &self,
        actor: usize,
        call: impl FnOnce() -> R,
        op: impl FnOnce(&R) -> Option<Op>,
    ) -> R {
        let start = self.now();
        let returned = call();
        let end = self.now();
        if let Some(op) = op(&returned) {
            self.add(actor, (start, end), op);
        }
        returned
    }

    /// Records a call of which the span is known.
    ///
    /// # Panics
    ///
    /// If an actor has panicked in here.
    pub fn add(&self, actor: usize, (start, end): (u64, u64), op: Op) {
        self.calls.lock().unwrap().push(Call {
            actor,
            start,
            end: Some(end),
            op,
        });
    }

    /// The calls, by their beginnings.
    ///
    /// # Panics
    ///
    /// If an actor has panicked in here.
    pub fn into_calls(self) -> Vec<Call<Op>> {
        let mut calls = self.calls.into_inner().unwrap();
        calls.sort_by_key(|call| call.start);
        calls
    }
}
