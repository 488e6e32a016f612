//! Scene: channels for one value, for the latest value, and for all receivers. A value arrives once, the last one is seen,
//! and what a slow receiver has lost is told to the last message.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context as Poller, Waker},
};

use goroutines::{
    block_on, chan,
    context::Context,
    sleep,
    sync::{broadcast, oneshot, watch},
    yield_now,
};

use crate::{
    board::{Actor, broken},
    crew::{Hired, Kind, hire},
    ledger::{Belief, Ledger, Parcel},
};

pub fn play(actor: &mut Actor) {
    match actor.dice.roll(3) {
        0 => answers(actor),
        1 => latest(actor),
        _ => to_all(actor),
    }
}

/// A context that is done in a moment.
fn moment(me: &mut Actor) -> Context {
    Context::background().with_timeout(me.dice.micros(300)).0
}

/// Questions whose answers come, or do not, and whose askers wait, or do not.
fn answers(actor: &mut Actor) {
    let count = actor.dice.between(1, 16);
    let ledger = Ledger::new(count);
    let mut all = Vec::new();
    for number in 0..count {
        let (tx, rx) = oneshot::channel();
        let (sends, waits) = (!actor.dice.once_in(4), !actor.dice.once_in(4));
        let (kind, ledger) = (Kind::any(actor), ledger.clone());
        let sender = hire(actor, kind, "answerer", number, move |me| {
            if me.dice.once_in(2) {
                me.at("sleeps before it answers");
                sleep(me.dice.micros(500));
            }
            if sends {
                answer(me, tx, &ledger, number, waits);
            }
        });
        let kind = Kind::any(actor);
        let asker = hire(actor, kind, "asker", number, move |me| {
            if waits {
                let parcel = ask(me, &rx);
                if parcel.is_some() != sends {
                    broken("an answer was lost, or made up");
                }
                if parcel.is_some_and(|parcel| parcel.arrive() != number) {
                    broken("the answer of another question");
                }
                assert!(rx.recv().is_err(), "there is one answer");
            } else if me.dice.once_in(2) {
                sleep(me.dice.micros(500));
            }
        });
        all.extend([sender, asker]);
    }
    all.into_iter().for_each(|one| one.done(actor));
    ledger.close();
}

fn answer(
    me: &mut Actor,
    tx: oneshot::Sender<Parcel>,
    ledger: &Arc<Ledger>,
    number: usize,
    waits: bool,
) {
    me.at("answers");
    match tx.send(ledger.parcel(number)) {
        // What nobody waits for goes with the channel.
        Ok(()) if !waits => ledger.believe(number, Belief::GaveUp),
        Ok(()) => ledger.believe(number, Belief::Sent),
        Err(_) if waits => broken("an answer came back although its asker waits"),
        Err(_) => ledger.believe(number, Belief::CameBack),
    }
}

/// Waits in one of all ways until there is an answer, or its sender is gone.
fn ask(me: &mut Actor, rx: &chan::Receiver<Parcel>) -> Option<Parcel> {
    loop {
        match me.dice.roll(6) {
            0 => {
                me.at("waits for an answer");
                return rx.recv().ok();
            }
            1 => {
                me.at("waits for an answer, for a time");
                match rx.recv_timeout(me.dice.micros(300)) {
                    Ok(parcel) => return Some(parcel),
                    Err(chan::RecvTimeoutError::Disconnected) => return None,
                    Err(chan::RecvTimeoutError::Timeout) => {}
                }
            }
            2 => {
                me.at("waits for an answer, under a context");
                match rx.recv_ctx(&moment(me)) {
                    Ok(parcel) => return Some(parcel),
                    Err(chan::RecvCtxError::Disconnected) => return None,
                    Err(_) => {}
                }
            }
            3 => {
                me.at("waits for an answer, in a select");
                let time = me.dice.micros(300);
                chan::select! {
                    recv(rx) -> parcel => return parcel.ok(),
                    recv(chan::after(time)) -> _ => (),
                }
            }
            4 if me.kind.keeps_no_window() => {
                me.at("waits for an answer, as a future");
                return block_on(rx.recv_async()).ok();
            }
            _ => {
                me.at("polls for an answer, and drops the future");
                let mut future = pin!(rx.recv_async());
                let mut poller = Poller::from_waker(Waker::noop());
                if let std::task::Poll::Ready(parcel) = future.as_mut().poll(&mut poller) {
                    return parcel.ok();
                }
                yield_now();
            }
        }
    }
}

/// Senders count up a value; receivers see it grow, and at the end all of it: before there is an end of the channel, which
/// would wake them as well, or with it.
fn latest(actor: &mut Actor) {
    let (senders, each) = (actor.dice.between(1, 4), actor.dice.between(1, 40));
    let (tx, rx) = watch::channel(0);
    let ends = actor.dice.once_in(2);
    let mut all: Vec<Hired<()>> = Vec::new();
    for n in 0..actor.dice.between(1, 5) {
        let (kind, mut rx) = (Kind::any(actor), rx.clone());
        all.push(hire(actor, kind, "watcher", n, move |me| {
            see_all(me, &mut rx, senders * each, ends);
        }));
    }
    drop(rx);
    for n in 0..senders {
        let (kind, tx) = (Kind::any(actor), tx.clone());
        all.push(hire(actor, kind, "setter", n, move |me| {
            for _ in 0..each {
                me.at("sets the value");
                tx.send_modify(|n| *n += 1);
                match me.dice.roll(6) {
                    0 => sleep(me.dice.micros(100)),
                    1 => yield_now(),
                    // It has seen what there is, and leaves.
                    2 => assert!(!tx.subscribe().has_changed() || senders > 1),
                    _ => {}
                }
            }
        }));
    }
    let kept = (!ends).then(|| tx.clone());
    drop(tx);
    all.into_iter().for_each(|one| one.done(actor));
    drop(kept);
}

fn see_all(me: &mut Actor, rx: &mut watch::Receiver<usize>, total: usize, ends: bool) {
    let mut seen = 0;
    while ends || seen < total {
        let before = seen;
        let told = match me.dice.roll(6) {
            0 => {
                me.at("waits for a condition of the value");
                let next = seen + me.dice.between(1, 5);
                let next = if ends { next } else { next.min(total) };
                rx.wait_for(|&n| n >= next).map(|n| assert!(*n >= next))
            }
            1 if me.kind.keeps_no_window() => {
                me.at("waits for a change, as a future");
                block_on(rx.changed_async())
            }
            2 => {
                me.at("waits for a change, in a select");
                let time = me.dice.micros(300);
                chan::select! {
                    recv(rx.changes()) -> change => if change.is_err() && !rx.has_changed() { break },
                    recv(chan::after(time)) -> _ => (),
                }
                // It may have been told of what it has seen.
                seen = seen.max(*rx.borrow_and_update());
                continue;
            }
            3 => {
                me.at("waits for a change, under a context");
                match moment(me).run(|| rx.changed()) {
                    // The context may be why, or the end.
                    Err(_) => {
                        seen = seen.max(*rx.borrow_and_update());
                        continue;
                    }
                    told => told,
                }
            }
            _ => {
                me.at("waits for a change");
                rx.changed()
            }
        };
        if told.is_err() {
            break;
        }
        seen = *rx.borrow_and_update();
        if seen <= before {
            broken(&format!("after a change of {before} the value is {seen}"));
        }
        if me.dice.once_in(8) {
            let other = rx.clone();
            assert!(*other.borrow() >= seen, "the value goes back for a clone");
        }
    }
    if *rx.borrow() != total {
        broken(&format!(
            "the last value is not {total} but {:?}",
            rx.borrow()
        ));
    }
    assert!(!ends || rx.changed().is_err(), "all senders are gone");
}

/// A message of a broadcast, which is counted while it exists.
#[derive(Clone)]
struct Flyer {
    sender: usize,
    number: usize,
    _counted: Arc<()>,
}

/// Each receiver gets each message of each sender in order, or is told how many it has lost; before the channel ends, which
/// would wake it as well, or with that.
fn to_all(actor: &mut Actor) {
    let (senders, each) = (actor.dice.between(1, 4), actor.dice.between(1, 40));
    let (tx, rx) = broadcast::channel(actor.dice.between(1, 20));
    let counted = Arc::new(());
    let refused = Arc::new(AtomicUsize::new(0));
    let readers = actor.dice.between(1, 5);
    let ends = actor.dice.once_in(2);
    // The first one stays, so that there always is one.
    let mut mine = Some(rx);
    let mut all = Vec::new();
    for n in 0..readers {
        let (kind, stays) = (Kind::any(actor), n == 0 || !actor.dice.once_in(4));
        let mut rx = match mine.take() {
            Some(rx) => rx,
            None => tx.subscribe(),
        };
        all.push(hire(actor, kind, "reader", n, move |me| {
            let total = senders * each;
            let limit = match (stays, ends) {
                (true, true) => usize::MAX,
                (true, false) => total,
                (false, _) => me.dice.roll(20).min(total),
            };
            let (got, lost, over) = read_all(me, &mut rx, senders, limit);
            if (over || stays) && got + lost != total {
                broken(&format!(
                    "of {total} messages {got} were received and {lost} lost"
                ));
            }
            if stays && ends && !over {
                broken("a reader that stays did not come to the end");
            }
        }));
    }
    for n in 0..senders {
        let (kind, tx) = (Kind::any(actor), tx.clone());
        let (counted, refused) = (counted.clone(), refused.clone());
        all.push(hire(actor, kind, "crier", n, move |me| {
            for number in 0..each {
                me.at("sends to all");
                let flyer = Flyer {
                    sender: n,
                    number,
                    _counted: counted.clone(),
                };
                // Relaxed: the joins order it.
                match tx.send(flyer) {
                    Ok(to) => assert!(to > 0, "sent to nobody"),
                    Err(_) => drop(refused.fetch_add(1, Ordering::Relaxed)),
                }
                if me.dice.once_in(4) {
                    sleep(me.dice.micros(100));
                }
            }
        }));
    }
    let kept = (!ends).then(|| tx.clone());
    drop(tx);
    all.into_iter().for_each(|one| one.done(actor));
    drop(kept);
    if refused.load(Ordering::Relaxed) > 0 {
        broken("a message was refused although a receiver stays");
    }
    if Arc::strong_count(&counted) != 1 {
        broken("a message of a broadcast was not freed");
    }
}

/// Reads up to `limit` messages. How many it received, how many it lost, and whether it came to the end of the channel.
fn read_all(
    me: &mut Actor,
    rx: &mut broadcast::Receiver<Flyer>,
    senders: usize,
    limit: usize,
) -> (usize, usize, bool) {
    let (mut got, mut lost) = (0, 0);
    let mut next = vec![0; senders];
    while got + lost < limit {
        let taken = match me.dice.roll(5) {
            0 if me.kind.keeps_no_window() => {
                me.at("reads, as a future");
                block_on(rx.recv_async())
            }
            1 => {
                me.at("reads if there is something");
                let time = me.dice.micros(300);
                chan::select! {
                    recv(rx.changes()) -> _ => (),
                    recv(chan::after(time)) -> _ => (),
                }
                match rx.try_recv() {
                    Ok(flyer) => Ok(flyer),
                    Err(broadcast::TryRecvError::Empty) => continue,
                    Err(broadcast::TryRecvError::Closed) => Err(broadcast::RecvError::Closed),
                    Err(broadcast::TryRecvError::Lagged(n)) => Err(broadcast::RecvError::Lagged(n)),
                }
            }
            2 => {
                me.at("reads, under a context");
                let context = moment(me);
                match context.run(|| rx.recv()) {
                    Err(broadcast::RecvError::Closed) if context.is_cancelled() => continue,
                    taken => taken,
                }
            }
            _ => {
                me.at("reads");
                rx.recv()
            }
        };
        match taken {
            Ok(flyer) => {
                got += 1;
                if flyer.number < next[flyer.sender] {
                    broken("a message of a broadcast came twice, or too late");
                }
                next[flyer.sender] = flyer.number + 1;
            }
            Err(broadcast::RecvError::Lagged(n)) => lost += n as usize,
            Err(broadcast::RecvError::Closed) => return (got, lost, true),
        }
        if me.dice.once_in(6) {
            me.at("is slow");
            sleep(me.dice.micros(400));
        }
        if me.dice.once_in(20) {
            drop(rx.resubscribe());
        }
    }
    (got, lost, false)
}
