//! The raw locks of the public crate: one holder at a time, no waiter left asleep, nothing left in the word.
//!
//! These are not models of the locks but their sources, compiled with another [`door`]. A waiter that is never woken
//! is a deadlock, which loom reports.

use std::sync::Arc;

use loom::{cell::UnsafeCell, thread};

use super::explore;
use door::{Instant, lose_patience};
use raw::{limit::Limit, rawcond::RawCond, rawlock::RawLock};

pub(in crate::protocol) mod door;
#[allow(dead_code, reason = "not all of it is modelled")]
#[path = "../../../../runtime/src/sync/raw/mod.rs"]
pub(super) mod raw;

/// A number under a lock: loom reports a race when the lock lets two threads in, or does not publish.
pub(super) struct Guarded<L> {
    pub(super) lock: L,
    value: UnsafeCell<u32>,
}

// SAFETY: the number is used under the lock; loom checks it.
unsafe impl<L> Sync for Guarded<L> {}
// SAFETY: a number and a lock refer to no thread.
unsafe impl<L> Send for Guarded<L> {}

impl<L> Guarded<L> {
    pub(super) fn new(lock: L) -> Arc<Guarded<L>> {
        Arc::new(Guarded::inline(lock))
    }

    /// As [`Guarded::new`], for a part of something.
    pub(super) fn inline(lock: L) -> Guarded<L> {
        Guarded {
            lock,
            value: UnsafeCell::new(0),
        }
    }

    pub(super) fn add(&self) {
        // SAFETY: loom checks that no other thread uses it.
        self.value.with_mut(|value| unsafe { *value += 1 });
    }

    pub(super) fn get(&self) -> u32 {
        // SAFETY: loom checks that no thread writes.
        self.value.with(|value| unsafe { *value })
    }
}

/// Runs each of `programs` on a thread of its own over one lock, the first here; then `check`.
pub(super) fn together<L: 'static>(
    new: fn() -> L,
    programs: &'static [fn(&Guarded<L>)],
    check: fn(&Guarded<L>),
) {
    explore(Some(PREEMPTIONS), move || {
        let shared = Guarded::new(new());
        let others: Vec<_> = programs[1..]
            .iter()
            .map(|program| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || program(&shared))
            })
            .collect();
        programs[0](&shared);
        others.into_iter().for_each(|one| one.join().unwrap());
        check(&shared);
    });
}

pub(super) const PREEMPTIONS: usize = 2;

/// The limit of a wait whose end loom decides on.
pub(super) fn later() -> Limit<'static> {
    let later = Limit::at(Some(Instant::Later));
    later.unwrap()
}

fn lock(shared: &Guarded<RawLock>) {
    shared.lock.lock();
    shared.add();
    // SAFETY: locked above.
    unsafe { shared.lock.unlock() };
}

fn lock_twice(shared: &Guarded<RawLock>) {
    lock(shared);
    lock(shared);
}

fn lock_impatiently(shared: &Guarded<RawLock>) {
    lose_patience();
    lock(shared);
}

fn lock_fairly(shared: &Guarded<RawLock>) {
    shared.lock.lock();
    shared.add();
    // SAFETY: locked above.
    unsafe { shared.lock.unlock_fair() };
}

fn lock_for_a_while(shared: &Guarded<RawLock>) {
    lose_patience();
    if shared.lock.lock_until(Some(&later())) {
        shared.add();
        // SAFETY: locked above.
        unsafe { shared.lock.unlock() };
    }
}

fn mutex_is_as_new(shared: &Guarded<RawLock>) {
    assert!(shared.lock.is_new());
    assert!(shared.get() <= 4);
}

#[test]
fn a_mutex_has_one_holder_and_forgets_nobody() {
    together(RawLock::new, &[lock, lock, lock], |shared| {
        assert_eq!(shared.get(), 3);
        mutex_is_as_new(shared);
    });
}

#[test]
fn a_starving_waiter_is_handed_the_mutex() {
    let programs: &[fn(&_)] = &[lock_twice, lock_impatiently, lock_impatiently];
    together(RawLock::new, programs, |shared| {
        assert_eq!(shared.get(), 4);
        mutex_is_as_new(shared);
    });
}

#[test]
fn a_fair_unlock_forgets_nobody() {
    let programs: &[fn(&_)] = &[lock_fairly, lock, lock_fairly];
    together(RawLock::new, programs, |shared| {
        assert_eq!(shared.get(), 3);
        mutex_is_as_new(shared);
    });
}

#[test]
fn who_gives_up_on_a_mutex_takes_no_wake_up_along() {
    let programs: &[fn(&_)] = &[lock_twice, lock_for_a_while, lock];
    together(RawLock::new, programs, mutex_is_as_new);
}

/// A mutex, a condition variable, and the number of items to take.
struct Shop {
    stock: Guarded<RawLock>,
    changed: RawCond,
}

impl Shop {
    fn new() -> Arc<Shop> {
        Arc::new(Shop {
            stock: Guarded::inline(RawLock::new()),
            changed: RawCond::new(),
        })
    }

    fn deliver(&self) {
        lock(&self.stock);
        self.changed.notify_one();
    }

    fn wait_for_delivery(&self) {
        self.stock.lock.lock();
        while self.stock.get() == 0 {
            // SAFETY: locked above.
            assert!(unsafe { self.changed.wait(&self.stock.lock, None) });
        }
        // SAFETY: locked.
        unsafe { self.stock.lock.unlock() };
    }

    /// A waiter whose time may be up; if it was notified all the same, it notifies another one.
    fn look_in(&self) {
        self.stock.lock.lock();
        // SAFETY: locked above, and again by the wait.
        let notified = unsafe {
            let notified = self.changed.wait(&self.stock.lock, Some(&later()));
            self.stock.lock.unlock();
            notified
        };
        if notified {
            self.changed.notify_one();
        }
    }
}

#[test]
fn no_notification_is_lost() {
    explore(Some(PREEMPTIONS), || {
        let shop = Shop::new();
        let waiter = thread::spawn({
            let shop = Arc::clone(&shop);
            move || shop.wait_for_delivery()
        });
        shop.deliver();
        waiter.join().unwrap();
        assert!(shop.stock.lock.is_new());
    });
}

#[test]
fn no_notification_is_spent_on_who_has_gone() {
    explore(Some(PREEMPTIONS), || {
        let shop = Shop::new();
        let others = [Shop::wait_for_delivery, Shop::look_in].map(|program| {
            let shop = Arc::clone(&shop);
            thread::spawn(move || program(&shop))
        });
        shop.deliver();
        others.into_iter().for_each(|one| one.join().unwrap());
        assert!(shop.stock.lock.is_new());
    });
}
