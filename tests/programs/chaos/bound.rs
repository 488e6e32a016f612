//! Scene: goroutines that are pinned or locked, and that stay on their thread over every kind of wait.

use std::{cell::Cell, rc::Rc, thread, time::Duration};

use goroutines::{Builder, blocking, chan, go, lock_os_thread, sleep, unlock_os_thread, yield_now};

use crate::{
    board::{Actor, broken, thread_id},
    crew::{Kind, hire},
};

pub fn play(actor: &mut Actor) {
    match actor.dice.roll(3) {
        0 => family(actor),
        1 => locked(actor),
        _ => ends_locked(actor),
    }
}

/// Waits somehow.
fn wait(me: &mut Actor) {
    match me.dice.roll(6) {
        0 => yield_now(),
        1 => sleep(me.dice.micros(300)),
        2 => {
            let (tx, rx) = chan::bounded(0);
            go(move || tx.send(()).expect("the other one waits"));
            rx.recv().expect("the other one sends");
        }
        3 => blocking(|| thread::sleep(Duration::from_micros(50))),
        4 => thread::sleep(Duration::from_micros(50)),
        _ => {
            // Long enough to lose the P, now and then, and then a wait without one.
            if me.dice.once_in(20) {
                crate::rough::spin(Duration::from_millis(6));
            }
            chan::select! {
                recv(chan::after(me.dice.micros(300))) -> _ => {}
                recv(chan::never::<()>()) -> _ => {}
            }
        }
    }
}

fn check(home: i32) {
    if thread_id() != home {
        broken("a goroutine that is bound to a thread runs on another one");
    }
}

/// Pinned goroutines that share what is not `Send`.
fn family(actor: &mut Actor) {
    let kind = Kind::pick_goroutine(actor);
    let parent = hire(actor, kind, "parent", 0, |me| {
        let shared = Rc::new(Cell::new(0));
        let count = me.dice.between(1, 5);
        let (by, mut dice) = (me.slot(), me.dice.fork());
        let children: Vec<_> = (0..count)
            .map(|n| {
                let shared = shared.clone();
                let mut child = Actor::new("child", n, Kind::Pinned, by, dice.fork());
                let pinned = Builder::new().pinned().spawn(move || {
                    let home = thread_id();
                    for _ in 0..child.dice.between(1, 20) {
                        child.at("waits, pinned");
                        wait(&mut child);
                        check(home);
                        shared.set(shared.get() + 1);
                    }
                    home
                });
                pinned.expect("room for a goroutine")
            })
            .collect();
        // From here on the parent stays as well.
        let home = thread_id();
        for _ in 0..me.dice.between(1, 20) {
            me.at("waits, with pinned children");
            wait(me);
            check(home);
            shared.set(shared.get() + 1);
        }
        for child in children {
            me.at("joins a pinned child");
            assert_eq!(child.join().expect("it does not panic"), home);
        }
        assert!(shared.get() >= count, "what the children counted");
    });
    parent.done(actor);
}

/// Locks, deeper and deeper, and unlocks.
fn locked(actor: &mut Actor) {
    let all: Vec<_> = (0..actor.dice.between(1, 3))
        .map(|n| {
            let kind = Kind::pick_goroutine(actor);
            hire(actor, kind, "locker", n, |me| {
                for _ in 0..me.dice.between(1, 4) {
                    let depth = me.dice.between(1, 3);
                    (0..depth).for_each(|_| lock_os_thread());
                    let home = thread_id();
                    for _ in 0..me.dice.between(1, 10) {
                        me.at("waits, locked");
                        wait(me);
                        check(home);
                    }
                    (0..depth).for_each(|_| unlock_os_thread());
                    me.at("waits, unlocked");
                    wait(me);
                }
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.done(actor));
}

/// Locks its thread as the last thing it does.
struct LockAtTheEnd;

impl Drop for LockAtTheEnd {
    fn drop(&mut self) {
        lock_os_thread();
        yield_now();
    }
}

/// Ends, or drops its result, while it is locked.
fn ends_locked(actor: &mut Actor) {
    let (tell, told) = chan::bounded::<()>(0);
    drop(go(move || {
        lock_os_thread();
        yield_now();
        (LockAtTheEnd, tell)
    }));
    actor.at("waits for the end of a goroutine that nobody joins");
    assert!(told.recv().is_err(), "nobody sends");
}
