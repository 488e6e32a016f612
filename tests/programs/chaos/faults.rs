//! Faults that are played on purpose, so that a test sees that each is noticed.

use std::mem;

use goroutines::{chan, go};

use crate::{
    board::Actor,
    crew::{Kind, hire},
    ledger::{Belief, Ledger},
};

/// A fault by name.
pub struct Fault {
    pub name: &'static str,
    pub play: fn(&mut Actor),
}

pub const FAULTS: [Fault; 5] = [
    Fault {
        name: "stuck",
        play: stuck,
    },
    Fault {
        name: "lost",
        play: lost,
    },
    Fault {
        name: "twice",
        play: twice,
    },
    Fault {
        name: "panic",
        play: odd,
    },
    Fault {
        name: "left",
        play: left,
    },
];

fn stuck(actor: &mut Actor) {
    let culprit = hire(actor, Kind::Plain, "culprit", 5, |me| {
        let (_keep, never) = chan::bounded::<u8>(0);
        me.at("waits for a message that nobody sends");
        never.recv().is_ok()
    });
    culprit.done(actor);
}

fn lost(actor: &mut Actor) {
    let ledger = Ledger::new(1);
    actor.at("forgets a message");
    mem::forget(ledger.parcel(0));
    ledger.believe(0, Belief::Sent);
    ledger.close();
}

fn twice(actor: &mut Actor) {
    let ledger = Ledger::new(1);
    let parcel = ledger.parcel(0);
    actor.at("copies a message");
    // SAFETY: both are live; what they share is counted once too often, and the process ends before that matters.
    let copy = unsafe { std::ptr::read(&raw const parcel) };
    parcel.arrive();
    copy.arrive();
}

fn odd(actor: &mut Actor) {
    hire(actor, Kind::Plain, "culprit", 5, |_| {
        panic!("an odd number")
    })
    .done(actor)
}

fn left(actor: &mut Actor) {
    let (keep, never) = chan::bounded::<u8>(0);
    actor.at("leaves a goroutine");
    mem::forget(keep);
    drop(go(move || never.recv().is_ok()));
}
