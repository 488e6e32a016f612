//! Scene: `after`, `at`, `tick` and sleeps, alone and shared by many.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use goroutines::{block_on, chan, sleep, thread::sleep_until};

use crate::{
    board::Actor,
    crew::{Kind, hire},
};

pub fn play(actor: &mut Actor) {
    if actor.dice.once_in(2) {
        shared(actor);
    } else {
        alone(actor);
    }
}

/// Several wait on one clock: an `after` serves one of them, a `tick` each time one.
fn shared(actor: &mut Actor) {
    let ticks = actor.dice.once_in(2);
    let time = Duration::from_micros(actor.dice.between(100, 2000) as u64);
    let start = Instant::now();
    let clock = if ticks {
        chan::tick(time)
    } else {
        chan::after(time)
    };
    let served = Arc::new(AtomicUsize::new(0));
    let all: Vec<_> = (0..actor.dice.between(1, 10))
        .map(|n| {
            let kind = Kind::free(actor);
            let (clock, served) = (clock.clone(), served.clone());
            hire(actor, kind, "waiter", n, move |me| {
                let patience = time * 2 + me.dice.micros(1000);
                me.at("waits on a clock that others wait on");
                let got = match me.dice.roll(3) {
                    0 => clock.recv_timeout(patience).ok(),
                    1 => chan::select! {
                        recv(clock) -> moment => moment.ok(),
                        default(patience) => None,
                    },
                    _ if ticks => block_on(clock.recv_async()).ok(),
                    _ => chan::select! {
                        recv(chan::after(patience)) -> _ => None,
                        recv(clock) -> moment => moment.ok(),
                    },
                };
                if let Some(moment) = got {
                    assert!(moment >= start + time, "a clock was early");
                    // Relaxed: read after the joins.
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.done(actor));
    // Relaxed: the joins order it.
    let served = served.load(Ordering::Relaxed);
    assert!(
        ticks || served <= 1,
        "an `after` was received {served} times"
    );
}

fn alone(actor: &mut Actor) {
    let all: Vec<_> = (0..actor.dice.between(1, 20))
        .map(|n| {
            let kind = Kind::any(actor);
            hire(actor, kind, "sleeper", n, |me| {
                let time = me.dice.micros(5000);
                wait(me, time);
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.done(actor));
}

/// Waits for `time` in one of the ways that there are, and checks that it was no less.
pub fn wait(me: &mut Actor, time: Duration) {
    let start = Instant::now();
    let (_keep, never) = chan::bounded::<u8>(0);
    match me.dice.roll(if me.kind.keeps_no_window() { 9 } else { 8 }) {
        0 => {
            me.at("sleeps");
            sleep(time);
        }
        1 => {
            me.at("sleeps until a moment");
            sleep_until(start + time);
        }
        2 => {
            me.at("receives from an `after`");
            chan::after(time).recv().expect("it comes");
        }
        3 => {
            me.at("receives from an `at`");
            chan::at(start + time).recv().expect("it comes");
        }
        4 => {
            me.at("receives the first tick");
            chan::tick(time.max(Duration::from_micros(1)))
                .recv()
                .expect("it comes");
        }
        5 => {
            me.at("receives for a time, in vain");
            assert!(never.recv_timeout(time).is_err());
        }
        6 => {
            me.at("selects for a time, in vain");
            chan::select! {
                recv(never) -> _ => unreachable!(),
                default(time) => {}
            }
        }
        7 => {
            me.at("parks for a time");
            while start.elapsed() < time {
                goroutines::thread::park_timeout(time.saturating_sub(start.elapsed()));
            }
        }
        _ => {
            me.at("awaits an `after`");
            block_on(chan::after(time).recv_async()).expect("it comes");
        }
    }
    assert!(start.elapsed() >= time, "a wait of {time:?} was shorter");
}
