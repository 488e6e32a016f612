//! All goroutines, one after the other, as reports see them: what each does, and the stacks of those that are off them.
//!
//! ```text
//!   the newest segment         an older one              the goroutine's own stack
//!  ┌──────────────┐ linked    ┌──────────────┐ linked   ┌──────────────┐ root      the walk of a stack goes from
//!  │ frames       │─ root ──► │ frames       │─ root ─► │ frames       │           left to right, one piece after
//!  └──────────────┘           └──────────────┘          └──────────────┘           the other
//!   context                    back                      back
//! ```
//!
//! A goroutine with a stack to read is held (hold.rs) while the visitor has its [`Sight`]. It is on no stack then, so it is
//! inside no allocator and holds no lock of a few instructions; but it may hold any other lock, so the visitor takes none
//! that a goroutine could hold while it is parked. The visitor must not park, and should be quick: an M that wants to run
//! the goroutine waits.
//!
//! A piece is read by words between its stack pointer and its top, where there is memory, but for a soft guard that a
//! frame without stack probes has stepped over. What a goroutine with a copy stack has lies in the window or in its image;
//! the window is kept from copying meanwhile (window.rs).

use std::{fmt, os::fd::RawFd, ptr};

use goroutines_stack::{Image, Stack};

use crate::{
    global::sched::{self, Sched},
    gmp::{
        g::{G, GRef},
        poll_desc::PollDesc,
        segment::{Link, top_of},
        window::{Held, Window},
    },
    protocol::{
        hold::{self, BATCH},
        status::Status,
        wait_reason::WaitReason,
    },
    sys::{
        asm::{Context, Native, Port, Suspended},
        membarrier,
    },
};

/// What a goroutine does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum State {
    /// It is in a run queue and has not run yet.
    New,
    /// It is in a run queue.
    Runnable,
    /// It is on a thread.
    Running,
    /// It is in a blocking call, on a thread of its own.
    InCall,
    /// It waits.
    Waiting(WaitReason),
    /// It waits and keeps its thread, because it unwinds or is in a blocking call.
    Blocked(WaitReason),
}

impl State {
    pub(super) fn of(status: Status, reason: Option<WaitReason>) -> Option<State> {
        Some(match (status, reason) {
            (Status::Dead, _) => return None,
            (Status::Fresh, _) => State::New,
            (Status::Runnable, _) => State::Runnable,
            (Status::Running, Some(WaitReason::BlockingCall)) => State::InCall,
            (Status::Running, _) => State::Running,
            (Status::Blocked | Status::Timed, Some(reason)) => State::Blocked(reason),
            (Status::Blocked | Status::Timed, None) => State::Running,
            (_, Some(reason)) => State::Waiting(reason),
            // It yields or ends: its M is about to queue it, or to free it.
            (_, None) => State::Runnable,
        })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::New => f.pad("runnable, has not run yet"),
            State::Runnable => f.pad("runnable"),
            State::Running => f.pad("running"),
            State::InCall => f.pad("blocking call"),
            State::Waiting(reason) => reason.fmt(f),
            State::Blocked(reason) => write!(f, "{reason}, keeps its thread"),
        }
    }
}

/// One goroutine, seen at one moment.
#[derive(Debug)]
#[non_exhaustive]
pub struct Sight<'a> {
    /// Its number.
    pub id: u64,
    /// Its name; known only while it is held.
    pub name: Option<&'a str>,
    /// The type of the closure that it was spawned as.
    pub spawned_as: &'static str,
    /// What it does.
    pub state: State,
    /// The address of what it waits on; 0 where there is none.
    pub object: usize,
    /// The number of the goroutine whose end it waits for.
    pub joins: Option<u64>,
    /// The descriptor that it waits for, and whether to write.
    pub descriptor: Option<(RawFd, bool)>,
    /// Whether it has been parked for an idle time of stacks (`Config::stack_idle`) at least.
    pub waits_long: bool,
    /// Its stack, if it is held.
    pub stack: Option<StackView<'a>>,
}

/// Calls `visit` for each goroutine, and `between` now and then while none is held. Goroutines that begin or end meanwhile
/// are seen or not. Returns whether stacks could be read; otherwise the kernel has no `membarrier`.
pub fn goroutines(visit: &mut dyn FnMut(&mut Sight<'_>), between: &mut dyn FnMut()) -> bool {
    let Some(sched) = sched::get() else {
        return true;
    };
    let mut able = membarrier::is_there();
    let mut batch = Vec::with_capacity(BATCH);
    let mut gs = sched.all_gs.iter();
    loop {
        let alive = gs.by_ref().filter(|g| g.status().get() != Status::Dead);
        batch.extend(alive.take(BATCH));
        if !batch.is_empty() {
            able = visit_batch(sched, &batch, able, visit);
        }
        between();
        if batch.len() < BATCH {
            return able;
        }
        batch.clear();
    }
}

/// Returns whether the stacks of `batch` were held where that was possible: `able`, and the kernel made the barrier.
fn visit_batch(
    sched: &Sched,
    batch: &[&'static G],
    able: bool,
    visit: &mut dyn FnMut(&mut Sight<'_>),
) -> bool {
    let mut read = |place: usize, is_held: bool| see(batch[place], is_held, visit);
    if !able {
        (0..batch.len()).for_each(|place| read(place, false));
        return false;
    }
    let _right = sched.all_gs.right_to_words();
    hold::hold(batch, read)
}

/// Shows `g`, which is held or else may do anything.
fn see(g: &'static G, is_held: bool, visit: &mut dyn FnMut(&mut Sight<'_>)) {
    let status = g.status().get();
    let reason = g.status().reason();
    let Some(state) = State::of(status, reason) else {
        return;
    };
    let waits = matches!(state, State::Waiting(_) | State::Blocked(_));
    let object = if waits { GRef::new(g).wait_object() } else { 0 };
    let joins = (reason == Some(WaitReason::Join) && object != 0).then(|| {
        // SAFETY: a join waits on a G (task/handle.rs), and Gs are never freed.
        unsafe { GRef::from_word(object) }.id()
    });
    // SAFETY: a wait for a socket is in a line of a record (park/io_wait.rs).
    let descriptor = (reason == Some(WaitReason::Io) && object != 0)
        .then(|| unsafe { PollDesc::descriptor_of(object) });
    // SAFETY: it is held, so it does not run, and no other thread changes its stacks.
    let stack = is_held.then(|| unsafe { StackView::of(g) }).flatten();
    let identity = is_held.then(|| g.identity.get()).flatten();
    visit(&mut Sight {
        id: g.id.get(),
        name: identity.and_then(|identity| identity.name()),
        spawned_as: g.spawned_as(),
        state,
        object,
        joins,
        descriptor,
        waits_long: status == Status::Shrunk,
        stack,
    });
}

/// The stack of a goroutine that is held, to be walked.
pub struct StackView<'a> {
    g: &'a G,
    piece: Piece<'a>,
    /// Keeps the window from copying.
    window: Option<Held<'a>>,
}

impl fmt::Debug for StackView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StackView").field(&self.start()).finish()
    }
}

/// A stack or segment, from its stack pointer up.
struct Piece<'a> {
    context: Context,
    low: usize,
    top: usize,
    stack: &'a Stack,
    /// Where the bytes are, if not there.
    image: Option<&'a Image>,
    /// The segment that this is.
    segment: Link,
}

impl<'a> StackView<'a> {
    /// `None` if it has no stack yet.
    ///
    /// # Safety
    ///
    /// `g` is off its stack, and does not run while this value lives.
    unsafe fn of(g: &'a G) -> Option<StackView<'a>> {
        let context = g.ctx.get();
        if context.is_null() {
            return None;
        }
        let window = g.window.get().map(Window::held);
        // SAFETY: it does not run while this value lives.
        let piece = unsafe { Piece::at(g, context, g.segments.running(), window.as_ref()) }?;
        Some(StackView { g, piece, window })
    }

    /// Where a walk starts: in the piece whose frames are the innermost.
    #[must_use]
    pub fn start(&self) -> Suspended {
        self.piece.start()
    }

    /// The word at `address` of this piece; `None` outside of what is alive, and where the address is not aligned.
    #[must_use]
    pub fn read(&self, address: u64) -> Option<u64> {
        self.piece.read(address)
    }

    /// After a walk that has arrived at [`StackView::is_link`]: goes on to the older piece, and says where a walk starts
    /// there.
    pub fn older(&mut self) -> Option<Suspended> {
        let segment = self.piece.segment?;
        // SAFETY: the goroutine does not run while this value lives, as `of` demands.
        self.piece = unsafe {
            Piece::at(
                self.g,
                segment.back.get(),
                segment.prev.get(),
                self.window.as_ref(),
            )
        }?;
        Some(self.start())
    }

    /// Returns whether the code at `address` is the outermost of a goroutine: a walk ends there.
    #[must_use]
    pub fn is_root(address: usize) -> bool {
        Native::root_range().contains(&address)
    }

    /// Returns whether the code at `address` is the outermost of a segment.
    #[must_use]
    pub fn is_link(address: usize) -> bool {
        Native::linked_root_range().contains(&address)
    }
}

impl<'a> Piece<'a> {
    /// What `g` has on `segment`, or else on its own stack, where it resumes with `context`.
    ///
    /// # Safety
    ///
    /// `g` is off its stack, and does not run while this value lives. `window` is its window, held, if it has one.
    unsafe fn at(
        g: &'a G,
        context: Context,
        segment: Link,
        window: Option<&Held<'a>>,
    ) -> Option<Piece<'a>> {
        let low = context.sp().addr();
        let (stack, top, image) = match (segment, window) {
            (Some(segment), _) => (&*segment.stack, top_of(segment).addr(), None),
            (None, Some(window)) => {
                let stack = window.stack();
                (stack, stack.top().addr(), window.place_of(g)?)
            }
            (None, None) => {
                // SAFETY: `g` does not run, so no thread puts or takes its stack.
                let stack = unsafe { g.stack.get() }?;
                (stack, stack.top().addr(), None)
            }
        };
        (low < top).then_some(Piece {
            context,
            low,
            top,
            stack,
            image,
            segment,
        })
    }

    fn start(&self) -> Suspended {
        // SAFETY: the context was saved when the code left this piece, and its frame is the lowest part of what is alive.
        unsafe { self.context.suspended(self.place(self.low)) }
    }

    /// Where the byte at `address`, which is alive, lies now.
    fn place(&self, address: usize) -> *const u8 {
        match self.image {
            Some(image) => image.at(self.top - address),
            None => ptr::with_exposed_provenance(address),
        }
    }

    fn read(&self, address: u64) -> Option<u64> {
        let address = usize::try_from(address).ok()?;
        let end = address.checked_add(size_of::<u64>())?;
        let is_alive =
            self.low <= address && end <= self.top && address.is_multiple_of(align_of::<u64>());
        if !is_alive || self.image.is_none() && self.stack.is_guard(address, end) {
            return None;
        }
        // SAFETY: the word is aligned and lies between the stack pointer and the top of a stack that stays, and not in the
        // guard, so there is memory; an image keeps the alignment. Volatile: the commit of a park may write to the stack at
        // the same time, and then the word is new or old.
        Some(unsafe { self.place(address).cast::<u64>().read_volatile() })
    }
}
