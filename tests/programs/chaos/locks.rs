//! Scene: mutex, reader-writer lock and semaphore, by every call that they have, with parks under them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use goroutines::{
    blocking, sleep,
    sync::{Mutex, RwLock, Semaphore, TryLockError},
    yield_now,
};

use crate::{
    board::{Actor, broken},
    crew::{Deliberate, Kind, fall, hire},
};

/// Counts the actors inside.
#[derive(Default)]
struct Room {
    readers: AtomicUsize,
    writers: AtomicUsize,
    permits: AtomicUsize,
}

#[derive(Default)]
struct Shared {
    mutex: Mutex<usize>,
    mutex_room: Room,
    rw: RwLock<usize>,
    rw_room: Room,
    semaphore_room: Room,
}

const PERMITS: usize = 3;

pub fn play(actor: &mut Actor) {
    let shared = Arc::new(Shared::default());
    let semaphore = Arc::new(Semaphore::new(PERMITS));
    let users: Vec<_> = (0..actor.dice.between(2, 8))
        .map(|n| {
            let kind = Kind::any(actor);
            let (shared, semaphore) = (shared.clone(), semaphore.clone());
            hire(actor, kind, "user", n, move |me| {
                use_all(me, &shared, &semaphore)
            })
        })
        .collect();
    let [mut mutex, mut rw] = [0; 2];
    for user in users {
        let (by_mutex, by_rw) = user.done(actor);
        mutex += by_mutex;
        rw += by_rw;
    }
    actor.at("looks at what is left");
    assert_eq!(semaphore.available_permits(), PERMITS, "permits");
    let value = |value: Result<usize, std::sync::PoisonError<usize>>| {
        value.unwrap_or_else(std::sync::PoisonError::into_inner)
    };
    let Ok(shared) = Arc::try_unwrap(shared) else {
        broken("an actor that was joined has not dropped what it had");
    };
    assert_eq!(value(shared.mutex.into_inner()), mutex, "the mutex's count");
    assert_eq!(value(shared.rw.into_inner()), rw, "the lock's count");
}

/// Returns how often it counted under the mutex, and as a writer.
fn use_all(me: &mut Actor, shared: &Shared, semaphore: &Arc<Semaphore>) -> (usize, usize) {
    let (mut mutex, mut rw) = (0, 0);
    for _ in 0..me.dice.between(3, 40) {
        match me.dice.roll(8) {
            0..=2 => mutex += usize::from(use_mutex(me, shared)),
            3 => rw += usize::from(use_writer(me, shared)),
            4 | 5 => use_reader(me, shared),
            6 => use_semaphore(me, shared, semaphore),
            _ => mutex += usize::from(fall_under_the_mutex(me, shared)),
        }
    }
    (mutex, rw)
}

/// Spends some time inside.
fn linger(me: &mut Actor) {
    let time = me.dice.micros(100);
    match me.dice.roll(12) {
        0 => yield_now(),
        1 => sleep(time),
        2 => blocking(|| thread::sleep(time)),
        3 => thread::sleep(time),
        _ => {}
    }
}

/// Whatever the poison says.
fn locked<G>(result: Result<G, TryLockError<G>>) -> Option<G> {
    match result {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

fn use_mutex(me: &mut Actor, shared: &Shared) -> bool {
    let time = me.dice.micros(300);
    let way = me.dice.roll(5);
    me.at([
        "locks",
        "locks",
        "tries to lock",
        "locks for a time",
        "locks until a deadline",
    ][way]);
    let guard = match way {
        0 | 1 => Some(
            shared
                .mutex
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        ),
        2 => locked(shared.mutex.try_lock()),
        3 => locked(shared.mutex.try_lock_for(time)),
        _ => locked(shared.mutex.try_lock_until(Instant::now() + time)),
    };
    let Some(mut count) = guard else { return false };
    me.at("holds the mutex");
    // SeqCst: the check is stricter than what the lock orders.
    if shared.mutex_room.writers.fetch_add(1, Ordering::SeqCst) != 0 {
        broken("two hold a mutex");
    }
    let before = *count;
    linger(me);
    *count = before + 1;
    shared.mutex_room.writers.fetch_sub(1, Ordering::SeqCst);
    true
}

/// Poisons the mutex, once in a while.
fn fall_under_the_mutex(me: &mut Actor, shared: &Shared) -> bool {
    if !me.dice.once_in(4) {
        return use_mutex(me, shared);
    }
    let fallen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        me.at("locks, to panic");
        let mut count = shared
            .mutex
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *count += 1;
        fall()
    }));
    let payload = fallen.expect_err("it panicked");
    assert!(payload.is::<Deliberate>(), "another payload");
    shared.mutex.clear_poison();
    true
}

fn use_writer(me: &mut Actor, shared: &Shared) -> bool {
    let time = me.dice.micros(300);
    let way = me.dice.roll(3);
    me.at(["writes", "tries to write", "writes within a time"][way]);
    let guard = match way {
        0 => Some(
            shared
                .rw
                .write()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        ),
        1 => locked(shared.rw.try_write()),
        _ => locked(shared.rw.try_write_for(time)),
    };
    let Some(mut count) = guard else { return false };
    me.at("holds the lock to write");
    // SeqCst: as for the mutex.
    let others = shared.rw_room.writers.fetch_add(1, Ordering::SeqCst)
        + shared.rw_room.readers.load(Ordering::SeqCst);
    if others != 0 {
        broken("a writer is not alone");
    }
    let before = *count;
    linger(me);
    *count = before + 1;
    shared.rw_room.writers.fetch_sub(1, Ordering::SeqCst);
    true
}

fn use_reader(me: &mut Actor, shared: &Shared) {
    let time = me.dice.micros(300);
    let way = me.dice.roll(3);
    me.at(["reads", "tries to read", "reads within a time"][way]);
    let guard = match way {
        0 => Some(
            shared
                .rw
                .read()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        ),
        1 => locked(shared.rw.try_read()),
        _ => locked(shared.rw.try_read_for(time)),
    };
    let Some(count) = guard else { return };
    me.at("holds the lock to read");
    // SeqCst: as for the mutex.
    shared.rw_room.readers.fetch_add(1, Ordering::SeqCst);
    if shared.rw_room.writers.load(Ordering::SeqCst) != 0 {
        broken("a reader beside a writer");
    }
    let before = *count;
    linger(me);
    assert_eq!(before, *count, "what a reader reads has changed");
    shared.rw_room.readers.fetch_sub(1, Ordering::SeqCst);
}

fn use_semaphore(me: &mut Actor, shared: &Shared, semaphore: &Arc<Semaphore>) {
    let time = Duration::from_micros(me.dice.roll(300) as u64);
    let many = me.dice.between(1, PERMITS);
    let way = me.dice.roll(4);
    me.at([
        "acquires",
        "tries to acquire",
        "acquires within a time",
        "acquires to own",
    ][way]);
    let inside = |me: &mut Actor, permits: usize| {
        // SeqCst: as for the mutex.
        if shared
            .semaphore_room
            .permits
            .fetch_add(permits, Ordering::SeqCst)
            + permits
            > PERMITS
        {
            broken("more permits than there are");
        }
        linger(me);
        shared
            .semaphore_room
            .permits
            .fetch_sub(permits, Ordering::SeqCst);
    };
    match way {
        0 => {
            let _permit = semaphore.acquire_many(many);
            inside(me, many);
        }
        1 => {
            if let Ok(_permit) = semaphore.try_acquire() {
                inside(me, 1);
            }
        }
        2 => {
            if let Ok(_permit) = semaphore.acquire_many_timeout(many, time) {
                inside(me, many);
            }
        }
        _ => {
            let _permit = semaphore.clone().acquire_owned();
            inside(me, 1);
        }
    }
}
