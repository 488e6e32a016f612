//! Shrinking: nobody works on the stack of a goroutine that runs, and the context that is read is whole.

use loom::{cell::UnsafeCell, sync::Arc, thread};

use super::explore;
use crate::{
    shrinking::Shrinking,
    status::{Status, StatusCell},
    sync::heavy_fence,
};

struct World {
    status: StatusCell,
    word: Shrinking,
    /// The stack, and the context that says how much of it is in use: plain memory, so that loom
    /// reports it when both sides are at it.
    stack: UnsafeCell<u32>,
    context: UnsafeCell<u32>,
}

impl World {
    /// A goroutine that is parked, in `status`.
    fn parked(status: Status) -> Arc<World> {
        Arc::new(World {
            status: StatusCell::new(status),
            word: Shrinking::new(),
            stack: UnsafeCell::new(0),
            context: UnsafeCell::new(1),
        })
    }

    /// The M: R1, R2, the goroutine's own doing, R3.
    fn run(&self) {
        self.status.set(Status::Running);
        self.word.settle();
        // SAFETY: the goroutine runs; loom checks it.
        self.stack.with_mut(|stack| unsafe { *stack += 1 });
        // SAFETY: as above: the switch away writes the context.
        self.context.with_mut(|context| unsafe { *context += 1 });
        self.status.set_waiting();
    }

    /// The shrinker: S2 to S7.
    fn shrink(&self) -> bool {
        if self.status.get() != Status::Marked {
            return false;
        }
        self.word.want();
        heavy_fence();
        let shrinks = self.status.get() == Status::Marked && self.word.begin();
        if shrinks {
            // SAFETY: the goroutine is parked and stays so; loom checks it.
            self.context.with(|context| unsafe { *context });
            // SAFETY: as above.
            self.stack.with_mut(|stack| unsafe { *stack += 1 });
            // S7 changes the status here. Loom lets a read-modify-write read a store that a plain one has
            // replaced, so the model leaves that out; nothing but the next look depends on it.
        }
        self.word.end();
        shrinks
    }
}

#[test]
fn a_stack_is_shrunk_or_run_on_but_not_both() {
    explore(Some(4), || {
        let world = World::parked(Status::Marked);
        let shrinker = thread::spawn({
            let world = world.clone();
            move || world.shrink()
        });
        world.run();
        let shrunk = shrinker.join().unwrap();
        // It has run since, so no mark is left.
        assert_eq!(world.status.get(), Status::Waiting);
        // SAFETY: both have finished.
        world
            .stack
            .with(|stack| assert_eq!(unsafe { *stack }, 1 + u32::from(shrunk)));
    });
}

#[test]
fn a_goroutine_that_comes_and_goes_is_left_alone() {
    explore(Some(3), || {
        let world = World::parked(Status::Marked);
        let shrinker = thread::spawn({
            let world = world.clone();
            move || world.shrink()
        });
        world.run();
        world.run();
        shrinker.join().unwrap();
        // The word is free again: it can run once more.
        world.run();
        assert_eq!(world.status.get(), Status::Waiting);
    });
}
