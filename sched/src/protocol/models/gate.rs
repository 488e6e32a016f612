//! The gate: a P is taken from an M that does not know, and two Ms never use it.

use loom::{
    cell::UnsafeCell,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::explore;
use crate::protocol::gate::Gate;

struct World {
    gate: Gate,
    /// The takers' lock.
    takers: Mutex<()>,
    /// The holder of the P: this gate's M, another one, or the taker.
    holder: AtomicUsize,
    /// The P: plain memory, so that loom reports two owners at once.
    p: UnsafeCell<u32>,
}

const M: usize = 1;
const OTHER: usize = 2;
const TAKER: usize = 3;

impl World {
    fn new(gate: Gate) -> Arc<World> {
        let world = Arc::new(World {
            gate,
            takers: Mutex::new(()),
            holder: AtomicUsize::new(M),
            p: UnsafeCell::new(0),
        });
        world.gate.leave();
        world
    }

    fn use_p(&self) {
        // SAFETY: the caller owns the P; loom checks it.
        self.p.with_mut(|p| unsafe { *p += 1 });
    }

    /// An entry of the M. False: it has lost its P.
    fn enter(&self) -> bool {
        let wanted = self.gate.enter() && self.gate.enter_fenced();
        let gone = wanted && {
            let _lock = self.takers.lock().unwrap();
            self.gate.settle()
        };
        !gone
    }

    /// An entry of the M, and the use of its P inside; false: it has lost its P.
    fn runtime_call(&self) -> bool {
        let there = self.enter();
        if there {
            self.use_p();
        }
        self.gate.leave();
        there
    }

    /// sysmon, and the M that gets the P.
    fn take(&self) -> bool {
        let _lock = self.takers.lock().unwrap();
        // Release and Acquire: as a P's owner.
        let holds = || self.holder.load(Ordering::Acquire) == M;
        let taken = self.gate.take_if(holds);
        if taken {
            self.holder.store(TAKER, Ordering::Release);
            self.use_p();
        }
        taken
    }
}

fn the_p_has_one_owner(gate: fn() -> Gate) {
    explore(Some(4), move || {
        let world = World::new(gate());
        let sysmon = thread::spawn({
            let world = world.clone();
            move || world.take()
        });
        let first = world.runtime_call();
        let second = first && world.runtime_call();
        let taken = sysmon.join().unwrap();
        // The M that had the P learns of it: it knows by now, or will at its next call.
        let still_there = if second { world.runtime_call() } else { false };
        assert_eq!(still_there, !taken);
        let calls = u32::from(first) + u32::from(second) + u32::from(still_there);
        // SAFETY: the other thread has ended.
        world
            .p
            .with(|p| assert_eq!(unsafe { *p }, calls + u32::from(taken)));
    });
}

#[test]
fn a_taken_p_is_never_used_by_its_old_m() {
    the_p_has_one_owner(|| Gate::new(false));
}

#[test]
fn without_membarrier_the_fence_is_on_the_other_side() {
    the_p_has_one_owner(|| Gate::new(true));
}

#[test]
fn an_m_that_is_inside_keeps_its_p() {
    explore(None, || {
        let world = World::new(Gate::new(false));
        assert!(!world.gate.enter());
        assert!(!world.take());
        world.use_p();
        world.gate.leave();
        assert!(world.runtime_call());
    });
}

/// sysmon tries twice: after the first time the M passes fences, and the second may take the P.
#[test]
fn a_membarrier_that_is_refused_takes_no_p_from_an_m_that_passes_no_fence() {
    explore(Some(3), || {
        let world = World::new(Gate::new_without_its_membarrier());
        let sysmon = thread::spawn({
            let world = world.clone();
            move || world.take() || world.take()
        });
        let first = world.runtime_call();
        let second = first && world.runtime_call();
        let taken = sysmon.join().unwrap();
        let still_there = second && world.runtime_call();
        assert_eq!(still_there, !taken);
        let calls = [first, second, still_there, taken];
        let calls = calls.iter().filter(|&&call| call).count();
        // SAFETY: the other thread has ended.
        world.p.with(|p| assert_eq!(unsafe { *p }, calls as u32));
    });
}

#[test]
fn after_a_refusal_the_p_is_taken_from_an_m_that_has_been_inside() {
    explore(None, || {
        let world = World::new(Gate::new_without_its_membarrier());
        assert!(!world.take(), "sysmon cannot tell whether the M is outside");
        assert!(world.runtime_call());
        assert!(world.take());
        assert!(!world.runtime_call());
    });
}

/// The M passes its P on, inside, to an M whose gate is not the one that is shut.
#[test]
fn a_p_that_has_gone_to_another_m_is_not_taken_from_the_first() {
    explore(Some(4), || {
        let world = World::new(Gate::new(false));
        let sysmon = thread::spawn({
            let world = world.clone();
            move || world.take()
        });
        let passed_on = world.enter();
        if passed_on {
            world.use_p();
            world.holder.store(OTHER, Ordering::Release);
        }
        world.gate.leave();
        if passed_on {
            world.use_p();
        }
        assert_eq!(sysmon.join().unwrap(), !passed_on);
    });
}
