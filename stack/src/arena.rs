//! Arenas: the address space that windows are carved from, one arena a class.
//!
//! An arena is a few *chunks*, each one reservation that is never given back, aligned to the window's size. A window goes
//! through these hands:
//!
//! ```text
//! chunk ──claim──> fresh range ──carve──> Stack in use ──release──> shared LIFO list ──acquire──> Stack in use
//!                  (no guards yet)        (has its guards for good)
//! ```
//!
//! The caches in front of the shared list (`cache.rs`) move windows in batches, so the lock is taken about once in
//! sixteen releases, and no system call is made under it except to reserve a chunk.
//!
//! Windows that nobody takes from the list for a while are *cold*: [`give_back_idle`](crate::give_back_idle) gives their memory to the kernel, and
//! they are taken when there are no others.
//!
//! **Admission.** Whoever promises stacks before it takes them (a goroutine gets its stack at its first run) calls
//! [`reserve`] first. `capacity >= admitted` holds at all times. Every window outside the list is in use, which was
//! admitted, or lies in a cache, which was admitted by the cache: so an admitted acquire finds a window. Where guards are
//! made with `mprotect` the same holds of the windows that have theirs.
//!
//! **Scarcity.** A chunk is 64 GiB, or doubles what the arena has. Where that much is refused (RLIMIT_AS, strict
//! overcommit) sizes are halved; what then remains belongs to the rest of the process too, so a quarter of the size that
//! was granted is taken, and never less than what was asked for. There is no large first chunk for a process that locks its
//! memory (`mlockall`), because the kernel fills it at once, and none where guards are made with `mprotect`: other things
//! bound the number of stacks there, and the tools that need such guards look through all that is mapped.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::chunk::{check_page_size, least_chunk, no_space, reserve_chunk};
use crate::class::{CLASSES, Class};
use crate::guard;
use crate::lifo::Lifo;
use crate::range::Range;
use crate::step::{Step, default_start};
use crate::window::Stack;

/// How many windows more than were admitted have their guards, where those may run out.
const AHEAD: usize = 32;

/// Chunks an arena can have. Each doubles the arena, so a few rows are used; many only where address space is scarce and
/// chunks are as small as what was asked for.
const CHUNKS: usize = 1024;

static ARENAS: [Arena; CLASSES] = [const { Arena::new() }; CLASSES];

struct Arena {
    state: Mutex<State>,
    /// Chunks in `chunks`, for readers without the lock: the fault handler.
    len: AtomicUsize,
    /// Windows that have their guards.
    carved: AtomicUsize,
    chunks: [Chunk; CHUNKS],
}

/// Where a chunk lies. Written once, before `Arena::len` says that it exists.
struct Chunk {
    start: AtomicUsize,
    end: AtomicUsize,
}

struct State {
    /// Windows released, last in, first out. Its capacity covers every window that was ever claimed.
    free: VecDeque<Stack>,
    /// How many at its front nobody has needed since the last [`give_back_idle`](crate::give_back_idle).
    idle: usize,
    /// Windows that were idle so long that their memory went to the kernel. Capacity as that of `free`.
    cold: Vec<Stack>,
    /// Windows never carved, or claimed by a cache that was drained.
    fresh: Vec<Range>,
    /// Windows in all chunks.
    capacity: usize,
    /// Windows that may be asked for at once.
    admitted: usize,
    /// Windows outside `fresh`.
    claimed: usize,
}

impl State {
    /// The warmest free window.
    fn take_free(&mut self) -> Option<Stack> {
        let stack = self.free.pop_back().or_else(|| self.cold.pop());
        self.note_use();
        stack
    }

    /// After windows were taken out of `free`.
    fn note_use(&mut self) {
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

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two changes that belong together, so the state behind a poisoned lock is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves a chunk of at least `need` windows.
    fn extend(&self, state: &mut State, class: Class, need: usize) -> io::Result<()> {
        let index = self.len.load(Ordering::Relaxed); // Relaxed: written under the lock, which we hold.
        if index == CHUNKS {
            return Err(no_space(class, need, "the table of reservations is full"));
        }
        let flavour = guard::decide()?;
        check_page_size()?;
        state
            .fresh
            .try_reserve(1)
            .map_err(|error| no_space(class, need, error))?;
        let wish = need.max(state.capacity).max(least_chunk(class, flavour));
        let (base, windows) = reserve_chunk(class, need, wish)?;
        let start = base.as_ptr() as usize;
        // Relaxed: published by the Release store of `len` below.
        self.chunks[index].start.store(start, Ordering::Relaxed);
        let end = start + windows * class.window();
        self.chunks[index].end.store(end, Ordering::Relaxed);
        // Release: pairs with the Acquire load in `holds`: who sees the new length sees the chunk's bounds.
        self.len.store(index + 1, Ordering::Release);
        state.fresh.push(Range::new((base, windows)));
        state.capacity += windows;
        Ok(())
    }

    /// Takes up to `n` fresh windows, at least one.
    fn claim(&self, state: &mut State, class: Class, n: usize) -> io::Result<Range> {
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

    /// Where guards are made with mprotect they can run out before address space does: gives fresh windows theirs until
    /// there are [`AHEAD`] more than were admitted, so that it is the admission that fails. Those more are given up then:
    /// what goes on running may need memory areas for other things, such as a thread.
    fn carve_ahead(&self, class: Class, new: usize) -> io::Result<()> {
        loop {
            let mut range = {
                let mut state = self.lock();
                // Relaxed: who carves at the same time may make some more than needed.
                let carved = self.carved.load(Ordering::Relaxed);
                let missing = (state.admitted + AHEAD).saturating_sub(carved);
                if missing == 0 {
                    return Ok(());
                }
                self.claim(&mut state, class, missing.min(2 * AHEAD))?
            };
            let mut stacks = Vec::with_capacity(range.len());
            let mut failed = None;
            while range.len() > 0 && failed.is_none() {
                match range.carve(class) {
                    Ok(stack) => stacks.push(stack),
                    Err(error) => failed = Some(error),
                }
            }
            let mut state = self.lock();
            state.free.extend(stacks);
            if let Some(error) = failed {
                self.unclaim(&mut state, range);
                self.give_up_guards(&mut state, new);
                return Err(error);
            }
        }
    }

    /// Uncarves free windows beyond those that were admitted before the last `new` ones.
    fn give_up_guards(&self, state: &mut State, new: usize) {
        let before = state.admitted.saturating_sub(new);
        // Relaxed (both): as in `carve_ahead`.
        while self.carved.load(Ordering::Relaxed) > before
            && let Some(stack) = state.free.pop_front()
        {
            self.carved.fetch_sub(1, Ordering::Relaxed);
            self.unclaim(state, Range::one(stack.uncarve()));
        }
        state.note_use();
    }

    /// Takes back what a claim left over.
    fn unclaim(&self, state: &mut State, range: Range) {
        if range.len() > 0 {
            state.claimed -= range.len();
            state.fresh.push(range);
        }
    }

    /// Async-signal-safe.
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

/// Whether an address lies in some window of some class. Async-signal-safe.
pub(crate) fn holds(addr: usize) -> bool {
    ARENAS.iter().any(|arena| arena.holds(addr))
}

/// Admits `windows` more stacks of `class`: from here until [`unreserve`], address space for them exists.
///
/// A caller that admits every stack before it acquires it never has an acquire fail for address space.
///
/// ```
/// use goroutines_stack::{Class, acquire, release, reserve, unreserve};
/// reserve(Class::DEFAULT, 1000)?; // A thousand goroutines may start.
/// let stack = acquire(Class::DEFAULT)?; // One of them does.
/// assert!(stack.limit() > 200 * 1024);
/// release(stack);
/// unreserve(Class::DEFAULT, 1000);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// When the address space cannot be had, or, where guards are made with `mprotect`, the guards; nothing is admitted then,
/// and what exists stays usable.
pub fn reserve(class: Class, windows: usize) -> io::Result<()> {
    let arena = &ARENAS[class.index()];
    {
        let mut state = arena.lock();
        let admitted = state.admitted.saturating_add(windows);
        if admitted > state.capacity {
            let need = admitted - state.capacity;
            arena.extend(&mut state, class, need)?;
        }
        state.admitted = admitted;
    }
    if guard::has_steps() {
        return Ok(());
    }
    arena
        .carve_ahead(class, windows)
        .inspect_err(|_| unreserve(class, windows))
}

/// Gives back admissions that [`reserve`] granted.
///
/// # Panics
///
/// When more are given back than were granted.
pub fn unreserve(class: Class, windows: usize) {
    let left = {
        let mut state = ARENAS[class.index()].lock();
        let left = state.admitted.checked_sub(windows);
        state.admitted = left.unwrap_or(state.admitted);
        left
    };
    assert!(
        left.is_some(),
        "unreserve: {windows} stacks of {} bytes are more than reserve admitted",
        class.window()
    );
}

/// A stack of `class`: the one released last, or a fresh window.
///
/// # Errors
///
/// When there is no address space (not if the stack was admitted with [`reserve`]), or when its guards cannot be placed.
pub fn acquire(class: Class) -> io::Result<Stack> {
    let arena = &ARENAS[class.index()];
    let mut range = {
        let mut state = arena.lock();
        if let Some(stack) = state.take_free() {
            return Ok(stack);
        }
        arena.claim(&mut state, class, 1)?
    };
    let stack = range.carve(class);
    if stack.is_err() {
        arena.unclaim(&mut arena.lock(), range);
    }
    stack
}

/// [`acquire`], but the stack is at `step`, or paged where its class has no such step: up to three system calls where it
/// is not at that step already. Where guards are made with `mprotect` every stack is paged.
///
/// # Errors
///
/// Those of [`acquire`].
pub fn acquire_at(class: Class, step: Step) -> io::Result<Stack> {
    let mut stack = acquire(class)?;
    stack.restart(step);
    Ok(stack)
}

/// Gives a stack back. A guarded one is brought back to where stacks start; a paged one keeps its memory for the next, up
/// to 1 MiB, until nobody needs it for a while ([`give_back_idle`](crate::give_back_idle)).
pub fn release(stack: Stack) {
    drop(stack); // `Drop` is where it happens, so that a stack nobody releases is not lost either.
}

/// Puts a stack nobody uses on the shared list.
pub(crate) fn put_back(mut stack: Stack) {
    stack.restart(default_start());
    stack.shorten();
    let mut state = ARENAS[stack.class().index()].lock();
    // Never reallocates: `claim` made the room when the window was claimed.
    state.free.push_back(stack);
}

/// Gives `keep` up to `n` stacks from the shared list, or claims up to `n` fresh windows when the list is empty.
pub(crate) fn refill(class: Class, n: usize, keep: impl FnMut(Stack)) -> io::Result<Range> {
    let arena = &ARENAS[class.index()];
    let mut state = arena.lock();
    if state.free.is_empty() && state.cold.is_empty() {
        return arena.claim(&mut state, class, n);
    }
    let State { free, cold, .. } = &mut *state;
    let kept = free.len().saturating_sub(n);
    // The warmest last, where the cache takes them from.
    let others = cold.len().saturating_sub(n - (free.len() - kept));
    cold.drain(others..)
        .chain(free.drain(kept..))
        .for_each(keep);
    state.note_use();
    Ok(Range::EMPTY)
}

/// Moves the `n` coldest stacks of a cache, and what is left of a claim, to the shared list.
pub(crate) fn give_back(class: Class, stacks: &mut Lifo, n: usize, range: Range) {
    let arena = &ARENAS[class.index()];
    let mut state = arena.lock();
    // Never reallocates: `claim` made the room when the windows were claimed.
    stacks.take_coldest(n, |stack| state.free.push_back(stack));
    arena.unclaim(&mut state, range);
}

/// How many windows have their guards.
pub(crate) fn carved() -> usize {
    // Relaxed: for a message.
    ARENAS
        .iter()
        .map(|arena| arena.carved.load(Ordering::Relaxed))
        .sum()
}

/// A window of `class` got its guards.
pub(crate) fn note_carved(class: Class) {
    // Relaxed: a count; what must be exact counts its own.
    ARENAS[class.index()].carved.fetch_add(1, Ordering::Relaxed);
}

/// Takes up to `n` windows of `class` that nobody needed since the last [`note_idle`]. They are missing from the list until
/// [`put_cold`], so the caller has admitted them.
pub(crate) fn take_idle(class: Class, n: usize) -> Vec<Stack> {
    let mut state = ARENAS[class.index()].lock();
    let n = n.min(state.idle);
    state.idle -= n;
    state.free.drain(..n).collect()
}

/// Puts windows whose memory was given back where they are taken last.
pub(crate) fn put_cold(class: Class, mut batch: Vec<Stack>) {
    // Never reallocates: `claim` made the room when the windows were claimed.
    ARENAS[class.index()].lock().cold.append(&mut batch);
}

/// How many windows of `class` are idle.
pub(crate) fn idle(class: Class) -> usize {
    ARENAS[class.index()].lock().idle
}

/// From here on the free windows of `class` are idle until somebody takes them. Returns how many there are.
pub(crate) fn note_idle(class: Class) -> usize {
    let mut state = ARENAS[class.index()].lock();
    state.idle = state.free.len();
    state.idle
}
