//! A job: the second closure of a fork-join, in the frame of the goroutine that called it.
//!
//! The head has what the thief and the goroutine that runs the job need, without the types of the closure and its
//! result. job_word.rs says when the frame may end.

use std::{
    cell::UnsafeCell,
    ptr,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{
    gmp::{g::GRef, identity::Inherited, payload::Entry},
    protocol::{
        job_deque::JobDeque,
        job_deques::{DEQUES, JobDeques},
        job_word::JobWord,
    },
};

/// A deque of jobs, for its owner.
#[derive(Clone, Copy)]
pub(crate) struct OwnDeque {
    block: &'static JobDeques,
    at: usize,
}

impl OwnDeque {
    /// All deques of `block`.
    pub(crate) fn all_of(block: &'static JobDeques) -> impl DoubleEndedIterator<Item = OwnDeque> {
        (0..DEQUES).map(move |at| OwnDeque { block, at })
    }

    /// O1 to O3 of job_deques.rs.
    #[inline(always)]
    pub(crate) fn offer(self, word: usize) -> bool {
        self.block.offer(self.at, word)
    }

    #[inline(always)]
    pub(crate) fn get(self) -> &'static JobDeque {
        self.block.deque(self.at)
    }

    pub(crate) fn is(self, other: OwnDeque) -> bool {
        ptr::eq(self.get(), other.get())
    }
}

/// The first field of every job; the address of a job is that of its head.
pub(crate) struct JobHead {
    pub(crate) word: JobWord,
    /// The functions of a goroutine that runs the job. Its payload is the address of the job.
    pub(crate) entry: &'static Entry,
    /// The address of the G of the goroutine that runs it; 0 before there is one.
    taker: AtomicUsize,
    /// The inherited value of the owner. The thief takes it.
    inherited: UnsafeCell<Option<Inherited>>,
}

impl JobHead {
    #[inline(always)]
    pub(crate) fn new(entry: &'static Entry, inherited: Option<Inherited>) -> JobHead {
        JobHead {
            word: JobWord::new(),
            entry,
            taker: AtomicUsize::new(0),
            inherited: UnsafeCell::new(inherited),
        }
    }

    /// By the thief: `g` will run the job. Returns what `g` inherits.
    ///
    /// # Safety
    ///
    /// The caller has stolen the job, and `g` does not run yet.
    pub(crate) unsafe fn take_for(&self, g: GRef) -> Option<Inherited> {
        // Relaxed: partner is the load in `taker`; the address is only shown.
        self.taker.store(g.to_word(), Ordering::Relaxed);
        // SAFETY: the owner put the value there before it offered the job, and does not touch it before the job is
        // done; the caller is the only thief that has it.
        unsafe { (*self.inherited.get()).take() }
    }

    /// The address of the G that runs the job, or 0, if its thief has not come so far.
    pub(crate) fn taker(&self) -> usize {
        // Relaxed: partner is the store in `take_for`.
        self.taker.load(Ordering::Relaxed)
    }
}
