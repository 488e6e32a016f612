//! A set of goroutines gives each end once, in the order of the ends, and tells those that are left when it goes. The end
//! of one goroutine is a case of a select.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread as os,
    time::{Duration, Instant},
};

use goroutines::{
    Builder, JoinNextTimeoutError, JoinSet, chan,
    context::{Context, ContextError},
    go,
};
use goroutines_tests::{start, until};

#[test]
fn ends_come_in_their_order_and_once_each() {
    start(2);
    go(|| {
        let mut set = JoinSet::new();
        let (tx, rx): (Vec<_>, Vec<_>) = (0..10).map(|_| chan::bounded::<()>(0)).unzip();
        for (i, rx) in rx.into_iter().enumerate() {
            set.spawn(move || {
                assert!(rx.recv().is_err());
                i
            });
        }
        assert_eq!(set.len(), 10);
        for (i, tx) in tx.into_iter().enumerate().rev() {
            assert!(set.try_join_next().is_none());
            drop(tx);
            assert_eq!(set.join_next().unwrap().unwrap(), i);
            assert_eq!(set.len(), i);
        }
        assert!(set.is_empty() && set.join_next().is_none() && set.try_join_next().is_none());
        assert_eq!(
            set.join_next_timeout(Duration::MAX)
                .map(|end| end.is_none()),
            Ok(true)
        );
        let background = Context::background();
        assert_eq!(
            set.join_next_ctx(&background).map(|end| end.is_none()),
            Ok(true)
        );
        // It can be filled again.
        let id = set.spawn(|| 11);
        let (ended, result) = set.join_next_with_id().unwrap();
        assert_eq!((ended, result.unwrap()), (id, 11));
    })
    .join()
    .unwrap();
}

#[test]
fn plain_threads_use_a_set_as_goroutines_do() {
    start(2);
    let mut set = JoinSet::default();
    for i in 0..100_u64 {
        set.spawn(move || i);
    }
    assert_eq!(set.join_all().into_iter().sum::<u64>(), 4950);
}

#[test]
fn a_panic_is_the_result_of_its_goroutine_and_of_join_all() {
    start(2);
    let mut set = JoinSet::<()>::new();
    let name = Builder::new().name("fails".to_owned());
    set.spawn_with(name, || panic!("on purpose")).unwrap();
    let payload = set.join_next().unwrap().unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"on purpose"));

    set.spawn(|| panic!("once more"));
    let context = set.context().clone();
    let all = catch_unwind(AssertUnwindSafe(|| set.join_all()));
    assert_eq!(all.unwrap_err().downcast_ref(), Some(&"once more"));
    assert!(context.is_cancelled(), "those that are left are told");
}

#[test]
fn a_wait_for_the_next_end_has_its_time_or_a_context() {
    start(2);
    let mut set = JoinSet::new();
    let (tx, rx) = chan::bounded::<u8>(0);
    set.spawn(move || rx.recv());
    let wait = set.join_next_timeout(Duration::from_millis(1));
    assert_eq!(wait.unwrap_err(), JoinNextTimeoutError);
    let wait = set.join_next_deadline(Instant::now());
    assert_eq!(wait.unwrap_err(), JoinNextTimeoutError);
    let (context, canceller) = Context::background().with_cancel();
    let cancels = go(move || canceller.cancel());
    let wait = set.join_next_ctx(&context);
    assert_eq!(wait.unwrap_err(), ContextError::Cancelled);
    cancels.join().unwrap();
    // As a join, it does not end with the caller's context.
    let sends = go(move || tx.send(7).unwrap());
    assert_eq!(context.run(|| set.join_next()).unwrap().unwrap(), Ok(7));
    sends.join().unwrap();
}

/// Counts its drops.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        // Relaxed: the waits below look until the number is there.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A set of `n` goroutines that wait for their context's end and return what counts its drop.
fn waiting(n: usize) -> (JoinSet<Dropped>, Arc<AtomicUsize>) {
    let (mut set, count) = (JoinSet::new(), Arc::<AtomicUsize>::default());
    for _ in 0..n {
        let dropped = Dropped(Arc::clone(&count));
        set.spawn(move || {
            assert!(Context::current().done().recv().is_err());
            dropped
        });
    }
    (set, count)
}

#[test]
fn a_set_that_is_dropped_tells_its_goroutines_and_their_results_are_dropped() {
    start(2);
    let (set, count) = waiting(20);
    assert_eq!(count.load(Ordering::Relaxed), 0);
    drop(set);
    until("all are dropped", || count.load(Ordering::Relaxed) == 20);
}

#[test]
fn a_shutdown_returns_when_all_have_ended() {
    start(2);
    let (mut set, count) = waiting(20);
    set.shutdown();
    assert_eq!((set.len(), count.load(Ordering::Relaxed)), (0, 20));
}

#[test]
fn those_that_are_detached_run_on_when_the_set_is_gone() {
    start(2);
    let (tx, rx) = chan::bounded::<u8>(0);
    let (done, is_done) = chan::bounded(1);
    let mut set = JoinSet::new();
    set.spawn(move || {
        let received = rx.recv();
        assert!(!Context::current().is_cancelled());
        done.send(received).unwrap();
    });
    let before = set.context().clone();
    set.detach_all();
    assert!(set.is_empty() && set.join_next().is_none());
    drop(set);
    assert!(!before.is_cancelled());
    tx.send(5).unwrap();
    assert_eq!(is_done.recv().unwrap(), Ok(5));
}

#[test]
fn a_select_gets_an_end_beside_other_channels() {
    start(2);
    let mut set = JoinSet::new();
    let (tx, rx) = chan::bounded::<u8>(0);
    let id = set.spawn(move || rx.recv());
    chan::select! {
        recv(set.ended()) -> _ => panic!("it waits for a message"),
        send(tx, 3) -> sent => sent.unwrap(),
    }
    let ended = chan::select! {
        recv(set.ended()) -> ended => ended.unwrap(),
        recv(chan::never::<()>()) -> _ => unreachable!("nothing sends"),
    };
    // It counts until it is dropped.
    assert_eq!((set.len(), ended.id()), (1, id));
    assert_eq!(ended.into_result().unwrap(), Ok(3));
    assert!(set.is_empty());
}

#[test]
fn many_that_end_at_once_are_all_there() {
    start(4);
    for round in 0..20 {
        let mut set = JoinSet::new();
        for i in 0..500_u64 {
            set.spawn(move || i + round);
        }
        let on_a_thread = os::spawn(move || {
            let mut sum = 0;
            while let Some(result) = set.join_next() {
                sum += result.unwrap();
            }
            sum
        });
        assert_eq!(on_a_thread.join().unwrap(), 499 * 250 + 500 * round);
    }
}

#[test]
fn the_end_of_a_goroutine_is_a_case_of_a_select() {
    start(2);
    go(|| {
        let (tx, rx) = chan::bounded::<u8>(0);
        let done = go(move || rx.recv()).done();
        let others = done.receiver().clone();
        chan::select! {
            recv(done.receiver()) -> _ => panic!("it waits for a message"),
            send(tx, 3) -> sent => sent.unwrap(),
        }
        chan::select! {
            recv(done.receiver()) -> end => assert!(end.is_err()),
            recv(chan::never::<()>()) -> _ => unreachable!("nothing sends"),
        }
        assert!(others.recv().is_err());
        assert_eq!(done.join().unwrap(), Ok(3));
    })
    .join()
    .unwrap();
}

#[test]
fn an_end_that_has_come_before_and_a_panic_are_told_too() {
    start(2);
    let fails = go(|| -> () { panic!("on purpose") });
    until("it has ended", || fails.is_finished());
    let done = fails.done();
    assert!(done.receiver().recv().is_err());
    let payload = done.join().unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
}

#[test]
fn a_join_that_does_not_wait_for_the_receiver_tells_its_clones_only_at_the_end() {
    start(2);
    let (tx, rx) = chan::bounded::<u8>(0);
    let (tell, told) = chan::bounded(1);
    let ended = Arc::<AtomicUsize>::default();
    let done = go({
        let ended = Arc::clone(&ended);
        move || {
            let message = rx.recv().unwrap();
            ended.store(1, Ordering::Release);
            message
        }
    })
    .done();
    let others = done.receiver().clone();
    let watches = go({
        let ended = Arc::clone(&ended);
        move || {
            tell.send(()).unwrap();
            assert!(others.recv().is_err());
            // Acquire: partner is the store before the end.
            assert_eq!(ended.load(Ordering::Acquire), 1);
        }
    });
    told.recv().unwrap();
    let joins = go(move || done.join().unwrap());
    goroutines::sleep(Duration::from_millis(5));
    tx.send(9).unwrap();
    assert_eq!(joins.join().unwrap(), 9);
    watches.join().unwrap();
}

#[test]
fn a_handle_comes_back_while_its_goroutine_runs() {
    start(2);
    let (tx, rx) = chan::bounded::<u8>(0);
    let done = go(move || rx.recv()).done();
    let handle = done.into_handle().unwrap();
    tx.send(4).unwrap();
    assert_eq!(handle.join().unwrap(), Ok(4));

    let over = go(|| 5);
    until("it has ended", || over.is_finished());
    let over = over.done().into_handle().unwrap_err();
    assert_eq!(over.join().unwrap(), 5);
}
