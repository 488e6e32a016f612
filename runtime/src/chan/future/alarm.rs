//! Alarms: they wake futures at moments that no counterpart tells them, such as when the message of an `after` is there.
//!
//! All of them lie in one map, by their moments. One goroutine, the keeper, sleeps until the first is due. It is started
//! for the first alarm, and ends when it finds none; so an alarm is an entry of the map, however long it is set.
//!
//! ```text
//! set                                        keeper
//! 1  lock; into the map                      1  lock; take out what is due
//! 2  no keeper: start one                    2  some: unlock; a goroutine wakes them; 1
//!    it is the first: wake the keeper        3  none is left: there is no keeper; unlock, end
//! drop                                       4  unlock; park until the first is due, or
//! 1  lock; out of the map                          somebody wakes it; 1
//! 2  it was the last: wake the keeper
//! ```
//!
//! The lock is never held over a wake, or anything else that is the user's: a waker may block, so it is not the keeper
//! who calls it.

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

/// One that is set. Dropping it ends it.
pub(super) struct Alarm {
    key: Key,
}

/// Its moment, and its number among all.
type Key = (Instant, u64);

struct Alarms {
    set: BTreeMap<Key, Waker>,
    numbers: u64,
    keeper: Keeper,
}

enum Keeper {
    None,
    /// It has not looked yet.
    Starting,
    Runs(Thread),
}

static ALARMS: Mutex<Alarms> = Mutex::new(Alarms {
    set: BTreeMap::new(),
    numbers: 0,
    keeper: Keeper::None,
});

fn alarms() -> MutexGuard<'static, Alarms> {
    // Nothing panics under it that leaves it half changed.
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
        match &all.keeper {
            Keeper::None => {
                all.keeper = Keeper::Starting;
                drop(all);
                start_keeper();
            }
            Keeper::Runs(keeper) if is_first => {
                let keeper = keeper.clone();
                drop(all);
                keeper.unpark();
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
        let keeper = match &all.keeper {
            Keeper::Runs(keeper) if waker.is_some() && all.set.is_empty() => Some(keeper.clone()),
            _ => None,
        };
        drop(all);
        drop(waker);
        if let Some(keeper) = keeper {
            keeper.unpark();
        }
    }
}

fn start_keeper() {
    /// Should there be no room for a goroutine: another alarm may find some.
    struct NotStarted;
    impl Drop for NotStarted {
        fn drop(&mut self) {
            alarms().keeper = Keeper::None;
        }
    }
    let not_started = NotStarted;
    // It is nobody's business and does not end with any context.
    Context::background().run(|| go(keep));
    mem::forget(not_started);
}

fn keep() {
    alarms().keeper = Keeper::Runs(thread::current());
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
            all.keeper = Keeper::None;
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
