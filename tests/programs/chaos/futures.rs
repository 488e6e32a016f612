//! Scene: futures of channels and joins that are polled by one and dropped by another, at any moment.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use goroutines::{JoinHandle, block_on, chan, go, sleep, yield_now};

use crate::{
    board::{Actor, broken},
    channels,
    crew::{Kind, hire},
    ledger::{Belief, Ledger, Parcel},
};

pub fn play(actor: &mut Actor) {
    match actor.dice.roll(3) {
        0 => moved(actor),
        1 => raced(actor),
        _ => joins(actor),
    }
}

/// Receives that are polled by one actor, and polled again or dropped by another, while messages come.
fn moved(actor: &mut Actor) {
    let (tx, rx) = channels::any::<Parcel>(actor);
    // A future borrows its channel, and goes to others.
    let rx: &'static chan::Receiver<Parcel> = Box::leak(Box::new(rx));
    let count = actor.dice.between(1, 20);
    let ledger = Ledger::new(count);
    let (kind, sent) = (Kind::any(actor), ledger.clone());
    let sender = hire(actor, kind, "sender", 0, move |me| {
        for number in 0..count {
            me.at("sends");
            let parcel = sent.parcel(number);
            tx.send(parcel)
                .unwrap_or_else(|_| broken("a leaked receiver is gone"));
            sent.believe(number, Belief::Sent);
        }
    });
    let (hand_on, handed) = chan::unbounded();
    let kind = Kind::any(actor);
    let dropper = hire(actor, kind, "dropper", 0, move |me| {
        for mut future in handed.iter() {
            let future: &mut Pin<Box<chan::RecvFut<'_, Parcel>>> = &mut future;
            if me.dice.once_in(2) {
                yield_now();
            }
            if me.dice.once_in(2) {
                me.at("polls another's future");
                take(future);
            }
            me.at("drops another's future");
        }
    });
    for _ in 0..actor.dice.between(1, 30) {
        actor.at("polls a future that another drops");
        let mut future = Box::pin(rx.recv_async());
        take(&mut future);
        hand_on.send(future).expect("the dropper listens");
    }
    drop(hand_on);
    dropper.done(actor);
    actor.at("receives what is left");
    for parcel in rx {
        parcel.arrive();
    }
    sender.done(actor);
    // SAFETY: it was made from a box, and all actors that had it have been joined.
    drop(unsafe { Box::from_raw(std::ptr::from_ref(rx).cast_mut()) });
    ledger.close();
}

fn take(future: &mut Pin<Box<chan::RecvFut<'_, Parcel>>>) {
    let polled = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    if let Poll::Ready(Ok(parcel)) = polled {
        parcel.arrive();
    }
}

/// The first of two futures; the other one is dropped while it waits.
struct First<A, B>(A, B);

impl<A: Future + Unpin, B: Future + Unpin> Future for First<A, B> {
    type Output = Result<A::Output, B::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(first) = Pin::new(&mut self.0).poll(cx) {
            return Poll::Ready(Ok(first));
        }
        Pin::new(&mut self.1).poll(cx).map(Err)
    }
}

/// Two channels in one `block_on`: each message arrives once.
fn raced(actor: &mut Actor) {
    let (left, from_left) = channels::any::<usize>(actor);
    let (right, from_right) = channels::any::<usize>(actor);
    let count = actor.dice.between(1, 40);
    let mut senders = Vec::new();
    for (n, tx) in [left, right].into_iter().enumerate() {
        let kind = Kind::free(actor);
        senders.push(hire(actor, kind, "sender", n, move |me| {
            for number in 0..count {
                me.at("sends");
                tx.send(number).expect("the racer receives all");
                if me.dice.once_in(3) {
                    sleep(me.dice.micros(100));
                }
            }
        }));
    }
    let kind = Kind::free(actor);
    let racer = hire(actor, kind, "racer", 0, move |me| {
        let mut next = [0, 0];
        loop {
            me.at("waits for the first of two futures");
            let first = First(from_left.recv_async(), from_right.recv_async());
            let (side, got) = match block_on(first) {
                Ok(got) => (0, got),
                Err(got) => (1, got),
            };
            let Ok(number) = got else {
                // One side is gone: the rest of the other.
                me.at("receives the rest");
                for (side, rx) in [&from_left, &from_right].into_iter().enumerate() {
                    for number in rx {
                        assert_eq!(number, next[side], "order, or a loss");
                        next[side] += 1;
                    }
                }
                return next;
            };
            assert_eq!(number, next[side], "order, or a loss");
            next[side] += 1;
        }
    });
    assert_eq!(racer.done(actor), [count; 2]);
    senders.into_iter().for_each(|one| one.done(actor));
}

/// Counts its wakes.
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // Relaxed: a count, read after the goroutine was joined.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Joins as futures: awaited, polled and dropped, polled and turned back into handles.
fn joins(actor: &mut Actor) {
    let mut handles: Vec<(usize, JoinHandle<usize>)> = Vec::new();
    for number in 0..actor.dice.between(1, 12) {
        let time = actor.dice.micros(300);
        handles.push((
            number,
            go(move || {
                sleep(time);
                number
            }),
        ));
    }
    while let Some((number, handle)) = handles.pop() {
        match actor.dice.roll(3) {
            0 if actor.kind.keeps_no_window() => {
                actor.at("awaits a join");
                let joined = block_on(async { handle.await });
                assert_eq!(joined.expect("it does not panic"), number);
            }
            1 => {
                actor.at("polls a join, and joins");
                let mut join = handle.into_future();
                let bell = Arc::new(Bell(AtomicUsize::new(0)));
                let waker = Waker::from(bell.clone());
                let polled = Pin::new(&mut join).poll(&mut Context::from_waker(&waker));
                if let Poll::Ready(joined) = polled {
                    assert_eq!(joined.expect("it does not panic"), number);
                } else if let Ok(handle) = join.into_handle() {
                    assert_eq!(handle.join().expect("it does not panic"), number);
                }
                // Relaxed: as above.
                assert!(bell.0.load(Ordering::Relaxed) <= 1);
            }
            _ => {
                actor.at("polls a join, and drops it");
                let mut join = handle.into_future();
                let _ = Pin::new(&mut join).poll(&mut Context::from_waker(Waker::noop()));
            }
        }
    }
}
