//! Scene: stacks that grow, hold parks at every depth, and are given back; what lies on them stays as it was.

use std::{hint::black_box, panic::catch_unwind};

use goroutines::{chan, go, sleep, yield_now};

use crate::{
    board::{Actor, broken},
    crew::{Deliberate, Kind, fall, hire},
};

pub fn play(actor: &mut Actor) {
    let all: Vec<_> = (0..actor.dice.between(1, 6))
        .map(|n| {
            let kind = Kind::any(actor);
            hire(actor, kind, "digger", n, dig_some)
        })
        .collect();
    all.into_iter().for_each(|one| one.done(actor));
}

fn dig_some(me: &mut Actor) {
    for _ in 0..me.dice.between(1, 5) {
        // A frame of a debug build takes up to 1.5 KiB, and the smallest window used here has 256.
        let levels = match me.kind {
            Kind::Large => me.dice.between(0, 600),
            _ => me.dice.between(0, 90),
        };
        match me.dice.roll(5) {
            0 | 1 => {
                me.at("digs");
                assert_eq!(dig(me, levels), levels);
            }
            2 => {
                me.at("digs over segments");
                let levels = me.dice.between(0, 2000);
                assert_eq!(dig_on(me, levels), levels);
            }
            3 => {
                me.at("digs, and falls");
                let me = &mut *me;
                let caught = catch_unwind(std::panic::AssertUnwindSafe(|| {
                    dig(me, levels / 2);
                    me.at("falls over segments");
                    fall_on(me, levels);
                }));
                assert!(caught.expect_err("it panicked").is::<Deliberate>());
            }
            _ => {
                me.at("waits on a shallow stack");
                sleep(me.dice.micros(4000));
            }
        }
    }
}

fn park(me: &mut Actor) {
    match me.dice.roll(40) {
        0 => yield_now(),
        1 => sleep(me.dice.micros(3000)),
        2 => {
            let (tx, rx) = chan::bounded(0);
            go(move || tx.send(()).expect("the other one waits"));
            rx.recv().expect("the other one sends");
        }
        _ => {}
    }
}

fn check(frame: &[usize], level: usize) {
    if frame.iter().any(|&word| word != level) {
        broken("what lies on a stack has changed");
    }
}

#[inline(never)]
fn dig(me: &mut Actor, levels: usize) -> usize {
    let frame = black_box([levels; 64]);
    park(me);
    let depth = if levels == 0 {
        0
    } else {
        1 + dig(me, levels - 1)
    };
    park(me);
    check(&frame, levels);
    depth
}

#[goroutines::grow]
fn dig_on(me: &mut Actor, levels: usize) -> usize {
    let frame = black_box([levels; 64]);
    if levels.is_multiple_of(16) {
        park(me);
    }
    let depth = if levels == 0 {
        0
    } else {
        1 + dig_on(me, levels - 1)
    };
    if levels.is_multiple_of(16) {
        park(me);
    }
    check(&frame, levels);
    depth
}

/// Checks its frame while it is unwound, and parks there.
struct Check<'a>(&'a [usize; 64], usize);

impl Drop for Check<'_> {
    fn drop(&mut self) {
        if self.1.is_multiple_of(32) {
            yield_now();
        }
        check(self.0, self.1);
    }
}

#[goroutines::grow]
fn fall_on(me: &mut Actor, levels: usize) {
    let frame = black_box([levels; 64]);
    let _check = Check(&frame, levels);
    if levels == 0 {
        fall();
    }
    fall_on(me, levels - 1);
}
