//! A goroutine that holds an address of its thread goes back there; but not for ever.

use std::{cell::Cell, hint::black_box, sync::mpsc, thread, thread::ThreadId, time::Duration};

use goroutines::{chan, go, metrics};
use goroutines_tests::start;

std::thread_local! {
    static OWN: Cell<u64> = const { Cell::new(0) };
}

/// An address of this thread's storage, and the thread.
#[inline(never)]
fn address() -> (*const Cell<u64>, ThreadId) {
    (OWN.with(std::ptr::from_ref), thread::current().id())
}

/// Waits with an address of its thread on its stack, and says on which thread that is.
fn hold(tell: &chan::Sender<ThreadId>, wait: &chan::Receiver<()>) {
    let (held, thread) = address();
    black_box(held);
    tell.send(thread).unwrap();
    wait.recv().unwrap();
    black_box(held);
}

/// Blocks its thread until a goroutine that holds an address of the same thread has gone on. False if that was on
/// another thread from the start.
fn block_the_thread_that_is_waited_for() -> bool {
    let (tell, told) = chan::bounded(1);
    let (let_on, wait) = chan::bounded(1);
    let (done, is_done) = mpsc::channel();
    let holder = go(move || {
        hold(&tell, &wait);
        done.send(()).unwrap();
    });
    let same = told.recv().unwrap() == thread::current().id();
    let_on.send(()).unwrap();
    if same {
        // Not a wait of this crate: the thread is blocked, and the one it waits for may not leave it.
        is_done.recv().unwrap();
    }
    holder.join().unwrap();
    same
}

#[test]
fn a_goroutine_does_not_wait_for_ever_for_a_thread_that_waits_for_it() {
    start(2);
    let before = metrics().sent_back_expired;
    let mut met = 0;
    for _ in 0..1000 {
        met += u32::from(go(block_the_thread_that_is_waited_for).join().unwrap());
        if met >= 3 && metrics().sent_back_expired > before {
            return;
        }
        if met == 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    panic!(
        "{met} times on one thread, {} let go",
        metrics().sent_back_expired - before
    );
}
