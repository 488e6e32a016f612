//! Shrinking: what a stack does not need while its goroutine stays parked goes back to the kernel.
//!
//! A thread of the runtime, the shrinker, looks at all goroutines once in an *idle time*. A goroutine that it finds
//! parked is marked. One that still bears the mark at the next look has been parked since then (running clears the
//! mark), and loses the memory below its stack pointer. So a stack shrinks after one to two idle times. The switch
//! must not pay for that, so its side has no locked instruction:
//!
//! ```text
//! shrinker                                            M that runs the goroutine (schedule/mod.rs)
//!                                                     R1 status = Running          plain store
//! S1 status: Waiting -> Marked                        R2 word != FREE ? settle     plain load
//!    ... an idle time later, for some at a time ...   ... runs, parks ...
//! S2 status is Marked: word = WANTED                  R3 off the stack: status = Waiting
//! S3 membarrier
//! S4 status is still Marked, and                      settle: word: WANTED -> FREE,
//! S5 word: WANTED -> BUSY, else leave it alone                or wait while it is BUSY
//! S6 madvise
//! S7 status: Marked -> Shrunk; word = FREE
//! ```
//!
//! The race is R1, R2 against S2, S4, as in any lock of two flags. The M needs no fence, because S3 makes every
//! thread of the process pass one. (At its end, when a goroutine gives up its stack, R1 stores Dead.) If R1 came
//! before S3, S4 sees that the goroutine is not parked. If not, R2 comes after S3 and sees the word. An M that finds
//! BUSY waits for a system call of some microseconds.
//!
//! The context is read in S6. It was written before R3, which S1 read from, and is not written again before the
//! goroutine runs. A goroutine that waits without leaving its stack (on_thread.rs) has another status. A goroutine
//! whose stack is copied has no stack of its own.
//!
//! Stacks of goroutines that have ended keep their memory for the next ones: the few warmest in the cache of a P, the
//! others on shared lists, whose windows give their memory back when they were not used for an idle time. A P gives
//! the colder of its stacks to these lists when it becomes idle. If it never does, the shrinker asks it once in an
//! idle time.
//!
//! When a look finds nothing that the next one could shrink, and all Ps are idle, the thread sleeps until an M wakes.
//! It is started when an M finds nothing to do, or when there are more than a few goroutines. On kernels without
//! `membarrier` no parked stack shrinks, and none shrinks after the kernel has refused `membarrier`.
//!
//! A goroutine is stamped with the time before it is marked (S1). So reports know how long it has been parked, at least.
//!
//! The word, and the steps of both sides, are in shrink_word.rs, where loom compiles them. While a reader of stacks uses
//! the words (hold.rs), the shrinker waits, and the other way round.

use std::{
    sync::atomic::{AtomicU32, Ordering, fence},
    thread,
    time::Duration,
};

use goroutines_stack as stack;

use crate::{
    gmp::{all_gs::AllGs, g::G},
    protocol::{
        hold::Holds,
        shrink_word::{self, Look, ShrinkWord, Shrinks},
        status::{Status, StatusCell},
    },
    sys::{futex::Futex, membarrier},
};

/// How many goroutines share a membarrier call; the last of them may have to wait for the others.
const BATCH: usize = 32;

/// The thread that shrinks.
pub(crate) struct Shrinker {
    idle_time: Option<Duration>,
    /// Whether there is a barrier for S3.
    fenced: bool,
    state: AtomicU32,
    /// The futex on which it sleeps.
    bell: Futex,
}

/// The thread was not started.
const ABSENT: u32 = 0;
/// It looks once in an idle time.
const AWAKE: u32 = 1;
/// It sleeps on `bell`.
const ASLEEP: u32 = 2;

impl Shrinker {
    pub(crate) fn new(idle_time: Option<Duration>) -> Shrinker {
        let able = idle_time.is_some();
        Shrinker {
            idle_time,
            fenced: able && membarrier::is_there(),
            state: AtomicU32::new(if able { ABSENT } else { AWAKE }),
            bell: Futex::new(0),
        }
    }

    /// An M has nothing to do, or wakes. Returns whether the thread is not awake, so that [`wake`](Shrinker::wake) is
    /// to be called.
    #[inline]
    pub(crate) fn is_away(&self) -> bool {
        // The P of an M that wakes was taken from the list before; partner is the fence in `rest`.
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence.
        self.state.load(Ordering::Relaxed) != AWAKE
    }

    /// Wakes the thread. True if there is none: the caller asks for one, which then [runs](Shrinker::run).
    #[cold]
    #[must_use]
    pub(crate) fn wake(&self) -> bool {
        // Relaxed: the goroutines that the thread then looks at have their own orderings.
        match self.state.swap(AWAKE, Ordering::Relaxed) {
            ABSENT => return true,
            ASLEEP => {
                // Relaxed: the kernel orders it with the sleep.
                self.bell.word().fetch_add(1, Ordering::Relaxed);
                self.bell.wake_one();
            }
            _ => {}
        }
        false
    }

    /// There was no thread: the next caller that wants it asks again.
    pub(crate) fn not_started(&self) {
        // Relaxed: see `wake`.
        self.state.store(ABSENT, Ordering::Relaxed);
    }

    /// The loop of the thread. `shed` asks each P for the colder of its stacks; `all_idle` returns whether all Ps are
    /// idle.
    pub(crate) fn run(&self, all: &AllGs, shed: impl Fn(), all_idle: impl Fn() -> bool) {
        let Some(idle_time) = self.idle_time else {
            return;
        };
        loop {
            thread::sleep(idle_time);
            let marked = look(all, self.fenced);
            // An idle P has done it already.
            shed();
            let others = stack::give_back_idle();
            if !marked && !others {
                self.rest(&all_idle);
            }
        }
    }

    /// Sleeps until it is woken, if all Ps are idle.
    fn rest(&self, all_idle: impl Fn() -> bool) {
        // Relaxed (all): see the fences; a wake-up that comes early or late costs one look.
        let ring = self.bell.word().load(Ordering::Relaxed);
        self.state.store(ASLEEP, Ordering::Relaxed);
        // Partner is the fence in `is_away`: either that M sees ASLEEP, or this thread sees that its P is not idle.
        fence(Ordering::SeqCst);
        if all_idle() {
            self.bell.wait(ring, None);
        }
        self.state.store(AWAKE, Ordering::Relaxed);
    }
}

/// One look at all goroutines: marks those that are parked, shrinks those that were marked before. Returns whether
/// there are any that the next look could shrink.
/// Without a barrier none is shrunk, and the marks are for reports.
fn look(all: &AllGs, fenced: bool) -> bool {
    let mut any = false;
    let mut batch: Vec<&'static G> = Vec::with_capacity(BATCH);
    for g in all.iter() {
        match shrink_word::look(g) {
            Look::Marks => any = true,
            Look::Shrinks if fenced => batch.push(g),
            Look::Shrinks | Look::Passes => {}
        }
        if batch.len() == BATCH {
            let _right = all.right_to_words();
            shrink_word::shrink(&batch);
            batch.clear();
        }
    }
    let _right = all.right_to_words();
    shrink_word::shrink(&batch);
    any
}

impl Holds for G {
    fn status(&self) -> &StatusCell {
        G::status(self)
    }

    fn word(&self) -> &ShrinkWord {
        &self.shrinking
    }
}

impl Shrinks for G {
    unsafe fn trim(&self) {
        // SAFETY: the goroutine is parked, and the word that is BUSY keeps it from running: no other thread changes
        // the cell.
        if let Some(stack) = unsafe { self.stack.get() } {
            // SAFETY: all that a parked goroutine needs of its own stack is above its stack pointer.
            unsafe { stack.trim(self.own_sp()) };
        }
        // SAFETY: the goroutine is parked, and the word that is BUSY keeps it from running until this returns.
        unsafe { self.segments.trim(self.ctx.get().sp()) };
    }

    fn stamp(&self) {
        G::stamp(self);
    }

    fn note_shrunk(&self) {
        G::status(self).change(Status::Marked, Status::Shrunk);
    }
}
