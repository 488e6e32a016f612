//! Scene: barriers, conditions, once, park and unpark, wait groups: all that meet are released, and none is left waiting.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use goroutines::{
    sleep,
    sync::{Barrier, Condvar, Mutex, OnceLock, WaitGroup},
    thread, yield_now,
};

use crate::{
    board::{Actor, broken},
    crew::{Kind, hire},
};

pub fn play(actor: &mut Actor) {
    match actor.dice.roll(4) {
        0 => barrier(actor),
        1 => condition(actor),
        2 => tokens(actor),
        _ => group(actor),
    }
}

/// Each round has one leader, and no actor is a round ahead.
fn barrier(actor: &mut Actor) {
    let (count, rounds) = (actor.dice.between(1, 6), actor.dice.between(1, 20));
    let barrier = Arc::new(Barrier::new(count));
    let came = Arc::new(AtomicUsize::new(0));
    let all: Vec<_> = (0..count)
        .map(|n| {
            let (kind, barrier, came) = (Kind::any(actor), barrier.clone(), came.clone());
            hire(actor, kind, "member", n, move |me| {
                let mut led = 0;
                for round in 1..=rounds {
                    // SeqCst: the check is stricter than what the barrier orders.
                    came.fetch_add(1, Ordering::SeqCst);
                    me.at("waits at the barrier");
                    led += usize::from(barrier.wait().is_leader());
                    if came.load(Ordering::SeqCst) < round * count {
                        broken("one passed a barrier before all had come");
                    }
                    if me.dice.once_in(4) {
                        sleep(me.dice.micros(100));
                    }
                }
                led
            })
        })
        .collect();
    let led: usize = all.into_iter().map(|one| one.done(actor)).sum();
    assert_eq!(led, rounds, "leaders of a barrier");
}

/// A queue of a mutex and two conditions.
struct Queue {
    items: Mutex<VecDeque<usize>>,
    not_empty: Condvar,
    not_full: Condvar,
}

fn condition(actor: &mut Actor) {
    let (makers, takers) = (actor.dice.between(1, 3), actor.dice.between(1, 3));
    let each = takers * actor.dice.between(1, 30);
    let queue = Arc::new(Queue {
        items: Mutex::default(),
        not_empty: Condvar::new(),
        not_full: Condvar::new(),
    });
    let mut all = Vec::new();
    for n in 0..makers {
        let (kind, queue) = (Kind::any(actor), queue.clone());
        all.push(hire(actor, kind, "maker", n, move |me| {
            for item in n * each..(n + 1) * each {
                me.at("waits until there is room");
                let items = queue.items.lock().expect("no poison");
                let full = |items: &mut VecDeque<usize>| items.len() >= 4;
                let mut items = queue.not_full.wait_while(items, full).expect("no poison");
                items.push_back(item);
                drop(items);
                queue.not_empty.notify_one();
            }
            0
        }));
    }
    for n in 0..takers {
        let (kind, queue) = (Kind::any(actor), queue.clone());
        all.push(hire(actor, kind, "taker", n, move |me| {
            (0..makers * each / takers)
                .map(|_| take(me, &queue))
                .sum::<usize>()
        }));
    }
    let sum: usize = all.into_iter().map(|one| one.done(actor)).sum();
    let count = makers * each;
    assert_eq!(sum, count * count.saturating_sub(1) / 2, "what was taken");
}

fn take(me: &mut Actor, queue: &Queue) -> usize {
    me.at("waits until there is something");
    let mut items = queue.items.lock().expect("no poison");
    loop {
        if let Some(item) = items.pop_front() {
            drop(items);
            if me.dice.once_in(5) {
                queue.not_full.notify_all();
            } else {
                queue.not_full.notify_one();
            }
            return item;
        }
        items = if me.dice.once_in(2) {
            queue.not_empty.wait(items).expect("no poison")
        } else {
            let time = me.dice.micros(300);
            let waited = queue.not_empty.wait_timeout(items, time);
            waited.expect("no poison").0
        };
    }
}

/// Two actors that unpark each other in turns.
fn tokens(actor: &mut Actor) {
    let rounds = actor.dice.between(1, 100);
    let turn = Arc::new(AtomicUsize::new(0));
    let handles: Arc<[OnceLock<thread::Thread>; 2]> = Arc::default();
    let ready = WaitGroup::new();
    let all: Vec<_> = (0..2)
        .map(|side| {
            // A pinned one is on the thread of another, which is fine; a copied one unparks as well.
            let kind = Kind::any(actor);
            let (turn, handles, ready) = (turn.clone(), handles.clone(), ready.clone());
            hire(actor, kind, "player", side, move |me| {
                handles[side].set(thread::current()).expect("once");
                me.at("waits for the other");
                ready.wait();
                let other = handles[1 - side].get().expect("both have come");
                for round in 0..rounds {
                    me.at("parks until it is its turn");
                    // Acquire, Release: the pair passes the turn.
                    while turn.load(Ordering::Acquire) != 2 * round + side {
                        if me.dice.once_in(4) {
                            thread::park_timeout(me.dice.micros(1000));
                        } else {
                            thread::park();
                        }
                    }
                    turn.store(2 * round + side + 1, Ordering::Release);
                    other.unpark();
                }
            })
        })
        .collect();
    ready.wait();
    all.into_iter().for_each(|one| one.done(actor));
}

/// A wait group, and a value that one of many makes.
fn group(actor: &mut Actor) {
    let group = WaitGroup::new();
    let once: Arc<OnceLock<usize>> = Arc::default();
    let (made, came) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let count = actor.dice.between(1, 8);
    let all: Vec<_> = (0..count)
        .map(|n| {
            let kind = Kind::any(actor);
            let (group, once) = (group.clone(), once.clone());
            let (made, came) = (made.clone(), came.clone());
            hire(actor, kind, "member", n, move |me| {
                me.at("makes the value, or waits for it");
                let time = me.dice.micros(200);
                let value = *once.get_or_init(|| {
                    sleep(time);
                    made.fetch_add(1, Ordering::SeqCst);
                    7
                });
                assert_eq!(value, 7);
                yield_now();
                came.fetch_add(1, Ordering::SeqCst);
                drop(group);
            })
        })
        .collect();
    actor.at("waits for a wait group");
    group.wait();
    // SeqCst: the check is stricter than what the group orders.
    assert_eq!(
        came.load(Ordering::SeqCst),
        count,
        "who came to the wait group"
    );
    assert_eq!(made.load(Ordering::SeqCst), 1, "who made the value");
    all.into_iter().for_each(|one| one.done(actor));
}
