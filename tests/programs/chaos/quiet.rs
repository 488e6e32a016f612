//! The quiet part: all sleep, and only the time can wake them.

use std::time::Duration;

use goroutines::{lock_os_thread, set_gomaxprocs, sleep};

use crate::{
    board::Actor,
    clocks,
    crew::{Kind, hire},
    rough::spin,
    settings::settings,
};

/// Many wait for the time in every way, and nobody does anything else. All wake.
pub fn play(actor: &mut Actor) {
    if settings().mode.resizes && actor.dice.once_in(2) {
        actor.at("changes the number of Ps before the quiet part");
        set_gomaxprocs(actor.dice.between(1, 8));
    }
    let all: Vec<_> = (0..actor.dice.between(1, 30))
        .map(|n| {
            let kind = Kind::any(actor);
            hire(actor, kind, "sleeper", n, rest)
        })
        .collect();
    all.into_iter().for_each(|one| one.done(actor));
}

/// Sleeps while it unwinds.
struct SleepAtTheEnd(Duration);

impl Drop for SleepAtTheEnd {
    fn drop(&mut self) {
        sleep(self.0);
    }
}

fn rest(me: &mut Actor) {
    if me.kind != Kind::Thread && me.dice.once_in(6) {
        lock_os_thread();
    }
    if me.dice.once_in(8) {
        me.at("computes until it has lost its P");
        spin(Duration::from_millis(me.dice.between(8, 20) as u64));
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
