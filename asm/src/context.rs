//! A suspended computation, as an address, and what an unwinder needs of it.

use crate::port::Saved;
use crate::{Native, Port};
use core::ptr;

/// A suspended computation: the stack pointer with which it resumes. Its saved [`Frame`](Port::Frame) lies right below.
///
/// A plain address. It is good for one resumption: the resumed code uses the memory again at once.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Context(*mut u8);

// SAFETY: a `Context` is an address and dereferences nothing by itself; only `switch` does, whose caller answers for it.
unsafe impl Send for Context {}
// SAFETY: a shared `Context` is only read, and an address may be read from any thread.
unsafe impl Sync for Context {}

impl Context {
    /// No computation. Must not be resumed.
    pub const NULL: Self = Self(ptr::null_mut());

    /// The computation that resumes with this stack pointer.
    #[inline(always)]
    pub(crate) const fn at(sp: *mut u8) -> Self {
        Self(sp)
    }

    /// Returns whether this is [`Context::NULL`].
    #[inline(always)]
    #[must_use]
    pub const fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Where the live stack of the suspended computation begins; null for [`Context::NULL`].
    ///
    /// All that lives on its stack is found from here upwards: first the saved registers, then the frames.
    #[inline(always)]
    #[must_use]
    pub const fn sp(self) -> *mut u8 {
        match self.is_null() {
            true => ptr::null_mut(),
            false => self.0.wrapping_sub(size_of::<<Native as Port>::Frame>()),
        }
    }

    /// The stack pointer with which it resumes: the end of its frame.
    #[inline(always)]
    pub(crate) const fn top_of_frame(self) -> *mut u8 {
        self.0
    }

    /// What the context has saved: where an unwinder starts. `frame` is where its `Frame` lies now: [`Context::sp`], or the
    /// place in a copy of the stack that corresponds to it.
    ///
    /// # Safety
    ///
    /// The context was prepared, or saved by a switch, and has not been resumed since. From `frame` on there is its
    /// `Frame`, aligned to a word, which no thread writes to meanwhile.
    #[must_use]
    pub unsafe fn suspended(self, frame: *const u8) -> Suspended {
        // SAFETY: the caller's frame is whole, and is not written meanwhile.
        let frame = unsafe { frame.cast::<<Native as Port>::Frame>().read_unaligned() };
        let (ip, fp) = (frame.ip(), frame.fp());
        Suspended {
            ip,
            sp: self.0.addr(),
            fp,
        }
    }
}

/// Where an unwinder starts in a suspended context: the registers that it has when it resumes.
///
/// These are all that the tables of compiled code need. The base register, which a [`Frame`](Port::Frame) has as well, is
/// used by code whose frame is aligned by hand, and there the tables refer to the frame pointer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Suspended {
    /// The address at which it resumes.
    pub ip: usize,
    /// The stack pointer.
    pub sp: usize,
    /// The frame pointer.
    pub fp: usize,
}
