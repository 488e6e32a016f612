//! The number of Ps changes while everything runs: nothing is lost, and no more goroutines run at once than Ps.

use std::{
    panic,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use goroutines::{blocking, chan, go, gomaxprocs, metrics, set_gomaxprocs, sleep, yield_now};
use goroutines_tests::{Dice, alone};

/// One test at a time, which begins with two Ps.
fn two_ps() -> MutexGuard<'static, ()> {
    let alone = alone(2);
    set_gomaxprocs(2);
    alone
}

#[test]
fn the_number_before_is_returned_and_the_new_one_is_in_force() {
    let _alone = two_ps();
    assert_eq!(set_gomaxprocs(5), 2);
    assert_eq!(
        (gomaxprocs(), metrics().gomaxprocs, metrics().procs.len()),
        (5, 5, 5)
    );
    let from_goroutine = go(|| set_gomaxprocs(1));
    assert_eq!(from_goroutine.join().unwrap(), 5);
    assert_eq!((gomaxprocs(), metrics().procs.len()), (1, 1));
    assert_eq!(set_gomaxprocs(1), 1);
}

#[test]
fn a_number_that_cannot_be_is_refused_and_changes_nothing() {
    let _alone = two_ps();
    for (bad, says) in [
        (
            0,
            "set_gomaxprocs: 0 processors; give a number from 1 to 4096",
        ),
        (
            4097,
            "set_gomaxprocs: 4097 processors; give a number from 1 to 4096",
        ),
    ] {
        let error = panic::catch_unwind(|| set_gomaxprocs(bad)).unwrap_err();
        assert_eq!(
            error.downcast_ref::<String>().map(String::as_str),
            Some(says)
        );
    }
    assert_eq!(gomaxprocs(), 2);
    assert_eq!(go(|| 7).join().unwrap(), 7);
}

#[test]
fn with_one_p_left_no_two_goroutines_run_at_once() {
    let _alone = two_ps();
    for many in [2, 4, 8] {
        set_gomaxprocs(many);
        let stop = Arc::new(AtomicBool::new(false));
        let counting = Arc::new(AtomicBool::new(false));
        let begun = Arc::new(AtomicU64::new(0));
        let all: Vec<_> = (0..20)
            .map(|_| {
                let (stop, begun) = (Arc::clone(&stop), Arc::clone(&begun));
                let counting = Arc::clone(&counting);
                go(move || {
                    let (mut rounds, mut disturbed) = (0_u64, 0_u64);
                    // SeqCst (all): the test argues about the order of all of them.
                    while !stop.load(Ordering::SeqCst) {
                        let counts = counting.load(Ordering::SeqCst);
                        let mine = begun.fetch_add(1, Ordering::SeqCst) + 1;
                        (0..200).for_each(|_| std::hint::spin_loop());
                        if counts {
                            rounds += 1;
                            disturbed += u64::from(begun.load(Ordering::SeqCst) != mine);
                        }
                        yield_now();
                    }
                    (rounds, disturbed)
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(10));
        set_gomaxprocs(1);
        counting.store(true, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(30));
        stop.store(true, Ordering::SeqCst);
        let counts = all.into_iter().map(|g| g.join().unwrap());
        let (rounds, disturbed) = counts.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        // Not none: a round whose thread has lost its CPU for milliseconds loses its P, and others run.
        assert!(
            rounds > 20 && disturbed * 20 <= rounds,
            "{disturbed} of {rounds} rounds, {many} Ps before"
        );
    }
}

#[test]
fn sleepers_wake_in_time_on_other_ps_than_they_fell_asleep_on() {
    let _alone = two_ps();
    set_gomaxprocs(8);
    let begin = Instant::now();
    let sleepers: Vec<_> = (0..400)
        .map(|i| {
            go(move || {
                yield_now();
                sleep(Duration::from_millis(100 + i % 50));
                begin.elapsed()
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(20));
    set_gomaxprocs(1);
    let late = Duration::from_secs(5);
    for sleeper in sleepers {
        let woken = sleeper.join().unwrap();
        assert!(
            woken >= Duration::from_millis(100) && woken < late,
            "{woken:?}"
        );
    }
}

#[test]
fn a_p_leaves_an_m_that_computes_or_blocks_unannounced() {
    let _alone = two_ps();
    set_gomaxprocs(3);
    let stop = Arc::new(AtomicBool::new(false));
    let hogs: Vec<_> = (0..3)
        .map(|i| {
            let stop = Arc::clone(&stop);
            go(move || {
                // Relaxed: read until it is seen.
                while !stop.load(Ordering::Relaxed) {
                    if i == 0 {
                        thread::sleep(Duration::from_millis(1));
                    }
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(5));
    // Returns although none of them makes a call.
    assert_eq!(set_gomaxprocs(1), 3);
    assert_eq!(go(|| 5).join().unwrap(), 5);
    stop.store(true, Ordering::Relaxed);
    hogs.into_iter().for_each(|g| g.join().unwrap());
}

#[test]
fn a_lent_p_can_leave() {
    let _alone = two_ps();
    set_gomaxprocs(2);
    let (to_thread, waits) = std::sync::mpsc::channel::<()>();
    let (inside, is_inside) = std::sync::mpsc::channel();
    let blocked = go(move || {
        blocking(|| {
            inside.send(()).unwrap();
            waits.recv().is_ok()
        })
    });
    is_inside.recv().unwrap();
    assert_eq!(set_gomaxprocs(1), 2);
    to_thread.send(()).unwrap();
    assert!(blocked.join().unwrap());
}

/// Sets the number of Ps at random until `stop`.
fn change_at_random(seed: u64, changes: &AtomicU64, stop: &AtomicBool) {
    let mut dice = Dice::new(seed);
    // Relaxed (both): read until it is seen; a count.
    while !stop.load(Ordering::Relaxed) {
        set_gomaxprocs(1 + dice.roll(8));
        sleep(dice.micros(300));
        changes.fetch_add(1, Ordering::Relaxed);
    }
}

/// Twenty goroutines that do all kinds of things send to one, which adds up. Returns the sum that it must find.
fn party(round: u64) -> (u64, goroutines::JoinHandle<u64>) {
    let (tx, rx) = chan::bounded(round as usize % 3);
    for i in 0..20_u64 {
        let tx = tx.clone();
        drop(go(move || {
            for k in 0..10 {
                match (i + k) % 7 {
                    0 => yield_now(),
                    1 => sleep(Duration::from_micros(50 * k)),
                    2 => blocking(|| thread::sleep(Duration::from_micros(20))),
                    3 if i == 3 => thread::sleep(Duration::from_micros(200)),
                    _ => {}
                }
                tx.send(i).unwrap();
            }
        }));
    }
    (
        10 * (0..20).sum::<u64>(),
        go(move || rx.iter().sum::<u64>()),
    )
}

#[test]
fn nothing_is_lost_while_the_number_changes_at_random() {
    let _alone = two_ps();
    let stop = Arc::new(AtomicBool::new(false));
    let changes = Arc::new(AtomicU64::new(0));
    let change = |seed| {
        let (stop, changes) = (Arc::clone(&stop), Arc::clone(&changes));
        move || change_at_random(seed, &changes, &stop)
    };
    // From two sides: a goroutine and a thread.
    let (changer, thread) = (go(change(1)), thread::spawn(change(2)));
    let mut round = 0;
    // Relaxed: a count.
    while changes.load(Ordering::Relaxed) < 200 {
        let parties: Vec<_> = (round..round + 20).map(party).collect();
        for (expected, sum) in parties {
            assert_eq!(sum.join().unwrap(), expected);
        }
        round += 20;
    }
    stop.store(true, Ordering::Relaxed);
    changer.join().unwrap();
    thread.join().unwrap();
}

#[test]
fn the_number_may_change_in_a_destructor_while_the_goroutine_unwinds() {
    struct Changes;
    impl Drop for Changes {
        fn drop(&mut self) {
            set_gomaxprocs(1);
        }
    }
    let _alone = two_ps();
    for _ in 0..20 {
        set_gomaxprocs(2);
        let unwinds = go(|| {
            let _changes = Changes;
            panic::resume_unwind(Box::new(7));
        });
        let ended = unwinds.join_timeout(Duration::from_secs(20));
        let panicked = ended.expect("it goes on").unwrap_err();
        assert_eq!(panicked.downcast_ref(), Some(&7));
        assert_eq!(gomaxprocs(), 1);
    }
}
