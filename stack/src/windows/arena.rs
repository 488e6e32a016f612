//! Arenas: the address space that windows are carved from, one arena for each class.
//!
//! An arena consists of a few *chunks*. A chunk is one reservation, aligned to the window's size, that is never given back.
//! A window passes through these states:
//!
//! ```text
//! chunk ──claim──> fresh range ──carve──> Stack in use ──release──> shared LIFO list ──acquire──> Stack in use
//!                  (no guards yet)        (has its guards for good)
//! ```
//!
//! This file holds the state of an arena and the steps that lie under its lock. `admission.rs` promises windows,
//! `shared.rs` hands them out and takes them back. No system call is made under the lock except to reserve a chunk.
//!
//! **Scarcity.** A chunk is 64 GiB, or doubles what the arena has; with 32 bits it is 64 MiB. Where the kernel refuses that much (RLIMIT_AS, strict
//! overcommit) the size is halved until it grants one; the rest of the process needs address space too, so a quarter of
//! the granted size is taken, and never less than what was asked for. The first chunk is as small as what was asked for in
//! two kinds of process: one that locks its memory (`mlockall`), because the kernel fills a reservation at once, and one
//! whose guards are made with `mprotect`, because other limits bound the number of stacks there, and the tools that need
//! such guards look through all that is mapped.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::memory::class::{CLASSES, Class};
use crate::memory::guard;
use crate::windows::chunk::{Range, check_page_size, no_space, reserve_chunk, wish};
use crate::windows::window::Stack;

/// Chunks an arena can have. Each doubles the arena, so a few rows are used; many only where address space is scarce and
/// chunks are as small as what was asked for.
const CHUNKS: usize = 1024;

static ARENAS: [Arena; CLASSES] = [const { Arena::new() }; CLASSES];

pub(super) struct Arena {
    state: Mutex<State>,
    /// Chunks in `chunks`, for readers without the lock: the fault handler.
    len: AtomicUsize,
    /// Windows that have their guards.
    pub(super) carved: AtomicUsize,
    chunks: [Chunk; CHUNKS],
}

/// Where a chunk lies. Written once, before `Arena::len` says that it exists.
struct Chunk {
    start: AtomicUsize,
    end: AtomicUsize,
}

pub(super) struct State {
    /// Windows released, last in, first out. Its capacity covers every window that was ever claimed.
    pub(super) free: VecDeque<Stack>,
    /// How many at its front were on the list all the time since the last [`give_back_idle`](crate::give_back_idle).
    pub(super) idle: usize,
    /// Windows that were idle so long that their memory went to the kernel. Capacity as that of `free`.
    pub(super) cold: Vec<Stack>,
    /// Windows never carved, or claimed by a cache that was drained.
    pub(super) fresh: Vec<Range>,
    /// Windows in all chunks.
    pub(super) capacity: usize,
    /// Windows that may be asked for at once.
    pub(super) admitted: usize,
    /// Windows outside `fresh`.
    pub(super) claimed: usize,
}

impl State {
    /// Takes the warmest free window.
    pub(super) fn take_free(&mut self) -> Option<Stack> {
        let stack = self.free.pop_back().or_else(|| self.cold.pop());
        self.note_use();
        stack
    }

    /// Called after windows were taken out of `free`.
    pub(super) fn note_use(&mut self) {
        self.idle = self.idle.min(self.free.len());
    }
}

impl Arena {
    const fn new() -> Arena {
        Arena {
            state: Mutex::new(State {
                free: VecDeque::new(),
                idle: 0,
                cold: Vec::new(),
                fresh: Vec::new(),
                capacity: 0,
                admitted: 0,
                claimed: 0,
            }),
            len: AtomicUsize::new(0),
            carved: AtomicUsize::new(0),
            chunks: [const {
                Chunk {
                    start: AtomicUsize::new(0),
                    end: AtomicUsize::new(0),
                }
            }; CHUNKS],
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two changes that belong together, so the state behind a poisoned lock is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves a chunk of at least `need` windows.
    pub(super) fn extend(&self, state: &mut State, class: Class, need: usize) -> io::Result<()> {
        let index = self.len.load(Ordering::Relaxed); // Relaxed: written under the lock, which is held here.
        if index == CHUNKS {
            return Err(no_space(class, need, "the table of reservations is full"));
        }
        let flavour = guard::decide()?;
        check_page_size(class)?;
        state
            .fresh
            .try_reserve(1)
            .map_err(|error| no_space(class, need, error))?;
        let wish = wish(class, flavour, need, state.capacity);
        let (base, windows) = reserve_chunk(class, need, wish)?;
        let start = base.as_ptr() as usize;
        // Relaxed: published by the Release store of `len` below.
        self.chunks[index].start.store(start, Ordering::Relaxed);
        let end = start + windows * class.window();
        self.chunks[index].end.store(end, Ordering::Relaxed);
        // Release: pairs with the Acquire load in `holds`, which sees the chunk's bounds if it sees the new length.
        self.len.store(index + 1, Ordering::Release);
        state.fresh.push(Range::new((base, windows)));
        state.capacity += windows;
        Ok(())
    }

    /// Takes up to `n` fresh windows, at least one.
    pub(super) fn claim(&self, state: &mut State, class: Class, n: usize) -> io::Result<Range> {
        if state.fresh.is_empty() {
            self.extend(state, class, 1)?;
        }
        // A released window must find a place without allocating: release cannot fail.
        let places = state.claimed + n;
        let State { free, cold, .. } = state;
        free.try_reserve(places - free.len())
            .and_then(|()| cold.try_reserve(places - cold.len()))
            .map_err(|error| no_space(class, n, error))?;
        let Some(last) = state.fresh.last_mut() else {
            return Err(no_space(class, n, "no fresh windows"));
        };
        let range = last.split(n, class);
        if last.len() == 0 {
            state.fresh.pop();
        }
        state.claimed += range.len();
        Ok(range)
    }

    /// Makes a stack of the first window of `range`. On failure the window stays in the range.
    ///
    /// # Errors
    ///
    /// When its guards cannot be placed; the error names the limit that was hit.
    pub(super) fn carve(&self, range: &mut Range, class: Class) -> io::Result<Stack> {
        let stack = range.carve(class);
        let stack = stack.map_err(|errno| guard::explain(errno, carved()))?;
        // Relaxed: a count; what must be exact counts its own.
        self.carved.fetch_add(1, Ordering::Relaxed);
        Ok(stack)
    }

    /// Makes stacks of some of the first windows of `range`, which is not empty, for `keep`: as many as there were made before,
    /// so that a program with few stacks has few to spare, and not more than the kernel takes at once.
    ///
    /// # Errors
    ///
    /// As for [`carve`](Arena::carve).
    pub(super) fn carve_some(
        &self,
        range: &mut Range,
        class: Class,
        mut keep: impl FnMut(Stack),
    ) -> io::Result<()> {
        // Relaxed (both): a count; another P that carves at the same time may see one more or less.
        let before = self.carved.load(Ordering::Relaxed);
        let done = range.carve_together(class, before, &mut keep);
        if done == 0 {
            keep(self.carve(range, class)?);
        }
        self.carved.fetch_add(done, Ordering::Relaxed);
        Ok(())
    }

    /// Takes back what a claim left over.
    pub(super) fn unclaim(&self, state: &mut State, range: Range) {
        if range.len() > 0 {
            state.claimed -= range.len();
            state.fresh.push(range);
        }
    }

    /// Returns whether `addr` lies in one of its chunks. Async-signal-safe.
    fn holds(&self, addr: usize) -> bool {
        // Acquire: pairs with the Release store in `extend`.
        let len = self.len.load(Ordering::Acquire);
        self.chunks[..len].iter().any(|chunk| {
            // Relaxed: the bounds were written before `len`, whose Acquire load orders them.
            let start = chunk.start.load(Ordering::Relaxed);
            (start..chunk.end.load(Ordering::Relaxed)).contains(&addr)
        })
    }
}

/// The arena of `class`.
#[inline]
pub(super) fn of(class: Class) -> &'static Arena {
    &ARENAS[class.index()]
}

/// Returns whether an address lies in some window of some class. Async-signal-safe.
pub(crate) fn holds(addr: usize) -> bool {
    ARENAS.iter().any(|arena| arena.holds(addr))
}

/// Returns how many windows have their guards.
fn carved() -> usize {
    // Relaxed: for a message.
    ARENAS
        .iter()
        .map(|arena| arena.carved.load(Ordering::Relaxed))
        .sum()
}
