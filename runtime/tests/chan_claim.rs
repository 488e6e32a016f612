//! What was sent can be received by any receiver, whatever becomes of the future or the select it was meant for. Two Ps.

mod common;

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker},
    thread,
    time::{Duration, Instant},
};

use common::{Census, settle};
use goroutines::{
    chan::{
        Receiver, RecvTimeoutError, Select, Sender, TryRecvError, bounded, never, select, unbounded,
    },
    context, go, sleep,
};

/// A message takes so long to make that it cannot be mistaken for a deadline.
const LONG: Duration = Duration::from_secs(4);
/// What is over by then did not wait for it.
const IN_TIME: Duration = Duration::from_secs(2);

fn start() {
    common::start(2);
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn channels<T>() -> [(Sender<T>, Receiver<T>); 4] {
    [bounded(0), bounded(1), bounded(7), unbounded()]
}

#[test]
fn messages_of_one_sender_stay_in_order_beside_a_future_that_is_dropped() {
    start();
    for (tx, rx) in channels() {
        let mut pending = rx.recv_async();
        assert!(poll_once(&mut pending).is_pending());
        let sender = go(move || (1..=3).for_each(|n| tx.send(n).unwrap()));
        settle();
        let mut got = vec![rx.recv().unwrap()];
        drop(pending);
        got.extend(rx.iter());
        sender.join().unwrap();
        assert_eq!(got, [1, 2, 3]);
    }
}

#[test]
fn a_future_that_was_overtaken_stays_the_first_in_line() {
    for (tx, rx) in channels() {
        let (mut first, mut second) = (rx.recv_async(), rx.recv_async());
        assert!(poll_once(&mut first).is_pending() && poll_once(&mut second).is_pending());
        tx.try_send(1).unwrap();
        assert_eq!(rx.try_recv(), Ok(1));
        assert!(poll_once(&mut first).is_pending());
        tx.try_send(2).unwrap();
        assert!(poll_once(&mut second).is_pending());
        assert_eq!(poll_once(&mut first), Poll::Ready(Ok(2)));
        tx.try_send(3).unwrap();
        assert_eq!(poll_once(&mut second), Poll::Ready(Ok(3)));
    }
}

/// What a future was told of is there for the waiters behind it, too, when their time is up or the senders are gone.
#[test]
fn a_receiver_behind_a_future_gets_its_message_before_an_error() {
    start();
    for senders_leave in [true, false] {
        let (tx, rx) = bounded(0);
        let mut pending = rx.recv_async();
        assert!(poll_once(&mut pending).is_pending());
        let other = rx.clone();
        let receiver = go(move || other.recv_timeout(Duration::from_millis(500)));
        settle();
        tx.try_send(1).unwrap();
        let kept = (!senders_leave).then_some(tx);
        assert_eq!(receiver.join().unwrap(), Ok(1));
        assert_eq!(poll_once(&mut pending).is_pending(), kept.is_some());
    }
}

/// Forwards, backwards, and in an order that is neither.
fn orders(count: usize) -> [Vec<usize>; 3] {
    let mut random = 1_u64;
    let mut shuffled: Vec<_> = (0..count).collect();
    for at in (1..count).rev() {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        shuffled.swap(at, (random >> 33) as usize % (at + 1));
    }
    [(0..count).collect(), (0..count).rev().collect(), shuffled]
}

/// With a cost that grows with the queue, one of these takes minutes.
#[test]
fn futures_are_dropped_in_any_order_at_the_same_cost() {
    const COUNT: usize = 100_000;
    for order in orders(COUNT) {
        for are_told in [true, false] {
            let (tx, rx) = unbounded();
            let mut all: Vec<_> = (0..COUNT).map(|_| Some(rx.recv_async())).collect();
            for one in all.iter_mut().flatten() {
                assert!(poll_once(one).is_pending());
            }
            if are_told {
                (0..COUNT).for_each(|n| tx.send(n).unwrap());
            }
            let begin = Instant::now();
            order.iter().for_each(|&at| all[at] = None);
            assert!(begin.elapsed() < Duration::from_secs(30));
            assert!(!are_told || rx.try_iter().eq(0..COUNT));
        }
    }
}

/// A select that waits to send into `tx`, and takes its time for the message; `made` counts.
fn slow_select(tx: Sender<u32>, made: &Arc<AtomicUsize>) -> goroutines::JoinHandle<bool> {
    let made = Arc::clone(made);
    let chooser = go(move || {
        select! {
            send(tx, { sleep(LONG); made.fetch_add(1, Ordering::SeqCst); 7 }) -> sent => sent.is_ok(),
            recv(never::<()>()) -> _ => false,
        }
    });
    settle();
    chooser
}

/// A receiver that does not wait that long gets nothing, in time; the next one gets the message.
fn holds_beside_a_slow_select(receive: impl FnOnce(&Receiver<u32>)) {
    start();
    let (tx, rx) = bounded(0);
    let made = Arc::new(AtomicUsize::new(0));
    let chooser = slow_select(tx.clone(), &made);
    let begin = Instant::now();
    receive(&rx);
    assert!(begin.elapsed() < IN_TIME, "{:?}", begin.elapsed());
    assert_eq!(made.load(Ordering::SeqCst), 0);
    assert_eq!(rx.recv(), Ok(7));
    assert!(chooser.join().unwrap());
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    drop(tx);
}

#[test]
fn recv_timeout_does_not_wait_longer_for_a_select_that_makes_its_message() {
    holds_beside_a_slow_select(|rx| {
        let got = rx.recv_timeout(Duration::from_millis(10));
        assert_eq!(got, Err(RecvTimeoutError::Timeout));
    });
}

#[test]
fn try_recv_does_not_wait_for_a_select_that_makes_its_message() {
    holds_beside_a_slow_select(|rx| {
        for _ in 0..10 {
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        }
        assert_eq!(rx.try_iter().next(), None);
    });
}

#[test]
fn a_select_with_a_default_does_not_wait_for_one_that_makes_its_message() {
    holds_beside_a_slow_select(|rx| {
        select! { recv(rx) -> _ => unreachable!(), default => {} }
        select! { recv(rx) -> _ => unreachable!(), recv(never::<()>()) -> _ => {}, default => {} }
        select! { recv(rx) -> _ => unreachable!(), default(Duration::from_millis(10)) => {} }
    });
}

#[test]
fn a_context_ends_the_wait_for_a_select_that_makes_its_message() {
    holds_beside_a_slow_select(|rx| {
        let (ctx, _canceller) =
            context::Context::background().with_timeout(Duration::from_millis(10));
        assert!(rx.recv_ctx(&ctx).is_err());
        let other = rx.clone();
        ctx.run(|| go(move || assert!(other.recv().is_err())))
            .join()
            .unwrap();
    });
}

#[test]
fn a_future_dropped_beside_a_select_that_makes_its_message_leaves_that_to_the_next() {
    holds_beside_a_slow_select(|rx| {
        let mut recv = rx.recv_async();
        assert!(poll_once(&mut recv).is_pending());
    });
}

/// The other way round: the receiver waits first, and the select chooses it.
#[test]
fn a_receive_with_a_deadline_leaves_a_select_that_makes_its_message() {
    start();
    for by_select in [false, true] {
        let (tx, rx) = bounded(0);
        let other = rx.clone();
        let receiver = go(move || {
            let begin = Instant::now();
            let patience = Duration::from_millis(300);
            if by_select {
                select! { recv(other) -> _ => unreachable!(), default(patience) => {} }
            } else {
                assert!(other.recv_timeout(patience).is_err());
            }
            assert!(begin.elapsed() < IN_TIME);
        });
        settle();
        let made = Arc::new(AtomicUsize::new(0));
        let chooser = slow_select(tx, &made);
        receiver.join().unwrap();
        assert_eq!(made.load(Ordering::SeqCst), 0);
        assert_eq!(rx.recv(), Ok(7));
        assert!(chooser.join().unwrap());
    }
}

#[test]
fn a_receiver_that_leaves_a_select_takes_what_another_sender_has() {
    start();
    let (tx, rx) = bounded(0);
    let made = Arc::new(AtomicUsize::new(0));
    let chooser = slow_select(tx.clone(), &made);
    let receiver = go({
        let rx = rx.clone();
        move || rx.recv_timeout(Duration::from_millis(300))
    });
    settle();
    let sender = go(move || tx.send(1).unwrap());
    assert_eq!(receiver.join().unwrap(), Ok(1));
    sender.join().unwrap();
    assert_eq!((made.load(Ordering::SeqCst), rx.recv()), (0, Ok(7)));
    assert!(chooser.join().unwrap());
}

#[test]
fn a_message_whose_receiver_has_left_comes_back_when_all_have() {
    start();
    let census = Census::new();
    let (tx, rx) = bounded(0);
    let births = census.clone();
    let chooser = go(move || {
        select! {
            send(tx, { sleep(Duration::from_millis(50)); births.birth(1) }) -> sent => sent.unwrap_err().into_inner().id,
        }
    });
    settle();
    assert!(rx.recv_timeout(Duration::from_millis(5)).is_err());
    drop(rx);
    assert_eq!(chooser.join().unwrap(), 1);
    assert_eq!(census.alive(), 0);
}

#[test]
fn a_call_that_does_not_wait_gets_the_message_of_a_select_that_has_it_ready() {
    start();
    // Mostly: it stays for a millisecond. What it does not get is there for the next.
    let mut at_once = 0;
    for n in 0..50 {
        let (tx, rx) = bounded(0);
        let chooser = go(move || {
            select! { send(tx, n) -> sent => sent.unwrap(), recv(never::<()>()) -> _ => {} }
        });
        settle();
        match rx.try_recv() {
            Ok(got) => {
                at_once += 1;
                assert_eq!(got, n);
            }
            Err(_) => assert_eq!(rx.recv(), Ok(n)),
        }
        chooser.join().unwrap();
    }
    assert!(at_once > 0);
}

/// A waker that cannot be cloned.
fn bad_waker() -> Waker {
    static TABLE: RawWakerVTable =
        RawWakerVTable::new(|_| panic!("no clone"), |_| (), |_| (), |_| ());
    // SAFETY: the functions do nothing with the data.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE)) }
}

fn poll_fails<F: Future + Unpin>(future: &mut F) {
    let waker = bad_waker();
    let poll = || {
        Pin::new(future)
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
    };
    assert!(catch_unwind(AssertUnwindSafe(poll)).is_err());
}

#[test]
fn a_waker_that_cannot_be_cloned_takes_no_message_along() {
    start();
    // A select waits to send.
    let (tx, rx) = bounded(0);
    let chooser = go(move || {
        select! { send(tx, 7) -> sent => sent.is_ok(), recv(never::<()>()) -> _ => false }
    });
    settle();
    poll_fails(&mut rx.recv_async());
    assert_eq!(rx.recv(), Ok(7));
    assert!(chooser.join().unwrap());
    // A future that waits, and is polled again.
    for (tx, rx) in channels() {
        let mut recv = rx.recv_async();
        assert!(poll_once(&mut recv).is_pending());
        poll_fails(&mut recv);
        tx.try_send(1).unwrap();
        assert_eq!(poll_once(&mut recv), Poll::Ready(Ok(1)));
    }
    // A future that sends.
    let census = Census::new();
    let (tx, rx) = bounded(0);
    let mut send = tx.send_async(census.birth(1));
    poll_fails(&mut send);
    assert_eq!(census.alive(), 1);
    assert!(poll_once(&mut send).is_pending());
    poll_fails(&mut send);
    assert_eq!(rx.try_recv().unwrap().id, 1);
    assert!(matches!(poll_once(&mut send), Poll::Ready(Ok(()))));
    drop(send);
    assert_eq!(census.alive(), 0);
}

/// Not Send; knows where it was made.
struct Local(Rc<Cell<u32>>, thread::ThreadId);

impl Local {
    fn new(shared: &Rc<Cell<u32>>) -> Local {
        Local(Rc::clone(shared), thread::current().id())
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        assert_eq!(self.1, thread::current().id(), "dropped elsewhere");
        self.0.set(self.0.get() + 1);
    }
}

/// A `Select` is Send whatever its channels carry.
#[test]
fn an_operation_that_is_dropped_on_another_thread_drops_no_message() {
    for capacity in [Some(0), Some(4), None] {
        let (tx, rx) = capacity.map_or_else(unbounded, bounded);
        let dropped = Rc::new(Cell::new(0));
        let mut recv = Box::pin(rx.recv_async());
        assert!(poll_once(&mut recv).is_pending());
        let tx: &'static Sender<Local> = Box::leak(Box::new(tx));
        let mut select = Select::new();
        select.send(tx);
        let (has_won, won) = std::sync::mpsc::channel();
        let (may_go, go_on) = std::sync::mpsc::channel::<()>();
        let other = thread::spawn(move || {
            let mut select = select;
            let operation = select.try_select().unwrap();
            has_won.send(()).unwrap();
            go_on.recv().unwrap();
            let drops = || drop(operation);
            assert!(catch_unwind(AssertUnwindSafe(drops)).is_err());
        });
        won.recv().unwrap();
        for _ in 0..3 {
            drop(tx.try_send(Local::new(&dropped)));
        }
        drop(recv);
        drop(rx);
        may_go.send(()).unwrap();
        other.join().unwrap();
        assert_eq!((dropped.get(), Rc::strong_count(&dropped)), (3, 1));
    }
}
