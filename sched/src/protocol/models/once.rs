//! `Once`: one closure runs, all callers see what it did, and none is left asleep, also when it panics.
//!
//! As for the locks, this is the source that runs: see [`locks`](super::locks).

use std::sync::Arc;

use loom::{cell::UnsafeCell, thread};

use super::{
    explore,
    locks::raw::rawonce::{OnPoison, RawOnce},
};

const PREEMPTIONS: usize = 2;

/// What the closure makes: loom reports a race when two threads make it, or when it is not visible.
struct Made {
    once: RawOnce,
    value: UnsafeCell<u32>,
}

// SAFETY: loom checks it.
unsafe impl Sync for Made {}
// SAFETY: a number and a `RawOnce` refer to no thread.
unsafe impl Send for Made {}

impl Made {
    fn make(&self) {
        // SAFETY: one closure at a time; loom checks it.
        self.value.with_mut(|value| unsafe { *value += 1 });
    }

    fn check(&self) {
        assert!(self.once.is_completed());
        // SAFETY: no thread writes once it is complete; loom checks it.
        self.value.with(|value| assert_eq!(unsafe { *value }, 1));
    }

    fn call(&self) {
        self.once.run(OnPoison::Panic("Once"), |_| self.make());
        self.check();
    }

    fn force(&self) {
        self.once.run(OnPoison::Ignore, |_| self.make());
        self.check();
    }

    fn wait(&self) {
        self.once.wait(OnPoison::Ignore);
        self.check();
    }

    fn fail(&self) {
        self.once.fail();
    }
}

fn together(programs: &'static [fn(&Made)]) {
    explore(Some(PREEMPTIONS), move || {
        let made = Arc::new(Made {
            once: RawOnce::new(),
            value: UnsafeCell::new(0),
        });
        let others: Vec<_> = programs[1..]
            .iter()
            .map(|program| {
                let made = Arc::clone(&made);
                thread::spawn(move || program(&made))
            })
            .collect();
        programs[0](&made);
        others.into_iter().for_each(|one| one.join().unwrap());
        made.check();
    });
}

#[test]
fn one_closure_runs_and_all_see_what_it_did() {
    together(&[Made::call, Made::call, Made::call]);
}

#[test]
fn who_waits_is_woken_whenever_it_came() {
    together(&[Made::call, Made::wait, Made::wait]);
}

#[test]
fn after_a_panic_the_next_one_runs_its_closure() {
    together(&[Made::fail, Made::force, Made::wait]);
    together(&[Made::force, Made::fail, Made::force]);
}
