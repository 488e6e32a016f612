//! A fork-join: each job is run once, by its owner or by a thief; the frame in which it lies ends after the last access
//! to it; the owner is not left asleep; and an M that falls asleep while a job is offered finds it or is woken.
//!
//! A frame is plain memory, in which loom finds an access that is not ordered before its end.

use loom::{
    cell::UnsafeCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering, fence},
    },
    thread,
};

use super::explore;
use crate::protocol::{job_deques::JobDeques, job_word::JobWord, parker::Parker};

/// The word of the owner that waits.
const OWNER: usize = 64;

/// A frame of the owner, with a job.
struct Frame {
    word: JobWord,
    /// 0: the job has not run; 1: it has; 2: the frame has ended.
    body: UnsafeCell<u32>,
}

impl Frame {
    fn new() -> Frame {
        Frame {
            word: JobWord::new(),
            body: UnsafeCell::new(0),
        }
    }

    fn run(&self) {
        // SAFETY: loom checks that no other thread uses it.
        self.body.with_mut(|body| unsafe {
            assert_eq!(*body, 0, "a job ran twice, or after its frame");
            *body = 1;
        });
    }

    fn end(&self) {
        // SAFETY: loom checks that no other thread uses it.
        self.body.with_mut(|body| unsafe {
            assert_eq!(*body, 1, "a frame ended before its job");
            *body = 2;
        });
    }
}

/// One goroutine with the deque 0, its frames, and the thieves.
struct Scene {
    block: JobDeques,
    frames: [Frame; 3],
    parker: Parker,
    stolen: AtomicUsize,
}

impl Scene {
    fn new() -> Arc<Scene> {
        Arc::new(Scene {
            block: JobDeques::new(),
            frames: std::array::from_fn(|_| Frame::new()),
            parker: Parker::new(),
            stolen: AtomicUsize::new(0),
        })
    }

    /// The owner offers the job of the frame `at`, does `a`, and joins.
    fn join(&self, at: usize, a: impl FnOnce()) {
        let frame = &self.frames[at];
        let offered = self.block.offer(0, at + 1);
        a();
        if !offered {
            frame.run();
        } else if let Some(word) = self.block.deque(0).pop() {
            assert_eq!(word, at + 1, "the youngest job is this frame's");
            frame.run();
        } else {
            if !frame.word.is_done() && frame.word.wait(OWNER) {
                self.parker.wait(|| None);
            }
            assert!(frame.word.is_done());
        }
        frame.end();
    }

    /// A thief looks once, and with `clears` then clears the bits of empty deques.
    fn steal(&self, clears: bool) -> bool {
        let Some(word) = self.block.steal(0) else {
            return clears && self.block.clear_empty();
        };
        let frame = &self.frames[word - 1];
        self.stolen.fetch_add(1, Ordering::Relaxed); // Relaxed: a count.
        frame.run();
        if let Some(owner) = frame.word.finish() {
            assert_eq!(owner, OWNER);
            self.parker.notify();
        }
        true
    }
}

/// In a thread: a thief that looks `looks` times.
fn thief(scene: &Arc<Scene>, looks: u32, clears: bool) -> thread::JoinHandle<()> {
    let scene = scene.clone();
    thread::spawn(move || {
        for _ in 0..looks {
            scene.steal(clears);
        }
    })
}

#[test]
fn a_job_is_run_once_and_its_frame_ends_after_it() {
    explore(None, || {
        let scene = Scene::new();
        let thief = thief(&scene, 1, true);
        scene.join(0, || ());
        thief.join().unwrap();
        assert!(!scene.block.any());
    });
}

#[test]
fn nested_jobs_are_run_once_beside_two_thieves() {
    explore(Some(3), || {
        let scene = Scene::new();
        let thieves = [thief(&scene, 1, true), thief(&scene, 1, false)];
        scene.join(0, || scene.join(1, || ()));
        thieves.into_iter().for_each(|thief| thief.join().unwrap());
        assert!(!scene.block.any());
    });
}

#[test]
fn a_thief_that_looks_twice_takes_no_job_that_is_gone() {
    explore(Some(3), || {
        let scene = Scene::new();
        let thief = thief(&scene, 2, false);
        // The second pair comes where the first has been, and the deque has shrunk between.
        scene.join(0, || scene.join(1, || ()));
        scene.join(2, || ());
        thief.join().unwrap();
    });
}

#[test]
fn a_full_deque_leaves_the_job_to_its_owner() {
    explore(Some(3), || {
        let scene = Scene::new();
        let thief = thief(&scene, 2, false);
        scene.join(0, || scene.join(1, || scene.join(2, || ())));
        thief.join().unwrap();
    });
}

/// I3 and I4 of idle.rs against O4 of job_deques.rs: an M that looks once more before it sleeps, beside one that clears the
/// bit of the deque, which was empty.
#[test]
fn an_m_that_falls_asleep_finds_the_job_or_is_woken() {
    explore(Some(3), || {
        let scene = Scene::new();
        let idle = Arc::new(AtomicUsize::new(0));
        // The bit is set, and the deque is empty.
        assert!(scene.block.offer(0, 1));
        assert_eq!(scene.block.deque(0).pop(), Some(1));
        let clearing = thread::spawn({
            let (scene, idle) = (scene.clone(), idle.clone());
            move || {
                let refilled = scene.block.clear_empty();
                // Relaxed: ordered by the fence in `mark`.
                refilled && idle.load(Ordering::Relaxed) == 1
            }
        });
        let sleeping = thread::spawn({
            let (scene, idle) = (scene.clone(), idle.clone());
            move || {
                idle.store(1, Ordering::Relaxed); // I2
                fence(Ordering::SeqCst); // I3
                scene.block.any() // I4
            }
        });
        assert!(scene.block.offer(0, 1));
        // Relaxed: ordered by the fence at O2 of job_deques.rs.
        let wakes = idle.load(Ordering::Relaxed) == 1;
        let (taken, seen) = (clearing.join().unwrap(), sleeping.join().unwrap());
        assert!(wakes || taken || seen, "nobody knows of the job");
    });
}
