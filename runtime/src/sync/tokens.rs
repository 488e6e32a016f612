//! Who is to be told that there is something new: for each a channel with room for one token.
//!
//! The order that makes it right: who tells stores what is new, and then puts the tokens; who is told takes its token, and
//! then looks. So what is stored after the look finds room for a token, and a look without a token has seen all.

use std::sync::PoisonError;

use super::{Mutex, MutexGuard};
use crate::chan::{self, Receiver, Sender};

/// Those that are told.
pub(super) struct Tokens(Mutex<All>);

struct All {
    each: Vec<(u64, Sender<()>)>,
    next: u64,
    /// Nobody will tell anything any more: what is registered is disconnected.
    is_over: bool,
    /// How many are registered, also after the end.
    count: usize,
}

/// One that is told.
pub(super) struct Registered {
    number: u64,
    token: Receiver<()>,
}

impl Tokens {
    pub(super) fn new() -> Tokens {
        Tokens(Mutex::new(All {
            each: Vec::new(),
            next: 0,
            is_over: false,
            count: 0,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn register(&self) -> Registered {
        let (sender, token) = chan::bounded(1);
        let mut all = self.lock();
        all.next += 1;
        all.count += 1;
        let number = all.next;
        if !all.is_over {
            all.each.push((number, sender));
        }
        Registered { number, token }
    }

    pub(super) fn forget(&self, one: &Registered) {
        let mut all = self.lock();
        all.count -= 1;
        all.each.retain(|(number, _)| *number != one.number);
    }

    /// Gives a token to each that has none.
    pub(super) fn put(&self) {
        for (_, sender) in &self.lock().each {
            // Full: it has one.
            let _ = sender.try_send(());
        }
    }

    /// Nothing new comes any more.
    pub(super) fn end(&self) {
        let mut all = self.lock();
        all.is_over = true;
        all.each.clear();
    }

    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over
    }

    pub(super) fn count(&self) -> usize {
        self.lock().count
    }
}

impl Registered {
    /// Takes the token, if there is one. To be called before a look.
    pub(super) fn take(&self) {
        let _ = self.token.try_recv();
    }

    pub(super) fn receiver(&self) -> &Receiver<()> {
        &self.token
    }
}
