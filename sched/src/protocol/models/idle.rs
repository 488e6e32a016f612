//! Idle and wake: published work is found also when all Ms are falling asleep.
//!
//! A lost wake-up shows as a deadlock, which loom reports: the sleeper's parker is never notified.

use loom::{sync::Arc, thread};

use super::{
    explore,
    world::{M1, M2, P1, P2, World},
};
use crate::protocol::{
    idle::{PutIdle, Retire, SelfWake},
    ring::Ring,
    steps::{self, Machine},
    timers::NEVER,
};

/// Two Ps, both held: `P1` by `M1`; the owner of `P2` publishes work in it and never comes back to it.
fn world() -> Arc<World> {
    let world = World::new(2);
    world.give(M1, P1);
    world
}

/// In a thread: the next work that `M1` finds, as the spinner or not.
fn m1_looks(world: &Arc<World>, spinning: bool) -> thread::JoinHandle<usize> {
    if spinning {
        assert!(world.idle().start_spinning());
        world.m_of(M1).spins_from_now_on();
    }
    let world = world.clone();
    thread::spawn(move || world.next(M1))
}

#[test]
fn work_published_while_the_spinner_falls_asleep_is_found() {
    explore(Some(3), || {
        let world = world();
        let spinner = m1_looks(&world, true);
        world.submit(P2, 7);
        assert_eq!(spinner.join().unwrap(), 7);
    });
}

#[test]
fn work_published_while_an_m_that_does_not_spin_falls_asleep_is_found() {
    explore(Some(3), || {
        let world = world();
        let other = m1_looks(&world, false);
        world.submit(P2, 7);
        assert_eq!(other.join().unwrap(), 7);
    });
}

#[test]
fn work_published_while_an_m_rests_without_a_spin_is_found() {
    explore(Some(3), || {
        let world = world();
        world.m_of(M1).spins_no_more();
        let other = m1_looks(&world, false);
        world.submit(P2, 7);
        assert_eq!(other.join().unwrap(), 7);
    });
}

#[test]
fn all_work_is_found_where_ms_rest_without_a_spin() {
    explore(Some(2), || {
        let world = world();
        world.give(M2, P2);
        world.stop(M2);
        for m in [M1, M2] {
            world.m_of(m).spins_no_more();
        }
        let other = m1_looks(&world, false);
        let sleeper = thread::spawn({
            let world = world.clone();
            move || world.live(M2)
        });
        world.submit_globally(1);
        world.submit_globally(2);
        let mut found = [other.join().unwrap(), sleeper.join().unwrap()];
        found.sort_unstable();
        assert_eq!(found, [1, 2]);
    });
}

#[test]
fn a_spinner_that_finds_work_sees_to_what_others_published_meanwhile() {
    explore(Some(2), || {
        let world = world();
        // M2 is asleep; M1 spins. Each takes one piece and then stays busy.
        world.give(M2, P2);
        world.stop(M2);
        let spinner = m1_looks(&world, true);
        let sleeper = thread::spawn({
            let world = world.clone();
            move || world.live(M2)
        });
        world.submit_globally(1);
        world.submit_globally(2);
        let mut found = [spinner.join().unwrap(), sleeper.join().unwrap()];
        found.sort_unstable();
        assert_eq!(found, [1, 2]);
    });
}

#[test]
fn an_m_gets_up_once_by_itself_or_by_being_woken() {
    explore(None, || {
        let world = world();
        world.stop(M1);
        let waker = thread::spawn({
            let world = world.clone();
            move || steps::wake(&*world)
        });
        // Its timer is due: it takes its P, unless the waker was first.
        match world.idle().try_leave_idle(M1) {
            SelfWake::Take(p) => assert_eq!(p, P1),
            SelfWake::Woken => {
                assert!(world.m_of(M1).wait(NEVER, false));
                assert_eq!(world.m_of(M1).holds(), P1);
            }
            SelfWake::Stay => unreachable!("only the waker takes the P, and then the M with it"),
        }
        waker.join().unwrap();
        // No other M can be given this P.
        assert!(world.idle().take_p().is_none());
    });
}

#[test]
fn a_goroutine_that_waits_for_a_p_gets_the_one_that_is_put_down() {
    explore(None, || {
        let world = world();
        let waiting = thread::spawn({
            let world = world.clone();
            move || match world.idle().take_p_or_wait(M2) {
                Some(p) => p,
                None => {
                    assert!(world.m_of(M2).wait(NEVER, false));
                    world.m_of(M2).holds()
                }
            }
        });
        world.stop(M1);
        assert_eq!(waiting.join().unwrap(), P1);
        assert_eq!(world.idle().try_leave_idle(M1), SelfWake::Stay);
    });
}

#[test]
fn a_runnext_that_sysmon_queues_for_others_is_found_or_its_owner_has_it() {
    explore(Some(2), || {
        let world = world();
        let own = Arc::new(Ring::new(true));
        assert_eq!(own.put_next(7), None);
        let other = m1_looks(&world, false);
        let sysmon = thread::spawn({
            let (world, own) = (world.clone(), own.clone());
            move || {
                let taken = own.take_next();
                taken.map(|word| world.submit_globally(word)).is_some()
            }
        });
        let kept = own.take_next();
        if kept.is_some() {
            // The other M needs work as well, or it sleeps forever.
            world.submit_globally(8);
        }
        let moved = sysmon.join().unwrap();
        assert_eq!(kept.is_none(), moved);
        assert_eq!(other.join().unwrap(), if moved { 7 } else { 8 });
    });
}

#[test]
fn an_m_that_ends_is_not_woken_and_one_that_is_woken_does_not_end() {
    explore(None, || {
        // One P, which was never used.
        let world = World::at_rest(1, &[]);
        assert_eq!(world.idle().add_m(), 1);
        world.idle().put_idle_m(M1);
        let waker = thread::spawn({
            let world = world.clone();
            move || world.idle().claim_wake(true).and_then(|wake| wake.m)
        });
        let end = world.idle().retire(M1);
        match (end, waker.join().unwrap()) {
            (Retire::End, None) | (Retire::Woken, Some(M1)) => {}
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_keeper_that_finds_no_p_leaves_the_time_to_who_falls_asleep_next() {
    explore(None, || {
        let world = World::new(2);
        world.idle().put_idle_m(M1);
        assert!(world.idle().keep_time(M1, 5));
        let timekeeper = thread::spawn({
            let world = world.clone();
            // Its timer is due, and both Ps are busy, or one just was.
            move || world.idle().try_leave_idle(M1)
        });
        assert_eq!(world.idle().put_idle(M2, P2, false), PutIdle::Idle);
        let _ = world.idle().keep_time(M2, 7);
        if timekeeper.join().unwrap() == SelfWake::Stay {
            // An M keeps the time: no second one is needed for a later timer.
            assert!(!world.idle().keep_time(M1, 9));
        }
    });
}
