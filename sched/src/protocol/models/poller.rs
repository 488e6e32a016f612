//! Which M polls (poll.rs): an event that comes at any time makes a goroutine run, whatever the Ms do at that time.
//!
//! An event for which no M asks shows as a deadlock.

use loom::{sync::Arc, thread};

use super::{
    explore,
    world::{M1, M2, P1, P2, World},
};
use crate::protocol::{
    steps::{self, TimeWatch},
    sysmon_sleep::Slept,
    timers::NEVER,
};

/// Words of goroutines.
const EVENT: usize = 5;
const WORK: usize = 6;
const END: usize = 9;

/// A socket is registered, and each M holds its P.
fn watching(pairs: &[(usize, usize)]) -> Arc<World> {
    let world = World::new(pairs.len());
    world.kernel.watch();
    pairs.iter().for_each(|&(m, p)| world.give(m, p));
    world
}

/// An event comes at any time.
fn an_event(world: &Arc<World>) -> thread::JoinHandle<()> {
    let world = world.clone();
    thread::spawn(move || world.kernel.happen(EVENT))
}

/// The thread of `M1`, which is asleep. Returns what it runs first.
fn asleep(world: &Arc<World>) -> thread::JoinHandle<usize> {
    let world = world.clone();
    thread::spawn(move || world.live(M1))
}

#[test]
fn an_event_is_found_by_an_m_that_goes_to_sleep() {
    explore(Some(3), || {
        let world = watching(&[(M1, P1)]);
        let kernel = an_event(&world);
        assert_eq!(world.next(M1), EVENT);
        kernel.join().unwrap();
    });
}

#[test]
fn work_and_an_event_are_both_found_by_the_one_that_sleeps_in_the_poll() {
    explore(Some(3), || {
        let world = watching(&[(M1, P1)]);
        let kernel = an_event(&world);
        let submitter = thread::spawn({
            let world = world.clone();
            move || world.submit_globally(WORK)
        });
        let found = [world.next(M1), world.next(M1)];
        assert_eq!(found.iter().sum::<usize>(), EVENT + WORK);
        kernel.join().unwrap();
        submitter.join().unwrap();
    });
}

#[test]
fn of_two_that_sleep_one_polls_and_the_other_is_taken_first() {
    explore(Some(2), || {
        let world = watching(&[(M1, P1), (M2, P2)]);
        let others = [M1, M2].map(|m| {
            let world = world.clone();
            thread::spawn(move || {
                let mut found = Vec::new();
                loop {
                    match world.next(m) {
                        END => break,
                        word => found.push(word),
                    }
                    if found.last() == Some(&EVENT) {
                        // The other M sleeps, or looks for work: it ends as well.
                        world.submit_globally(END);
                        break;
                    }
                }
                world.end(m, END);
                found
            })
        });
        world.kernel.happen(EVENT);
        let found: Vec<usize> = others.into_iter().flat_map(|m| m.join().unwrap()).collect();
        assert_eq!(found, [EVENT]);
    });
}

#[test]
fn an_event_is_found_although_the_last_p_is_put_down_when_the_poller_has_it() {
    explore(Some(2), || {
        // M1 sleeps in the poll, and M2 has the only P and nothing to run.
        let world = watching(&[(M1, P1)]);
        world.stop(M1);
        assert_eq!(world.idle().take_p(), Some(P1));
        world.give(M2, P1);
        let poller = thread::spawn({
            let world = world.clone();
            move || {
                let found = steps::steal_or_sleep(&*world, world.m_of(M1));
                world.end(M1, END);
                found.expect("an M that does not end")
            }
        });
        let kernel = an_event(&world);
        let mut found = [world.next(M2), 0];
        world.end(M2, END);
        found[1] = poller.join().unwrap();
        kernel.join().unwrap();
        found.sort_unstable();
        assert_eq!(found, [EVENT, END]);
    });
}

/// Were both of them in the poll, the wrong one could take the interruption.
#[test]
fn of_two_that_sleep_the_one_that_is_handed_a_p_wakes() {
    explore(Some(2), || {
        let world = watching(&[(M1, P1), (M2, P2)]);
        let others = [M1, M2].map(|m| {
            let world = world.clone();
            thread::spawn(move || {
                let word = world.next(m);
                world.end(m, END);
                word
            })
        });
        world.submit_globally(WORK);
        let mut found = others.map(|m| m.join().unwrap());
        found.sort_unstable();
        assert_eq!(found, [WORK, END]);
    });
}

#[test]
fn an_event_is_found_after_a_p_was_put_down_without_its_m() {
    explore(Some(3), || {
        // M1 sleeps on its futex: no socket was there. M2 registers one, and then stays behind in a call.
        let world = World::new(1);
        world.give(M1, P1);
        world.stop(M1);
        assert_eq!(world.idle().take_p(), Some(P1));
        let sleeper = asleep(&world);
        world.kernel.watch();
        steps::put_idle_p(&*world, world.p_of(P1));
        world.kernel.happen(EVENT);
        assert_eq!(sleeper.join().unwrap(), EVENT);
    });
}

#[test]
fn sysmon_wakes_a_poller_where_all_rest_and_nobody_polls() {
    explore(Some(3), || {
        let world = World::new(1);
        world.give(M1, P1);
        world.stop(M1);
        world.kernel.watch();
        let sleeper = asleep(&world);
        // It would sleep until an M has a P.
        assert_eq!(world.doze(NEVER, false), Slept::Not);
        let mut watch = TimeWatch::default();
        assert!(!watch.look(&*world));
        assert!(watch.look(&*world));
        world.kernel.happen(EVENT);
        assert_eq!(sleeper.join().unwrap(), EVENT);
    });
}

#[test]
fn the_poller_keeps_the_time_as_well() {
    explore(Some(3), || {
        let world = watching(&[(M1, P1)]);
        world.insert(P1, 5, WORK);
        let kernel = an_event(&world);
        let found = [world.next(M1), world.next(M1)];
        assert_eq!(found.iter().sum::<usize>(), EVENT + WORK);
        kernel.join().unwrap();
    });
}
