//! A parked goroutine has the reason of its wait, whatever it waits for; a running one has none.

use std::{
    future::{pending, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::{Poll, Waker},
    time::Duration,
};

use goroutines::{
    block_on, blocking,
    chan::{self, Select, select},
    context::Context,
    go, set_gomaxprocs, sleep,
    sync::{Barrier, Condvar, Mutex, Once, RwLock, Semaphore, WaitGroup},
    thread, yield_now,
};
use goroutines_sched::WaitReason;
use goroutines_tests::{EVERYBODY, Who, start, until};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_receiver_waits_for_a_message() {
    start(2);
    for who in EVERYBODY {
        for timed in [false, true] {
            let (tx, rx) = chan::bounded::<u32>(if timed { 1 } else { 0 });
            let one = who.begins(move || {
                let received = if timed {
                    rx.recv_timeout(LONG).ok()
                } else {
                    rx.recv().ok()
                };
                assert_eq!(received, Some(1));
            });
            one.waits_for(WaitReason::ChanReceive);
            tx.send(1).unwrap();
            one.runs_again();
        }
    }
}

#[test]
fn a_sender_waits_for_a_receiver_or_for_room() {
    start(2);
    for who in EVERYBODY {
        for timed in [false, true] {
            let (tx, rx) = chan::bounded::<u32>(0);
            let one = who.begins(move || {
                if timed {
                    tx.send_timeout(1, LONG).unwrap();
                } else {
                    tx.send(1).unwrap();
                }
            });
            one.waits_for(WaitReason::ChanSend);
            assert_eq!(rx.recv(), Ok(1));
            one.runs_again();
        }
    }
}

#[test]
fn a_wait_for_the_moment_of_a_clock_is_a_receive() {
    start(2);
    for who in EVERYBODY {
        let one = who.begins(|| assert!(chan::after(LONG).recv().is_ok()));
        one.waits_for(WaitReason::ChanReceive);
    }
}

#[test]
fn a_select_is_one_whatever_its_cases_are() {
    start(2);
    for who in EVERYBODY {
        let (tx, rx) = chan::bounded::<u32>(0);
        let full = chan::bounded::<u32>(0);
        let one = who.begins(move || {
            select! {
                recv(rx) -> msg => assert_eq!(msg, Ok(1)),
                send(full.0, 2) -> _ => panic!("nobody receives"),
            }
        });
        one.waits_for(WaitReason::Select);
        tx.send(1).unwrap();
        one.runs_again();

        let (tx, rx) = chan::bounded::<u32>(1);
        let one = who.begins(move || {
            let mut select = Select::new();
            select.recv(&rx);
            assert_eq!(select.ready(), 0);
            assert_eq!(rx.recv(), Ok(1));
        });
        one.waits_for(WaitReason::Select);
        tx.send(1).unwrap();
        one.runs_again();
    }
}

#[test]
fn under_a_context_the_reason_is_the_same() {
    start(2);
    for who in [Who::Goroutine, Who::Copied, Who::Thread] {
        let begins = |wait: fn()| {
            let (ctx, canceller) = Context::background().with_cancel();
            (who.begins(move || ctx.run(wait)), canceller)
        };
        let waits: [(fn(), WaitReason); 4] = [
            (
                || assert!(chan::never::<()>().recv().is_err()),
                WaitReason::ChanReceive,
            ),
            (
                || {
                    let (tx, _rx) = chan::bounded::<u32>(0);
                    assert!(tx.send(1).is_err());
                },
                WaitReason::ChanSend,
            ),
            (|| sleep(LONG), WaitReason::Sleep),
            (
                || {
                    let group = WaitGroup::new();
                    let _other = group.clone();
                    assert!(group.wait_ctx(&Context::current()).is_err());
                },
                WaitReason::WaitGroupWait,
            ),
        ];
        for (wait, reason) in waits {
            let (one, canceller) = begins(wait);
            one.waits_for(reason);
            canceller.cancel();
            one.runs_again();
        }
    }
}

#[test]
fn locks_say_how_they_are_to_be_taken() {
    start(2);
    for who in EVERYBODY {
        let mutex = Arc::new(Mutex::new(()));
        let held = mutex.lock();
        let one = who.begins({
            let mutex = mutex.clone();
            move || drop(mutex.lock())
        });
        one.waits_for(WaitReason::MutexLock);
        drop(held);
        one.runs_again();

        let held = mutex.lock();
        let one = who.begins({
            let mutex = mutex.clone();
            move || drop(mutex.try_lock_for(LONG))
        });
        one.waits_for(WaitReason::MutexLock);
        drop(held);
        one.runs_again();

        let lock = Arc::new(RwLock::new(()));
        let held = lock.write();
        let one = who.begins({
            let lock = lock.clone();
            move || drop(lock.read())
        });
        one.waits_for(WaitReason::RwLockRead);
        let other = who.begins({
            let lock = lock.clone();
            move || drop(lock.write())
        });
        other.waits_for(WaitReason::RwLockWrite);
        drop(held);
        one.runs_again();
        other.runs_again();
    }
}

#[test]
fn a_condvar_is_waited_for_and_then_its_mutex() {
    start(2);
    for who in EVERYBODY {
        let pair = Arc::new((Mutex::new(()), Condvar::new()));
        let one = who.begins({
            let pair = pair.clone();
            move || {
                let guard = pair.0.lock().unwrap_or_else(|held| held.into_inner());
                drop(pair.1.wait(guard));
            }
        });
        one.waits_for(WaitReason::CondvarWait);
        let held = pair.0.lock();
        pair.1.notify_all();
        one.waits_for(WaitReason::MutexLock);
        drop(held);
        one.runs_again();
    }
}

#[test]
fn semaphores_wait_groups_barriers_and_onces_are_told_apart() {
    start(2);
    for who in EVERYBODY {
        let semaphore = Arc::new(Semaphore::new(0));
        let one = who.begins({
            let semaphore = semaphore.clone();
            move || drop(semaphore.acquire())
        });
        one.waits_for(WaitReason::SemaphoreAcquire);
        semaphore.add_permits(1);
        one.runs_again();

        let group = WaitGroup::new();
        let one = who.begins({
            let group = group.clone();
            move || group.wait()
        });
        one.waits_for(WaitReason::WaitGroupWait);
        drop(group);
        one.runs_again();

        let barrier = Arc::new(Barrier::new(2));
        let one = who.begins({
            let barrier = barrier.clone();
            move || assert!(!barrier.wait().is_leader())
        });
        one.waits_for(WaitReason::BarrierWait);
        barrier.wait();
        one.runs_again();

        let once = Arc::new(Once::new());
        let (end, ends) = chan::bounded::<()>(0);
        let first = Who::Goroutine.begins({
            let once = once.clone();
            move || once.call_once(|| ends.recv().unwrap())
        });
        first.waits_for(WaitReason::ChanReceive);
        let one = who.begins(move || once.call_once(|| panic!("it has run")));
        one.waits_for(WaitReason::Once);
        end.send(()).unwrap();
        one.runs_again();
        first.runs_again();
    }
}

#[test]
fn the_end_of_goroutines_is_a_join_or_a_scope() {
    start(2);
    for who in EVERYBODY {
        for timed in [false, true] {
            let (end, ends) = chan::bounded::<()>(0);
            let joined = go(move || ends.recv().unwrap());
            let one = who.begins(move || {
                if timed {
                    joined.join_timeout(LONG).unwrap().unwrap();
                } else {
                    joined.join().unwrap();
                }
            });
            one.waits_for(WaitReason::Join);
            end.send(()).unwrap();
            one.runs_again();
        }
        let (end, ends) = chan::bounded::<()>(0);
        let one = who.begins(move || {
            thread::scope(|scope| {
                scope.spawn(|| ends.recv().unwrap());
            });
        });
        one.waits_for(WaitReason::Scope);
        end.send(()).unwrap();
        one.runs_again();
    }
}

#[test]
fn a_goroutine_that_parks_or_awaits_has_that_reason() {
    start(2);
    for who in EVERYBODY {
        let (say, thread) = mpsc::channel();
        let one = who.begins(move || {
            say.send(thread::current()).unwrap();
            thread::park();
        });
        let thread = thread.recv().unwrap();
        one.waits_for(WaitReason::Park);
        thread.unpark();
        one.runs_again();

        let (say, waker) = mpsc::channel::<Waker>();
        let one = who.begins(move || {
            let mut polled = false;
            block_on(poll_fn(|context| {
                if polled {
                    return Poll::Ready(());
                }
                polled = true;
                say.send(context.waker().clone()).unwrap();
                Poll::Pending
            }));
        });
        one.waits_for(WaitReason::Future);
        waker.recv().unwrap().wake();
        one.runs_again();
    }
    Who::Goroutine
        .begins(|| block_on(pending::<()>()))
        .waits_for(WaitReason::Future);
}

#[test]
fn a_goroutine_that_sleeps_has_that_reason() {
    start(2);
    for who in [
        Who::Goroutine,
        Who::Copied,
        Who::UnwindingPinned,
        Who::Unwinding,
    ] {
        who.begins(|| sleep(LONG)).waits_for(WaitReason::Sleep);
        who.begins(|| sleep(Duration::MAX))
            .waits_for(WaitReason::Sleep);
    }
}

#[test]
fn a_blocking_call_is_a_wait_of_its_own() {
    start(2);
    let (end, ends) = mpsc::channel::<()>();
    let one = Who::Goroutine.begins(move || blocking(|| ends.recv().unwrap()));
    one.waits_for(WaitReason::BlockingCall);
    end.send(()).unwrap();
    one.runs_again();
}

#[test]
fn a_change_of_the_number_of_ps_waits_for_those_that_are_too_many() {
    start(2);
    // sysmon may take the P from its goroutine at once: then the wait is too short to be seen.
    until("it waits for the Ps", || {
        // A P is put down between two goroutines: both have one that does not end.
        let stop = Arc::new(AtomicBool::new(false));
        let running = Arc::new(AtomicUsize::new(0));
        let busy: Vec<_> = (0..2)
            .map(|_| {
                let (stop, running) = (stop.clone(), running.clone());
                go(move || {
                    running.fetch_add(1, Ordering::Relaxed); // Relaxed (both): nothing else is told by it.
                    while !stop.load(Ordering::Relaxed) {}
                })
            })
            .collect();
        // Relaxed: as above.
        while running.load(Ordering::Relaxed) < 2 {
            std::thread::yield_now();
        }
        let one = Who::Thread.begins(|| _ = set_gomaxprocs(1));
        let seen = (0..10_000).any(|_| one.wait_reason() == Some(WaitReason::SetProcs));
        stop.store(true, Ordering::Relaxed); // Relaxed: as above.
        one.runs_again();
        set_gomaxprocs(2);
        busy.into_iter().for_each(|one| one.join().unwrap());
        seen
    });
}

#[test]
fn a_goroutine_that_yields_or_computes_has_no_reason() {
    start(2);
    let stop = Arc::new(AtomicBool::new(false));
    let one = Who::Goroutine.begins({
        let stop = stop.clone();
        // Relaxed: nothing else is told by it.
        move || {
            let (tx, _rx) = chan::bounded(1);
            tx.send(()).unwrap(); // there is room
            while !stop.load(Ordering::Relaxed) {
                yield_now();
            }
        }
    });
    for _ in 0..100_000 {
        assert_eq!(one.wait_reason(), None);
    }
    stop.store(true, Ordering::Relaxed); // Relaxed: as above.
    one.runs_again();
}
