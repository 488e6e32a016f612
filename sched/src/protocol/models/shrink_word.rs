//! Shrinking: the shrinker never works on the stack of a goroutine that runs, and reads a whole context. The steps
//! are those of shrink.rs.

use loom::{cell::UnsafeCell, sync::Arc, thread};

use super::explore;
use crate::protocol::{
    hold::Holds,
    shrink_word::{self, Look, ShrinkWord, Shrinks},
    status::{Status, StatusCell},
    wait_reason::WaitReason,
};

/// A goroutine, also of models/hold.rs.
pub(super) struct World {
    pub(super) status: StatusCell,
    pub(super) word: ShrinkWord,
    /// The stack, and the context that says how much of it is in use: plain memory, so that loom reports it when both
    /// sides use it at once.
    pub(super) stack: UnsafeCell<u32>,
    pub(super) context: UnsafeCell<u32>,
}

impl World {
    pub(super) fn new(status: Status) -> World {
        World {
            status: StatusCell::new(status),
            word: ShrinkWord::new(),
            stack: UnsafeCell::new(0),
            context: UnsafeCell::new(1),
        }
    }

    /// A goroutine that is parked, in `status`.
    fn parked(status: Status) -> Arc<World> {
        Arc::new(World::new(status))
    }

    /// The M: R1, R2, the goroutine's own use of its stack, R3.
    pub(super) fn run(&self) {
        self.word.take_up(&self.status, Status::Running);
        // SAFETY: the goroutine runs; loom checks it.
        self.stack.with_mut(|stack| unsafe { *stack += 1 });
        // SAFETY: the goroutine runs, and loom checks it: the switch away writes the context.
        self.context.with_mut(|context| unsafe { *context += 1 });
        self.status
            .set_with(Status::Running, Some(WaitReason::Join));
        self.status.set_waiting();
    }

    /// The shrinker has found it marked: S2 to S7.
    pub(super) fn shrink(&self) {
        shrink_word::shrink(&[self]);
    }

    /// How often the stack was run on or shrunk. All have finished.
    fn uses(&self) -> u32 {
        // SAFETY: all have finished.
        self.stack.with(|stack| unsafe { *stack })
    }
}

impl Holds for World {
    fn status(&self) -> &StatusCell {
        &self.status
    }

    fn word(&self) -> &ShrinkWord {
        &self.word
    }
}

impl Shrinks for World {
    unsafe fn trim(&self) {
        // SAFETY: the goroutine is parked and stays so; loom checks it.
        self.context.with(|context| unsafe { *context });
        // SAFETY: the word is BUSY, so the goroutine stays parked; loom checks it.
        self.stack.with_mut(|stack| unsafe { *stack += 1 });
    }

    /// Loom lets a read-modify-write read a store that a plain one has replaced. So this race changes no status; only
    /// the next look depends on it.
    fn note_shrunk(&self) {}
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
        shrinker.join().unwrap();
        // The goroutine has run since, so no mark is left, and its wait is intact.
        assert_eq!(world.status.get(), Status::Waiting);
        assert_eq!(world.status.reason(), Some(WaitReason::Join));
        assert!((1..=2).contains(&world.uses()));
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

#[test]
fn a_goroutine_that_stays_is_marked_by_one_look_and_shrunk_by_the_next() {
    explore(None, || {
        let world = World::parked(Status::Waiting);
        assert_eq!(shrink_word::look(&*world), Look::Marks);
        assert_eq!(shrink_word::look(&*world), Look::Shrinks);
        world.shrink();
        assert_eq!(world.uses(), 1);
        world.run();
        assert_eq!(shrink_word::look(&*world), Look::Marks, "it has run since");
    });
}

#[test]
fn a_goroutine_that_gives_up_its_stack_does_not_share_it_with_the_shrinker() {
    explore(Some(4), || {
        let world = World::parked(Status::Marked);
        let shrinker = thread::spawn({
            let world = world.clone();
            move || world.shrink()
        });
        world.word.take_up(&world.status, Status::Dead);
        // SAFETY: the stack was given up and goes to another goroutine; loom checks it.
        world.stack.with_mut(|stack| unsafe { *stack += 1 });
        shrinker.join().unwrap();
        assert_eq!(shrink_word::look(&*world), Look::Passes);
    });
}
