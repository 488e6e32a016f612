//! Copy stacks: goroutines that share run windows, and are copied out when another needs the window.
//!
//! ```text
//!    a window of the scheduler                          its goroutines
//!   ┌───────────────────────────┐ top        G 4  its live bytes lie in the window (`resident`)
//!   │ live bytes of G 4         │            G 9  parked, live bytes in its image
//!   ├───────────────────────────┤ G 4's sp   G 2  parked, live bytes in its image
//!   │ free                      │            G 7  runnable, in line for the window
//!   └───────────────────────────┘
//! ```
//!
//! A goroutine belongs to one window for its life, because its bytes must come back to the addresses where they were.
//! Running it takes these steps, on any M:
//!
//! 1. *Enter* the window (window_lock.rs). If another M is inside, the goroutine stands in line.
//! 2. If the bytes of another goroutine are resident, they are copied out to that goroutine's image. It is parked or
//!    runnable, so its context does not change: running it requires the window.
//! 3. The goroutine's own bytes are copied in. Nothing is copied if they were still resident.
//! 4. It runs, parks, and its commit runs; the commit may use its stack.
//! 5. *Leave*. The goroutines in line are made ready.
//!
//! While no other goroutine wants the window, entering and leaving are two atomic operations and nothing is copied.
//! There are [`WINDOWS_PER_P`] windows for each P, so that goroutines that talk to each other seldom share one.
//!
//! A goroutine that has not run yet has no bytes anywhere, and so need not wait for a window: if another M is inside
//! the first window it is offered, it gets another, and if all that it tries are busy, a stack of its own.
//!
//! A window is a guarded stack that starts with 2 KB: a guard page moves down as it is hit. (A frame without
//! stack probes may have stepped over it; so before the live bytes are read the guard is moved below them.) An
//! image is made at the first copy, of the class that the live bytes need, and exchanged for a larger
//! one when they have outgrown it.
//!
//! No other thread may touch such a stack while its goroutine is parked. The runtime's wait queues link nodes on the
//! stacks of the goroutines that wait; for these goroutines the nodes are allocated ([`GRef::is_copied_out`]). A
//! goroutine can *pin* itself to its window for a time: then it keeps the window while it is parked, and the others
//! of that window wait until it is unpinned. So does a goroutine that waits while it unwinds, because it then blocks
//! its thread, whose stack this is.

use std::{
    cell::Cell,
    io,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use goroutines_stack::{self as stack, Class, Image, Stack, Step};

use crate::{
    gmp::{
        g::{G, GRef},
        trace_event::EventKind,
        tracer,
    },
    protocol::{
        byte_lock::ByteLock,
        status::Status,
        window_lock::{Linked, WindowLock},
    },
    sys::fatal,
};

/// How many windows there are for each P.
const WINDOWS_PER_P: usize = 16;

/// Windows that a goroutine tries at its first run.
const TRIES: usize = 4;

/// A stack in which many goroutines run, one at a time.
pub(crate) struct Window {
    lock: WindowLock,
    pub(super) stack: Stack,
    /// The goroutine whose live bytes lie in the stack. Changed by the M that is inside, under `copying`.
    pub(super) resident: Cell<Option<GRef>>,
    /// Held while bytes are copied, and by a thread that reads the stack of a goroutine of this window.
    copying: ByteLock,
}

// SAFETY: `resident` is changed by the M that is inside, under `copying`, and read by it, or under `copying`; `lock` lets
// one M in at a time, in order.
unsafe impl Sync for Window {}

/// The windows of a scheduler, made when they are needed.
pub(crate) struct Windows {
    table: Box<[OnceLock<&'static Window>]>,
    next: AtomicUsize,
}

impl Windows {
    pub(crate) fn new(procs: usize) -> Windows {
        Windows {
            table: (0..procs * WINDOWS_PER_P)
                .map(|_| OnceLock::new())
                .collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// A window for one more goroutine, in turn.
    ///
    /// # Errors
    ///
    /// When there is no address space or memory for a window that is not there yet.
    pub(crate) fn assign(&self, class: Class) -> io::Result<&'static Window> {
        // Relaxed: any spread will do.
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.table.len();
        let place = &self.table[turn];
        if let Some(window) = place.get() {
            return Ok(window);
        }
        let window: &'static Window = Box::leak(Box::new(Window {
            lock: WindowLock::new(),
            stack: stack::acquire_at(class, Step::STRICT)?,
            resident: Cell::new(None),
            copying: ByteLock::new(),
        }));
        // Two threads may have made it at once: then one of the two windows is never used.
        Ok(place.get_or_init(|| window))
    }

    /// Before the first run of `g`: a window of `class` that it has entered, its own if it was given one. `None` if
    /// it finds no free one.
    pub(crate) fn enter_first(&self, class: Class, g: GRef) -> Option<&'static Window> {
        let given = g.get().window.get();
        let window = (0..TRIES)
            .filter_map(|turn| match given {
                Some(given) if turn == 0 => Some(given),
                _ => self.assign(class).ok(),
            })
            .find(|window| window.enter_first(g));
        g.get().window.set(window);
        window
    }
}

impl Window {
    /// Steps 1 to 3 for `g`, which the caller took from a run queue; false: it stands in line, and the caller must
    /// not touch it any more.
    pub(crate) fn enter(&self, g: GRef) -> bool {
        if g.get().keeps_window.get() {
            return true; // it has never left
        }
        debug_assert_eq!(g.get().status().get(), Status::Runnable);
        if !self.lock.enter(g) {
            return false;
        }
        self.make_resident(g);
        true
    }

    /// Steps 1 to 3 for `g`, which has not run yet; false: another M is inside, maybe for long.
    fn enter_first(&self, g: GRef) -> bool {
        let entered = self.lock.try_enter();
        if entered {
            self.make_resident(g);
        }
        entered
    }

    /// Steps 2 and 3. The caller is inside.
    fn make_resident(&self, g: GRef) {
        let resident = self.resident.get();
        if resident != Some(g) {
            let _held = self.held();
            if let Some(other) = resident {
                self.copy_out(other.get());
            }
            self.copy_in(g);
        }
    }

    /// Step 5, on a g0. `ready` makes the first in line runnable, if there is one.
    pub(crate) fn leave(&self, ready: impl FnMut(GRef)) {
        self.lock.leave(ready);
    }

    pub(crate) fn top(&self) -> *mut u8 {
        self.stack.top()
    }

    pub(crate) fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Step 2. The caller is inside.
    fn copy_out(&self, g: &G) {
        tracer::note(EventKind::CopyOut, g.id.get());
        let sp = g.own_sp();
        // SAFETY: this M is inside, so it owns the window, and the resident needs nothing below its stack pointer.
        if let Err(error) = unsafe { self.stack.reserve(sp) } {
            fatal::fatal(format_args!(
                "goroutine {}, whose stack is copied, has a guard in it that the kernel refuses to remove: {error}: let a \
                 seccomp filter allow madvise with advice 103",
                g.id.get()
            ));
        }
        // SAFETY: this M is inside, so it owns the image of the resident, which does not run.
        let image = unsafe { &mut *g.image.get() };
        // SAFETY: the resident has run in this window, so its live bytes are [sp, top); no other thread writes to
        // them, because no other M is inside.
        if let Err(error) = unsafe { Image::store(image, sp, self.top()) } {
            fatal::fatal(format_args!(
                "goroutine {}, whose stack is copied: {error}",
                g.id.get()
            ));
        }
    }

    /// Step 3. The caller is inside.
    fn copy_in(&self, g: GRef) {
        let sp = g.get().own_sp();
        if !sp.is_null() {
            tracer::note(EventKind::CopyIn, g.id());
            // SAFETY: this M is inside, so it owns the goroutine's image.
            let Some(image) = (unsafe { &*g.get().image.get() }) else {
                fatal::throw(format_args!("a copied-out goroutine without an image"));
            };
            // SAFETY: the image was stored from [sp, top) when the goroutine was copied out, and the goroutine has
            // not run since; this M is inside the window, and its last resident is copied out.
            unsafe { image.load(sp, self.top()) };
        }
        self.resident.set(Some(g));
    }

    /// `g`, which is inside, has ended: its bytes and its image are not needed any more.
    pub(crate) fn forget(&self, g: &G) -> Option<Image> {
        let _held = self.held();
        self.resident.set(None);
        g.keeps_window.set(false);
        // SAFETY: `g` is inside and has ended, and its handle is not told yet.
        unsafe { (*g.image.get()).take() }
    }

    /// `g`, which is inside, was ended and runs again after all.
    pub(crate) fn remember(&self, g: &'static G) {
        let _held = self.held();
        self.resident.set(Some(GRef::new(g)));
    }

    /// Keeps the window from copying until the answer is dropped: for a thread that reads what its goroutines have.
    pub(crate) fn held(&self) -> Held<'_> {
        self.copying.lock();
        Held(self)
    }
}

/// A window that copies nothing while this value lives.
pub(crate) struct Held<'a>(&'a Window);

impl<'a> Held<'a> {
    pub(crate) fn stack(&self) -> &'a Stack {
        &self.0.stack
    }

    /// Where the live bytes of `g` are, a goroutine of this window that is off its stack: in its image, or, for
    /// `Some(None)`, in the window.
    pub(crate) fn place_of(&self, g: &'a G) -> Option<Option<&'a Image>> {
        if self
            .0
            .resident
            .get()
            .is_some_and(|resident| std::ptr::eq(resident.get(), g))
        {
            return Some(None);
        }
        // SAFETY: images of this window's goroutines are made and dropped under `copying`, which this value holds.
        let image = unsafe { &*g.image.get() };
        image.as_ref().map(Some)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // SAFETY: `held` has locked it for this value.
        unsafe { self.0.copying.unlock() };
    }
}

impl Linked for GRef {
    fn word(self) -> usize {
        self.to_word()
    }

    unsafe fn of(word: usize) -> GRef {
        // SAFETY: the line holds the words of `word` above, which are Gs'.
        unsafe { GRef::from_word(word) }
    }

    fn set_next(self, word: usize) {
        // SAFETY: a word of the line is 1 or a G's; as a link 1 stands for none.
        let next = (word != 1).then(|| unsafe { GRef::from_word(word) });
        self.get().link.set(next);
    }

    fn next(self) -> usize {
        self.get().link.get().map_or(1, GRef::to_word)
    }

    fn is_visitor(self) -> bool {
        self.get().bound.get() == 0
    }
}
