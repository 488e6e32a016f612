//! The gate: a P is taken from an M that does not know, and never used by two.

use loom::{cell::UnsafeCell, sync::Arc, sync::Mutex, thread};

use super::explore;
use crate::gate::Gate;

struct World {
    gate: Gate,
    /// The takers' lock.
    takers: Mutex<()>,
    /// The P: plain memory, so that loom reports two owners at once.
    p: UnsafeCell<u32>,
}

impl World {
    fn new(fenced: bool) -> Arc<World> {
        let world = Arc::new(World {
            gate: Gate::new(fenced),
            takers: Mutex::new(()),
            p: UnsafeCell::new(0),
        });
        world.gate.leave();
        world
    }

    fn use_p(&self) {
        // SAFETY: the caller owns the P; loom checks it.
        self.p.with_mut(|p| unsafe { *p += 1 });
    }

    /// An entry of the M, with what it does inside; false: its P is gone.
    fn runtime_call(&self, fenced: bool) -> bool {
        let mut alerted = self.gate.enter();
        if alerted && fenced {
            alerted = self.gate.enter_fenced();
        }
        let gone = alerted && {
            let _lock = self.takers.lock().unwrap();
            self.gate.settle()
        };
        if !gone {
            self.use_p();
        }
        self.gate.leave();
        !gone
    }

    /// sysmon, and the M that the P goes to.
    fn take(&self) -> bool {
        let _lock = self.takers.lock().unwrap();
        let taken = self.gate.shut();
        if taken {
            self.gate.take();
            self.use_p();
        }
        taken
    }
}

fn the_p_has_one_owner(fenced: bool) {
    explore(Some(4), move || {
        let world = World::new(fenced);
        let sysmon = thread::spawn({
            let world = world.clone();
            move || world.take()
        });
        let first = world.runtime_call(fenced);
        let second = first && world.runtime_call(fenced);
        let taken = sysmon.join().unwrap();
        // Whoever was there last is told: by now the M knows, or will at its next call.
        let still_there = if second {
            world.runtime_call(fenced)
        } else {
            false
        };
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
    the_p_has_one_owner(false);
}

#[test]
fn without_membarrier_the_fence_is_on_the_other_side() {
    the_p_has_one_owner(true);
}

#[test]
fn an_m_that_is_inside_keeps_its_p() {
    explore(None, || {
        let world = World::new(false);
        assert!(!world.gate.enter());
        assert!(!world.take());
        world.use_p();
        world.gate.leave();
        assert!(world.runtime_call(false));
    });
}
