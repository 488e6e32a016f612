//! The end of a goroutine against its handle, which joins, gives up, detaches, or is a future: the result goes to one
//! of the two sides, and so does each reference that lay in the word.
//!
//! What only its owner may touch is plain memory, in which loom finds two owners. A lost wake-up shows as a deadlock.

use loom::{cell::UnsafeCell, sync::Arc, thread};

use super::explore;
use crate::protocol::{
    join_word::{End, Fate, JoinWord, Waiter},
    parker::Parker,
};

const G: Waiter = Waiter::G(64);
const TICKET: Waiter = Waiter::Ticket(128);
const CELL: Waiter = Waiter::Cell(192);

/// What the goroutine returns.
const RESULT: u32 = 7;

/// Something that is taken once, by its owner.
struct Once<T>(UnsafeCell<Option<T>>);

impl<T> Once<T> {
    fn new(value: Option<T>) -> Once<T> {
        Once(UnsafeCell::new(value))
    }

    fn put(&self, value: T) {
        // SAFETY: loom checks that no other thread uses it.
        self.0
            .with_mut(|place| assert!(unsafe { (*place).replace(value) }.is_none()));
    }

    fn take(&self) -> T {
        // SAFETY: loom checks that no other thread uses it.
        self.0
            .with_mut(|place| unsafe { (*place).take() })
            .expect("taken twice")
    }
}

/// A goroutine's descriptor, and what belongs to its waiter.
struct Scene {
    word: JoinWord,
    result: Once<u32>,
    /// The parker of the G that joins.
    parker: Parker,
    /// The counted reference to a ticket or cell.
    reference: Once<()>,
    /// The place where the end puts the result for a future.
    delivered: Once<u32>,
}

impl Scene {
    fn new() -> Arc<Scene> {
        let word = JoinWord::new();
        word.reset();
        Arc::new(Scene {
            word,
            result: Once::new(None),
            parker: Parker::new(),
            reference: Once::new(Some(())),
            delivered: Once::new(None),
        })
    }

    /// The goroutine, from its result on, as `main` of schedule/exit.rs. Returns whether the end owned the result.
    fn end(&self) -> bool {
        self.result.put(RESULT);
        loop {
            match self.word.fate() {
                Fate::Joined => match self.word.finish() {
                    End::HandleOwns => return false,
                    End::Wake(waiter) => {
                        match waiter {
                            G => self.parker.notify(),
                            TICKET => self.reference.take(),
                            other => panic!("{other:?} was not left by this model"),
                        }
                        return false;
                    }
                    End::Else => {}
                },
                Fate::Awaited(cell) => {
                    assert_eq!(Waiter::Cell(cell), CELL);
                    self.delivered.put(self.result.take());
                    self.reference.take();
                    return true;
                }
                Fate::Detached => {
                    self.result.take();
                    return true;
                }
            }
        }
    }

    /// The handle joins.
    fn join(&self) {
        if !self.word.is_done() && self.word.wait(G) {
            self.parker.wait(|| None);
        }
        assert!(self.word.is_done());
        assert_eq!(self.result.take(), RESULT);
    }

    /// The handle is dropped. Returns whether the handle owned the result.
    fn drop_handle(&self) -> bool {
        let detached = self.word.detach();
        if !detached {
            assert_eq!(self.result.take(), RESULT);
        }
        !detached
    }
}

/// Runs `handle` against the end. It returns whether the handle owned the result; so exactly one side has it.
fn against_the_end(handle: impl Fn(&Scene) -> bool + Send + Sync + Copy + 'static) {
    explore(None, move || {
        let scene = Scene::new();
        let end = thread::spawn({
            let scene = scene.clone();
            move || scene.end()
        });
        let handles = handle(&scene);
        let ends = end.join().unwrap();
        assert_ne!(handles, ends, "the result has one owner");
    });
}

#[test]
fn a_handle_that_joins_has_the_result_and_is_not_left_asleep() {
    against_the_end(|scene| {
        scene.join();
        true
    });
}

#[test]
fn a_handle_that_is_dropped_leaves_the_result_to_the_end_or_has_it() {
    against_the_end(Scene::drop_handle);
}

#[test]
fn a_join_that_gives_up_has_its_ticket_back_or_the_result() {
    against_the_end(|scene| {
        if scene.word.wait(TICKET) && scene.word.give_up(TICKET, false) {
            scene.reference.take();
        }
        // When its time is up it is a handle as before.
        if scene.word.is_done() {
            assert_eq!(scene.result.take(), RESULT);
            return true;
        }
        scene.drop_handle()
    });
}

#[test]
fn a_join_that_gives_up_can_join_again() {
    against_the_end(|scene| {
        if scene.word.wait(TICKET) && scene.word.give_up(TICKET, false) {
            scene.reference.take();
        }
        scene.join();
        true
    });
}

#[test]
fn a_future_that_is_dropped_detaches_the_goroutine_or_its_cell_has_the_result() {
    against_the_end(|scene| {
        if !scene.word.wait(CELL) {
            assert_eq!(scene.result.take(), RESULT);
            return true;
        }
        if scene.word.give_up(CELL, true) {
            scene.reference.take();
        }
        false
    });
}

#[test]
fn a_future_becomes_a_handle_again_or_its_cell_gets_the_result() {
    against_the_end(|scene| {
        if !scene.word.wait(CELL) {
            assert_eq!(scene.result.take(), RESULT);
            return true;
        }
        if scene.word.give_up(CELL, false) {
            scene.reference.take();
            scene.join();
            return true;
        }
        false
    });
}

#[test]
fn a_cell_that_nobody_takes_back_gets_the_result() {
    explore(None, || {
        let scene = Scene::new();
        let waits = scene.word.wait(CELL);
        assert!(waits, "it runs");
        let end = thread::spawn({
            let scene = scene.clone();
            move || scene.end()
        });
        assert!(end.join().unwrap());
        assert_eq!(scene.delivered.take(), RESULT);
    });
}
