//! Scene: locks of other crates are held over parks. An actor that waits for such a lock blocks its thread.
//!
//! No actor here is pinned or has a copy stack: one that waits for such a lock would keep the thread, or the run window,
//! of the one that holds it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use goroutines::{chan, go, sleep, yield_now};

use crate::{
    board::{Actor, broken},
    crew::{Kind, hire},
};

#[derive(Default)]
struct Shared {
    theirs: parking_lot::RwLock<usize>,
    their_mutex: parking_lot::Mutex<usize>,
    stds: std::sync::RwLock<usize>,
    std_mutex: std::sync::Mutex<usize>,
    inside: AtomicUsize,
}

pub fn play(actor: &mut Actor) {
    let shared = Arc::new(Shared::default());
    // One lock a time: the order in which nested ones are taken is no business of this scene.
    let which = actor.dice.roll(4);
    let holders: Vec<_> = (0..actor.dice.between(2, 24))
        .map(|n| {
            let (kind, shared) = (Kind::free(actor), shared.clone());
            hire(actor, kind, "holder", n, move |me| {
                hold_some(me, &shared, which)
            })
        })
        .collect();
    let counted: usize = holders.into_iter().map(|one| one.done(actor)).sum();
    actor.at("looks at what is left");
    let total = *shared.theirs.read()
        + *shared.their_mutex.lock()
        + *shared.stds.read().expect("nobody panics under it")
        + *shared.std_mutex.lock().expect("nobody panics under it");
    assert_eq!(total, counted, "the count under a lock");
}

fn hold_some(me: &mut Actor, shared: &Shared, which: usize) -> usize {
    let mut counted = 0;
    for _ in 0..me.dice.between(1, 10) {
        let writes = me.dice.once_in(3);
        me.at("waits for a lock of another crate");
        match which {
            0 if writes => count(me, shared, &mut shared.theirs.write()),
            0 => read(me, &shared.theirs.read()),
            1 => count(me, shared, &mut shared.their_mutex.lock()),
            2 if writes => count(me, shared, &mut shared.stds.write().expect("no poison")),
            2 => read(me, &shared.stds.read().expect("no poison")),
            _ => count(me, shared, &mut shared.std_mutex.lock().expect("no poison")),
        }
        counted += usize::from(writes || which % 2 == 1);
    }
    counted
}

fn count(me: &mut Actor, shared: &Shared, value: &mut usize) {
    // SeqCst: the check is stricter than what the lock orders.
    if shared.inside.fetch_add(1, Ordering::SeqCst) != 0 {
        broken("two hold a lock of another crate");
    }
    let before = *value;
    park(me);
    *value = before + 1;
    shared.inside.fetch_sub(1, Ordering::SeqCst);
}

fn read(me: &mut Actor, value: &usize) {
    let before = *value;
    park(me);
    assert_eq!(before, *value, "what a reader reads has changed");
}

fn park(me: &mut Actor) {
    match me.dice.roll(4) {
        0 => {
            me.at("yields and holds a lock of another crate");
            yield_now();
        }
        1 => {
            me.at("sleeps and holds a lock of another crate");
            sleep(me.dice.micros(100));
        }
        2 => {
            me.at("receives and holds a lock of another crate");
            let (tx, rx) = chan::bounded(0);
            go(move || tx.send(()).expect("the other one waits"));
            rx.recv().expect("the other one sends");
        }
        _ => me.at("holds a lock of another crate"),
    }
}
