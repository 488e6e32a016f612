//! Futures on the only P: one that wakes itself lets the others go.

mod common;

use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicU32, Ordering},
    task::{Context, Poll},
};

use goroutines::{block_on, go, yield_now};

/// Pending once, and wakes itself: what executors know as `yield_now().await`.
struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[test]
fn a_future_that_wakes_itself_lets_the_others_go_each_time() {
    common::start(1);
    const ROUNDS: u32 = 500;
    static TURN: AtomicU32 = AtomicU32::new(0);
    let other = go(|| {
        for round in 0..ROUNDS {
            while TURN.load(Ordering::Acquire) != 2 * round + 1 {
                yield_now();
            }
            TURN.store(2 * round + 2, Ordering::Release);
        }
    });
    let polls = go(|| {
        block_on(async {
            let mut polls = 0;
            for round in 0..ROUNDS {
                TURN.store(2 * round + 1, Ordering::Release);
                while TURN.load(Ordering::Acquire) != 2 * round + 2 {
                    polls += 1;
                    Once(false).await;
                }
            }
            polls
        })
    });
    let polls = polls.join().unwrap();
    other.join().unwrap();
    assert!(polls <= 2 * ROUNDS, "{polls} polls for {ROUNDS} rounds");
}
