//! Who is to be told that there is something new: for each a channel with room for one token.
//!
//! The order that makes it right: who tells stores what is new, and then puts the tokens; who is told takes its token, and
//! then looks. So what is stored after the look finds room for a token, and a look without a token has seen all.
//!
//! A token may wake a future, whose waker is code of others: tokens are put, and channels dropped, without the lock.

use std::{
    mem,
    sync::{Arc, PoisonError},
};

use super::{Mutex, MutexGuard};
use crate::chan::{self, Receiver, Sender};

/// Those that are told, and how many may tell.
pub(super) struct Tokens(Mutex<All>);

struct All {
    /// Copied where it changes while another thread puts tokens.
    each: Arc<Vec<(u64, Sender<()>)>>,
    next: u64,
    senders: usize,
    /// How many are registered, also when nobody tells anything any more.
    count: usize,
}

/// One that is told.
pub(super) struct Registered {
    number: u64,
    token: Receiver<()>,
}

impl Tokens {
    /// With one sender.
    pub(super) fn new() -> Tokens {
        Tokens(Mutex::new(All {
            each: Arc::default(),
            next: 0,
            senders: 1,
            count: 0,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With a token, if `has_news`. Without senders it is disconnected.
    pub(super) fn register(&self, has_news: bool) -> Registered {
        let (sender, token) = chan::bounded(1);
        if has_news {
            // There is room for it.
            let _ = sender.try_send(());
        }
        let mut all = self.lock();
        all.next += 1;
        all.count += 1;
        let number = all.next;
        if all.senders > 0 {
            Arc::make_mut(&mut all.each).push((number, sender));
        }
        Registered { number, token }
    }

    pub(super) fn forget(&self, one: &Registered) {
        let mut all = self.lock();
        all.count -= 1;
        let place = all
            .each
            .iter()
            .position(|(number, _)| *number == one.number);
        let gone = place.map(|place| Arc::make_mut(&mut all.each).remove(place));
        drop(all);
        drop(gone);
    }

    /// Gives a token to each that has none.
    pub(super) fn put(&self) {
        let each = Arc::clone(&self.lock().each);
        for (_, sender) in &*each {
            // Full: it has one.
            let _ = sender.try_send(());
        }
    }

    /// Gives a token to this one, if it has none.
    pub(super) fn put_for(&self, one: &Registered) {
        let each = Arc::clone(&self.lock().each);
        if let Some((_, sender)) = each.iter().find(|(number, _)| *number == one.number) {
            let _ = sender.try_send(());
        }
    }

    pub(super) fn sender_comes(&self) {
        self.lock().senders += 1;
    }

    /// With the last one all receivers are disconnected.
    pub(super) fn sender_goes(&self) {
        let mut all = self.lock();
        all.senders -= 1;
        let gone = (all.senders == 0).then(|| mem::take(&mut all.each));
        drop(all);
        drop(gone);
    }

    /// How many are registered.
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
