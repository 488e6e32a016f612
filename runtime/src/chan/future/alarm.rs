//! Alarms wake futures at moments of which no counterpart tells them, such as when the message of an `after` is due.
//!
//! All of them lie in one map, by their moments. One goroutine, the timekeeper, sleeps until the first is due. It is
//! started for the first alarm, and ends when it finds none; so an alarm is an entry of the map, however long it is set.
//!
//! ```text
//! set                                         timekeeper
//! A1 lock; into the map                       A5 lock; take out what is due
//! A2 no timekeeper: start one                 A6 some: unlock; a goroutine wakes them; A5
//!    it is the first: wake the timekeeper     A7 none is left: there is no timekeeper; unlock, end
//! drop                                        A8 unlock; park until the first is due, or
//! A3 lock; out of the map                        it is woken; A5
//! A4 it was the last: wake the timekeeper
//! ```
//!
//! The lock is never held over a wake or other user code. A waker may block, so the timekeeper does not call it.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Instant,
};

use goroutines_sched::wake;

use crate::{
    context::Context,
    go,
    thread::{self, Thread},
};

/// So many are taken out at a time.
const BATCH: usize = 64;

/// An alarm that is set. Dropping it ends it.
pub(super) struct Alarm {
    key: Key,
}

/// Its moment, and its number among all.
type Key = (Instant, u64);

struct Alarms {
    set: BTreeMap<Key, Waker>,
    numbers: u64,
    timekeeper: Timekeeper,
}

enum Timekeeper {
    None,
    /// It has not looked yet.
    Starting,
    Runs(Thread),
}

static ALARMS: Mutex<Alarms> = Mutex::new(Alarms {
    set: BTreeMap::new(),
    numbers: 0,
    timekeeper: Timekeeper::None,
});

fn alarms() -> MutexGuard<'static, Alarms> {
    // No panic under the lock leaves the map half changed.
    ALARMS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Alarm {
    /// Wakes `waker` at `moment`, or soon after.
    ///
    /// # Panics
    ///
    /// As [`go`], when it is the only one.
    pub(super) fn new(moment: Instant, waker: Waker) -> Alarm {
        let mut all = alarms();
        all.numbers += 1;
        let alarm = Alarm {
            key: (moment, all.numbers),
        };
        all.set.insert(alarm.key, waker);
        let is_first = all
            .set
            .first_key_value()
            .is_some_and(|(key, _)| *key == alarm.key);
        match &all.timekeeper {
            Timekeeper::None => {
                all.timekeeper = Timekeeper::Starting;
                drop(all);
                start_timekeeper();
            }
            Timekeeper::Runs(timekeeper) if is_first => {
                let timekeeper = timekeeper.clone();
                drop(all);
                timekeeper.unpark();
            }
            _ => {}
        }
        alarm
    }

    /// As [`Alarm::new`], in place of `old`.
    pub(super) fn set(old: Option<Alarm>, moment: Instant, waker: Waker) -> Alarm {
        if let Some(old) = old
            && old.key.0 == moment
        {
            let mut all = alarms();
            if let Some(place) = all.set.get_mut(&old.key) {
                let before = mem::replace(place, waker);
                drop(all);
                drop(before);
                return old;
            }
        }
        Alarm::new(moment, waker)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let mut all = alarms();
        let waker = all.set.remove(&self.key);
        let timekeeper = match &all.timekeeper {
            Timekeeper::Runs(timekeeper) if waker.is_some() && all.set.is_empty() => {
                Some(timekeeper.clone())
            }
            _ => None,
        };
        drop(all);
        drop(waker);
        if let Some(timekeeper) = timekeeper {
            timekeeper.unpark();
        }
    }
}

fn start_timekeeper() {
    /// Restores the state if the goroutine cannot be started: another alarm tries again.
    struct NotStarted;
    impl Drop for NotStarted {
        fn drop(&mut self) {
            alarms().timekeeper = Timekeeper::None;
        }
    }
    let not_started = NotStarted;
    // The timekeeper belongs to no caller, and does not end with a context.
    Context::background().run(|| go(keep));
    mem::forget(not_started);
}

fn keep() {
    alarms().timekeeper = Timekeeper::Runs(thread::current());
    loop {
        let now = Instant::now();
        let mut due = Vec::new();
        let mut all = alarms();
        while due.len() < BATCH
            && let Some(first) = all.set.first_entry()
            && first.key().0 <= now
        {
            due.push(first.remove());
        }
        let next = all.set.first_key_value().map(|(key, _)| key.0);
        if due.is_empty() && next.is_none() {
            all.timekeeper = Timekeeper::None;
            return;
        }
        drop(all);
        if !due.is_empty() {
            go(|| due.into_iter().for_each(wake));
        } else if let Some(next) = next {
            thread::park_timeout(next - now);
        }
    }
}
