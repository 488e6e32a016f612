//! All goroutines, one after the other, as reports see them: what each does, and their stacks.
//!
//! | a goroutine | how its stack is read |
//! |---|---|
//! | waits, or is in a run queue | it is held (hold.rs) while the visitor has its [`Sight`] and reads the stack (stack_view.rs) |
//! | is on a thread: it runs, is in a blocking call, or keeps its thread while it waits | its thread walks it (running.rs) |
//! | has not run yet | it has none |
//!
//! One that is held is on no stack, so it is inside no allocator and holds no lock of a few instructions; but it may hold any
//! other lock, so the visitor takes none that a goroutine could hold while it is parked. The visitor must not park, and
//! should be quick: an M that wants to run the goroutine waits.
//!
//! Those that are on threads come last, so that all threads are asked at once. What runs meanwhile moves on: a goroutine that
//! its thread does not find any more is held, or asked for again, [`TRIES`] times.

use std::{mem, ptr, time::Duration};

use crate::{
    global::sched::{self, Sched},
    gmp::{g::G, m::M},
    observe::{
        interrupted::Interrupted,
        moments::Moments,
        running::{self, Question, Walks},
        sight::{Sight, State, thread_of},
    },
    protocol::{
        hold::{self, BATCH},
        status::Status,
    },
    sys::membarrier,
};

/// How often a goroutine is looked at whose thread does not find it, or that cannot be held.
const TRIES: usize = 3;

/// Who looks at goroutines.
pub trait Visitor {
    /// What walks the stacks of those that are on threads.
    type Walker: Walks;

    /// A goroutine, and what its thread has walked with.
    fn visit(&mut self, sight: &mut Sight<'_>, walked: Option<Self::Walker>);

    /// Called now and then, while none is held.
    fn between(&mut self);

    /// Whether threads are asked.
    fn asks(&self) -> bool;

    /// What a thread is to walk with.
    fn walker(&mut self) -> Self::Walker;
}

/// A visitor that does not ask threads.
struct Held<'v>(&'v mut dyn FnMut(&mut Sight<'_>), &'v mut dyn FnMut());

/// There is none.
enum Never {}

impl Walks for Never {
    fn walk(&mut self, _stack: &mut Interrupted<'_>) {
        match *self {}
    }
}

impl Visitor for Held<'_> {
    type Walker = Never;

    fn visit(&mut self, sight: &mut Sight<'_>, _walked: Option<Never>) {
        (self.0)(sight);
    }

    fn between(&mut self) {
        (self.1)();
    }

    fn asks(&self) -> bool {
        false
    }

    fn walker(&mut self) -> Never {
        unreachable!("no thread is asked")
    }
}

/// Calls `visit` for each goroutine, and `between` now and then while none is held, as [`visit_all`]. Threads are not asked.
pub fn goroutines(visit: &mut dyn FnMut(&mut Sight<'_>), between: &mut dyn FnMut()) -> bool {
    visit_all(&mut Held(visit, between), Duration::ZERO)
}

/// Shows `visitor` each goroutine. Goroutines that begin or end meanwhile are seen or not. Threads have `patience` to answer,
/// all together. Returns whether stacks of goroutines that are off their threads could be read; otherwise the kernel has no
/// `membarrier`.
pub fn visit_all<V: Visitor>(visitor: &mut V, patience: Duration) -> bool {
    let Some(sched) = sched::get() else {
        return true;
    };
    let mut look = Look {
        sched,
        able: membarrier::is_there(),
        asks: visitor.asks(),
        moments: Moments::take(sched),
        later: Vec::new(),
    };
    let mut batch = Vec::with_capacity(BATCH);
    let mut gs = sched.all_gs.iter();
    loop {
        let alive = gs.by_ref().filter(|g| g.status().get() != Status::Dead);
        batch.extend(alive.take(BATCH));
        look.visit_batch(&batch, visitor, true);
        if batch.len() < BATCH {
            break;
        }
        batch.clear();
    }
    for left in (0..TRIES).rev() {
        if look.later.is_empty() {
            break;
        }
        look.ask(visitor, patience, left > 0);
        for batch in mem::take(&mut look.later).chunks(BATCH) {
            look.visit_batch(batch, visitor, left > 0);
        }
    }
    look.able
}

/// A look at all goroutines.
struct Look {
    sched: &'static Sched,
    /// Whether goroutines can be held.
    able: bool,
    /// Whether threads are asked.
    asks: bool,
    moments: Moments,
    /// Those that were not seen yet: they are on threads, or could not be held. Allocated while none is held.
    later: Vec<&'static G>,
}

impl Look {
    /// Shows those of `batch` that are held, and the others, if there is nothing to be gained by looking `again`.
    fn visit_batch<V: Visitor>(&mut self, batch: &[&'static G], visitor: &mut V, again: bool) {
        self.later.reserve(batch.len());
        let (able, asks, later) = (self.able, self.asks, &mut self.later);
        let moments = &self.moments;
        let mut read = |place: usize, is_held: bool| {
            let g: &'static G = batch[place];
            let waits = !is_held
                && again
                && match State::of(g.status().get(), g.status().reason()) {
                    Some(State::Running | State::InCall | State::Blocked(_)) => asks,
                    Some(State::Runnable | State::Waiting(_)) => able && asks,
                    Some(State::New) | None => false,
                };
            match waits {
                true => later.push(g),
                false => see(g, is_held, moments, visitor),
            }
        };
        if able && !batch.is_empty() {
            let _right = self.sched.all_gs.right_to_words();
            self.able = hold::hold(batch, read);
        } else {
            (0..batch.len()).for_each(|place| read(place, false));
        }
        visitor.between();
    }

    /// Asks the threads of those that are left, and shows those that are found. Whose thread does not answer is shown as
    /// well; whose thread runs another meanwhile is left, and also, if it is to be looked at `again`, one that was found
    /// between two goroutines.
    fn ask<V: Visitor>(&mut self, visitor: &mut V, patience: Duration, again: bool) {
        let mut questions: Vec<Question<V::Walker>> = Vec::new();
        for g in &self.later {
            if let Some(m) = thread_of(g)
                && !questions.iter().any(|one| ptr::eq(one.m(), m))
            {
                questions.push(Question::new(m, visitor.walker()));
            }
        }
        running::ask(&mut questions, patience);
        for (number, question) in questions.into_iter().enumerate() {
            if number % BATCH == 0 {
                visitor.between();
            }
            let m = question.m();
            let Some(found) = question.found() else {
                if !question.is_answered() {
                    self.silent(m, visitor);
                }
                continue;
            };
            let place = self.later.iter().position(|&g| ptr::eq(g, found.g));
            if let Some(place) = place
                && (found.is_walked || !again)
            {
                self.later.swap_remove(place);
                if let Some(mut sight) = Sight::found(&found, m) {
                    let walked = found.is_walked.then(|| question.walker());
                    visitor.visit(&mut sight, walked);
                }
            }
        }
        visitor.between();
    }

    /// Shows those that are on `m`, which does not answer.
    fn silent<V: Visitor>(&mut self, m: &'static M, visitor: &mut V) {
        let silence = running::silence(m);
        self.later.retain(|g| {
            let is_there = thread_of(g).is_some_and(|other| ptr::eq(other, m));
            if is_there {
                let mut sight = Sight::of(g, false);
                if let Some(sight) = &mut sight {
                    sight.silence = Some(silence);
                    visitor.visit(sight, None);
                }
            }
            !is_there
        });
    }
}

/// Shows `g`, which is held or else may do anything.
fn see<V: Visitor>(g: &'static G, is_held: bool, moments: &Moments, visitor: &mut V) {
    if let Some(mut sight) = Sight::of(g, is_held) {
        if is_held && matches!(sight.state, State::Waiting(_)) {
            sight.ends_in = moments.of(g);
        }
        visitor.visit(&mut sight, None);
    }
}
