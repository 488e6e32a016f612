//! Futures on goroutines and threads, and goroutines as futures, in our `block_on` and in executors of others.

mod common;

use std::{
    future::{pending, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use common::{Census, On, settle, until};
use futures::{
    FutureExt,
    executor::{LocalPool, ThreadPool},
    future::join_all,
    task::SpawnExt,
};
use goroutines::{Builder, block_on, chan, go, sleep, yield_now};

const SIDES: [On; 2] = [On::Goroutine, On::Thread];

fn start() {
    common::start(2);
}

/// Polls once, with a waker that does nothing.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Counts how often it is called.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Pending until `wakes` have been counted; leaves its waker in `place`.
fn counted(
    wakes: usize,
    counter: Arc<AtomicUsize>,
    place: Arc<Mutex<Option<Waker>>>,
) -> impl Future<Output = ()> {
    poll_fn(move |cx| {
        *place.lock().unwrap() = Some(cx.waker().clone());
        if counter.load(Ordering::SeqCst) >= wakes {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
}

#[test]
fn a_future_that_is_ready_needs_no_wait_and_no_runtime() {
    assert_eq!(block_on(async { 5 }), 5);
}

#[test]
fn a_wake_from_anywhere_ends_the_wait() {
    start();
    for waiter in SIDES {
        for giver in SIDES {
            let (counter, place) = (Arc::new(AtomicUsize::new(0)), Arc::default());
            let future = counted(1, Arc::clone(&counter), Arc::clone(&place));
            let waiter = waiter.spawn(move || block_on(future));
            until(|| place.lock().unwrap().is_some());
            settle();
            assert!(!waiter.is_finished());
            giver
                .spawn(move || {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let waker = place.lock().unwrap().take().unwrap();
                    waker.wake();
                })
                .join();
            waiter.join();
        }
    }
}

#[test]
fn a_wake_before_the_poll_returns_is_not_lost() {
    start();
    for on in SIDES {
        let polls = on
            .spawn(|| {
                let mut polls = 0;
                block_on(poll_fn(move |cx| {
                    polls += 1;
                    cx.waker().wake_by_ref();
                    if polls < 100 {
                        Poll::Pending
                    } else {
                        Poll::Ready(polls)
                    }
                }))
            })
            .join();
        assert_eq!(polls, 100);
    }
}

#[test]
fn a_waker_may_be_called_often_and_after_its_block_on() {
    start();
    for on in SIDES {
        let (tx, rx) = chan::bounded::<u32>(0);
        let (wakers, kept) = chan::unbounded::<Waker>();
        let waiter = on.spawn(move || {
            block_on(poll_fn(|cx| {
                wakers.send(cx.waker().clone()).unwrap();
                Poll::Ready(())
            }));
            // Other waits of the same goroutine: they must not be ended by the old waker.
            let first = rx.recv();
            sleep(Duration::from_millis(20));
            (first, rx.recv())
        });
        let waker = kept.recv().unwrap();
        for _ in 0..3 {
            settle();
            waker.wake_by_ref();
        }
        assert!(!waiter.is_finished());
        tx.send(1).unwrap();
        waker.wake_by_ref();
        tx.send(2).unwrap();
        waker.wake_by_ref();
        assert_eq!(waiter.join(), (Ok(1), Ok(2)));
        waker.wake(); // its goroutine is gone
    }
}

#[test]
fn every_wake_of_a_storm_is_seen() {
    start();
    const GIVERS: usize = 8;
    const WAKES: usize = 2000;
    for on in SIDES {
        let (counter, place) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::<Mutex<Option<Waker>>>::default(),
        );
        let future = counted(GIVERS * WAKES, Arc::clone(&counter), Arc::clone(&place));
        let waiter = on.spawn(move || block_on(future));
        let givers: Vec<_> = (0..GIVERS)
            .map(|i| {
                let (counter, place) = (Arc::clone(&counter), Arc::clone(&place));
                SIDES[i % 2].spawn(move || {
                    for _ in 0..WAKES {
                        counter.fetch_add(1, Ordering::SeqCst);
                        let waker = place.lock().unwrap().clone();
                        if let Some(waker) = waker {
                            waker.wake();
                        }
                    }
                })
            })
            .collect();
        givers.into_iter().for_each(|giver| giver.join());
        waiter.join();
    }
}

#[test]
fn block_on_can_be_nested() {
    start();
    for on in SIDES {
        let sum = on.spawn(|| {
            block_on(async {
                let inner = block_on(async { go(|| 20).await.unwrap() + 1 });
                inner + go(|| 21).await.unwrap()
            })
        });
        assert_eq!(sum.join(), 42);
    }
}

#[test]
fn a_panic_of_the_future_unwinds_to_the_caller() {
    start();
    for on in SIDES {
        on.spawn(|| {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                block_on(async {
                    go(yield_now).await.unwrap();
                    panic!("in poll")
                })
            }));
            assert_eq!(*caught.unwrap_err().downcast::<&str>().unwrap(), "in poll");
            assert_eq!(block_on(async { 3 }), 3);
        })
        .join();
    }
}

#[test]
fn a_future_on_a_copied_stack_stays_where_it_is() {
    start();
    // More than there are windows, so that they share some. All are pinned while they wait.
    let waiters: Vec<_> = (0..100)
        .map(|i| {
            // SAFETY: nothing of the stack is lent but what `block_on` pins.
            let builder = unsafe { Builder::new().copy_stack() };
            let waiter = move || {
                let local = [i; 64];
                block_on(async {
                    let n: i32 = go(move || i).await.unwrap();
                    assert_eq!(local, [n; 64]);
                    n
                })
            };
            builder.spawn(waiter).unwrap()
        })
        .collect();
    let sum: i32 = waiters.into_iter().map(|w| w.join().unwrap()).sum();
    assert_eq!(sum, (0..100).sum());
}

#[test]
fn block_on_works_while_its_goroutine_unwinds() {
    start();
    struct WaitsInDrop(chan::Sender<i32>);
    impl Drop for WaitsInDrop {
        fn drop(&mut self) {
            let n = block_on(async { go(|| 7).await.unwrap() });
            self.0.send(n).unwrap();
        }
    }
    let (tx, rx) = chan::bounded(1);
    let failed = go(move || {
        let _waits = WaitsInDrop(tx);
        panic!("unwinding");
    });
    assert!(failed.join().is_err());
    assert_eq!(rx.recv(), Ok(7));
}

#[test]
fn a_goroutine_can_be_awaited_by_any_executor() {
    start();
    let pool = ThreadPool::builder().pool_size(2).create().unwrap();
    let on_pool = pool.spawn_with_handle(async {
        let all = join_all((0..100).map(|i| {
            go(move || {
                yield_now();
                i
            })
            .into_future()
        }))
        .await;
        all.into_iter().map(Result::unwrap).sum::<i32>()
    });
    assert_eq!(LocalPool::new().run_until(on_pool.unwrap()), 4950);
    let here = LocalPool::new().run_until(async { go(|| "here").await });
    assert_eq!(here.unwrap(), "here");
}

#[test]
fn an_awaited_panic_is_the_join_s_error() {
    start();
    let (tx, rx) = chan::bounded::<()>(0);
    let mut late = go(move || {
        rx.recv().unwrap_err();
        panic!("late")
    })
    .into_future();
    assert!(poll_once(&mut late).is_pending());
    drop(tx);
    let error: thread::Result<()> = block_on(late);
    assert_eq!(*error.unwrap_err().downcast::<&str>().unwrap(), "late");
    let early = go(|| panic!("early"));
    until(|| early.is_finished());
    let error: thread::Result<()> = block_on(early);
    assert_eq!(*error.unwrap_err().downcast::<&str>().unwrap(), "early");
}

#[test]
fn the_last_waker_is_the_one_that_is_called_and_once() {
    start();
    let (tx, rx) = chan::bounded::<()>(0);
    let mut join = go(move || rx.recv().is_err()).into_future();
    let (old, new) = (Arc::new(Counting::default()), Arc::new(Counting::default()));
    for counter in [&old, &new] {
        let waker = Waker::from(Arc::clone(counter));
        assert!(
            Pin::new(&mut join)
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    drop(tx);
    until(|| new.0.load(Ordering::SeqCst) == 1);
    assert_eq!(old.0.load(Ordering::SeqCst), 0);
    assert!(matches!(poll_once(&mut join), Poll::Ready(Ok(true))));
    let again = catch_unwind(AssertUnwindSafe(|| poll_once(&mut join)));
    assert!(again.is_err(), "it has given its result");
}

#[test]
fn dropping_the_future_detaches_and_the_result_is_dropped_once() {
    start();
    let census = Census::default();
    for polled in [false, true] {
        let (tx, rx) = chan::bounded::<()>(0);
        let (done_tx, done) = chan::bounded::<()>(0);
        let result = census.birth(0);
        let mut join = go(move || {
            let _ = rx.recv();
            drop(done_tx);
            result
        })
        .into_future();
        if polled {
            assert!(poll_once(&mut join).is_pending());
        }
        drop(join);
        drop(tx);
        assert!(done.recv().is_err());
        until(|| census.alive() == 0);
    }
    // It has ended before.
    let result = census.birth(0);
    let mut join = go(move || result).into_future();
    let _ = poll_once(&mut join);
    settle();
    drop(join);
    until(|| census.alive() == 0);
}

#[test]
fn a_future_becomes_a_handle_again_until_the_goroutine_ends() {
    start();
    let (tx, rx) = chan::bounded::<u32>(0);
    let mut join = go(move || rx.recv().unwrap()).into_future();
    assert!(poll_once(&mut join).is_pending());
    let handle = join.into_handle().unwrap();
    assert!(!handle.is_finished());
    let mut join = handle.into_future();
    assert!(poll_once(&mut join).is_pending());
    tx.send(3).unwrap();
    let join = loop {
        // By and by it has ended; then the future keeps the result.
        match join.into_handle() {
            Ok(handle) if handle.is_finished() => break handle.into_future(),
            Ok(handle) => {
                join = handle.into_future();
                if let Poll::Ready(result) = poll_once(&mut join) {
                    assert_eq!(result.unwrap(), 3);
                    return;
                }
            }
            Err(future) => break future,
        }
        yield_now();
    };
    assert_eq!(block_on(join).unwrap(), 3);
}

#[test]
fn futures_of_others_can_select_over_goroutines() {
    start();
    let (tx, rx) = chan::bounded::<u32>(0);
    let mut slow = go(move || rx.recv()).into_future().fuse();
    let mut quick = go(|| 1).into_future().fuse();
    let mut seen = Vec::new();
    block_on(async {
        loop {
            futures::select! {
                n = quick => { seen.push(n.unwrap()); tx.send(2).unwrap(); }
                n = slow => seen.push(n.unwrap().unwrap()),
                complete => break,
            }
        }
    });
    assert_eq!(seen, [1, 2]);
}

#[test]
fn awaiting_races_with_the_end() {
    start();
    let census = Census::default();
    for round in 0..20_000_u32 {
        let result = census.birth(0);
        let mut join = go(move || {
            if round % 3 == 0 {
                yield_now();
            }
            (round, result)
        })
        .into_future();
        match round % 4 {
            0 => assert_eq!(block_on(join).unwrap().0, round),
            1 => {
                let _ = poll_once(&mut join);
                drop(join);
            }
            2 => {
                let _ = poll_once(&mut join).map(drop);
                // Whatever it is now.
                if let Ok(handle) = join.into_handle() {
                    assert_eq!(handle.join().unwrap().0, round);
                }
            }
            _ => {
                if poll_once(&mut join).is_pending() {
                    assert_eq!(block_on(join).unwrap().0, round);
                }
            }
        }
    }
    until(|| census.alive() == 0);
}

#[test]
fn a_handle_joined_as_ever_is_not_affected() {
    start();
    let many: Vec<_> = (0..1000).map(|i| go(move || i)).collect();
    for (i, one) in many.into_iter().enumerate() {
        assert_eq!(one.join().unwrap(), i);
    }
}

#[test]
fn a_pending_future_can_be_given_up_with_its_goroutine_alive() {
    start();
    let mut never = pin!(pending::<()>());
    assert!(poll_once(&mut never.as_mut()).is_pending());
    let output = block_on(futures::future::select(never, go(|| 5).into_future()));
    let futures::future::Either::Right((five, _)) = output else {
        panic!("pending is never ready");
    };
    assert_eq!(five.unwrap(), 5);
}
