//! Scene: senders and receivers of every kind on one channel, each message by another call.

use std::{
    collections::HashMap,
    future::Future,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use goroutines::{
    block_on,
    chan::{self, Receiver, RecvTimeoutError, Select, SendTimeoutError, Sender, TryRecvError},
    sleep, yield_now,
};

use crate::{
    board::{Actor, broken},
    crew::{Kind, hire},
    ledger::{Belief, Ledger, Parcel},
};

/// A channel of any capacity.
pub fn any<T>(actor: &mut Actor) -> (Sender<T>, Receiver<T>) {
    match actor.dice.pick(&[0, 0, 0, 1, 3, 16, usize::MAX]) {
        usize::MAX => chan::unbounded(),
        capacity => chan::bounded(capacity),
    }
}

pub fn play(actor: &mut Actor) {
    let (tx, rx) = any::<Parcel>(actor);
    let (senders, receivers) = (actor.dice.between(1, 4), actor.dice.between(1, 4));
    let each = actor.dice.between(1, 60);
    let ledger = Ledger::new(senders * each);
    let mut sending = Vec::new();
    for n in 0..senders {
        let (kind, tx, ledger) = (Kind::any(actor), tx.clone(), ledger.clone());
        sending.push(hire(actor, kind, "sender", n, move |me| {
            for number in n * each..(n + 1) * each {
                send(me, &tx, &ledger, number);
            }
        }));
    }
    let mut receiving = Vec::new();
    for n in 0..receivers {
        let (kind, rx) = (Kind::any(actor), rx.clone());
        receiving.push(hire(actor, kind, "receiver", n, move |me| {
            receive_all(me, &rx, each);
        }));
    }
    drop((tx, rx));
    sending.into_iter().for_each(|one| one.done(actor));
    receiving.into_iter().for_each(|one| one.done(actor));
    ledger.close();
}

/// Sends message `number`, or tries to, in one of the ways that there are.
fn send(me: &mut Actor, tx: &Sender<Parcel>, ledger: &Arc<Ledger>, number: usize) {
    let parcel = ledger.parcel(number);
    let time = me.dice.micros(300);
    let way = me.dice.roll(if me.kind.keeps_no_window() { 9 } else { 7 });
    let outcome = match way {
        0 | 1 => {
            me.at("sends");
            tx.send(parcel).map_err(|error| error.0)
        }
        2 => {
            me.at("sends for a time");
            tx.send_timeout(parcel, time).map_err(timed_out)
        }
        3 => {
            me.at("tries to send");
            tx.try_send(parcel).map_err(|error| error.into_inner())
        }
        4 => {
            me.at("sends in a select");
            chan::select! {
                send(tx, parcel) -> sent => sent.map_err(|error| error.0),
                default(time) => Err(parcel),
            }
        }
        5 => {
            me.at("sends in a select of a list");
            let mut select = Select::new();
            select.send(tx);
            match select.select_timeout(time) {
                Ok(chosen) => chosen.send(tx, parcel).map_err(|error| error.0),
                Err(_) => Err(parcel),
            }
        }
        6 => return send_and_leave(me, tx, ledger, parcel),
        7 => {
            me.at("sends as a future");
            block_on(tx.send_async(parcel)).map_err(|error| error.0)
        }
        _ => {
            me.at("sends until a deadline");
            let sent = tx.send_deadline(parcel, Instant::now() + time);
            sent.map_err(timed_out)
        }
    };
    match outcome {
        Ok(()) => ledger.believe(number, Belief::Sent),
        Err(parcel) => {
            assert_eq!(parcel.number, number, "another message came back");
            ledger.believe(number, Belief::CameBack);
        }
    }
    if me.dice.once_in(8) {
        yield_now();
    }
}

fn timed_out(error: SendTimeoutError<Parcel>) -> Parcel {
    if !error.is_timeout() {
        broken("a send found a channel without receivers, which has some");
    }
    error.into_inner()
}

/// A send as a future that is polled a few times, and then dropped.
fn send_and_leave(me: &mut Actor, tx: &Sender<Parcel>, ledger: &Arc<Ledger>, parcel: Parcel) {
    let number = parcel.number;
    let mut future = Box::pin(tx.send_async(parcel));
    ledger.believe(number, Belief::GaveUp);
    for _ in 0..me.dice.roll(3) {
        me.at("polls a send that it may drop");
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        match polled {
            Poll::Ready(Ok(())) => return ledger.believe(number, Belief::Sent),
            Poll::Ready(Err(_)) => broken("a send as a future found no receivers"),
            Poll::Pending => sleep(me.dice.micros(100)),
        }
    }
    me.at("drops a send");
    drop(future);
}

/// Receives until the senders are gone. From each sender the messages come in the order of sending.
fn receive_all(me: &mut Actor, rx: &Receiver<Parcel>, each: usize) {
    let mut last = HashMap::new();
    while let Some(got) = receive(me, rx) {
        for parcel in got {
            let number = parcel.arrive();
            let before = last.insert(number / each, number);
            if before.is_some_and(|before| before > number) {
                broken(&format!("message {number} came after {before:?}"));
            }
        }
        if me.dice.once_in(8) {
            sleep(me.dice.micros(200));
        }
    }
}

/// What one of the ways to receive brings; `None`: the senders are gone.
fn receive(me: &mut Actor, rx: &Receiver<Parcel>) -> Option<Vec<Parcel>> {
    let time = me.dice.micros(300);
    let way = me.dice.roll(if me.kind.keeps_no_window() { 9 } else { 8 });
    match way {
        0 | 1 => {
            me.at("receives");
            rx.recv().ok().map(|parcel| vec![parcel])
        }
        2 => {
            me.at("receives for a time");
            match rx.recv_timeout(time) {
                Ok(parcel) => Some(vec![parcel]),
                Err(RecvTimeoutError::Timeout) => Some(vec![]),
                Err(RecvTimeoutError::Disconnected) => None,
            }
        }
        3 => {
            me.at("tries to receive");
            match rx.try_recv() {
                Ok(parcel) => Some(vec![parcel]),
                Err(TryRecvError::Empty) => {
                    yield_now();
                    Some(vec![])
                }
                Err(TryRecvError::Disconnected) => None,
            }
        }
        4 => {
            me.at("receives in a select");
            chan::select! {
                recv(rx) -> parcel => parcel.ok().map(|parcel| vec![parcel]),
                recv(chan::after(time)) -> _ => Some(vec![]),
            }
        }
        5 => {
            me.at("waits until there is something to receive");
            let mut select = Select::new();
            select.recv(rx);
            let _ = select.ready_timeout(time);
            Some(rx.try_iter().take(2).collect())
        }
        6 => Some(receive_and_leave(me, rx)),
        7 => {
            me.at("receives a few");
            let few: Vec<_> = rx.iter().take(3).collect();
            (!few.is_empty()).then_some(few)
        }
        _ => {
            me.at("receives as a future");
            block_on(rx.recv_async()).ok().map(|parcel| vec![parcel])
        }
    }
}

/// Some receives as futures: each is polled or not, and dropped at some moment.
fn receive_and_leave(me: &mut Actor, rx: &Receiver<Parcel>) -> Vec<Parcel> {
    let mut got = Vec::new();
    let mut futures: Vec<_> = (0..me.dice.between(1, 4))
        .map(|_| Box::pin(rx.recv_async()))
        .collect();
    let mut context = Context::from_waker(Waker::noop());
    me.at("polls receives that it may drop");
    for future in &mut futures {
        if let Poll::Ready(Ok(parcel)) = future.as_mut().poll(&mut context) {
            got.push(parcel);
        }
    }
    if me.dice.once_in(2) {
        sleep(me.dice.micros(100).min(Duration::from_micros(50)));
    }
    // A message of the first future is older than one of the next. Those that are polled again are polled in order.
    let again = me.dice.roll(futures.len() + 1);
    if got.is_empty() {
        for future in futures.iter_mut().take(again) {
            if let Poll::Ready(Ok(parcel)) = future.as_mut().poll(&mut context) {
                got.push(parcel);
            }
        }
    }
    me.at("drops receives");
    while !futures.is_empty() {
        let which = me.dice.roll(futures.len());
        drop(futures.swap_remove(which));
    }
    got
}
