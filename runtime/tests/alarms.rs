//! Futures of channels whose messages a clock makes: what they cost, and that each is woken.

mod common;

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use common::until;
use goroutines::{block_on, chan, go, metrics};

const LONG: Duration = Duration::from_secs(3600);

/// One test at a time: they count the goroutines of the process.
fn start() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    common::start(2);
    let alone = ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    // The goroutines of the test before may just be ending.
    until(|| goroutines() == 0);
    alone
}

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Count>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

fn goroutines() -> u64 {
    metrics().goroutines
}

#[test]
fn ten_thousand_futures_on_clocks_need_one_goroutine_and_leave_none() {
    let _alone = start();
    let before = goroutines();
    let (shared, beat) = (chan::after(LONG), chan::tick(LONG));
    let own: Vec<_> = (0..4_000)
        .map(|n| chan::after(LONG + Duration::from_millis(n)))
        .collect();
    let mut futures: Vec<_> = own.iter().map(|rx| rx.recv_async()).collect();
    futures.extend((0..3_000).flat_map(|_| [shared.recv_async(), beat.recv_async()]));
    for _ in 0..2 {
        for future in &mut futures {
            assert!(poll_with(future, Waker::noop()).is_pending());
        }
    }
    assert_eq!(futures.len(), 10_000);
    let with_them = goroutines();
    assert!(
        with_them <= before + 1,
        "{before} before, {with_them} with them"
    );
    drop(futures);
    until(|| goroutines() == before);
}

#[test]
fn each_future_is_woken_when_its_moment_comes_also_those_that_come_before_others() {
    let _alone = start();
    let before = goroutines();
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    // Later ones first, so that the one that keeps the time has to wake up earlier each time.
    let clocks: Vec<_> = (0..200)
        .rev()
        .map(|n| chan::after(Duration::from_millis(100 + n)))
        .collect();
    let began = Instant::now();
    let mut futures: Vec<_> = clocks.iter().map(|rx| rx.recv_async()).collect();
    let pending = futures
        .iter_mut()
        .filter_map(|one| poll_with(one, &waker).is_pending().then_some(()));
    // On a slow machine the first ones have a message already.
    let pending = pending.count() as u32;
    until(|| count.0.load(Ordering::SeqCst) == pending);
    if pending > 0 {
        assert!(began.elapsed() >= Duration::from_millis(100));
    }
    for (future, clock) in futures.iter_mut().zip(&clocks) {
        if clock.len() == 1 {
            assert!(matches!(poll_with(future, &waker), Poll::Ready(Ok(_))));
        }
    }
    drop(futures);
    until(|| goroutines() == before);
    assert_eq!(
        count.0.load(Ordering::SeqCst),
        pending,
        "nobody is woken twice"
    );
}

#[test]
fn a_future_wakes_the_last_one_that_has_polled_it() {
    let _alone = start();
    let (first, last) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let clock = chan::after(Duration::from_millis(100));
    let mut future = clock.recv_async();
    let polls =
        [&first, &last].map(|count| poll_with(&mut future, &Waker::from(Arc::clone(count))));
    if polls.iter().all(Poll::is_pending) {
        until(|| last.0.load(Ordering::SeqCst) == 1);
        assert_eq!(first.0.load(Ordering::SeqCst), 0);
        assert_eq!(Arc::strong_count(&first), 1, "its waker is dropped");
    }
}

/// A waker that blocks until it is let go.
struct Blocks(chan::Receiver<()>);

impl Wake for Blocks {
    fn wake(self: Arc<Blocks>) {
        let _ = self.0.recv();
    }
}

#[test]
fn a_waker_that_blocks_holds_up_no_other() {
    let _alone = start();
    let before = goroutines();
    let (sent_back_expired, blocked) = chan::bounded(0);
    let clock = chan::after(Duration::from_millis(1));
    let mut future = clock.recv_async();
    let _ = poll_with(&mut future, &Waker::from(Arc::new(Blocks(blocked))));
    common::settle();
    for _ in 0..3 {
        let other = go(|| block_on(chan::after(Duration::from_millis(1)).recv_async()));
        assert!(other.join().unwrap().is_ok());
    }
    drop((sent_back_expired, future));
    until(|| goroutines() == before);
}

#[test]
fn a_stream_of_ticks_gets_each_beat() {
    let _alone = start();
    use futures::StreamExt;
    let ticks = chan::tick(Duration::from_millis(2));
    let beats: Vec<_> = block_on(ticks.stream().take(20).collect());
    assert!(
        beats
            .windows(2)
            .all(|two| two[1] - two[0] >= Duration::from_millis(2))
    );
}
