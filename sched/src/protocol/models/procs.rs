//! The number of Ps changes: nothing is lost, and no P has two owners.
//!
//! The steps of procs.rs, with the scheduler's own idle lists, numbers and rings. A goroutine that is lost shows as
//! an M that is never woken.

use loom::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use super::{busy, explore};
use crate::protocol::{
    idle::{Change, Idle, PutIdle, SelfWake},
    p_numbers::PNumbers,
    parker::Parker,
    ring::Ring,
};

/// One M, and the Ps 0 to 2, of which number 0 is for a single P. Ids are numbers plus [`FIRST`].
struct World {
    idle: Idle,
    numbers: Mutex<PNumbers>,
    rings: [Ring; 3],
    /// Whether an M holds the P.
    held: [AtomicBool; 3],
    global: Mutex<Vec<usize>>,
    count: AtomicUsize,
    parker: Parker,
    handed: AtomicUsize,
}

const FIRST: usize = 10;
const M: usize = 1;
const WORD: usize = 7;

impl World {
    /// Two Ps: number 2 is the M's and has a word in its queue, number 1 is idle.
    fn new() -> World {
        let mut numbers = PNumbers::new();
        let plan = numbers.plan(2);
        let idle = Idle::new();
        busy(&idle, plan.come.iter().map(|n| n + FIRST).collect());
        assert_eq!(idle.put_idle_p(1 + FIRST), PutIdle::Idle);
        let rings = [Ring::new(false), Ring::new(true), Ring::new(true)];
        rings[2].push(WORD).unwrap();
        World {
            idle,
            numbers: Mutex::new(numbers),
            rings,
            held: [false, false, true].map(AtomicBool::new),
            global: Mutex::new(Vec::new()),
            count: AtomicUsize::new(2),
            parker: Parker::new(),
            handed: AtomicUsize::new(0),
        }
    }

    fn take_up(&self, number: usize) {
        assert!(
            !self.held[number].swap(true, Ordering::Relaxed),
            "two own P {number}"
        );
    }

    fn put_down(&self, number: usize) {
        assert!(self.held[number].swap(false, Ordering::Relaxed));
    }

    /// C1 to C5. True if an M that was started at C5 found the word.
    fn resize(&self, target: usize) -> bool {
        let mut numbers = self.numbers.lock().unwrap();
        let plan = numbers.plan(target);
        let ids = |numbers: &[usize]| numbers.iter().map(|n| n + FIRST).collect();
        let change = Change {
            come: ids(&plan.come),
            stay: ids(&plan.stay),
            go: ids(&plan.go),
            come_used: 0,
        };
        self.count.store(target, Ordering::Relaxed);
        for id in self.idle.change(&change).left {
            self.clear_out(&mut numbers, id - FIRST);
        }
        drop(numbers);
        self.look_after()
    }

    /// L3.
    fn leave(&self, number: usize) {
        let mut numbers = self.numbers.lock().unwrap();
        let id = vec![number + FIRST];
        let wanted = numbers.wants(number);
        let change = if wanted {
            Change {
                come: id,
                come_used: 1,
                ..Change::default()
            }
        } else {
            Change {
                stay: id,
                ..Change::default()
            }
        };
        assert!(self.idle.change(&change).left.is_empty());
        if !wanted {
            self.clear_out(&mut numbers, number);
        }
    }

    fn clear_out(&self, numbers: &mut PNumbers, number: usize) {
        self.take_up(number);
        while let Some(word) = self.rings[number].pop() {
            self.global.lock().unwrap().push(word);
        }
        numbers.free(number);
        self.put_down(number);
    }

    fn look_after(&self) -> bool {
        if !self.any_work() || !self.idle.may_wake() {
            return false;
        }
        let Some(wake) = self.idle.claim_wake(true) else {
            return false;
        };
        if wake.m.is_some() {
            self.handed.store(wake.p, Ordering::Relaxed);
            self.parker.notify();
            return false;
        }
        self.take_up(wake.p - FIRST);
        let found = self.find(wake.p - FIRST);
        self.idle.stop_spinning();
        found
    }

    fn any_work(&self) -> bool {
        !self.global.lock().unwrap().is_empty() || self.now().any(|n| !self.rings[n].is_empty())
    }

    fn now(&self) -> impl Iterator<Item = usize> {
        PNumbers::numbers(self.count.load(Ordering::Relaxed))
    }

    /// Returns whether the holder of P `number` finds the word.
    fn find(&self, number: usize) -> bool {
        let own = self.rings[number].pop();
        let word = own.or_else(|| self.global.lock().unwrap().pop());
        word.or_else(|| {
            let mut others = self.now().filter(|&n| n != number);
            others.find_map(|n| self.rings[n].steal_into(&Ring::new(true), false))
        })
        .is_some()
    }

    /// The M puts its P down, with what is in it, and looks for work until it finds the word, or is told that another
    /// M has found it.
    fn work(&self) -> bool {
        let (mut number, mut spinning) = (2, false);
        loop {
            self.put_down(number);
            match self.idle.put_idle(M, number + FIRST, spinning) {
                PutIdle::Idle => {}
                PutIdle::Waiting(m) => panic!("M {m} waits for no P"),
                PutIdle::Left => self.leave(number),
            }
            match self.any_work().then(|| self.idle.try_leave_idle(M)) {
                Some(SelfWake::Take(id)) => {
                    (number, spinning) = (id - FIRST, self.idle.start_spinning());
                }
                _ => {
                    assert!(self.parker.wait(|| None));
                    match self.handed.swap(0, Ordering::Relaxed) {
                        0 => return false,
                        id => (number, spinning) = (id - FIRST, true),
                    }
                }
            }
            self.take_up(number);
            if self.find(number) {
                return true;
            }
        }
    }
}

/// The M puts its P down beside `changes`. A word that is never found leaves the M asleep forever.
fn an_m_beside(changes: &'static [usize]) {
    explore(Some(3), move || {
        let world = Arc::new(World::new());
        let changer = thread::spawn({
            let world = world.clone();
            move || {
                let found = changes.iter().any(|&target| world.resize(target));
                if found {
                    world.parker.notify();
                }
                found
            }
        });
        let found = world.work();
        assert_eq!(
            [found, changer.join().unwrap()]
                .iter()
                .filter(|&&x| x)
                .count(),
            1
        );
        assert!(!world.any_work());
    });
}

#[test]
fn what_is_in_ps_that_leave_is_found() {
    an_m_beside(&[1]);
}

#[test]
fn what_is_in_a_p_that_is_called_back_is_found() {
    an_m_beside(&[1, 2]);
}

/// The only busy P leaves while others come, and an M waits for one.
#[test]
fn an_m_that_waits_for_a_p_gets_one_of_those_that_come() {
    explore(None, || {
        let mut numbers = PNumbers::new();
        let idle = Arc::new(Idle::new());
        let ids = |numbers: &[usize]| numbers.iter().map(|n| n + FIRST).collect();
        busy(&idle, ids(&numbers.plan(1).come));
        assert_eq!(idle.take_p_or_wait(M), None);
        let plan = numbers.plan(2);
        let change = Change {
            come: ids(&plan.come),
            stay: ids(&plan.stay),
            go: ids(&plan.go),
            come_used: 0,
        };
        assert_eq!(change.go, [FIRST]);
        let holder = thread::spawn({
            let idle = idle.clone();
            move || match idle.put_idle_p(FIRST) {
                PutIdle::Waiting(m) => Some(m),
                PutIdle::Idle | PutIdle::Left => None,
            }
        });
        let changed = idle.change(&change);
        let by_holder = holder.join().unwrap();
        let mut served: Vec<usize> = changed.served.iter().map(|&(m, _)| m).collect();
        served.extend(by_holder);
        assert_eq!(served, [M]);
    });
}
