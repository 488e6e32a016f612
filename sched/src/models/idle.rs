//! Idle and wake: published work is found although everybody may be falling asleep.
//!
//! A lost wake-up shows as a deadlock, which loom reports: the sleeper's parker is never notified.

use loom::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{busy, explore};
use crate::{
    idle::{Change, Idle, Rested, Retire, Rise},
    parker::Parker,
    queue::Ring,
};

/// The busy M's P. Its owner publishes work in `ring` and never comes back to it.
struct World {
    idle: Idle,
    ring: Ring,
    /// The Ms that come and go, by id - 1, and what each was handed.
    ms: [Worker; 2],
}

#[derive(Default)]
struct Worker {
    parker: ParkerCell,
    handed: AtomicUsize,
}

struct ParkerCell(Parker);

impl Default for ParkerCell {
    fn default() -> ParkerCell {
        ParkerCell(Parker::new())
    }
}

const M1: usize = 1;
const M2: usize = 2;
const P1: usize = 11;
const P2: usize = 12;

impl World {
    fn new() -> Arc<World> {
        let idle = Idle::new();
        busy(&idle, vec![P1, P2]);
        World::of(idle)
    }

    fn of(idle: Idle) -> Arc<World> {
        Arc::new(World {
            idle,
            ring: Ring::new(true),
            ms: Default::default(),
        })
    }

    /// S1 to S6.
    fn submit(&self, word: usize) {
        self.ring.push(word).unwrap();
        if self.idle.should_wake() {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(wake) = self.idle.claim_wake(true) {
            let m = wake.m.expect("every P at rest has an M at rest here");
            self.ms[m - 1].handed.store(wake.p, Ordering::Relaxed);
            self.ms[m - 1].parker.0.notify();
        }
    }

    fn steal(&self) -> Option<usize> {
        self.ring.steal_into(&Ring::new(true), false)
    }

    /// An M that looks for one piece of work, as find.rs does, without the time it spends spinning.
    fn work(&self, m: usize, mut p: usize, mut spinning: bool) -> usize {
        loop {
            let found = self.steal().or_else(|| {
                spinning = spinning || self.idle.start_spinning();
                if spinning { self.steal() } else { None }
            });
            if let Some(word) = found {
                if spinning {
                    self.idle.stop_spinning();
                    if self.idle.may_wake() && !self.ring.is_empty() {
                        self.wake();
                    }
                }
                return word;
            }
            (p, spinning) = self.rest(m, p, spinning);
            assert!(p == P1 || p == P2);
        }
    }

    /// Rests until there is a P again: I1 to I6.
    fn rest(&self, m: usize, p: usize, spinning: bool) -> (usize, bool) {
        assert_eq!(self.idle.rest(m, p, spinning), Rested::Idle);
        if !self.ring.is_empty()
            && let Rise::Take(p) = self.idle.rise(m)
        {
            return (p, self.idle.start_spinning());
        }
        self.sleep(m)
    }

    fn sleep(&self, m: usize) -> (usize, bool) {
        let worker = &self.ms[m - 1];
        assert!(worker.parker.0.wait(|| None));
        (worker.handed.swap(0, Ordering::Relaxed), true)
    }
}

#[test]
fn work_published_while_the_spinner_falls_asleep_is_found() {
    explore(None, || {
        let world = World::new();
        assert!(world.idle.start_spinning());
        let spinner = thread::spawn({
            let world = world.clone();
            move || world.work(M1, P1, true)
        });
        world.submit(7);
        assert_eq!(spinner.join().unwrap(), 7);
    });
}

#[test]
fn work_published_while_an_m_that_does_not_spin_falls_asleep_is_found() {
    explore(None, || {
        let world = World::new();
        let other = thread::spawn({
            let world = world.clone();
            move || world.work(M1, P1, false)
        });
        world.submit(7);
        assert_eq!(other.join().unwrap(), 7);
    });
}

#[test]
fn a_spinner_that_finds_work_sees_to_what_others_published_meanwhile() {
    explore(Some(3), || {
        let world = World::new();
        // M2 is asleep; M1 spins. Each takes one piece and is busy with it for ever.
        assert_eq!(world.idle.rest(M2, P2, false), Rested::Idle);
        assert!(world.idle.start_spinning());
        let spinner = thread::spawn({
            let world = world.clone();
            move || world.work(M1, P1, true)
        });
        let sleeper = thread::spawn({
            let world = world.clone();
            move || {
                let (p, spinning) = world.sleep(M2);
                world.work(M2, p, spinning)
            }
        });
        world.submit(1);
        world.submit(2);
        let mut found = [spinner.join().unwrap(), sleeper.join().unwrap()];
        found.sort_unstable();
        assert_eq!(found, [1, 2]);
    });
}

#[test]
fn an_m_gets_up_once_by_itself_or_by_being_woken() {
    explore(None, || {
        let world = World::new();
        assert_eq!(world.idle.rest(M1, P1, false), Rested::Idle);
        let waker = thread::spawn({
            let world = world.clone();
            move || world.wake()
        });
        // Its timer is due: it takes its P, unless the waker was first.
        let p = match world.idle.rise(M1) {
            Rise::Take(p) => p,
            Rise::Woken => world.sleep(M1).0,
            Rise::Stay => unreachable!("only the waker takes the P, and then the M with it"),
        };
        assert_eq!(p, P1);
        waker.join().unwrap();
        // Nobody else can be given this P.
        assert!(world.idle.claim_wake(true).is_none_or(|_| false));
    });
}

#[test]
fn a_goroutine_that_waits_for_a_p_gets_the_one_that_is_put_down() {
    explore(None, || {
        let world = World::new();
        let hungry = thread::spawn({
            let world = world.clone();
            move || match world.idle.take_p_or_starve(M2) {
                Some(p) => p,
                None => world.sleep(M2).0,
            }
        });
        if let Rested::Hungry(m) = world.idle.rest(M1, P1, false) {
            assert_eq!(m, M2);
            world.ms[m - 1].handed.store(P1, Ordering::Relaxed);
            world.ms[m - 1].parker.0.notify();
        }
        assert_eq!(hungry.join().unwrap(), P1);
        assert_eq!(world.idle.rise(M1), Rise::Stay);
    });
}

#[test]
fn a_runnext_that_sysmon_queues_for_others_is_found_or_its_owner_has_it() {
    explore(Some(3), || {
        let world = World::new();
        let own = Arc::new(Ring::new(true));
        assert_eq!(own.put_next(7), None);
        let other = thread::spawn({
            let world = world.clone();
            move || world.work(M1, P1, false)
        });
        // `world.ring` stands for the global queue.
        let sysmon = thread::spawn({
            let (world, own) = (world.clone(), own.clone());
            move || own.take_next().map(|word| world.submit(word)).is_some()
        });
        let kept = own.take_next();
        if kept.is_some() {
            // The other M shall have something as well, or it sleeps for ever.
            world.submit(8);
        }
        let moved = sysmon.join().unwrap();
        assert_eq!(kept.is_none(), moved);
        assert_eq!(other.join().unwrap(), if moved { 7 } else { 8 });
    });
}

#[test]
fn an_m_that_ends_is_not_woken_and_one_that_is_woken_does_not_end() {
    explore(None, || {
        // One P, which nobody has used yet.
        let idle = Idle::new();
        let come = Change {
            come: vec![P1],
            ..Change::default()
        };
        assert!(idle.change(&come).is_empty());
        let world = World::of(idle);
        assert_eq!(world.idle.add_m(), 1);
        world.idle.rest_m(M1);
        let waker = thread::spawn({
            let world = world.clone();
            move || world.idle.claim_wake(true).and_then(|wake| wake.m)
        });
        let end = world.idle.retire(M1);
        match (end, waker.join().unwrap()) {
            (Retire::End, None) | (Retire::Woken, Some(M1)) => {}
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_keeper_that_finds_no_p_leaves_the_time_to_who_falls_asleep_next() {
    explore(None, || {
        let world = World::new();
        world.idle.rest_m(M1);
        assert!(world.idle.keep_time(M1, 5));
        let keeper = thread::spawn({
            let world = world.clone();
            // Its time has come, and both Ps are busy, or one just was.
            move || world.idle.rise(M1)
        });
        assert_eq!(world.idle.rest(M2, P2, false), Rested::Idle);
        let _ = world.idle.keep_time(M2, 7);
        if keeper.join().unwrap() == Rise::Stay {
            // Somebody keeps the time: nobody else is needed for a later one.
            assert!(!world.idle.keep_time(M1, 9));
        }
    });
}
