//! Holding goroutines: a reader never meets a goroutine that runs, and reads a whole context; beside the shrinker, which
//! uses the same word. The steps are those of hold.rs and shrink.rs.

use loom::{
    sync::{Arc, Mutex},
    thread,
};

use super::{explore, shrink_word};
use crate::protocol::{hold, status::Status, wait_reason::WaitReason};

struct World {
    g: shrink_word::World,
    /// The right to the word (all_gs.rs).
    right: Mutex<()>,
}

impl World {
    fn new(status: Status) -> Arc<World> {
        Arc::new(World {
            g: shrink_word::World::new(status),
            right: Mutex::new(()),
        })
    }

    fn run(&self) {
        self.g.run();
    }

    /// The waker: the goroutine goes into a queue, from which the calling M takes it.
    fn ready(&self) {
        self.g.status.set_runnable();
    }

    /// D1 to D5. Returns whether it was held.
    fn read(&self) -> bool {
        let _right = self.right.lock().unwrap();
        let mut was_held = false;
        let fenced = hold::hold(&[&self.g], |_, held| {
            was_held = held;
            if held {
                // SAFETY: it is held, so it does not run; loom checks it.
                self.g.context.with(|context| unsafe { *context });
                // SAFETY: a goroutine that is held does not run; loom checks it.
                self.g.stack.with(|stack| unsafe { *stack });
            }
        });
        assert!(fenced);
        was_held
    }
}

fn beside<T: 'static>(world: &Arc<World>, f: fn(&World) -> T) -> thread::JoinHandle<T> {
    let world = world.clone();
    thread::spawn(move || f(&world))
}

#[test]
fn a_goroutine_that_runs_is_not_read() {
    for status in [Status::Waiting, Status::Runnable, Status::Shrunk] {
        explore(Some(4), move || {
            let world = World::new(status);
            let reader = beside(&world, World::read);
            world.run();
            reader.join().unwrap();
            assert_eq!(world.g.status.get(), Status::Waiting);
            assert_eq!(world.g.status.reason(), Some(WaitReason::Join));
        });
    }
}

#[test]
fn one_that_comes_and_goes_is_read_between_its_runs_or_not_at_all() {
    explore(Some(3), || {
        let world = World::new(Status::Waiting);
        let reader = beside(&world, World::read);
        world.run();
        world.ready();
        world.run();
        reader.join().unwrap();
        // The word is free again.
        world.run();
    });
}

#[test]
fn one_that_is_in_a_run_queue_is_read_whole() {
    explore(Some(3), || {
        let world = World::new(Status::Running);
        let reader = beside(&world, World::read);
        world.run();
        world.ready();
        reader.join().unwrap();
        assert_eq!(world.g.status.get(), Status::Runnable);
    });
}

#[test]
fn a_goroutine_that_stays_is_held_and_one_that_has_no_stack_is_not() {
    explore(None, || {
        for (status, is_held) in [
            (Status::Waiting, true),
            (Status::Marked, true),
            (Status::Shrunk, true),
            (Status::Runnable, true),
            (Status::Fresh, false),
            (Status::Running, false),
            (Status::Blocked, false),
            (Status::Timed, false),
            (Status::Dead, false),
        ] {
            assert_eq!(World::new(status).read(), is_held, "{status:?}");
        }
    });
}

#[test]
fn one_that_ends_is_not_read_after_it_gave_up_its_stack() {
    explore(Some(4), || {
        let world = World::new(Status::Waiting);
        let reader = beside(&world, World::read);
        world.g.word.take_up(&world.g.status, Status::Dead);
        // SAFETY: the stack was given up and goes to another goroutine; loom checks it.
        world.g.stack.with_mut(|stack| unsafe { *stack += 1 });
        reader.join().unwrap();
    });
}

#[test]
fn a_reader_and_the_shrinker_take_turns() {
    explore(Some(2), || {
        let world = World::new(Status::Marked);
        let reader = beside(&world, World::read);
        let shrinker = beside(&world, |world| {
            let _right = world.right.lock().unwrap();
            world.g.shrink();
        });
        world.run();
        reader.join().unwrap();
        shrinker.join().unwrap();
        world.run();
    });
}
