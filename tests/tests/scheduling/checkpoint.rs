//! A computation that calls `checkpoint` lets others go first when its time is up, and only then.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use goroutines::{blocking, checkpoint, go, metrics};
use goroutines_sched::rounds;
use goroutines_tests::alone;

/// Two goroutines on one P, of which the first computes until the second has run.
fn the_second_has_its_turn() {
    let ran = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ran);
    let first = go(move || {
        // Acquire: partner is the store in the second.
        while !seen.load(Ordering::Acquire) {
            checkpoint();
        }
    });
    let second = go(move || ran.store(true, Ordering::Release));
    first.join().unwrap();
    second.join().unwrap();
}

#[test]
fn waiting_goroutines_have_their_turn_and_no_p_is_taken_away() {
    let _alone = alone(1);
    // On a loaded machine the thread may be off its CPU just when it should call: then its P is taken.
    let by_itself = (0..200).any(|_| {
        let before = metrics().takes;
        the_second_has_its_turn();
        metrics().takes == before
    });
    assert!(by_itself, "{:#?}", metrics());
}

#[test]
fn where_none_waits_nothing_is_scheduled() {
    let _alone = alone(1);
    let rounds = go(|| {
        let before = rounds();
        let end = Instant::now() + Duration::from_millis(60);
        while Instant::now() < end {
            checkpoint();
        }
        (before, rounds())
    });
    let (before, after) = rounds.join().unwrap();
    assert!(before.is_some() && before == after, "{before:?} {after:?}");
}

#[test]
fn where_no_goroutine_could_park_it_returns() {
    let _alone = alone(1);
    checkpoint();
    go(|| blocking(checkpoint)).join().unwrap();
    // Nor in a destructor while the goroutine unwinds.
    struct Checks;
    impl Drop for Checks {
        fn drop(&mut self) {
            let end = Instant::now() + Duration::from_millis(20);
            while Instant::now() < end {
                checkpoint();
            }
        }
    }
    let failed = go(|| {
        let _checks = Checks;
        std::panic::resume_unwind(Box::new(7));
    });
    let other = go(|| 3);
    assert_eq!(failed.join().unwrap_err().downcast_ref(), Some(&7));
    assert_eq!(other.join().unwrap(), 3);
}
