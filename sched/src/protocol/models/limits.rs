//! Waits that an event ends from outside, as the end of a context does: it ends each, also those that begin beside it,
//! and no lock, permit or notification goes with them.
//!
//! As for the locks, this is the source that runs: see [`locks`](super::locks). A waiter that the event forgets is a
//! deadlock, and so is one that waits for what another took along.

use std::sync::Arc;

use loom::thread;

use super::{
    explore,
    locks::{
        Guarded, PREEMPTIONS,
        door::lose_patience,
        raw::{
            limit::Limit, rawcond::RawCond, rawlock::RawLock, rawrw::RawRw, rawsem::RawSemaphore,
            waits::Waits,
        },
        together,
    },
};

/// A lock, and what some wait under.
struct Under<L> {
    lock: L,
    waits: Waits,
}

impl<L> Under<L> {
    fn new(lock: L) -> Under<L> {
        Under {
            lock,
            waits: Waits::new(),
        }
    }

    fn limit(&self) -> Limit<'_> {
        Limit::under(&self.waits, None)
    }
}

type Mutexed = Guarded<Under<RawLock>>;

fn lock(shared: &Mutexed) {
    shared.lock.lock.lock();
    shared.add();
    // SAFETY: locked above.
    unsafe { shared.lock.lock.unlock() };
}

fn lock_twice(shared: &Mutexed) {
    lock(shared);
    lock(shared);
}

fn lock_under(shared: &Mutexed) {
    if shared.lock.lock.lock_until(Some(&shared.lock.limit())) {
        shared.add();
        // SAFETY: locked above.
        unsafe { shared.lock.lock.unlock() };
    }
}

fn lock_under_impatiently(shared: &Mutexed) {
    lose_patience();
    lock_under(shared);
}

fn end(shared: &Mutexed) {
    shared.lock.waits.end();
}

fn end_and_lock(shared: &Mutexed) {
    end(shared);
    lock(shared);
}

fn as_new(shared: &Mutexed) {
    assert!(shared.lock.lock.is_new());
    assert!(shared.lock.waits.are_none());
}

fn mutex() -> Under<RawLock> {
    Under::new(RawLock::new())
}

#[test]
fn the_end_beside_an_unlock_takes_no_lock_along() {
    together(mutex, &[lock, lock_under, end], as_new);
    together(mutex, &[lock, lock_under, end_and_lock], as_new);
}

#[test]
fn the_end_beside_a_lock_that_is_handed_over_takes_it_not_along() {
    let programs: &[fn(&_)] = &[lock_twice, lock_under_impatiently, end_and_lock];
    together(mutex, programs, as_new);
}

#[test]
fn the_end_wakes_all_that_wait_under_it_while_the_lock_is_held() {
    fn end_while_it_is_held(shared: &Mutexed) {
        shared.lock.lock.lock();
        end(shared);
        // SAFETY: locked above.
        unsafe { shared.lock.lock.unlock() };
    }
    together(
        mutex,
        &[end_while_it_is_held, lock_under, lock_under],
        as_new,
    );
}

/// Without the end this is a deadlock: the lock is never given up.
#[test]
fn a_wait_that_begins_beside_the_end_ends() {
    explore(Some(PREEMPTIONS), || {
        let shared = Arc::new(mutex());
        shared.lock.lock();
        let waiters = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || assert!(!shared.lock.lock_until(Some(&shared.limit()))))
        });
        shared.waits.end();
        waiters.into_iter().for_each(|one| one.join().unwrap());
        // SAFETY: locked above.
        unsafe { shared.lock.unlock() };
        assert!(shared.lock.is_new() && shared.waits.are_none());
    });
}

#[test]
fn a_writer_that_gives_up_lets_the_readers_pass() {
    fn read(shared: &Guarded<Under<RawRw>>) {
        assert!(shared.lock.lock.read(None).unwrap());
        shared.get();
        // SAFETY: locked above.
        unsafe { shared.lock.lock.unlock_read() };
    }
    fn write_under(shared: &Guarded<Under<RawRw>>) {
        if shared.lock.lock.write(Some(&shared.lock.limit())) {
            shared.add();
            // SAFETY: locked above.
            unsafe { shared.lock.lock.unlock_write() };
        }
    }
    fn end_and_read(shared: &Guarded<Under<RawRw>>) {
        shared.lock.waits.end();
        read(shared);
    }
    let new = || Under::new(RawRw::new());
    together(new, &[read, write_under, end_and_read], |shared| {
        assert!(shared.lock.lock.is_new() && shared.lock.waits.are_none());
    });
}

#[test]
fn who_gives_up_takes_no_permit_along_and_lets_those_behind_pass() {
    fn one(shared: &Guarded<Under<RawSemaphore>>) {
        assert!(shared.lock.lock.acquire(1, None));
        assert!(shared.lock.lock.release(1));
    }
    fn two_under(shared: &Guarded<Under<RawSemaphore>>) {
        if shared.lock.lock.acquire(2, Some(&shared.lock.limit())) {
            assert!(shared.lock.lock.release(2));
        }
    }
    fn end_and_one(shared: &Guarded<Under<RawSemaphore>>) {
        shared.lock.waits.end();
        one(shared);
    }
    // With one permit the waiter for two never gets them, and those behind it wait for its end.
    together(
        || Under::new(RawSemaphore::new(1)),
        &[one, two_under, end_and_one],
        |shared| {
            assert!(shared.lock.lock.free() == 1 && shared.lock.lock.nobody_waits());
            assert!(shared.lock.waits.are_none());
        },
    );
    together(
        || Under::new(RawSemaphore::new(2)),
        &[one, two_under, end_and_one],
        |shared| {
            assert!(shared.lock.lock.free() == 2 && shared.lock.lock.nobody_waits());
            assert!(shared.lock.waits.are_none());
        },
    );
}

/// One notification for two waiters, one of which the event may end: it is the other's then.
#[test]
fn no_notification_is_spent_on_who_has_given_up() {
    struct Shop {
        stock: Mutexed,
        changed: RawCond,
    }
    explore(Some(PREEMPTIONS), || {
        let shop = Arc::new(Shop {
            stock: Guarded::inline(mutex()),
            changed: RawCond::new(),
        });
        let waiter = thread::spawn({
            let shop = Arc::clone(&shop);
            move || {
                let raw = &shop.stock.lock.lock;
                raw.lock();
                while shop.stock.get() == 0 {
                    // SAFETY: locked above.
                    assert!(unsafe { shop.changed.wait(raw, None) });
                }
                // SAFETY: locked.
                unsafe { raw.unlock() };
            }
        });
        let visitor = thread::spawn({
            let shop = Arc::clone(&shop);
            move || {
                let raw = &shop.stock.lock.lock;
                raw.lock();
                // SAFETY: locked above, and again by the wait.
                let notified = unsafe {
                    let notified = shop.changed.wait(raw, Some(&shop.stock.lock.limit()));
                    raw.unlock();
                    notified
                };
                if notified {
                    shop.changed.notify_one();
                }
            }
        });
        let event = thread::spawn({
            let shop = Arc::clone(&shop);
            move || shop.stock.lock.waits.end()
        });
        lock(&shop.stock);
        shop.changed.notify_one();
        for one in [waiter, visitor, event] {
            one.join().unwrap();
        }
        assert!(shop.stock.lock.lock.is_new() && shop.stock.lock.waits.are_none());
    });
}
