//! Contexts: which calls they end, which they do not, and that no message is lost.

mod common;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use common::{Census, On, settle, until};
use goroutines::{
    Builder, block_on,
    chan::{
        self, RecvCtxError, RecvError, RecvTimeoutError, SendCtxError, TryRecvError, bounded,
        unbounded,
    },
    context::{Context, ContextError},
    go,
    sync::{Mutex, WaitGroup},
    thread, yield_now,
};

const SIDES: [On; 2] = [On::Goroutine, On::Thread];
const SOON: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(3600);

fn start() {
    common::start(2);
}

fn cancelled() -> Context {
    let (ctx, canceller) = Context::background().with_cancel();
    canceller.cancel();
    ctx
}

#[test]
fn the_background_is_never_done() {
    let background = Context::background();
    assert_eq!((background.err(), background.deadline()), (None, None));
    assert!(!background.is_cancelled());
    assert_eq!(background.done().try_recv(), Err(TryRecvError::Empty));
    assert_eq!(background.sleep(Duration::from_millis(1)), Ok(()));
    let (tx, rx) = bounded(1);
    tx.send_ctx(1, &background).unwrap();
    assert_eq!(rx.recv_ctx(&background), Ok(1));
}

#[test]
fn cancelling_ends_the_context_and_its_descendants_and_no_other() {
    let (root, root_canceller) = Context::background().with_cancel();
    let (left, left_canceller) = root.with_cancel();
    let (right, _) = root.with_cancel();
    let (leaf, _) = left.with_timeout(LONG);
    left_canceller.cancel();
    let errors = |all: [&Context; 4]| all.map(|ctx| ctx.err().is_some());
    assert_eq!(
        errors([&root, &left, &right, &leaf]),
        [false, true, false, true]
    );
    assert_eq!(leaf.done().recv(), Err(RecvError));
    root_canceller.clone().cancel();
    root_canceller.cancel(); // twice is once
    assert_eq!(errors([&root, &left, &right, &leaf]), [true; 4]);
    assert_eq!(leaf.err(), Some(ContextError::Cancelled));
    let (born_late, _) = leaf.with_cancel();
    assert_eq!(born_late.err(), Some(ContextError::Cancelled));
    assert_eq!(born_late.done().recv(), Err(RecvError));
}

#[test]
fn dropping_a_canceller_cancels_nothing_and_dropping_a_child_lets_go_of_it() {
    let (parent, canceller) = Context::background().with_cancel();
    for _ in 0..1000 {
        let (child, _) = parent.with_cancel();
        assert_eq!(child.err(), None);
    }
    let (kept, _) = parent.with_cancel();
    drop(parent);
    canceller.cancel();
    assert_eq!(kept.err(), Some(ContextError::Cancelled));
}

#[test]
fn a_deadline_is_never_later_than_the_parent_s() {
    let now = Instant::now();
    let (parent, _) = Context::background().with_deadline(now + SOON);
    let (child, _) = parent.with_deadline(now + LONG);
    assert_eq!(child.deadline(), Some(now + SOON));
    let (child, _) = parent.with_deadline(now);
    assert_eq!(child.deadline(), Some(now));
    assert_eq!(child.err(), Some(ContextError::DeadlineExceeded));
    let (child, _) = parent.with_timeout(Duration::MAX);
    assert_eq!(child.deadline(), Some(now + SOON));
    assert_eq!(
        Context::background()
            .with_timeout(Duration::MAX)
            .0
            .deadline(),
        None
    );
}

#[test]
fn what_comes_first_is_the_reason() {
    let (ctx, canceller) = Context::background().with_deadline(Instant::now());
    canceller.cancel();
    assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
    let (ctx, canceller) = Context::background().with_timeout(SOON);
    canceller.cancel();
    std::thread::sleep(2 * SOON);
    assert_eq!(ctx.err(), Some(ContextError::Cancelled));
}

#[test]
fn every_waiter_is_woken_by_a_cancel_and_by_a_deadline() {
    start();
    for deadline in [false, true] {
        let (ctx, canceller) = match deadline {
            true => Context::background().with_timeout(4 * SOON),
            false => Context::background().with_cancel(),
        };
        let (tx, rx) = bounded::<u32>(0);
        let (full, _keep) = bounded(0);
        let woken = Arc::new(AtomicU32::new(0));
        let mut waiters = Vec::new();
        for on in SIDES {
            for kind in 0..5 {
                let (ctx, rx, full, woken) =
                    (ctx.clone(), rx.clone(), full.clone(), Arc::clone(&woken));
                waiters.push(on.spawn(move || {
                    match kind {
                        0 => assert_eq!(rx.recv_ctx(&ctx), Err(RecvCtxError::ContextDone)),
                        1 => assert_eq!(full.send_ctx(7, &ctx), Err(SendCtxError::ContextDone(7))),
                        2 => assert!(ctx.sleep(LONG).is_err()),
                        3 => assert_eq!(ctx.done().recv(), Err(RecvError)),
                        _ => assert!(block_on(ctx.done().recv_async()).is_err()),
                    }
                    assert!(ctx.is_cancelled());
                    woken.fetch_add(1, Ordering::SeqCst);
                }));
            }
        }
        settle();
        canceller.cancel();
        waiters.into_iter().for_each(|one| one.join());
        assert_eq!(woken.load(Ordering::SeqCst), 10);
        drop(tx);
    }
}

#[test]
fn a_message_counts_more_than_the_end() {
    let ctx = cancelled();
    let (tx, rx) = bounded(1);
    assert_eq!(tx.send_ctx(1, &ctx), Ok(()));
    assert_eq!(tx.send_ctx(2, &ctx), Err(SendCtxError::ContextDone(2)));
    assert_eq!(rx.recv_ctx(&ctx), Ok(1));
    assert_eq!(rx.recv_ctx(&ctx), Err(RecvCtxError::ContextDone));
    drop(tx);
    assert_eq!(rx.recv_ctx(&ctx), Err(RecvCtxError::Disconnected));
    let (tx, rx) = bounded(1);
    drop(rx);
    assert_eq!(tx.send_ctx(3, &ctx), Err(SendCtxError::Disconnected(3)));
}

#[test]
fn only_the_canceller_can_close_done() {
    let (ctx, canceller) = Context::background().with_cancel();
    assert!(!ctx.done().close());
    assert!(!ctx.done().is_closed());
    assert_eq!(ctx.done().try_recv(), Err(TryRecvError::Empty));
    canceller.cancel();
    assert!(ctx.done().is_closed());
    let (late, _) = Context::background().with_deadline(Instant::now());
    assert!(late.done().is_closed());
    assert_eq!(late.done().try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn a_select_ends_with_the_deadline() {
    start();
    let (ctx, _) = Context::background().with_timeout(SOON);
    let (_tx, rx) = unbounded::<u32>();
    let over = chan::select! {
        recv(rx) -> _ => false,
        recv(ctx.done()) -> _ => true,
    };
    assert!(over);
    assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
}

#[test]
fn joining_and_waiting_groups_end_with_a_context() {
    start();
    for on in SIDES {
        on.spawn(|| {
            let (tx, rx) = bounded::<u32>(0);
            let handle = go(move || rx.recv().unwrap());
            let (ctx, _) = Context::background().with_timeout(SOON);
            let handle = handle.join_ctx(&ctx).unwrap_err();
            let handle = handle.join_ctx(&ctx).unwrap_err();
            tx.send(5).unwrap();
            assert_eq!(handle.join_ctx(&Context::background()).unwrap().unwrap(), 5);

            let ended = go(|| 6);
            until(|| ended.is_finished());
            assert_eq!(ended.join_ctx(&ctx).unwrap().unwrap(), 6);

            let (group, busy) = (WaitGroup::new(), WaitGroup::new());
            drop(busy);
            let busy = group.clone();
            let (ctx, canceller) = Context::background().with_cancel();
            let waiters: Vec<_> = (0..3)
                .map(|_| {
                    let (group, ctx) = (group.clone(), ctx.clone());
                    go(move || group.wait_ctx(&ctx))
                })
                .collect();
            let whole = go(move || group.wait());
            settle();
            canceller.cancel();
            for waiter in waiters {
                assert_eq!(waiter.join().unwrap(), Err(ContextError::Cancelled));
            }
            assert!(!whole.is_finished());
            drop(busy);
            whole.join().unwrap();
        })
        .join();
    }
    let (one, two) = (WaitGroup::new(), WaitGroup::new().clone());
    let other = one.clone();
    let patient = go(move || one.wait_ctx(&Context::background()));
    drop((other, two));
    assert_eq!(patient.join().unwrap(), Ok(()));
}

#[test]
fn under_a_context_that_ends_channels_are_disconnected_and_sleeps_are_short() {
    start();
    for on in SIDES {
        let (ctx, canceller) = Context::background().with_cancel();
        let (tx, rx) = bounded::<u32>(0);
        let (full, _keep) = bounded(0);
        let (ready, waits) = bounded(0);
        let worker = on.spawn(move || {
            ctx.run(|| {
                let _ = ready.send(());
                assert_eq!(rx.recv(), Err(RecvError));
                assert_eq!(rx.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
                assert_eq!(full.send(7).unwrap_err().into_inner(), 7);
                assert!(full.send_timeout(8, LONG).unwrap_err().is_disconnected());
                assert_eq!(rx.iter().next(), None);
                assert_eq!(chan::after(LONG).recv(), Err(RecvError));
                goroutines::sleep(LONG);
                thread::sleep_until(Instant::now() + LONG);
                assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "it did not wait");
                assert_eq!(Context::current().err(), Some(ContextError::Cancelled));
            });
            assert_eq!(Context::current().err(), None);
            // Outside all is as ever.
            assert_eq!(rx.recv_timeout(SOON), Err(RecvTimeoutError::Timeout));
        });
        waits.recv().unwrap();
        settle();
        assert!(!worker.is_finished());
        canceller.cancel();
        worker.join();
        drop(tx);
    }
}

#[test]
fn under_an_open_context_everything_works() {
    start();
    let (ctx, _canceller) = Context::background().with_timeout(LONG);
    ctx.run(|| {
        for capacity in [0, 1] {
            let (tx, rx) = bounded(capacity);
            let sender = go(move || (0..1000).for_each(|n| tx.send(n).unwrap()));
            assert_eq!(rx.iter().collect::<Vec<_>>(), (0..1000).collect::<Vec<_>>());
            sender.join().unwrap();
        }
        let (_tx, rx) = bounded::<u32>(0);
        assert_eq!(rx.recv_timeout(SOON), Err(RecvTimeoutError::Timeout));
        let begin = Instant::now();
        goroutines::sleep(SOON);
        assert!(begin.elapsed() >= SOON);
        let (tx, _rx) = bounded::<u32>(0);
        assert!(tx.send_timeout(1, SOON).unwrap_err().is_timeout());
        assert!(chan::after(SOON).recv().is_ok());
    });
}

#[test]
fn goroutines_inherit_the_context_of_their_spawner_for_life() {
    start();
    let (ctx, canceller) = Context::background().with_cancel();
    let (tx, rx) = bounded::<u32>(0);
    let child = ctx.run(|| {
        let rx = rx.clone();
        go(move || {
            let grandchild = {
                let rx = rx.clone();
                Builder::new()
                    .name("grandchild".to_owned())
                    .spawn(move || rx.recv())
                    .unwrap()
            };
            let pinned = Builder::new().pinned().spawn(move || rx.recv()).unwrap();
            (grandchild.join().unwrap(), pinned.join().unwrap())
        })
    });
    let stranger = go(move || rx.recv());
    settle();
    assert!(!child.is_finished());
    canceller.cancel();
    assert_eq!(child.join().unwrap(), (Err(RecvError), Err(RecvError)));
    settle();
    assert!(!stranger.is_finished());
    tx.send(1).unwrap();
    assert_eq!(stranger.join().unwrap(), Ok(1));
    // Those that run on its G afterwards have none.
    for _ in 0..100 {
        assert_eq!(go(|| Context::current().err()).join().unwrap(), None);
    }
}

#[test]
fn run_gives_the_context_back_after_a_panic_and_can_be_nested() {
    start();
    go(|| {
        let ctx = cancelled();
        let caught = catch_unwind(AssertUnwindSafe(|| ctx.run(|| panic!("out"))));
        assert!(caught.is_err());
        assert_eq!(Context::current().err(), None);
        ctx.run(|| {
            let (tx, rx) = bounded::<u32>(1);
            let protected = Context::background().run(|| {
                go(move || {
                    goroutines::sleep(SOON);
                    tx.send(1)
                })
                .join()
                .unwrap()
                .unwrap();
                rx.recv()
            });
            assert_eq!(protected, Ok(1));
            assert!(Context::current().is_cancelled());
        });
    })
    .join()
    .unwrap();
}

#[test]
fn locks_and_joins_are_not_interrupted() {
    start();
    let lock = Arc::new(Mutex::new(0));
    let guard = lock.lock().unwrap();
    let worker = {
        let lock = Arc::clone(&lock);
        cancelled().run(|| {
            go(move || {
                let inner = Context::background().run(|| {
                    go(|| {
                        goroutines::sleep(SOON);
                        4
                    })
                });
                *lock.lock().unwrap() += inner.join().unwrap();
                block_on(go(yield_now)).unwrap();
            })
        })
    };
    settle();
    assert!(!worker.is_finished());
    drop(guard);
    worker.join().unwrap();
    assert_eq!(*lock.lock().unwrap(), 4);
}

#[test]
fn a_copied_stack_obeys_as_well() {
    start();
    let (ctx, canceller) = Context::background().with_cancel();
    let (tx, rx) = bounded::<[u64; 20]>(0);
    let workers: Vec<_> = (0..50)
        .map(|i| {
            let (ctx, rx, tx) = (ctx.clone(), rx.clone(), tx.clone());
            // SAFETY: nothing of the stack is lent.
            let builder = unsafe { Builder::new().copy_stack() };
            let work = move || {
                let local = [i; 20];
                match i % 3 {
                    0 => assert!(ctx.run(|| rx.recv()).is_err()),
                    1 => assert_eq!(ctx.run(|| ctx.sleep(LONG)), Err(ContextError::Cancelled)),
                    _ => assert_eq!(
                        ctx.block_on(std::future::pending::<()>()),
                        Err(ContextError::Cancelled)
                    ),
                }
                drop(tx);
                assert_eq!(local, [i; 20]);
            };
            // Those of `block_on` keep their windows.
            match i % 3 {
                2 => go(work),
                _ => builder.spawn(work).unwrap(),
            }
        })
        .collect();
    settle();
    canceller.cancel();
    workers
        .into_iter()
        .for_each(|worker| worker.join().unwrap());
}

#[test]
fn a_future_under_a_context_is_dropped_at_its_end() {
    start();
    let census = Census::new();
    for on in SIDES {
        let held = census.birth(1);
        let (ctx, canceller) = Context::background().with_cancel();
        let waiter = on.spawn(move || {
            ctx.block_on(async move {
                std::future::pending::<()>().await;
                drop(held);
            })
        });
        settle();
        assert_eq!(census.alive(), 1);
        canceller.cancel();
        assert_eq!(waiter.join(), Err(ContextError::Cancelled));
        assert_eq!(census.alive(), 0);
    }
}

#[test]
fn done_wakes_futures_once_the_deadline_has_come() {
    start();
    let (ctx, _) = Context::background().with_timeout(SOON);
    let done = ctx.done();
    let mut ended = done.recv_async();
    let mut noop = std::task::Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut ended).poll(&mut noop).is_pending());
    assert_eq!(block_on(&mut ended), Err(RecvError));
    assert_eq!(
        Pin::new(&mut done.recv_async()).poll(&mut noop),
        Poll::Ready(Err(RecvError))
    );
}

#[test]
fn cancelling_races_with_delivery_and_nothing_is_lost() {
    start();
    let census = Census::new();
    for round in 0..3000_u64 {
        let (ctx, canceller) = Context::background().with_cancel();
        let (tx, rx) = bounded(usize::from(round % 2 == 0));
        let message = census.birth(round);
        let receiver = {
            let ctx = ctx.clone();
            let rx = rx.clone();
            go(move || match round % 3 {
                0 => rx.recv_ctx(&ctx).ok(),
                1 => ctx.run(|| rx.recv().ok()),
                _ => ctx.block_on(rx.recv_async()).ok().and_then(Result::ok),
            })
        };
        let sender = go(move || match round % 4 {
            0 => tx.send_ctx(message, &ctx).map_err(SendCtxError::into_inner),
            1 => ctx.run(|| tx.send(message).map_err(|error| error.into_inner())),
            2 => tx.try_send(message).map_err(|error| error.into_inner()),
            _ => {
                let sent = ctx.run(|| tx.send_timeout(message, LONG));
                sent.map_err(|error| error.into_inner())
            }
        });
        if round % 5 == 0 {
            yield_now();
        }
        canceller.cancel();
        let sent = sender.join().unwrap();
        let received = receiver.join().unwrap();
        let left = rx.try_recv().ok();
        let places = [
            sent.as_ref().err().is_some(),
            received.is_some(),
            left.is_some(),
        ];
        let count = places.iter().filter(|there| **there).count();
        assert_eq!(count, 1, "round {round}: {places:?}");
        drop((sent, received, left));
        assert_eq!(census.alive(), 0);
    }
}

#[test]
fn contexts_can_be_made_and_dropped_while_their_parent_is_cancelled() {
    start();
    for _ in 0..200 {
        let (parent, canceller) = Context::background().with_cancel();
        let makers: Vec<_> = (0..4)
            .map(|i| {
                let parent = parent.clone();
                SIDES[i % 2].spawn(move || {
                    let mut kept = Vec::new();
                    while kept.len() < 50 {
                        let (child, _) = parent.with_cancel();
                        let (grandchild, _) = child.with_timeout(LONG);
                        kept.push(grandchild);
                        drop(parent.with_cancel());
                    }
                    kept
                })
            })
            .collect();
        canceller.cancel();
        for maker in makers {
            assert!(maker.join().iter().all(Context::is_cancelled));
        }
    }
}
