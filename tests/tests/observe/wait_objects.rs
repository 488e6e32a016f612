//! A parked goroutine names the object that it waits on: the same address for all that wait on one object, another for
//! another object, and 0 while it runs.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use goroutines::{
    chan,
    sync::{Mutex, RwLock, WaitGroup},
    yield_now,
};
use goroutines_sched::WaitReason;
use goroutines_tests::{EVERYBODY, Waiting, Who, start};

/// Two that wait on one object, and one that waits on another.
fn assert_told_apart(who: Who, all: &[Waiting; 3]) {
    let [first, second, third] = all.each_ref().map(Waiting::waits_on);
    assert_ne!(first, 0, "{who:?}");
    assert_eq!(first, second, "{who:?}: one object");
    assert_ne!(first, third, "{who:?}: two objects");
}

#[test]
fn receivers_and_senders_name_their_channel() {
    start(2);
    for who in EVERYBODY {
        let (one, other) = (chan::bounded::<u32>(0), chan::bounded::<u32>(0));
        let receives = |from: &chan::Receiver<u32>| {
            let from = from.clone();
            let waiting = who.begins(move || assert!(from.recv().is_err()));
            waiting.waits_for(WaitReason::ChanReceive);
            waiting
        };
        let all = [receives(&one.1), receives(&one.1), receives(&other.1)];
        assert_told_apart(who, &all);
        drop((one.0, other.0));
        all.into_iter().for_each(Waiting::runs_again);
    }
}

#[test]
fn waiters_for_a_lock_name_the_lock() {
    start(2);
    for who in EVERYBODY {
        let [one, other] = [(); 2].map(|()| Arc::new((Mutex::new(()), RwLock::new(()))));
        let held = [&one, &other].map(|locks| (locks.0.lock(), locks.1.write()));
        let locks = |of: &Arc<(Mutex<()>, RwLock<()>)>| {
            let of = of.clone();
            let waiting = who.begins(move || drop(of.0.lock()));
            waiting.waits_for(WaitReason::MutexLock);
            waiting
        };
        let reads = |of: &Arc<(Mutex<()>, RwLock<()>)>| {
            let of = of.clone();
            let waiting = who.begins(move || drop(of.1.read()));
            waiting.waits_for(WaitReason::RwLockRead);
            waiting
        };
        let both = [
            [locks(&one), locks(&one), locks(&other)],
            [reads(&one), reads(&one), reads(&other)],
        ];
        both.iter().for_each(|all| assert_told_apart(who, all));
        drop(held);
        both.into_iter().flatten().for_each(Waiting::runs_again);
    }
}

#[test]
fn waiters_for_a_group_name_the_group() {
    start(2);
    for who in EVERYBODY {
        let [one, other] = [(); 2].map(|()| WaitGroup::new());
        let waits = |group: &WaitGroup| {
            let group = group.clone();
            let waiting = who.begins(move || group.wait());
            waiting.waits_for(WaitReason::WaitGroupWait);
            waiting
        };
        // The handles of this function keep both waiting.
        let all = [waits(&one), waits(&one), waits(&other)];
        assert_told_apart(who, &all);
        drop((one, other));
        all.into_iter().for_each(Waiting::runs_again);
    }
}

#[test]
fn a_goroutine_that_runs_names_no_object() {
    start(2);
    let stop = Arc::new(AtomicBool::new(false));
    let one = Who::Goroutine.begins({
        let stop = stop.clone();
        // Relaxed: nothing else is told by it.
        move || {
            let (tx, rx) = chan::bounded(1);
            while !stop.load(Ordering::Relaxed) {
                tx.send(()).unwrap();
                rx.recv().unwrap();
                yield_now();
            }
        }
    });
    for _ in 0..10_000 {
        assert_eq!(one.waits_on(), 0);
    }
    stop.store(true, Ordering::Relaxed); // Relaxed: as above.
    one.runs_again();
}
