//! Reading the stack of a goroutine: piece by piece, word by word.
//!
//! ```text
//!   the newest segment         an older one              the goroutine's own stack
//!  ┌──────────────┐ linked    ┌──────────────┐ linked   ┌──────────────┐ root      the walk of a stack goes from
//!  │ frames       │─ root ──► │ frames       │─ root ─► │ frames       │           left to right, one piece after
//!  └──────────────┘           └──────────────┘          └──────────────┘           the other
//!   context                    back                      back
//! ```
//!
//! A piece is read by words between its stack pointer and its top, where there is memory, but for a soft guard that a
//! frame without stack probes has stepped over. What a goroutine with a copy stack has lies in the window or in its image;
//! the window is kept from copying meanwhile (window.rs).

use std::{fmt, ops::Range, ptr};

use goroutines_stack::{Image, Stack};

use crate::{
    gmp::{
        g::G,
        segment::{Link, Segment, top_of},
        window::{Held, Window},
    },
    sys::asm::{Context, Native, Port, Suspended},
};

/// The stack of a goroutine that is held, to be walked.
pub struct StackView<'a> {
    g: &'a G,
    context: Context,
    piece: Piece<'a>,
    /// Keeps the window from copying.
    window: Option<Held<'a>>,
}

impl fmt::Debug for StackView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StackView").field(&self.start()).finish()
    }
}

impl<'a> StackView<'a> {
    /// `None` if it has no stack yet.
    ///
    /// # Safety
    ///
    /// `g` is off its stack, and does not run while this value lives.
    pub(crate) unsafe fn of(g: &'a G) -> Option<StackView<'a>> {
        let context = g.ctx.get();
        if context.is_null() {
            return None;
        }
        let window = g.window.get().map(Window::held);
        // SAFETY: it does not run while this value lives.
        let piece = unsafe { parked(g, context, g.segments.running(), window.as_ref()) }?;
        Some(StackView {
            g,
            context,
            piece,
            window,
        })
    }

    /// Where a walk starts: in the piece whose frames are the innermost.
    #[must_use]
    pub fn start(&self) -> Suspended {
        // SAFETY: the context was saved when the code left this piece, and its frame is the lowest part of what is alive.
        unsafe { self.context.suspended(self.piece.place(self.piece.low)) }
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
        self.context = segment.back.get();
        // SAFETY: the goroutine does not run while this value lives, as `of` demands.
        self.piece = unsafe {
            parked(
                self.g,
                self.context,
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

/// What `g` has on `segment`, or else on its own stack, where it resumes with `context`.
///
/// # Safety
///
/// `g` is off its stack, and does not run while the result lives. `window` is its window, held, if it has one.
unsafe fn parked<'a>(
    g: &'a G,
    context: Context,
    segment: Link,
    window: Option<&Held<'a>>,
) -> Option<Piece<'a>> {
    let low = context.sp().addr();
    match (segment, window) {
        (Some(segment), _) => Piece::on_segment(segment, low),
        (None, Some(window)) => {
            let image = window.place_of(g)?;
            Piece::on_stack(window.stack(), low).map(|piece| Piece { image, ..piece })
        }
        (None, None) => {
            // SAFETY: `g` does not run, so no thread puts or takes its stack.
            Piece::on_stack(unsafe { g.stack.get() }?, low)
        }
    }
}

/// A stack or segment, from its stack pointer up.
pub(crate) struct Piece<'a> {
    pub(crate) low: usize,
    top: usize,
    /// None: it is a thread's.
    stack: Option<&'a Stack>,
    /// Where the bytes are, if not there.
    image: Option<&'a Image>,
    /// The segment that this is.
    pub(crate) segment: Link,
}

impl<'a> Piece<'a> {
    /// None if `low` is not on it.
    pub(crate) fn on_segment(segment: &'static Segment, low: usize) -> Option<Piece<'a>> {
        let stack = &*segment.stack;
        let top = top_of(segment).addr();
        (stack.contains(low) && low < top).then_some(Piece {
            low,
            top,
            stack: Some(stack),
            image: None,
            segment: Some(segment),
        })
    }

    /// None if `low` is not on it.
    pub(crate) fn on_stack(stack: &'a Stack, low: usize) -> Option<Piece<'a>> {
        let top = stack.top().addr();
        (stack.contains(low) && low < top).then_some(Piece {
            low,
            top,
            stack: Some(stack),
            image: None,
            segment: None,
        })
    }

    /// None if `low` is not on it.
    pub(crate) fn on_thread(stack: &Range<usize>, low: usize) -> Option<Piece<'a>> {
        stack.contains(&low).then_some(Piece {
            low,
            top: stack.end,
            stack: None,
            image: None,
            segment: None,
        })
    }

    /// Where the byte at `address`, which is alive, lies now.
    fn place(&self, address: usize) -> *const u8 {
        match self.image {
            Some(image) => image.at(self.top - address),
            None => ptr::with_exposed_provenance(address),
        }
    }

    pub(crate) fn read(&self, address: u64) -> Option<u64> {
        let address = usize::try_from(address).ok()?;
        let end = address.checked_add(size_of::<usize>())?;
        let is_alive =
            self.low <= address && end <= self.top && address.is_multiple_of(align_of::<usize>());
        let is_guard = || {
            let stack = self.stack.filter(|_| self.image.is_none());
            stack.is_some_and(|stack| stack.is_guard(address, end))
        };
        if !is_alive || is_guard() {
            return None;
        }
        // SAFETY: the word is aligned and lies between the stack pointer and the top of a stack that stays, and not in the
        // guard, so there is memory; an image keeps the alignment. Volatile: the commit of a park may write to the stack at
        // the same time, and then the word is new or old.
        Some(unsafe { self.place(address).cast::<usize>().read_volatile() } as u64)
    }
}
