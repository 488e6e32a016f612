//! Scene: contexts, error groups and scopes end the calls that they should end, and no others.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use goroutines::{
    chan,
    context::{Context, ContextError},
    errgroup, sleep, thread, yield_now,
};

use crate::{
    board::Actor,
    crew::{Kind, hire},
};

pub fn play(actor: &mut Actor) {
    match actor.dice.roll(4) {
        0 => tree(actor),
        1 if actor.kind.keeps_no_window() => group(actor),
        2 if actor.kind.keeps_no_window() => borrowed(actor),
        _ => deadlines(actor),
    }
}

/// A tree of contexts; each leaf waits until the root is cancelled.
fn tree(actor: &mut Actor) {
    let (root, canceller) = Context::background().with_cancel();
    let (_keep, never) = chan::bounded::<u8>(0);
    let all: Vec<_> = (0..actor.dice.between(1, 8))
        .map(|n| {
            let kind = Kind::free(actor);
            let (root, never) = (root.clone(), never.clone());
            hire(actor, kind, "leaf", n, move |me| {
                let mut context = root;
                for _ in 0..me.dice.between(0, 6) {
                    context = if me.dice.once_in(3) {
                        context.with_timeout(Duration::from_secs(3600)).0
                    } else {
                        context.with_cancel().0
                    };
                }
                me.at("waits until its context is cancelled");
                match me.dice.roll(6) {
                    0 => context.run(|| assert!(never.recv().is_err())),
                    1 => assert!(context.sleep(Duration::from_secs(3600)).is_err()),
                    2 => assert!(context.done().recv().is_err()),
                    3 => assert!(never.recv_ctx(&context).is_err()),
                    4 => context.run(|| sleep(Duration::from_secs(3600))),
                    _ => chan::select! {
                        recv(never) -> _ => unreachable!(),
                        recv(context.done()) -> done => assert!(done.is_err()),
                    },
                }
                assert_eq!(context.err(), Some(ContextError::Cancelled));
            })
        })
        .collect();
    if actor.dice.once_in(2) {
        actor.at("sleeps before it cancels");
        sleep(actor.dice.micros(1000));
    }
    canceller.cancel();
    all.into_iter().for_each(|one| one.done(actor));
}

/// An error of one ends all others.
fn group(actor: &mut Actor) {
    let (count, fails) = (actor.dice.between(1, 8), actor.dice.once_in(2));
    let (_keep, never) = chan::bounded::<u8>(0);
    let ended = AtomicUsize::new(0);
    let time = actor.dice.micros(500);
    actor.at("waits for an error group");
    let result = errgroup::scope(|group| {
        for n in 0..count {
            let (never, ended) = (&never, &ended);
            group.go(move || {
                if n == 0 {
                    sleep(time);
                }
                if fails && n > 0 {
                    assert!(never.recv().is_err(), "the context ends it");
                }
                yield_now();
                // Relaxed: the scope's end orders it.
                ended.fetch_add(1, Ordering::Relaxed);
                if fails { Err(n) } else { Ok(()) }
            });
        }
        Ok(())
    });
    assert_eq!(result, if fails { Err(0) } else { Ok(()) });
    assert_eq!(ended.load(Ordering::Relaxed), count, "who ended");
}

/// A scope whose goroutines borrow from the stack of the goroutine that waits for them.
fn borrowed(actor: &mut Actor) {
    let mut values = vec![0_usize; actor.dice.between(1, 16)];
    let time = actor.dice.micros(200);
    actor.at("waits for a scope");
    thread::scope(|scope| {
        for (n, value) in values.iter_mut().enumerate() {
            scope.spawn(move || {
                if n % 2 == 0 {
                    sleep(time);
                }
                *value = n;
            });
        }
        yield_now();
    });
    assert!(values.iter().copied().eq(0..values.len()), "{values:?}");
}

/// Waits whose time is up.
fn deadlines(actor: &mut Actor) {
    let all: Vec<_> = (0..actor.dice.between(1, 8))
        .map(|n| {
            let kind = Kind::free(actor);
            hire(actor, kind, "latecomer", n, move |me| {
                let time = me.dice.micros(3000);
                let start = Instant::now();
                let (context, _canceller) = Context::background().with_timeout(time);
                let (_keep, never) = chan::bounded::<u8>(0);
                me.at("waits until its context's deadline");
                match me.dice.roll(3) {
                    0 => assert!(context.sleep(Duration::from_secs(3600)).is_err()),
                    1 => assert!(never.recv_ctx(&context).is_err()),
                    _ => context.run(|| assert!(never.recv().is_err())),
                }
                assert!(start.elapsed() >= time, "a deadline came early");
                assert_eq!(context.err(), Some(ContextError::DeadlineExceeded));
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.done(actor));
}
