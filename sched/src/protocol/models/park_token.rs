//! The token of `park` and `unpark`: never lost, never used twice, and the owner is woken once per wait. The steps are those of
//! park_token.rs.

use std::ops::Deref;

use loom::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{Parked, explore};
use crate::protocol::park_token::Token;

const BY_GIVER: u32 = 1;
const BY_TIMER: u32 = 2;

/// The owner, its token, and what it sleeps on.
struct World {
    /// Waits are known by their numbers.
    token: Token<u32>,
    g: Parked,
    /// Written before a token is given, read after it was used.
    data: AtomicUsize,
}

impl Deref for World {
    type Target = Parked;

    fn deref(&self) -> &Parked {
        &self.g
    }
}

impl World {
    fn new() -> Arc<World> {
        Arc::new(World {
            token: Token::new(),
            g: Parked::new(),
            data: AtomicUsize::new(0),
        })
    }

    /// T1 to T5. The outcome of the wait; `None` if the token was there.
    fn take(&self, timer: impl FnOnce(u32)) -> Option<u32> {
        if self.token.take_or_lock() {
            return None;
        }
        let number = self.wait_seq.open();
        self.save();
        // SAFETY: the lock is held from `take_or_lock` on.
        unsafe {
            self.token.wait(number);
            self.token.commit();
        }
        timer(number);
        assert!(self.parker.wait(|| None));
        let outcome = self.wait_seq.outcome();
        if outcome == BY_TIMER {
            self.token.time_is_up();
        }
        Some(outcome)
    }

    /// U1 to U3.
    fn give(&self) {
        self.data.fetch_add(1, Ordering::Relaxed);
        let claim = |number| self.wait_seq.claim(number, BY_GIVER);
        if self.token.give(claim).is_some() {
            self.ready();
        }
    }

    fn fire(&self, number: u32) {
        if self.wait_seq.claim(number, BY_TIMER) {
            self.ready();
        }
    }
}

#[test]
fn a_token_is_used_once_whenever_it_comes() {
    explore(None, || {
        let world = World::new();
        let giver = thread::spawn({
            let world = world.clone();
            move || world.give()
        });
        let outcome = world.take(|_| ());
        assert!(outcome.is_none_or(|by| by == BY_GIVER));
        assert_eq!(world.data.load(Ordering::Relaxed), 1);
        giver.join().unwrap();
        let waited = usize::from(outcome.is_some());
        assert_eq!(world.readied.load(Ordering::Relaxed), waited);
        assert!(world.token.give(|_| false).is_none(), "the owner waits");
        assert!(world.token.take_or_lock());
    });
}

#[test]
fn two_tokens_wake_once_and_leave_at_most_one() {
    explore(Some(3), || {
        let world = World::new();
        let giver = thread::spawn({
            let world = world.clone();
            move || {
                world.give();
                world.give();
            }
        });
        let outcome = world.take(|_| ());
        giver.join().unwrap();
        let waited = usize::from(outcome.is_some());
        assert_eq!(world.readied.load(Ordering::Relaxed), waited);
        // The second token came after the first was used, or while it was still there.
        assert_eq!(world.data.load(Ordering::Relaxed), 2);
        if world.token.take_or_lock() {
            assert!(!world.token.take_or_lock(), "both were kept");
        }
    });
}

#[test]
fn a_timer_and_a_giver_wake_once_and_what_is_not_used_is_kept() {
    explore(Some(3), || {
        let world = World::new();
        let giver = thread::spawn({
            let world = world.clone();
            move || world.give()
        });
        let mut timer = None;
        let outcome = world.take(|number| {
            let world = world.clone();
            timer = Some(thread::spawn(move || world.fire(number)));
        });
        // Whether the owner saw what came before the token: then it used the token, in time or just after the timer.
        let seen = world.data.load(Ordering::Relaxed) == 1;
        giver.join().unwrap();
        if let Some(timer) = timer {
            timer.join().unwrap();
        }
        let waited = usize::from(outcome.is_some());
        assert_eq!(world.readied.load(Ordering::Relaxed), waited);
        let kept = world.token.take_or_lock();
        match outcome {
            Some(BY_TIMER) => assert!(kept || seen, "a token was lost"),
            _ => assert!(seen && !kept),
        }
    });
}
