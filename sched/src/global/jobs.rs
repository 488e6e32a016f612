//! The deques of jobs: one for each goroutine that is in a fork-join now, and the search of the Ms in them.
//!
//! A goroutine takes a deque in its outermost fork-join, and gives it back at the end of that. So there are as many as
//! goroutines were in one at the same time. They are never freed: a thief may look into one at any time, and finds at
//! most that it is empty. A P keeps one at hand.

use std::{
    ptr,
    sync::{
        Mutex,
        atomic::{AtomicPtr, AtomicUsize, Ordering},
    },
};

use crate::{
    global::{retake, sched::Sched},
    gmp::{job::OwnDeque, m::M, p::P},
    protocol::{job_deques::JobDeques, sync::lock},
    switch::thread_word::current_m,
};

/// How many blocks of deques there can be. With more goroutines than these have deques, the others run their jobs
/// themselves.
const BLOCKS: usize = 1024;

/// All deques.
pub(crate) struct Jobs {
    blocks: &'static [AtomicPtr<JobDeques>],
    /// How many blocks were made.
    made: AtomicUsize,
    /// Deques that no goroutine and no P has.
    free: Mutex<Vec<OwnDeque>>,
}

impl Jobs {
    pub(crate) fn new() -> Jobs {
        let blocks = (0..BLOCKS).map(|_| AtomicPtr::new(ptr::null_mut()));
        Jobs {
            blocks: Vec::leak(blocks.collect()),
            made: AtomicUsize::new(0),
            free: Mutex::new(Vec::new()),
        }
    }

    fn block(&self, index: usize) -> Option<&'static JobDeques> {
        // Acquire: partner is the store in `make`.
        let block = self.blocks.get(index)?.load(Ordering::Acquire);
        // SAFETY: null, or stored from a `&'static JobDeques`.
        unsafe { block.as_ref() }
    }

    fn all(&self) -> impl Iterator<Item = &'static JobDeques> {
        // Acquire: partner is the store in `make`.
        let made = self.made.load(Ordering::Acquire);
        (0..made).filter_map(|index| self.block(index))
    }

    /// A deque of the shared list; none if there are [`BLOCKS`] blocks and all their deques are in use.
    #[cold]
    fn take_shared(&self) -> Option<OwnDeque> {
        let mut free = lock(&self.free);
        if free.is_empty() {
            self.make(&mut free);
        }
        free.pop()
    }

    /// Makes one more block; under the lock of `free`.
    fn make(&self, free: &mut Vec<OwnDeque>) {
        // Relaxed: changed under the lock.
        let made = self.made.load(Ordering::Relaxed);
        let Some(place) = self.blocks.get(made) else {
            return;
        };
        let block = JobDeques::leaked();
        // Release (both): partners are the loads in `block` and `all`.
        place.store(ptr::from_ref(block).cast_mut(), Ordering::Release);
        self.made.store(made + 1, Ordering::Release);
        // The first one goes first.
        free.extend(OwnDeque::all_of(block).rev());
    }
}

impl Sched {
    /// A deque for the caller, which begins a fork-join.
    pub(crate) fn take_deque(&self) -> Option<OwnDeque> {
        let m = current_m();
        let _inside = retake::enter_if(m);
        // SAFETY: the caller runs on the M that owns `p`, inside the gate, and nothing below parks.
        let at_hand = m
            .and_then(M::p)
            .and_then(|p| unsafe { p.local() }.deque.take());
        at_hand.or_else(|| self.jobs.take_shared())
    }

    /// The caller's fork-join is over, and its deque is empty.
    pub(crate) fn give_deque_back(&self, deque: OwnDeque) {
        let m = current_m();
        let _inside = retake::enter_if(m);
        if let Some(p) = m.and_then(M::p) {
            // SAFETY: this thread's M owns `p` and is inside the gate until the end of the function; nothing here parks.
            let at_hand = &mut unsafe { p.local() }.deque;
            if at_hand.is_none() {
                *at_hand = Some(deque);
                return;
            }
        }
        lock(&self.jobs.free).push(deque);
    }

    /// Steals a job for the M that holds `p`: its word.
    pub(crate) fn steal_job(&self, p: &P) -> Option<usize> {
        // SAFETY: the calling M owns `p`, and nothing below parks.
        let from = unsafe { p.local() }.random() as usize;
        self.jobs.all().find_map(|block| block.steal(from))
    }

    /// C1 to C3 of job_deques.rs, by an M that has found no job.
    pub(crate) fn clear_empty_deques(&'static self) {
        let mut refilled = false;
        self.jobs
            .all()
            .for_each(|block| refilled |= block.clear_empty());
        if refilled && self.idle.may_wake() {
            self.wake();
        }
    }

    /// Returns whether there is a job to steal. A snapshot; a fence of the caller orders it.
    #[inline]
    pub(crate) fn any_job(&self) -> bool {
        self.jobs.all().any(JobDeques::any)
    }

    /// O4 of job_deques.rs, by a goroutine or thread that has offered a job.
    #[inline(always)]
    pub(crate) fn job_offered(&'static self) {
        if self.idle.may_wake() {
            self.wake_for_job();
        }
    }

    #[cold]
    #[inline(never)]
    fn wake_for_job(&'static self) {
        let _inside = retake::enter_if(current_m());
        self.wake();
    }
}
