//! Scene: goroutines that are no good citizens: blocking calls, announced and not, loops without calls, threads of std.

use std::{
    fs,
    hint::black_box,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use goroutines::{blocking, checkpoint, gomaxprocs, set_gomaxprocs, sleep, yield_now};

use crate::{
    board::Actor,
    crew::{Kind, hire},
    settings::settings,
};

/// Computes, without a call into the runtime.
pub fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        (0..100).for_each(|n| {
            black_box(n);
        });
    }
}

pub fn play(actor: &mut Actor) {
    let all: Vec<_> = (0..actor.dice.between(1, 6))
        .map(|n| {
            let kind = Kind::any(actor);
            hire(actor, kind, "lout", n, |me| {
                let steps = me.dice.between(1, 12);
                (0..steps).for_each(|_| misbehave(me));
                steps
            })
        })
        .collect();
    for one in all {
        assert!(one.done(actor) > 0);
    }
}

fn misbehave(me: &mut Actor) {
    let time = me.dice.micros(1500);
    match me.dice.roll(12) {
        0 | 1 => {
            me.at("blocks, and says so");
            blocking(|| thread::sleep(time));
        }
        2 => {
            me.at("is in a call that was announced, and calls the runtime there");
            blocking(|| {
                sleep(time / 4);
                yield_now();
            });
        }
        3 | 4 => {
            me.at("blocks, and says nothing");
            thread::sleep(time);
        }
        5 => {
            me.at("computes for long");
            spin(Duration::from_millis(me.dice.between(1, 14) as u64));
        }
        6 => {
            me.at("computes, and lets others go");
            for _ in 0..20 {
                spin(time / 20);
                checkpoint();
            }
        }
        7 => {
            me.at("reads a file");
            assert!(!fs::read("/proc/self/stat").expect("it is there").is_empty());
        }
        8 => wait_for_std(me),
        9 if settings().mode.starts_threads && me.kind.starts_threads() => {
            me.at("starts a thread of std, and joins it");
            let joined = thread::spawn(move || thread::sleep(time / 4)).join();
            joined.expect("it does not panic");
        }
        10 if settings().mode.resizes => {
            me.at("changes the number of Ps");
            let count = me.dice.between(1, 8);
            assert!((1..=8).contains(&set_gomaxprocs(count)));
            assert!((1..=8).contains(&gomaxprocs()));
        }
        _ => {
            me.at("sleeps");
            sleep(time);
        }
    }
}

/// Blocks its thread in a channel of std until another actor has run.
fn wait_for_std(me: &mut Actor) {
    let (tx, rx) = mpsc::channel();
    // One that is pinned here, or shares the run window, could not run until this one resumes.
    let kind = Kind::free(me);
    let other = hire(me, kind, "other", 0, move |me| {
        if me.dice.once_in(2) {
            sleep(me.dice.micros(300));
        }
        tx.send(7).expect("the other one waits");
    });
    me.at("waits in a channel of std");
    assert_eq!(rx.recv(), Ok(7));
    other.done(me);
}
