//! Park and ready: a G is woken exactly once per wait, and never before its context is saved. The steps are those of
//! park/mod.rs.

use std::ops::Deref;

use loom::{
    cell::UnsafeCell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use super::{Entry, Parked, explore};
use crate::protocol::{byte_lock::ByteLock, parker::Parker, timers::Timers, wait_seq::WaitSeq};

const BY_CHANNEL: u32 = 1;
const BY_TIMER: u32 = 2;

/// An object with a wait queue of one, and the G that waits in it.
struct World {
    lock: ByteLock,
    /// Under `lock`: the number of the wait, if the G waits here.
    queued: UnsafeCell<Option<u32>>,
    timers: Timers<Entry>,
    g: Parked,
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
            lock: ByteLock::new(),
            queued: UnsafeCell::new(None),
            timers: Timers::new(),
            g: Parked::new(),
        })
    }

    /// P2: into the queue, under the lock, which stays locked.
    fn enqueue(&self, number: u32) {
        self.lock.lock();
        // SAFETY: the lock is held; loom checks it.
        self.queued
            .with_mut(|queued| unsafe { *queued = Some(number) });
    }

    /// P4.
    fn commit(&self) -> bool {
        // SAFETY: locked by `enqueue`.
        unsafe { self.lock.unlock() };
        true
    }

    /// W1 to W3: wakes the G if it waits and its wait was not claimed.
    fn wake(&self) {
        self.lock.lock();
        // SAFETY: the lock is held; loom checks it.
        let number = self.queued.with_mut(|queued| unsafe { (*queued).take() });
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        if number.is_some_and(|number| self.wait_seq.claim(number, BY_CHANNEL)) {
            self.ready();
        }
    }

    fn fire(&self) {
        self.timers.fire(100, |Entry(number)| {
            let won = self.wait_seq.claim(number, BY_TIMER);
            if won {
                self.ready();
            }
            won
        });
    }
}

#[test]
fn a_waker_finds_the_context_saved() {
    explore(None, || {
        let world = World::new();
        let number = world.wait_seq.open();
        let waker = thread::spawn({
            let world = world.clone();
            move || world.wake()
        });
        world.enqueue(number);
        world.save();
        assert!(world.commit());
        waker.join().unwrap();
        // The waker may have looked before the G was queued.
        world.wake();
        assert!(world.parker.wait(|| None));
        assert_eq!(world.readied.load(Ordering::Relaxed), 1);
        assert_eq!(world.wait_seq.outcome(), BY_CHANNEL);
    });
}

#[test]
fn timer_and_channel_wake_exactly_once() {
    explore(Some(3), || {
        let world = World::new();
        let number = world.wait_seq.open();
        let channel = thread::spawn({
            let world = world.clone();
            move || world.wake()
        });
        let timer = thread::spawn({
            let world = world.clone();
            move || world.fire()
        });
        world.enqueue(number);
        world.save();
        assert!(world.timers.insert_and(1, Entry(number), || world.commit()));
        // Both may have looked too early; then the timer fires again.
        channel.join().unwrap();
        timer.join().unwrap();
        world.fire();
        assert!(world.parker.wait(|| None));
        assert_eq!(world.readied.load(Ordering::Relaxed), 1);
        let outcome = world.wait_seq.outcome();
        assert!(outcome == BY_CHANNEL || outcome == BY_TIMER);
    });
}

#[test]
fn a_late_claim_does_not_touch_the_next_wait() {
    explore(None, || {
        let episode = Arc::new(WaitSeq::new());
        let first = episode.open();
        let late = thread::spawn({
            let episode = episode.clone();
            move || episode.claim(first, BY_TIMER)
        });
        let ours = episode.claim(first, BY_CHANNEL);
        let second = episode.open();
        let stale = late.join().unwrap();
        assert!(ours != stale, "one of the two claims won the first wait");
        assert!(episode.is_open(second));
        assert!(!episode.claim(first, BY_TIMER));
        assert!(episode.claim(second, BY_CHANNEL));
    });
}

#[test]
fn a_token_given_before_during_or_after_falling_asleep_wakes() {
    explore(None, || {
        let parker = Arc::new(Parker::new());
        let data = Arc::new(UnsafeCell::new(0_u32));
        let notifier = thread::spawn({
            let (parker, data) = (parker.clone(), data.clone());
            move || {
                // SAFETY: the other side reads only after the token; loom checks it.
                data.with_mut(|data| unsafe { *data = 9 });
                parker.notify();
            }
        });
        assert!(parker.wait(|| None));
        // SAFETY: after the token; loom checks it.
        data.with(|data| assert_eq!(unsafe { *data }, 9));
        notifier.join().unwrap();
    });
}

#[test]
fn two_notifiers_are_both_seen_though_their_tokens_are_one() {
    explore(Some(3), || {
        let parker = Arc::new(Parker::new());
        let told = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let notifiers = [0, 1].map(|i| {
            let (parker, told) = (parker.clone(), told.clone());
            thread::spawn(move || {
                // Relaxed: the token orders it.
                told[i].store(true, Ordering::Relaxed);
                parker.notify();
            })
        });
        // Looks, and sleeps while it sees too little: for ever, if a token is lost with what it tells.
        while !told.iter().all(|one| one.load(Ordering::Relaxed)) {
            parker.wait(|| None);
        }
        notifiers.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn a_wait_that_times_out_leaves_the_token_or_uses_it() {
    explore(None, || {
        let parker = Arc::new(Parker::new());
        let notifier = thread::spawn({
            let parker = parker.clone();
            move || parker.notify()
        });
        let in_time = parker.wait(|| Some(0));
        notifier.join().unwrap();
        // The token was used exactly if the wait returned true.
        assert!(in_time || parker.wait(|| None));
    });
}

#[test]
fn the_byte_lock_excludes_and_publishes() {
    explore(None, || {
        let lock = Arc::new(ByteLock::new());
        let count = Arc::new(UnsafeCell::new(0_u32));
        let add = |lock: &ByteLock, count: &UnsafeCell<u32>| {
            lock.lock();
            // SAFETY: the lock is held; loom checks it.
            count.with_mut(|count| unsafe { *count += 1 });
            // SAFETY: locked above.
            unsafe { lock.unlock() };
        };
        let other = thread::spawn({
            let (lock, count) = (lock.clone(), count.clone());
            move || add(&lock, &count)
        });
        add(&lock, &count);
        other.join().unwrap();
        count.with(|count| {
            // SAFETY: both have finished.
            assert_eq!(unsafe { *count }, 2);
        });
    });
}
