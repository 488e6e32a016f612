//! The quiet part: all sleep, and only the time can wake them.

use std::time::Duration;

use goroutines::{chan, go, gomaxprocs, lock_os_thread, set_gomaxprocs, sleep, yield_now};

use crate::{
    board::Actor,
    clocks,
    crew::{Kind, hire},
    rough::spin,
    settings::settings,
};

/// Many wait for a time in every way, and no other goroutine runs. All wake.
pub fn play(actor: &mut Actor) {
    if settings().mode.resizes && actor.dice.once_in(2) {
        actor.at("changes the number of Ps before the quiet part");
        set_gomaxprocs(actor.dice.between(1, 8));
    }
    if actor.dice.once_in(2) {
        return alone(actor);
    }
    let all: Vec<_> = (0..actor.dice.between(1, 30))
        .map(|n| {
            let kind = Kind::any(actor);
            hire(actor, kind, "sleeper", n, rest)
        })
        .collect();
    all.into_iter().for_each(|one| one.done(actor));
}

/// One sleeps, perhaps after it has lost its P, and no other timer wakes a thread that would see a forgotten one.
fn alone(actor: &mut Actor) {
    let kind = Kind::any(actor);
    let sleeper = hire(actor, kind, "sleeper", 0, rest);
    // The goroutines that can get the lost P.
    let hogs: Vec<_> = (0..actor.dice.roll(gomaxprocs().min(4) + 1))
        .map(|n| {
            hire(actor, Kind::Plain, "hog", n, |me| {
                me.at("computes until all others sleep");
                spin(Duration::from_millis(me.dice.between(20, 60) as u64));
            })
        })
        .collect();
    sleeper.done(actor);
    hogs.into_iter().for_each(|hog| hog.done(actor));
}

/// Computes until the P is gone, notices it, and computes on, perhaps until no other thread is awake.
fn lose_the_p(me: &mut Actor) {
    me.at("computes until it has lost its P");
    let (tx, _rx) = chan::unbounded();
    for _ in 0..me.dice.between(1, 3) {
        spin(Duration::from_millis(me.dice.between(6, 20) as u64));
        tx.send(()).expect("there is a receiver");
        if me.dice.once_in(2) {
            // Made without a P.
            drop(go(yield_now));
        }
    }
    // Until also the monitor sleeps, or not so long.
    let rest = me.dice.pick(&[0, 60, 200]);
    spin(Duration::from_millis(rest));
}

/// Sleeps while it unwinds.
struct SleepAtTheEnd(Duration);

impl Drop for SleepAtTheEnd {
    fn drop(&mut self) {
        sleep(self.0);
    }
}

fn rest(me: &mut Actor) {
    if me.kind != Kind::Thread && me.dice.once_in(3) {
        lock_os_thread();
    }
    if me.dice.once_in(3) {
        lose_the_p(me);
    }
    let time = me.dice.micros(60_000);
    if me.dice.once_in(10) {
        me.at("sleeps while it unwinds");
        let caught = std::panic::catch_unwind(|| {
            let _sleep = SleepAtTheEnd(time);
            crate::crew::fall()
        });
        assert!(caught.is_err());
    } else {
        clocks::wait(me, time);
    }
    if settings().mode.resizes && me.dice.once_in(30) {
        me.at("changes the number of Ps after a quiet sleep");
        set_gomaxprocs(me.dice.between(1, 8));
    }
}
