//! Scene: limits. A rate is not exceeded; what ends with a context or a time takes no permit, lock or message along.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use goroutines::{
    chan,
    context::{Canceller, Context, ContextError},
    sleep,
    sync::{Barrier, Condvar, Limiter, Mutex, RwLock, Semaphore},
    timeout, yield_now,
};

use crate::{
    board::{Actor, broken},
    channels,
    crew::{Kind, hire},
    ledger::{Belief, Ledger, Parcel},
};

pub fn play(actor: &mut Actor) {
    match actor.dice.roll(4) {
        0 => rate(actor),
        1 => permits(actor),
        2 => locks(actor),
        _ => times(actor),
    }
}

/// At any time there were no more events than the rate allows.
fn rate(actor: &mut Actor) {
    let (every, burst) = (
        Duration::from_micros(actor.dice.between(20, 300) as u64),
        actor.dice.between(1, 8),
    );
    let start = Instant::now();
    let limiter = Arc::new(Limiter::new(every, burst as u32));
    let events = Arc::new(AtomicUsize::new(0));
    let (all_end, canceller) = Context::background().with_cancel();
    let all: Vec<_> = (0..actor.dice.between(1, 6))
        .map(|n| {
            let (kind, limiter, events) = (Kind::any(actor), limiter.clone(), events.clone());
            let all_end = all_end.clone();
            hire(actor, kind, "event", n, move |me| {
                for _ in 0..me.dice.between(1, 8) {
                    if !passes(me, &limiter, &all_end) {
                        continue;
                    }
                    // SeqCst: one order of all events.
                    let count = events.fetch_add(1, Ordering::SeqCst) + 1;
                    let least = every * count.saturating_sub(burst) as u32;
                    if start.elapsed() < least {
                        broken(&format!(
                            "{count} events in {:?}, with one each {every:?} and {burst} at once",
                            start.elapsed()
                        ));
                    }
                }
            })
        })
        .collect();
    actor.at("ends the waits under a context");
    sleep(actor.dice.micros(2000));
    canceller.cancel();
    all.into_iter().for_each(|one| one.done(actor));
}

/// Waits for the next event, or gives up. Returns whether it may happen.
fn passes(me: &mut Actor, limiter: &Limiter, all_end: &Context) -> bool {
    match me.dice.roll(4) {
        0 => {
            me.at("waits for its turn");
            limiter.wait();
            true
        }
        1 => limiter.allow(),
        2 => {
            me.at("waits for its turn, until all end");
            limiter.wait_ctx(all_end).is_ok()
        }
        _ => {
            me.at("waits for its turn, under a context");
            let (context, canceller) = ending(me);
            let waited = limiter.wait_ctx(&context);
            drop(canceller);
            waited.is_ok()
        }
    }
}

/// A context that has a deadline soon, is cancelled already, or never ends.
fn ending(me: &mut Actor) -> (Context, Canceller) {
    let context = Context::background();
    match me.dice.roll(6) {
        0 => context.with_cancel(),
        1 => {
            let (context, canceller) = context.with_cancel();
            canceller.cancel();
            (context, canceller)
        }
        _ => context.with_timeout(me.dice.micros(500)),
    }
}

/// No more permits are out than there are; at the end all are back.
fn permits(actor: &mut Actor) {
    let total = actor.dice.between(1, 6);
    let semaphore = Arc::new(Semaphore::new(total));
    let out = Arc::new(AtomicUsize::new(0));
    let (all_end, canceller) = Context::background().with_cancel();
    let all: Vec<_> = (0..actor.dice.between(1, 8))
        .map(|n| {
            let (kind, semaphore, out) = (Kind::any(actor), semaphore.clone(), out.clone());
            let all_end = all_end.clone();
            hire(actor, kind, "guest", n, move |me| {
                for _ in 0..me.dice.between(1, 20) {
                    let want = me.dice.between(1, total);
                    let context = all_end.with_timeout(me.dice.micros(500)).0;
                    me.at("waits for permits, under a context");
                    let inside = |me: &mut Actor| {
                        // SeqCst: the check is stricter than what the semaphore orders.
                        let now = out.fetch_add(want, Ordering::SeqCst) + want;
                        if now > total {
                            broken(&format!("{now} permits of {total} are out"));
                        }
                        if me.dice.once_in(3) {
                            sleep(me.dice.micros(200));
                        }
                        out.fetch_sub(want, Ordering::SeqCst);
                    };
                    let took = if me.dice.once_in(2) {
                        semaphore.acquire_many_ctx(want, &context).map(|permits| {
                            inside(me);
                            drop(permits);
                        })
                    } else {
                        let owned = semaphore.clone().acquire_many_owned_ctx(want, &context);
                        owned.map(|permits| {
                            inside(me);
                            drop(permits);
                        })
                    };
                    if took.is_err() && context.err().is_none() {
                        broken("a wait ended with a context that is not done");
                    }
                }
            })
        })
        .collect();
    if actor.dice.once_in(2) {
        sleep(actor.dice.micros(2000));
        canceller.cancel();
    }
    all.into_iter().for_each(|one| one.done(actor));
    if semaphore.available_permits() != total {
        broken("permits were lost, or given twice");
    }
}

/// What locks, a condition and a barrier share.
#[derive(Default)]
struct Shared {
    count: Mutex<usize>,
    changed: Condvar,
    pair: RwLock<(usize, usize)>,
}

/// Waits for locks that end with a context leave the locks to others.
fn locks(actor: &mut Actor) {
    let shared: Arc<Shared> = Arc::default();
    // Nobody is the last one to come.
    let barrier = Arc::new(Barrier::new(usize::MAX));
    let added = Arc::new(AtomicUsize::new(0));
    let all: Vec<_> = (0..actor.dice.between(1, 8))
        .map(|n| {
            let (kind, shared, added) = (Kind::any(actor), shared.clone(), added.clone());
            let barrier = barrier.clone();
            hire(actor, kind, "holder", n, move |me| {
                for _ in 0..me.dice.between(1, 20) {
                    let (context, canceller) = match ending(me) {
                        // What a condition or a barrier waits for may not come.
                        (context, canceller) if context.deadline().is_none() => {
                            let context = context.with_timeout(me.dice.micros(500)).0;
                            (context, canceller)
                        }
                        both => both,
                    };
                    let held = hold(me, &shared, &barrier, &context, &added);
                    if held.is_err() && context.err().is_none() {
                        broken("a wait for a lock ended with a context that is not done");
                    }
                    drop(canceller);
                }
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.done(actor));
    // Relaxed: all have been joined.
    let count = *shared.count.try_lock().expect("all locks are free");
    assert_eq!(
        count,
        added.load(Ordering::Relaxed),
        "a lock did not exclude"
    );
    let pair = *shared.pair.try_write().expect("all locks are free");
    assert_eq!(pair.0, pair.1);
}

fn hold(
    me: &mut Actor,
    shared: &Shared,
    barrier: &Barrier,
    context: &Context,
    added: &AtomicUsize,
) -> Result<(), ContextError> {
    match me.dice.roll(5) {
        0 => {
            me.at("waits for a mutex, under a context");
            let mut count = shared.count.lock_ctx(context)?.expect("no poison");
            let before = *count;
            if me.dice.once_in(3) {
                yield_now();
            }
            *count = before + 1;
            drop(count);
            // Relaxed: the joins order it.
            added.fetch_add(1, Ordering::Relaxed);
            shared.changed.notify_one();
        }
        1 => {
            me.at("waits to write, under a context");
            let mut pair = shared.pair.write_ctx(context)?.expect("no poison");
            pair.0 += 1;
            if me.dice.once_in(3) {
                sleep(me.dice.micros(100));
            }
            pair.1 += 1;
        }
        2 => {
            me.at("waits to read, under a context");
            let pair = shared.pair.read_ctx(context)?.expect("no poison");
            yield_now();
            assert_eq!(pair.0, pair.1, "a reader beside a writer");
        }
        3 => {
            me.at("waits for a condition, under a context");
            let count = shared.count.lock_ctx(context)?.expect("no poison");
            let waited = shared.changed.wait_ctx(count, context).expect("no poison");
            drop(waited);
        }
        _ => {
            me.at("waits at a barrier, under a context");
            let came = barrier.wait_ctx(context);
            assert!(came.is_err(), "not all have come");
        }
    }
    Ok(())
}

/// Messages that are sent and received for a time: what came late is in the error, and nothing is lost.
fn times(actor: &mut Actor) {
    let (tx, rx) = channels::any::<Parcel>(actor);
    let each = actor.dice.between(1, 20);
    let senders = actor.dice.between(1, 4);
    let ledger = Ledger::new(senders * each);
    let mut all = Vec::new();
    for n in 0..senders {
        let (kind, tx, ledger) = (Kind::any(actor), tx.clone(), ledger.clone());
        all.push(hire(actor, kind, "sender", n, move |me| {
            for number in n * each..(n + 1) * each {
                me.at("sends for a time");
                let time = me.dice.micros(400);
                let parcel = ledger.parcel(number);
                let sent = match timeout(time, |_| tx.send(parcel)) {
                    Ok(sent) => sent,
                    Err(late) => late.into_inner(),
                };
                match sent {
                    Ok(()) => ledger.believe(number, Belief::Sent),
                    Err(_) => ledger.believe(number, Belief::CameBack),
                }
            }
        }));
    }
    drop(tx);
    for n in 0..actor.dice.between(1, 4) {
        let (kind, rx) = (Kind::any(actor), rx.clone());
        all.push(hire(actor, kind, "receiver", n, move |me| {
            loop {
                me.at("receives for a time");
                let time = me.dice.micros(400);
                let got = match timeout(time, |ctx| (rx.recv_ctx(ctx), ctx.err())) {
                    Ok((got, _)) => got,
                    Err(late) => late.into_inner().0,
                };
                match got {
                    Ok(parcel) => drop(parcel.arrive()),
                    Err(chan::RecvCtxError::ContextDone) => {}
                    Err(_) => return,
                }
            }
        }));
    }
    drop(rx);
    all.into_iter().for_each(|one| one.done(actor));
    ledger.close();
}
