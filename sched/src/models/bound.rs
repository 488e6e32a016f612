//! Bound goroutines: the one M that may run one gets up for it, with a P, whatever it is about to do.
//!
//! A lost wake-up shows as a deadlock, which loom reports: home's parker is never notified. A P that is given to two
//! shows as a wrong word in `handed`.

use loom::{
    cell::UnsafeCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{busy, explore};
use crate::{
    bound::Bound,
    handover::Line,
    idle::{Idle, Rested, Rise, Summons},
    parker::Parker,
};

const HOME: usize = 1;
const OTHER: usize = 2;
const P1: usize = 11;
const P2: usize = 12;

/// A goroutine: where its link is.
#[derive(Clone, Copy)]
struct Goroutine(&'static UnsafeCell<usize>);

// SAFETY: the link belongs to who has the goroutine; loom checks it.
unsafe impl Send for Goroutine {}

impl Goroutine {
    fn new() -> Goroutine {
        Goroutine(Box::leak(Box::new(UnsafeCell::new(0))))
    }
}

impl Line for Goroutine {
    fn word(self) -> usize {
        std::ptr::from_ref(self.0) as usize
    }
    unsafe fn of(word: usize) -> Self {
        // SAFETY: the links are leaked, and the word is the address of one.
        Goroutine(unsafe { &*(word as *const UnsafeCell<usize>) })
    }
    fn set_next(self, word: usize) {
        // SAFETY: see above.
        self.0.with_mut(|link| unsafe { *link = word });
    }
    fn next(self) -> usize {
        // SAFETY: see above.
        self.0.with(|link| unsafe { *link })
    }
}

struct World {
    idle: Idle,
    bound: Bound,
    /// Home's.
    parker: Parker,
    handed: AtomicUsize,
}

impl World {
    fn new() -> Arc<World> {
        let idle = Idle::new();
        busy(&idle, vec![P1]);
        Arc::new(World {
            idle,
            bound: Bound::new(),
            parker: Parker::new(),
            handed: AtomicUsize::new(0),
        })
    }

    fn hand(&self, p: usize) {
        assert_eq!(
            self.handed.swap(p, Ordering::Relaxed),
            0,
            "two Ps for one M"
        );
        self.parker.notify();
    }

    /// B1 to B4.
    fn send(&self, g: Goroutine) {
        let p = match self.bound.push(g) {
            true => self.idle.take_p_or_starve(HOME),
            false => match self.idle.summon(HOME) {
                Summons::Take { p, .. } => Some(p),
                Summons::Awake | Summons::Hungry => None,
            },
        };
        if let Some(p) = p {
            self.hand(p);
        }
    }

    /// An M that has nothing more to do puts its P down.
    fn put_down(&self, m: usize, p: usize) {
        if let Rested::Hungry(hungry) = self.idle.rest(m, p, false) {
            assert_eq!(hungry, HOME);
            self.hand(p);
        }
    }

    fn wait(&self) -> usize {
        assert!(self.parker.wait(|| None));
        self.handed.swap(0, Ordering::Relaxed)
    }

    /// Home, with `p`, runs what it is sent until it had `count`; H1 to H5 in between. Returns its P.
    fn run(&self, mut p: usize, count: usize) -> usize {
        let mut had = 0;
        loop {
            while self.bound.pop::<Goroutine>().is_some() {
                had += 1;
            }
            if had == count {
                return p;
            }
            self.put_down(HOME, p);
            p = match self.bound.any() {
                true => match self.idle.summon(HOME) {
                    Summons::Take { p, .. } => p,
                    Summons::Awake | Summons::Hungry => self.wait(),
                },
                false => self.wait(),
            };
        }
    }

    /// The same while it is locked.
    fn run_locked(&self, mut p: Option<usize>, count: usize) {
        let mut had = 0;
        loop {
            while self.bound.pop::<Goroutine>().is_some() {
                had += 1;
                p = p.or_else(|| self.idle.take_p_or_starve(HOME));
                p = p.or_else(|| Some(self.wait()));
            }
            if had == count {
                return;
            }
            if let Some(p) = p.take() {
                assert_eq!(self.idle.rest_p_alone(p), Rested::Idle);
            }
            if self.bound.wait() {
                p = Some(self.wait());
            }
        }
    }
}

#[test]
fn home_that_falls_asleep_gets_up_for_a_goroutine_that_only_it_may_run() {
    explore(None, || {
        let world = World::new();
        let home = thread::spawn({
            let world = world.clone();
            move || world.run(P1, 1)
        });
        world.send(Goroutine::new());
        assert_eq!(home.join().unwrap(), P1);
    });
}

#[test]
fn home_gets_the_p_of_the_sender_when_no_other_is_idle() {
    explore(Some(3), || {
        let world = World::new();
        // Home is asleep, the only P is the sender's.
        world.idle.rest_m(HOME);
        let home = thread::spawn({
            let world = world.clone();
            move || {
                let p = world.wait();
                world.run(p, 1)
            }
        });
        world.send(Goroutine::new());
        world.put_down(OTHER, P2);
        assert_eq!(home.join().unwrap(), P2);
    });
}

#[test]
fn two_senders_wake_home_once() {
    explore(Some(3), || {
        let world = World::new();
        let home = thread::spawn({
            let world = world.clone();
            move || world.run(P1, 2)
        });
        let other = thread::spawn({
            let world = world.clone();
            move || world.send(Goroutine::new())
        });
        world.send(Goroutine::new());
        other.join().unwrap();
        assert_eq!(home.join().unwrap(), P1);
    });
}

#[test]
fn home_that_is_woken_for_other_work_and_for_its_own_gets_one_p() {
    explore(Some(3), || {
        let world = World::new();
        world.put_down(HOME, P1);
        let home = thread::spawn({
            let world = world.clone();
            move || {
                let p = world.wait();
                world.run(p, 1)
            }
        });
        let waker = thread::spawn({
            let world = world.clone();
            move || {
                if let Some(wake) = world.idle.claim_wake(true) {
                    // The sender may have taken M and P; then nothing is left to claim.
                    assert_eq!(wake.m, Some(HOME));
                    world.hand(wake.p);
                }
            }
        });
        world.send(Goroutine::new());
        waker.join().unwrap();
        assert_eq!(home.join().unwrap(), P1);
        assert_eq!(world.idle.rise(HOME), Rise::Woken);
    });
}

#[test]
fn a_locked_m_gets_up_for_its_goroutine_and_gives_its_p_back_in_between() {
    explore(Some(3), || {
        let world = World::new();
        world.bound.set_locked(true);
        let home = thread::spawn({
            let world = world.clone();
            move || world.run_locked(Some(P1), 2)
        });
        world.send(Goroutine::new());
        world.send(Goroutine::new());
        home.join().unwrap();
    });
}

#[test]
fn a_goroutine_that_is_let_go_is_run_once() {
    explore(None, || {
        let bound = Arc::new(Bound::new());
        let (one, two) = (Goroutine::new(), Goroutine::new());
        assert!(!bound.push(one) && !bound.push(two));
        let home = thread::spawn({
            let bound = bound.clone();
            move || std::iter::from_fn(|| bound.pop::<Goroutine>()).count()
        });
        let free = [two, one]
            .into_iter()
            .filter(|&g| bound.remove(g, |_| true));
        let free = free.count();
        assert_eq!(home.join().unwrap() + free, 2);
        assert!(!bound.any() && bound.pop::<Goroutine>().is_none());
    });
}
