//! The raw locks of the public crate: one holder at a time, nobody left asleep, nothing left in the word.
//!
//! These are not models of them but the very sources, compiled with another [`door`]. A waiter that
//! nobody wakes is a deadlock, which loom reports.

use std::sync::{
    Arc,
    atomic::{AtomicBool as StdAtomicBool, Ordering::Relaxed},
};

use loom::{cell::UnsafeCell, thread};

use super::explore;
use door::{Instant, lose_patience};
use rawcond::RawCond;
use rawlock::RawLock;
use rawrw::RawRw;

pub(super) mod door;
#[allow(dead_code, reason = "not all of it is modelled")]
#[path = "../../../runtime/src/sync/rawcond.rs"]
mod rawcond;
#[allow(dead_code, reason = "not all of it is modelled")]
#[path = "../../../runtime/src/sync/rawlock.rs"]
mod rawlock;
#[allow(dead_code, reason = "not all of it is modelled")]
#[path = "../../../runtime/src/sync/rawrw.rs"]
mod rawrw;
#[path = "../../../runtime/src/sync/rwslow.rs"]
mod rwslow;
#[path = "../../../runtime/src/sync/rwword.rs"]
mod rwword;
#[path = "../../../runtime/src/sync/sleeper.rs"]
pub(super) mod sleeper;
#[path = "../../../runtime/src/sync/turns.rs"]
mod turns;
#[path = "../../../runtime/src/sync/waiter.rs"]
pub(super) mod waiter;
#[path = "../../../runtime/src/sync/waitq.rs"]
pub(super) mod waitq;

/// A number under a lock: loom reports a race when the lock lets two in, or does not publish.
struct Guarded<L> {
    lock: L,
    value: UnsafeCell<u32>,
}

// SAFETY: loom checks it.
unsafe impl<L> Sync for Guarded<L> {}
// SAFETY: as above.
unsafe impl<L> Send for Guarded<L> {}

impl<L> Guarded<L> {
    fn new(lock: L) -> Arc<Guarded<L>> {
        Arc::new(Guarded {
            lock,
            value: UnsafeCell::new(0),
        })
    }

    fn add(&self) {
        // SAFETY: loom checks that nobody else is here.
        self.value.with_mut(|value| unsafe { *value += 1 });
    }

    fn get(&self) -> u32 {
        // SAFETY: loom checks that nobody writes.
        self.value.with(|value| unsafe { *value })
    }
}

/// Runs each of `programs` on a thread of its own over one lock, the first here; then `check`.
fn together<L: 'static>(
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

const PREEMPTIONS: usize = 2;

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
    if shared.lock.lock_until(Some(Instant::Later)) {
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

fn read(shared: &Guarded<RawRw>) {
    assert!(shared.lock.read(None).unwrap());
    shared.get();
    // SAFETY: locked above.
    unsafe { shared.lock.unlock_read() };
}

fn write(shared: &Guarded<RawRw>) {
    assert!(shared.lock.write(None));
    shared.add();
    // SAFETY: locked above.
    unsafe { shared.lock.unlock_write() };
}

fn write_and_read(shared: &Guarded<RawRw>) {
    assert!(shared.lock.write(None));
    shared.add();
    let written = shared.get();
    // SAFETY: locked above.
    unsafe { shared.lock.downgrade() };
    assert_eq!(shared.get(), written);
    // SAFETY: a reader since then.
    unsafe { shared.lock.unlock_read() };
}

fn write_for_a_while(shared: &Guarded<RawRw>) {
    if shared.lock.write(Some(Instant::Later)) {
        shared.add();
        // SAFETY: locked above.
        unsafe { shared.lock.unlock_write() };
    }
}

fn read_for_a_while(shared: &Guarded<RawRw>) {
    if shared.lock.read(Some(Instant::Later)).unwrap() {
        shared.get();
        // SAFETY: locked above.
        unsafe { shared.lock.unlock_read() };
    }
}

fn rw_is_as_new(shared: &Guarded<RawRw>) {
    assert!(shared.lock.is_new());
    assert!(shared.get() <= 2);
}

#[test]
fn a_writer_is_alone_and_nobody_is_forgotten() {
    together(RawRw::new, &[read, write, read], rw_is_as_new);
    together(RawRw::new, &[write, read, write], |shared| {
        assert_eq!(shared.get(), 2);
        rw_is_as_new(shared);
    });
}

fn read_impatiently(shared: &Guarded<RawRw>) {
    lose_patience();
    read(shared);
}

fn write_impatiently(shared: &Guarded<RawRw>) {
    lose_patience();
    write(shared);
}

fn write_twice(shared: &Guarded<RawRw>) {
    write(shared);
    write(shared);
}

fn read_twice(shared: &Guarded<RawRw>) {
    read(shared);
    read(shared);
}

#[test]
fn a_writer_that_starves_is_let_in_by_readers_and_by_writers() {
    together(
        RawRw::new,
        &[read_twice, write_impatiently, read],
        rw_is_as_new,
    );
    let programs: &[fn(&_)] = &[write_twice, write_impatiently, read_impatiently];
    together(RawRw::new, programs, |shared| {
        assert_eq!(shared.get(), 3);
        assert!(shared.lock.is_new());
    });
}

#[test]
fn readers_that_starve_are_let_in_together() {
    let programs: &[fn(&_)] = &[write_twice, read_impatiently, read_impatiently];
    together(RawRw::new, programs, rw_is_as_new);
}

/// A free lock is not owned by one who sleeps: in some order who has left it takes it again.
#[test]
fn who_comes_may_overtake_who_was_woken() {
    static OVERTOOK: [StdAtomicBool; 2] = [const { StdAtomicBool::new(false) }; 2];
    let others: [fn(&Guarded<RawRw>); 2] = [read, write];
    for (other, overtook) in others.into_iter().zip(&OVERTOOK) {
        explore(Some(PREEMPTIONS), move || {
            let shared = Guarded::new(RawRw::new());
            assert!(shared.lock.write(None));
            let other = thread::spawn({
                let shared = Arc::clone(&shared);
                move || other(&shared)
            });
            thread::yield_now();
            // SAFETY: locked above.
            unsafe { shared.lock.unlock_write() };
            if shared.lock.try_write() {
                if shared.lock.somebody_was_woken() {
                    // Relaxed: only whether it ever happened counts.
                    overtook.store(true, Relaxed);
                }
                shared.add();
                // SAFETY: locked above.
                unsafe { shared.lock.unlock_write() };
            }
            other.join().unwrap();
            rw_is_as_new(&shared);
        });
        assert!(overtook.load(Relaxed));
    }
}

#[test]
fn a_writer_that_becomes_a_reader_lets_readers_in_and_no_writer() {
    let programs: &[fn(&_)] = &[write_and_read, write, read];
    together(RawRw::new, programs, rw_is_as_new);
    let programs: &[fn(&_)] = &[write_and_read, write_impatiently, read_impatiently];
    together(RawRw::new, programs, rw_is_as_new);
}

#[test]
fn who_gives_up_on_a_reader_writer_lock_holds_nobody_up() {
    together(RawRw::new, &[read, write_for_a_while, read], rw_is_as_new);
    together(RawRw::new, &[write, write_for_a_while, read], rw_is_as_new);
    together(RawRw::new, &[write, read_for_a_while, write], rw_is_as_new);
}

#[test]
fn readers_do_not_wait_for_a_writer_that_has_given_up() {
    explore(Some(PREEMPTIONS), || {
        let shared = Guarded::new(RawRw::new());
        assert!(shared.lock.read(None).unwrap());
        let others = [write_for_a_while, read].map(|program| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || program(&shared))
        });
        // The writer cannot get in, and the other reader can, while we are inside.
        others.into_iter().for_each(|one| one.join().unwrap());
        // SAFETY: locked above.
        unsafe { shared.lock.unlock_read() };
        assert_eq!(shared.get(), 0);
        rw_is_as_new(&shared);
    });
}

/// A mutex, a condition, and how much there is to take.
struct Shop {
    stock: Guarded<RawLock>,
    changed: RawCond,
}

impl Shop {
    fn new() -> Arc<Shop> {
        Arc::new(Shop {
            stock: Guarded {
                lock: RawLock::new(),
                value: UnsafeCell::new(0),
            },
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

    /// One that may be out of patience; if it was notified it passes that on.
    fn look_in(&self) {
        self.stock.lock.lock();
        // SAFETY: locked above, and again by the wait.
        let notified = unsafe {
            let notified = self.changed.wait(&self.stock.lock, Some(Instant::Later));
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
