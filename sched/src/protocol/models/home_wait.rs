//! Goroutines sent home that home does not run: they resume on another M, also when all other Ms are falling asleep.
//!
//! A goroutine that is lost shows as a deadlock: home blocks until it has run.

use loom::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use super::{
    explore,
    world::{Goroutine, M1, M2, P1, P2, World},
};
use crate::protocol::{
    steps::{self, Machine},
    timers::NEVER,
    window_lock::Linked,
};

/// It is blocked, and waits for the goroutine that was sent to it.
const HOME: usize = M2;
const SENDER: usize = M1;

/// `SENDER` has called `send`, which sends `g` home; home does not run it. `SENDER` runs it in the end, because
/// sysmon releases it.
fn the_sender_runs_it(ps: usize, send: fn(&World, Goroutine)) {
    explore(Some(3), move || {
        let world = World::new(ps);
        world.give(SENDER, P1);
        let done = Arc::new(AtomicBool::new(false));
        let sysmon = thread::spawn({
            let (world, done) = (world.clone(), done.clone());
            move || world.watch_homes(|| done.load(Ordering::Relaxed))
        });
        let g = Goroutine::visitor();
        send(&world, g);
        assert_eq!(world.next(SENDER), g.word());
        // It holds a P, so that sysmon is awake.
        done.store(true, Ordering::Relaxed);
        sysmon.join().unwrap();
    });
}

#[test]
fn a_goroutine_goes_on_elsewhere_when_its_home_is_blocked() {
    the_sender_runs_it(1, |world, g| {
        steps::send_home(world, world.m_of(HOME), g);
    });
}

#[test]
fn a_goroutine_goes_on_elsewhere_when_its_home_wakes_up_for_it_and_blocks_in_something_else() {
    the_sender_runs_it(2, |world, g| {
        let home = world.m_of(HOME);
        world.give(HOME, P2);
        world.stop(HOME);
        steps::send_home(world, home, g);
        assert!(home.wait(NEVER, false));
        // Blocked in other work; sysmon has taken its P, and no M needs it.
        let p = home.give_up_p().expect("a P");
        steps::put_idle_p(world, p);
    });
}
