//! Bound goroutines: the one M that may run one wakes for it, with a P, whatever it is about to do.
//!
//! A lost wake-up shows as a deadlock, which loom reports: home's parker is never notified. A P that is given to two
//! Ms shows as a P with two owners.

use loom::{sync::Arc, thread};

use super::{
    explore,
    world::{Goroutine, M1, M2, P1, P2, World},
};
use crate::protocol::{
    idle::SelfWake,
    inbox::Inbox,
    steps::{self, Machine},
    timers::NEVER,
    window_lock::Linked,
};

const HOME: usize = M1;
const OTHER: usize = M2;

fn send(world: &World, g: Goroutine) {
    steps::send_home(world, world.m_of(HOME), g);
}

/// Home, in a thread, with a P from the start: runs what it is sent, until it has run `count`. Returns its P.
fn home_runs(world: &Arc<World>, count: usize) -> thread::JoinHandle<usize> {
    let world = world.clone();
    thread::spawn(move || {
        (0..count).for_each(|_| assert_ne!(world.next(HOME), 0));
        world.m_of(HOME).holds()
    })
}

/// As [`home_runs`], beginning asleep.
fn home_wakes(world: &Arc<World>) -> thread::JoinHandle<usize> {
    let world = world.clone();
    thread::spawn(move || {
        assert_ne!(world.live(HOME), 0);
        world.m_of(HOME).holds()
    })
}

#[test]
fn home_that_falls_asleep_gets_up_for_a_goroutine_that_only_it_may_run() {
    explore(Some(3), || {
        let world = World::new(1);
        world.give(HOME, P1);
        let home = home_runs(&world, 1);
        send(&world, Goroutine::pinned());
        assert_eq!(home.join().unwrap(), P1);
    });
}

#[test]
fn home_gets_the_p_of_the_sender_when_no_other_is_idle() {
    explore(Some(3), || {
        let world = World::new(1);
        // Home is asleep, the only P is the sender's.
        world.idle().put_idle_m(HOME);
        world.give(OTHER, P1);
        let home = home_wakes(&world);
        send(&world, Goroutine::pinned());
        world.stop(OTHER);
        assert_eq!(home.join().unwrap(), P1);
    });
}

#[test]
fn two_senders_wake_home_once() {
    explore(Some(2), || {
        let world = World::new(1);
        world.give(HOME, P1);
        let home = home_runs(&world, 2);
        let other = thread::spawn({
            let world = world.clone();
            move || send(&world, Goroutine::pinned())
        });
        send(&world, Goroutine::pinned());
        other.join().unwrap();
        assert_eq!(home.join().unwrap(), P1);
    });
}

#[test]
fn home_that_is_woken_for_other_work_and_for_its_own_gets_one_p() {
    explore(Some(2), || {
        let world = World::new(1);
        world.give(HOME, P1);
        world.stop(HOME);
        let home = home_wakes(&world);
        let waker = thread::spawn({
            let world = world.clone();
            // The sender may have taken M and P; then nothing is left to claim.
            move || steps::wake(&*world)
        });
        send(&world, Goroutine::pinned());
        waker.join().unwrap();
        assert_eq!(home.join().unwrap(), P1);
        assert_eq!(world.idle().try_leave_idle(HOME), SelfWake::Woken);
    });
}

#[test]
fn a_locked_m_gets_up_for_its_goroutine_and_gives_its_p_back_in_between() {
    explore(Some(3), || {
        let world = World::new(1);
        world.give(HOME, P1);
        world.m_of(HOME).inbox().set_locked(true);
        let home = home_runs(&world, 2);
        send(&world, Goroutine::pinned());
        send(&world, Goroutine::pinned());
        assert_eq!(home.join().unwrap(), P1);
    });
}

/// `M1` keeps the time of a timer in `P1`; both Ps are idle, `M2` is asleep as well.
fn keeper_at_rest() -> Arc<World> {
    let world = World::new(2);
    for (m, p) in [(M2, P1), (M1, P2)] {
        world.give(m, p);
        world.stop(m);
    }
    world.insert(P1, 5, 7);
    assert!(world.idle().keep_time(M1, 5));
    world
}

#[test]
fn a_keeper_that_is_called_home_leaves_the_time_to_another() {
    explore(None, || {
        let world = keeper_at_rest();
        send(&world, Goroutine::pinned());
        // `M1` has `P2`. No M holds `P1` with its timer: the other M is awake, and keeps the time when it sleeps.
        assert!(world.m_of(M1).is_woken() && world.m_of(M2).is_woken());
        assert!(world.m_of(M2).wait(NEVER, false));
        assert_eq!(world.m_of(M2).holds(), P1);
    });
}

#[test]
fn a_tainted_m_that_looks_up_in_between_is_handed_one_p_for_what_came() {
    explore(Some(3), || {
        let world = World::new(1);
        world.give(HOME, P1);
        world.m_of(HOME).taint();
        let home = home_runs(&world, 1);
        send(&world, Goroutine::pinned());
        assert_eq!(home.join().unwrap(), P1);
    });
}

#[test]
fn a_keeper_that_is_called_home_wakes_nobody_if_there_is_no_time_to_keep() {
    explore(None, || {
        let world = keeper_at_rest();
        world.p_of(P1).timers.fire(5, |_| true);
        send(&world, Goroutine::pinned());
        assert!(world.m_of(M1).is_woken() && !world.m_of(M2).is_woken());
    });
}

#[test]
fn a_keeper_that_gets_up_for_its_own_leaves_the_time_to_another() {
    explore(None, || {
        let world = World::new(2);
        for (m, p) in [(M2, P1), (M1, P2)] {
            world.give(m, p);
            world.stop(m);
        }
        // A goroutine of M1 is queued although M1 was not woken for it: its sender is about to wake it.
        assert!(!world.m_of(M1).inbox().push(Goroutine::pinned()).waits);
        world.insert(P1, 5, 7);
        assert!(world.idle().keep_time(M1, 5));
        assert!(steps::steal_or_sleep(&*world, world.m_of(M1)).is_some());
        assert!(world.m_of(M2).is_woken());
    });
}

#[test]
fn visitors_that_are_let_go_are_run_once_and_others_stay() {
    explore(Some(3), || {
        let bound = Arc::new(Inbox::new());
        for g in [
            Goroutine::visitor(),
            Goroutine::pinned(),
            Goroutine::visitor(),
        ] {
            let _ = bound.push(g);
        }
        let home = thread::spawn({
            let bound = bound.clone();
            move || bound.pop::<Goroutine>().is_some()
        });
        let mut free: Vec<Goroutine> = Vec::new();
        bound.take_visitors(&mut free);
        assert!(home.join().unwrap());
        assert!(free.iter().all(|g| g.is_visitor()));
        let left: Vec<Goroutine> = std::iter::from_fn(|| bound.pop()).collect();
        // One of the three was run.
        assert_eq!(free.len() + left.len(), 2);
        assert!(left.iter().all(|g| !g.is_visitor()) && !bound.any());
        assert_eq!(bound.has_visitors(), None);
    });
}
