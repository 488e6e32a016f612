//! Timers: an M is awake for each, also where Ms have no P, are locked, or continue with something long.
//!
//! A timer that is lost shows as a deadlock, or as an M that was not woken.

use loom::{sync::Arc, thread};

use super::{
    explore,
    world::{GRACE, Goroutine, M1, M2, M3, P1, P2, World},
};
use crate::protocol::{
    idle::SelfWake,
    steps::{self, Machine, TimeWatch},
    sysmon_sleep::Slept,
    timers::NEVER,
    window_lock::Linked,
};

/// The word that tells `M1` that the run is over.
const END: usize = 9;

/// `M2` is locked, has no P, and waits for a timer; `M1` has the only P and nothing to do, or is asleep.
fn a_locked_m_waits_for_a_timer(m1_is_awake: bool) {
    explore(Some(3), move || {
        let world = World::new(1);
        world.give(M1, P1);
        if !m1_is_awake {
            world.stop(M1);
        }
        world.m_of(M2).inbox().set_locked(true);
        let other = thread::spawn({
            let world = world.clone();
            move || {
                let word = match m1_is_awake {
                    true => world.next(M1),
                    false => world.live(M1),
                };
                // What the timer made ready is bound to the locked M.
                // SAFETY: it is the word of the goroutine below.
                let g = unsafe { Goroutine::of(word) };
                steps::send_home(&*world, world.m_of(M2), g);
                assert_eq!(world.next(M1), END);
            }
        });
        let g = Goroutine::pinned();
        world.insert(P1, 5, g.word());
        assert_eq!(world.next(M2), g.word());
        assert_eq!(world.m_of(M2).holds(), P1);
        world.end(M2, END);
        other.join().unwrap();
    });
}

#[test]
fn the_timer_of_a_locked_m_without_a_p_is_fired_by_who_falls_asleep() {
    a_locked_m_waits_for_a_timer(true);
}

#[test]
fn the_timer_of_a_locked_m_without_a_p_is_fired_when_all_are_asleep() {
    a_locked_m_waits_for_a_timer(false);
}

#[test]
fn the_timers_of_a_p_that_a_locked_m_puts_down_are_fired() {
    explore(Some(3), || {
        let world = World::new(1);
        world.give(M2, P1);
        world.m_of(M2).inbox().set_locked(true);
        world.idle().put_idle_m(M1);
        let other = thread::spawn({
            let world = world.clone();
            move || {
                // SAFETY: it is the word of the goroutine below.
                let g = unsafe { Goroutine::of(world.live(M1)) };
                steps::send_home(&*world, world.m_of(M2), g);
                assert_eq!(world.next(M1), END);
            }
        });
        let g = Goroutine::pinned();
        world.insert(P1, 5, g.word());
        assert_eq!(world.next(M2), g.word());
        world.end(M2, END);
        other.join().unwrap();
    });
}

/// Both Ps are idle, `P2` is taken first. `M1` is asleep as the timekeeper of the first of two timers in `P1`, and
/// the only one that sleeps. `M3` can be started.
fn one_keeper() -> Arc<World> {
    let world = World::started(2, &[M3]);
    world.give(M1, P1);
    world.stop(M1);
    steps::put_idle_p(&*world, world.p_of(P2));
    world.insert(P1, 5, 7);
    world.insert(P1, 50, 8);
    assert!(world.idle().keep_time(M1, 5));
    world
}

#[test]
fn a_keeper_that_is_taken_for_a_p_leaves_the_time_to_another() {
    explore(None, || {
        let world = one_keeper();
        let p = steps::take_idle_p(&*world).unwrap();
        steps::handoff_p(&*world, p);
        assert!(world.m_of(M1).is_woken() && world.m_of(M3).is_woken());
    });
}

#[test]
fn a_keeper_that_is_woken_for_work_leaves_the_time_to_another() {
    explore(None, || {
        let world = one_keeper();
        world.submit_globally(6);
        assert_eq!(world.live(M1), 6);
        assert!(world.m_of(M3).is_woken());
    });
}

#[test]
fn sysmon_sees_to_timers_that_a_keeper_has_left_when_it_got_up_by_itself() {
    explore(None, || {
        let world = one_keeper();
        let mut watch = TimeWatch::default();
        let SelfWake::Take(p) = world.idle().try_leave_idle(M1) else {
            panic!("there is an idle P");
        };
        // It continues with something long.
        assert_eq!(p, P2);
        world.give(M1, P2);
        assert_eq!(world.doze(0, false), Slept::Not, "a P is busy");
        // Not yet due.
        assert!(!watch.look(&*world) && !watch.look(&*world));
        world.pass(5);
        assert!(!watch.look(&*world) && watch.is_alarmed());
        assert!(watch.look(&*world));
        assert!(world.m_of(M3).is_woken());
    });
}

#[test]
fn sysmon_does_not_sleep_while_nobody_keeps_the_time() {
    explore(None, || {
        let world = one_keeper();
        let mut watch = TimeWatch::default();
        assert!(!watch.look(&*world) && !watch.is_alarmed());
        // It sleeps: up to now, as requested.
        assert_ne!(world.doze(0, false), Slept::Not);
        // An earlier timer, for which its inserter does not look after the time.
        world.insert(P1, 3, 6);
        assert_eq!(world.doze(0, false), Slept::Not);
        assert!(!watch.look(&*world));
        assert!(watch.look(&*world));
        assert!(world.m_of(M1).is_woken() || world.m_of(M3).is_woken());
    });
}

#[test]
fn a_keeper_that_gets_up_keeps_the_time_no_more() {
    explore(None, || {
        let world = one_keeper();
        let SelfWake::Take(p) = world.idle().try_leave_idle(M1) else {
            panic!("there is an idle P");
        };
        // The next M that falls asleep keeps it, also for a later moment.
        world.give(M2, p);
        world.stop(M2);
        assert!(!world.idle().keeps_time(NEVER - 1));
        assert!(world.idle().keep_time(M2, 50));
    });
}

#[test]
fn sysmon_falls_asleep_or_sees_what_an_m_left_for_it() {
    explore(None, || {
        let world = World::new(1);
        world.give(M1, P1);
        let m = thread::spawn({
            let world = world.clone();
            move || {
                steps::send_home(&*world, world.m_of(M2), Goroutine::visitor());
                world.stop(M1);
            }
        });
        let slept = world.doze(0, false);
        assert_eq!(
            slept,
            Slept::Not,
            "asleep over a goroutine that waits for its home"
        );
        m.join().unwrap();
    });
}

#[test]
fn sysmon_does_not_fall_asleep_over_what_an_m_leaves_while_it_lies_down() {
    explore(None, || {
        let world = World::at_rest(1, &[]);
        let m = thread::spawn({
            let world = world.clone();
            move || {
                let p = steps::take_idle_p(&*world).expect("the P is idle");
                world.m_of(M1).take(p);
                steps::send_home(&*world, world.m_of(M2), Goroutine::visitor());
                world.stop(M1);
            }
        });
        // A sleep that no thread ends is a deadlock.
        let _ = world.doze(NEVER, false);
        m.join().unwrap();
    });
}

/// An M takes a P at the moment `at` and blocks, while sysmon lies down to sleep. sysmon notices that within the grace: the
/// clock stops there, and a sysmon that sleeps longer never wakes.
fn a_p_is_taken_while_sysmon_lies_down(world: fn() -> Arc<World>, at: u64, bursts: bool) {
    explore(None, move || {
        let world = world();
        world.pass(at);
        let m = thread::spawn({
            let world = world.clone();
            move || {
                let p = steps::take_idle_p(&*world).expect("a P is idle");
                world.m_of(M2).take(p);
                world.pass(at + GRACE);
            }
        });
        let slept = world.doze(NEVER, bursts);
        if at >= 5 || bursts {
            assert_ne!(
                slept,
                Slept::Woken,
                "a burst may be over before the grace is"
            );
        }
        m.join().unwrap();
        assert_eq!(
            world.doze(NEVER, bursts),
            Slept::Not,
            "asleep while a P is busy"
        );
    });
}

#[test]
fn sysmon_notices_a_p_that_is_taken_long_before_the_timekeeper_gets_up() {
    a_p_is_taken_while_sysmon_lies_down(one_keeper, 0, false);
}

#[test]
fn sysmon_notices_a_p_that_is_taken_for_the_timer_and_is_not_woken_for_it() {
    a_p_is_taken_while_sysmon_lies_down(one_keeper, 5, false);
}

#[test]
fn sysmon_notices_a_p_that_is_taken_after_bursts_and_is_not_woken_for_it() {
    a_p_is_taken_while_sysmon_lies_down(|| World::at_rest(1, &[]), 1, true);
}

#[test]
fn sysmon_notices_a_p_that_is_taken_where_there_is_no_timer() {
    a_p_is_taken_while_sysmon_lies_down(|| World::at_rest(1, &[]), 0, false);
}
