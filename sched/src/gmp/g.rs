//! G: the descriptor of a goroutine, or of an OS thread that uses the runtime.
//!
//! ```text
//!   +0    ctx, stack, wait, kind, status      what a switch and a park touch: one cache line
//!   +64   join word, entry, id, identity, parker what spawn, join and the end touch
//!   +128  payload                                the closure, later the result, if they fit
//!   +240  deque                                  what a fork-join touches
//! ```
//!
//! Descriptors lie densely in a slab, not in the windows of their stacks: a header at a fixed place of each window
//! would put all of them into the same cache sets. Memory that was a G stays a G, so a late claim of a [`WaitSeq`]
//! meets a number that does not match, and never other data.

use std::{
    cell::{Cell, UnsafeCell},
    ffi::c_int,
    fmt,
    ptr::{self, NonNull},
    sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering},
    time::Duration,
};

use goroutines_stack::{Image, Stack, StackSlot};

use crate::{
    gmp::{
        identity::IdentityCell,
        job::OwnDeque,
        join::Join,
        payload::{Entry, INLINE, Payload},
        segment::Segments,
        shared::{Link, Number},
        window::Window,
    },
    protocol::{
        parker::Parker,
        shrink_word::ShrinkWord,
        status::{Status, StatusCell},
        wait_reason::WaitReason,
        wait_seq::WaitSeq,
    },
    sys::{asm::Context, clock},
};

/// The precision with which a G says how long it has been parked: in so many steps a word lasts for more than a year.
const STEP: Duration = Duration::from_millis(10);

fn steps() -> u32 {
    (clock::now() / STEP.as_nanos() as u64) as u32
}

/// How a G is made ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Through a run queue.
    Goroutine = 0,
    /// Its own parker is notified: it is a plain OS thread, or a goroutine that may not leave its M now.
    Thread = 1,
}

#[repr(C, align(128))]
pub(crate) struct G {
    // What a switch touches.
    /// Where it resumes; null before its first run.
    pub(crate) ctx: Cell<Context>,
    pub(crate) stack: StackSlot,
    pub(crate) wait_seq: WaitSeq,
    /// The run window, of a goroutine whose stack is copied (see window.rs).
    pub(crate) window: Link<Window>,
    /// Whether it keeps the window while it is parked.
    pub(crate) keeps_window: Cell<bool>,
    kind: AtomicU8,
    /// Whether the shrinker works on its stack while it is parked (see shrink.rs).
    pub(crate) shrinking: ShrinkWord,
    /// What it does, and what it waits for (see status.rs); changed in life_cycle.rs.
    pub(super) status: StatusCell,
    /// `errno` as it was when it left its thread.
    pub(crate) errno: Cell<c_int>,
    /// When it was found parked, and marked (see shrink.rs): on the scheduler's clock, in [`STEP`]s.
    marked: AtomicU32,
    /// The M that ran it last, as its [`M::mark`](crate::gmp::m::M::mark); 0 before its first run.
    pub(super) last: AtomicUsize,
    /// The object that it waits on, of [`WaitFor::object`](crate::protocol::wait_reason::WaitFor): valid while it waits.
    pub(super) wait_on: AtomicUsize,
    // What spawn, join and the end touch.
    pub(crate) join: Join,
    pub(crate) entry: Cell<Option<&'static Entry>>,
    pub(crate) link: Cell<Option<GRef>>,
    pub(crate) id: Number,
    /// Its name and other things that few goroutines have (see identity.rs).
    pub(crate) identity: IdentityCell,
    pub(crate) parker: Parker,
    /// What binds it to an M (see locked.rs): 0 nothing; bit 0: pinned; the rest counts locks.
    pub(crate) bound: Cell<u32>,
    /// Its live bytes while another goroutine has the window.
    pub(crate) image: UnsafeCell<Option<Image>>,
    /// Further stacks of a deep recursion (see on_segment.rs).
    pub(crate) segments: Segments,
    pub(crate) rest: Linked<Rest>,
}

/// The last two lines of a G.
#[repr(C)]
pub(crate) struct Rest {
    payload: UnsafeCell<Payload>,
    /// Its deque of jobs, while it is in a fork-join. For the goroutine itself.
    pub(crate) deque: Cell<Option<OwnDeque>>,
}

/// Starts a cache line.
#[repr(align(64))]
pub(crate) struct Linked<T>(pub(crate) T);

const _: () = assert!(size_of::<G>() == 256, "a G is four cache lines");
// Where words have 32 bits, what a switch touches is less than a line.
const _: () = assert!(std::mem::offset_of!(G, join) == 64 || size_of::<usize>() < 8);
const _: () = assert!(std::mem::offset_of!(Rest, deque) == INLINE);

// SAFETY: a G's cells are touched only by the side that its status names (see status.rs); the queues, locks and the
// join word through which a G passes from one owner to the next synchronise.
unsafe impl Sync for G {}

impl G {
    pub(crate) fn new(kind: Kind) -> G {
        G {
            ctx: Cell::new(Context::NULL),
            stack: StackSlot::empty(),
            wait_seq: WaitSeq::new(),
            window: Link::none(),
            keeps_window: Cell::new(false),
            kind: AtomicU8::new(kind as u8),
            shrinking: ShrinkWord::new(),
            status: StatusCell::new(match kind {
                Kind::Goroutine => Status::Dead,
                Kind::Thread => Status::Running,
            }),
            errno: Cell::new(0),
            marked: AtomicU32::new(0),
            last: AtomicUsize::new(0),
            wait_on: AtomicUsize::new(0),
            join: Join::new(),
            entry: Cell::new(None),
            link: Cell::new(None),
            id: Number::new(0),
            identity: IdentityCell::new(),
            parker: Parker::new(),
            bound: Cell::new(0),
            image: UnsafeCell::new(None),
            segments: Segments::new(),
            rest: Linked(Rest {
                payload: UnsafeCell::new(Payload::empty()),
                deque: Cell::new(None),
            }),
        }
    }

    #[inline(always)]
    pub(crate) fn kind(&self) -> Kind {
        // Relaxed: changed only by the G itself before it goes into a wait queue, and back after it was woken; the
        // queue's lock orders it for the waker.
        if self.kind.load(Ordering::Relaxed) == Kind::Goroutine as u8 {
            Kind::Goroutine
        } else {
            Kind::Thread
        }
    }

    /// The mark of the M that ran it last; 0 before its first run.
    #[inline(always)]
    pub(crate) fn last(&self) -> usize {
        // Acquire: partner is `set_last`, before which that M's storage was used for the last time.
        self.last.load(Ordering::Acquire)
    }

    /// Only for the owner of the G.
    #[inline(always)]
    pub(crate) fn set_last(&self, mark: usize) {
        // Release: partner is the load in `last`, by an M that would end (migrate.rs).
        self.last.store(mark, Ordering::Release);
    }

    pub(crate) fn set_kind(&self, kind: Kind) {
        // Relaxed: see `kind`.
        self.kind.store(kind as u8, Ordering::Relaxed);
    }

    /// S1 of shrink.rs: it is about to be marked.
    pub(crate) fn stamp(&self) {
        // Relaxed: the change of the status that follows releases it to `parked_for`.
        self.marked.store(steps() + 1, Ordering::Relaxed);
    }

    /// How long it has been parked, at least: since it was marked. `None` where it was not.
    pub(crate) fn parked_for(&self) -> Option<Duration> {
        if !self.status.is_marked() {
            return None;
        }
        // Relaxed: `is_marked` has acquired it. One that was marked again meanwhile has a later stamp.
        let marked = self.marked.load(Ordering::Relaxed);
        Some(STEP * steps().saturating_sub(marked))
    }

    /// Returns whether it has run, or is about to. For its owner.
    #[inline]
    pub(crate) fn has_begun(&self) -> bool {
        !self.ctx.get().is_null()
    }

    /// The saved context as a hint for prefetching; another M may be changing it.
    #[inline(always)]
    pub(crate) fn ctx_hint(&self) -> *const u8 {
        // SAFETY: a `Context` is a transparent pointer, so the cell is a valid, aligned AtomicUsize as long as the G
        // lives, and Gs are never freed.
        let word = unsafe { AtomicUsize::from_ptr(self.ctx.as_ptr().cast()) };
        // Relaxed: any value will do.
        word.load(Ordering::Relaxed) as *const u8
    }

    /// The lower end of the live part of the goroutine's own stack while it is parked: its stack pointer, unless it
    /// waits on a segment (see on_segment.rs).
    pub(crate) fn own_sp(&self) -> *mut u8 {
        self.segments
            .own_context()
            .unwrap_or_else(|| self.ctx.get())
            .sp()
    }

    /// The goroutine's own stack, whether it runs there or on a segment; null for a plain thread's G. For the thread
    /// that runs it or is about to. Async-signal-safe on that thread.
    pub(crate) fn own_stack(&self) -> *mut Stack {
        if let Some(window) = self.window.get() {
            return ptr::from_ref(window.stack()).cast_mut();
        }
        // SAFETY: the G runs on the calling thread or is about to, so the cell is that thread's.
        let stack = unsafe { self.stack.get() };
        stack.map_or(ptr::null_mut(), |stack| ptr::from_ref(stack).cast_mut())
    }

    /// Returns whether `address` lies on the own stack of this G, which is not a plain thread's. For the thread that runs it.
    pub(crate) fn has_on_stack(&self, address: usize) -> bool {
        // SAFETY: the stack of the G that runs here, or null.
        let own = unsafe { self.own_stack().as_ref() };
        own.is_some_and(|stack| stack.contains(address))
    }

    /// The type of the closure that it was spawned as. For any thread: another M may be spawning with the G.
    pub(crate) fn spawned_as(&self) -> &'static str {
        // SAFETY: an optional reference is a pointer that may be null, so the cell is a valid, aligned AtomicPtr as long as
        // the G lives, and Gs are never freed.
        let entry = unsafe { AtomicPtr::from_ptr(self.entry.as_ptr().cast::<*mut Entry>()) };
        // SAFETY: null or a `&'static Entry`, whichever was stored last. Relaxed: entries are constants.
        match unsafe { entry.load(Ordering::Relaxed).as_ref() } {
            Some(entry) => (entry.name)(),
            None => "",
        }
    }

    /// The address of the object that it waits on; meaningless where it does not wait.
    pub(crate) fn waits_on(&self) -> usize {
        // Relaxed: partner is the store in `waits` and `blocks` (life_cycle.rs). The address is only shown.
        self.wait_on.load(Ordering::Relaxed)
    }

    pub(crate) fn payload(&self) -> *mut u8 {
        self.rest.0.payload.get().cast()
    }
}

/// A reference to a G, which is never freed. The goroutine that it was taken of may have ended.
///
/// Wait queues hold these, and give them to [`ready`](crate::ready).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct GRef(NonNull<G>);

// SAFETY: a GRef gives access to a `G` only inside this crate, and `G` is Sync.
unsafe impl Send for GRef {}
// SAFETY: a shared GRef gives what a copy of it gives: access to a `G`, which is Sync.
unsafe impl Sync for GRef {}

impl fmt::Debug for GRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GRef({:p})", self.0)
    }
}

impl GRef {
    pub(crate) fn new(g: &'static G) -> GRef {
        GRef(NonNull::from(g))
    }

    /// The word for a run queue, never 0.
    #[inline(always)]
    pub(crate) fn to_word(self) -> usize {
        self.0.as_ptr() as usize
    }

    /// # Safety
    ///
    /// `word` came from [`GRef::to_word`].
    #[inline(always)]
    pub(crate) unsafe fn from_word(word: usize) -> GRef {
        // SAFETY: the caller's word is the address of a G, so not null.
        GRef(unsafe { NonNull::new_unchecked(word as *mut G) })
    }

    /// Returns whether the goroutine's stack is copied out while it is parked. Then no other thread can reach
    /// anything on it meanwhile: what a wait queue links must lie elsewhere.
    #[inline(always)]
    pub fn is_copied_out(self) -> bool {
        self.get().window.is_set()
    }

    /// How many bytes are alive on the stack of a parked goroutine, saved registers included;
    /// `None` if it has no stack yet.
    ///
    /// # Safety
    ///
    /// The goroutine is parked, and no thread makes it ready meanwhile.
    pub unsafe fn live_bytes(self) -> Option<usize> {
        let top = match self.get().window.get() {
            Some(window) => window.top(),
            // SAFETY: a parked goroutine does not run, so nothing changes its cells; the caller keeps it parked.
            None => unsafe { self.get().stack.get() }?.top(),
        };
        let sp = self.get().own_sp();
        (!sp.is_null()).then(|| top.addr() - sp.addr())
    }

    /// Returns whether it runs where the addresses are those of no other goroutine until it ends: it is no plain thread, its
    /// stack is not copied, and it is not on a segment, which it may leave to others. For the thread that runs it.
    #[inline]
    pub fn runs_on_own_stack(self) -> bool {
        let g = self.get();
        // SAFETY: only asked whether there is one, which does not change while the caller, its goroutine, runs.
        !g.window.is_set() && unsafe { g.stack.get() }.is_some() && g.segments.running().is_none()
    }

    /// The address of the G in memory. Other goroutines have the same address after the end of this one.
    pub fn address(self) -> usize {
        self.to_word()
    }

    /// What the goroutine or thread waits for; `None` where it does not wait. A snapshot: it may be made ready at the
    /// same time.
    #[doc(hidden)]
    pub fn wait_reason(self) -> Option<WaitReason> {
        self.get().status.reason()
    }

    /// The address of the object that the goroutine or thread waits on; 0 where there is none. A snapshot, as
    /// [`GRef::wait_reason`].
    #[doc(hidden)]
    pub fn wait_object(self) -> usize {
        match self.wait_reason() {
            Some(_) => self.get().waits_on(),
            None => 0,
        }
    }

    /// The number of the goroutine, counted from 1; 0 for OS threads.
    pub fn id(self) -> u64 {
        self.get().id.get()
    }

    #[inline(always)]
    pub(crate) fn get(self) -> &'static G {
        // SAFETY: Gs are allocated in a slab or leaked and never freed; shared access is Sync.
        unsafe { self.0.as_ref() }
    }
}

/// A list of dead Gs, linked through them.
pub(crate) struct FreeList {
    head: Option<GRef>,
    len: usize,
}

impl FreeList {
    pub(crate) const fn new() -> FreeList {
        FreeList { head: None, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn push(&mut self, g: GRef) {
        g.get().link.set(self.head);
        self.head = Some(g);
        self.len += 1;
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<GRef> {
        let g = self.head?;
        self.head = g.get().link.get();
        self.len -= 1;
        Some(g)
    }

    /// Moves up to `count` Gs over from `other`.
    pub(crate) fn refill(&mut self, other: &mut FreeList, count: usize) {
        for _ in 0..count {
            match other.pop() {
                Some(g) => self.push(g),
                None => return,
            }
        }
    }
}
