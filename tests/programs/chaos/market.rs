//! Scene: a number of tokens goes round over a few channels, by selects that send and receive at once.

use std::{
    future::Future,
    task::{Context, Poll, Waker},
};

use goroutines::{
    chan::{self, Receiver, Select, Sender},
    yield_now,
};

use crate::{
    board::{Actor, broken},
    channels,
    crew::{Kind, hire},
};

type Stall = (Sender<usize>, Receiver<usize>);

pub fn play(actor: &mut Actor) {
    let tokens = actor.dice.between(1, 12);
    let stalls: Vec<Stall> = (0..actor.dice.between(2, 4))
        .map(|_| channels::any(actor))
        .collect();
    let (bank, vault) = chan::unbounded();
    let mut traders = Vec::new();
    let count = actor.dice.between(2, 6);
    for n in 0..count {
        let (kind, stalls, bank) = (Kind::any(actor), stalls.clone(), bank.clone());
        let hand: Vec<usize> = (n..tokens).step_by(count).collect();
        traders.push(hire(actor, kind, "trader", n, move |me| {
            trade(me, &stalls, hand, &bank);
        }));
    }
    drop(bank);
    traders.into_iter().for_each(|trader| trader.done(actor));
    actor.at("counts the tokens");
    let mut all: Vec<usize> = vault.iter().collect();
    for (_, rx) in &stalls {
        all.extend(rx.try_iter());
    }
    all.sort_unstable();
    if !all.iter().copied().eq(0..tokens) {
        broken(&format!("of the tokens 0 to {tokens} there are {all:?}"));
    }
}

/// Trades for a while, and takes what it has to the bank.
fn trade(me: &mut Actor, stalls: &[Stall], mut hand: Vec<usize>, bank: &Sender<usize>) {
    for _ in 0..me.dice.between(5, 60) {
        let (to, from) = (&me.dice.pick_from(stalls).0, &me.dice.pick_from(stalls).1);
        let time = me.dice.micros(200);
        let token = hand.pop();
        match (token, me.dice.roll(4)) {
            (Some(token), 0) => {
                me.at("gives or takes, at random");
                chan::select! {
                    send(to, token) -> sent => sent.expect("stalls stay"),
                    recv(from) -> got => hand.extend([token, got.expect("stalls stay")]),
                    default(time) => hand.push(token),
                }
            }
            (Some(token), 1) => {
                me.at("gives or takes, in order");
                chan::select_biased! {
                    recv(from) -> got => hand.extend([got.expect("stalls stay"), token]),
                    send(to, { yield_now(); token }) -> sent => sent.expect("stalls stay"),
                    recv(chan::after(time)) -> _ => hand.push(token),
                }
            }
            (Some(token), 2) => {
                me.at("gives at once");
                hand.extend(to.try_send(token).err().map(|error| error.into_inner()));
            }
            (token, _) => {
                hand.extend(token);
                listed(me, stalls, &mut hand);
            }
        }
        if me.dice.once_in(4) {
            glance(me, from, &mut hand);
        }
    }
    for token in hand {
        me.at("takes a token to the bank");
        bank.send(token).expect("the bank stays");
    }
}

/// A select over all stalls, as a list.
fn listed(me: &mut Actor, stalls: &[Stall], hand: &mut Vec<usize>) {
    me.at("takes from any, or gives to any");
    let mut select = Select::new();
    for (_, rx) in stalls {
        select.recv(rx);
    }
    if !hand.is_empty() {
        for (tx, _) in stalls {
            select.send(tx);
        }
    }
    let Ok(chosen) = select.select_timeout(me.dice.micros(200)) else {
        return;
    };
    match chosen.index() {
        place if place < stalls.len() => {
            hand.push(chosen.recv(&stalls[place].1).expect("stalls stay"));
        }
        place => {
            let token = hand.pop().expect("a send was listed, so there is one");
            let stall = &stalls[place - stalls.len()].0;
            chosen.send(stall, token).expect("stalls stay");
        }
    }
}

/// A receive as a future that is polled once or twice.
fn glance(me: &mut Actor, from: &Receiver<usize>, hand: &mut Vec<usize>) {
    me.at("polls a receive that it drops");
    let mut future = Box::pin(from.recv_async());
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        if let Poll::Ready(token) = future.as_mut().poll(&mut context) {
            hand.push(token.expect("stalls stay"));
            return;
        }
        yield_now();
    }
    drop(future);
}
