//! A segment: a further stack of a goroutine or thread, with a header at its top, and how a G knows it.
//!
//! What segments are for, and how they are entered and left, is in on_segment.rs.

use std::{cell::Cell, mem::ManuallyDrop, ptr};

use goroutines_stack::{self as stack, Stack};

use crate::sys::{asm::Context, tools};

/// One segment in use or spare. Lies at the top of its own stack.
#[repr(C, align(16))]
pub(crate) struct Segment {
    /// Where the older stack resumes. First, because unwinders read it above the segment's frames.
    pub(crate) back: Cell<Context>,
    pub(crate) stack: ManuallyDrop<Stack>,
    /// The lowest address above the guard.
    pub(crate) low: usize,
    /// The segment before this one; none: the goroutine's or thread's own stack.
    pub(crate) prev: Cell<Link>,
    /// Kept for the next crossing, while this segment runs.
    pub(crate) spare: Cell<Link>,
    /// How many segments the chain has with this one, and how many bytes.
    pub(crate) number: Cell<u32>,
    pub(crate) total: Cell<usize>,
    /// How often it has been left.
    pub(crate) crossings: Cell<u32>,
    /// The bounds of the older stack, for AddressSanitizer; nothing without it.
    pub(crate) below: tools::Bounds,
    /// Where the context of `enter` is saved when it leaves for good; it is never resumed.
    pub(crate) left: Cell<Context>,
}

/// A segment or none.
pub(crate) type Link = Option<&'static Segment>;

/// The segments of a G: one word, because a G is four cache lines.
///
/// ```text
///   0            no segment
///   address      runs on this segment
///   address | 1  runs on its own stack, and this segment is the spare
/// ```
pub(crate) struct Segments(Cell<*const Segment>);

const IDLE: usize = 1;

impl Segments {
    pub(crate) const fn new() -> Segments {
        Segments(Cell::new(ptr::null()))
    }

    /// The segment that the G runs on.
    #[inline]
    pub(crate) fn running(&self) -> Link {
        let word = self.0.get();
        if word.addr() & IDLE != 0 {
            return None;
        }
        // SAFETY: null or a linked segment, whose header stays until it is unlinked here.
        unsafe { word.as_ref() }
    }

    /// The spare of the G's own stack, while it runs there.
    pub(crate) fn idle(&self) -> Link {
        let word = self.0.get();
        if word.addr() & IDLE == 0 {
            return None;
        }
        // SAFETY: without the tag it is the address of a linked segment, as in `running`.
        unsafe { word.map_addr(|word| word & !IDLE).as_ref() }
    }

    pub(crate) fn set_running(&self, segment: &'static Segment) {
        self.0.set(segment);
    }

    pub(crate) fn set_idle(&self, segment: Link) {
        self.0.set(match segment {
            Some(segment) => ptr::from_ref(segment).map_addr(|word| word | IDLE),
            None => ptr::null(),
        });
    }

    /// The stack of the segment that the G runs on, for the fault handler. Async-signal-safe.
    pub(crate) fn stack(&self) -> Option<*mut Stack> {
        let segment = self.running()?;
        Some(ptr::from_ref(&*segment.stack).cast_mut())
    }

    /// The number of the segment that the G runs on; 0 on its own stack. Async-signal-safe.
    pub(crate) fn number(&self) -> u32 {
        self.running().map_or(0, |segment| segment.number.get())
    }

    /// The context of the G's own stack while it runs on segments: from its stack pointer up the stack is live.
    pub(crate) fn own_context(&self) -> Option<Context> {
        let mut segment = self.running()?;
        while let Some(older) = segment.prev.get() {
            segment = older;
        }
        Some(segment.back.get())
    }

    /// Gives back to the kernel what the segments of a parked goroutine do not need. `sp` is its stack pointer.
    ///
    /// # Safety
    ///
    /// The goroutine is parked, and no thread resumes it before this returns.
    pub(crate) unsafe fn trim(&self, sp: *const u8) {
        let spare = match self.running() {
            Some(segment) => segment.spare.get(),
            None => self.idle(),
        };
        if let Some(spare) = spare {
            // SAFETY: nothing lives on a spare but its header at the top.
            unsafe { spare.stack.trim(top_of(spare)) };
        }
        let (mut low, mut link) = (sp, self.running());
        while let Some(segment) = link {
            // SAFETY: what waits on a segment needs what is above the stack pointer it was left with.
            unsafe { segment.stack.trim(low) };
            (low, link) = (segment.back.get().sp(), segment.prev.get());
        }
    }

    /// The G ends: its spare is released.
    #[inline]
    pub(crate) fn end(&self) {
        if !self.0.get().is_null() {
            self.release_idle();
        }
    }

    #[cold]
    fn release_idle(&self) {
        if let Some(spare) = self.idle() {
            self.set_idle(None);
            release(spare);
        }
    }
}

/// The lowest address of `stack` above the guard.
#[inline]
pub(crate) fn low(stack: &Stack) -> usize {
    stack.top().addr() - stack.limit()
}

/// Puts the header of a segment at the top of its stack.
pub(crate) fn place(stack: Stack) -> &'static Segment {
    tools::begin(&stack);
    let place = stack.top().cast::<Segment>().wrapping_sub(1);
    let segment = Segment {
        low: low(&stack),
        stack: ManuallyDrop::new(stack),
        prev: Cell::new(None),
        spare: Cell::new(None),
        number: Cell::new(0),
        total: Cell::new(0),
        crossings: Cell::new(0),
        back: Cell::new(Context::NULL),
        below: tools::Bounds::new(),
        left: Cell::new(Context::NULL),
    };
    // SAFETY: the top page of a stack is there, has room for a header below `top`, which is aligned to
    // 16, and nothing else lives on this stack.
    unsafe {
        place.write(segment);
        &*place
    }
}

/// Where the frames of a segment begin: below its header.
pub(crate) fn top_of(segment: &Segment) -> *mut u8 {
    ptr::from_ref(segment).cast_mut().cast()
}

/// Releases the stack of a segment on which nothing runs.
pub(crate) fn release(segment: &'static Segment) {
    debug_assert!(segment.spare.get().is_none());
    // SAFETY: nothing refers to the segment any more, so its stack is moved out of its header, once; the header is
    // not read afterwards.
    let stack = unsafe { ptr::read(&raw const *segment.stack) };
    stack::release(stack);
}
