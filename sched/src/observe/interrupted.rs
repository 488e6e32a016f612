//! The code that a signal has interrupted on this thread, for a walk of its stack in the handler; or the caller's, for a walk on
//! another stack.
//!
//! A signal comes between any two instructions, so what the scheduler has noted of the thread may be a step ahead or
//! behind: the goroutine is entered as the running one while g0 still runs, and a segment as the running piece while the
//! stack pointer is on another. Therefore the piece is found by the stack pointer alone:
//!
//! | the stack pointer is | the walk begins |
//! |---|---|
//! | on a segment of the current goroutine | there |
//! | on its own stack | there |
//! | on g0 of the thread's M | there; it is no goroutine's |
//! | elsewhere (a signal stack, another library's stack) | nowhere |
//!
//! In the few instructions of a switch the registers are of two computations; that is left to the caller to see
//! ([`Interrupted::is_switching`]). The chain of segments is changed by this thread alone, so it is whole at each
//! instruction.

use std::fmt;

use goroutines_stack::Stack;

use crate::{
    gmp::{g::G, m::M},
    observe::stack_view::Piece,
    switch,
    switch::thread_word::current_m,
    sys::asm::{self, Context, Registers, Suspended},
};

/// The code that a signal has interrupted on this thread, or that has called on another stack.
pub struct Interrupted<'a> {
    registers: Registers,
    pub(crate) m: Option<&'static M>,
    pub(crate) g: Option<&'static G>,
    piece: Option<Piece<'a>>,
    /// Whether that is the goroutine's.
    is_own: bool,
}

impl fmt::Debug for Interrupted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interrupted").field(&self.registers).finish()
    }
}

impl<'a> Interrupted<'a> {
    /// Async-signal-safe.
    ///
    /// # Safety
    ///
    /// `context` is the third argument of a signal handler that was installed with `SA_SIGINFO`, runs on this thread, and
    /// does not return while the value lives.
    #[must_use]
    pub unsafe fn of(context: *const libc::c_void) -> Interrupted<'a> {
        // SAFETY: the caller's context is one of a handler that has not returned.
        let registers = unsafe { asm::interrupted(context) };
        // SAFETY: they are those of this thread, whose handler does not return while the value lives.
        unsafe { Interrupted::at(registers) }
    }

    /// The caller of [`call_on`](crate::call_on), as it looks to what that calls: no signal has come. Async-signal-safe.
    ///
    /// # Safety
    ///
    /// `call_on` has given `outside` to the function that calls, and that does not return while the value lives.
    #[must_use]
    pub unsafe fn outside(outside: Suspended) -> Interrupted<'a> {
        let Suspended { ip, sp, fp } = outside;
        let link = ip;
        // SAFETY: they are those of this thread, which goes on there when the function has returned.
        unsafe { Interrupted::at(Registers { ip, sp, fp, link }) }
    }

    /// # Safety
    ///
    /// This thread goes on with `registers`, and not while the value lives.
    unsafe fn at(registers: Registers) -> Interrupted<'a> {
        let m = current_m();
        let g = m.and_then(|m| m.current.get()).map(|g| g.get());
        // SAFETY: it is the goroutine of this thread, which does not go on while the value lives.
        let own = g.and_then(|g| unsafe { piece_of(g, registers.sp) });
        let on_g0 = || Piece::on_thread(&m?.g0_stack(), registers.sp);
        let is_own = own.is_some();
        Interrupted {
            registers,
            m,
            g,
            piece: own.or_else(on_g0),
            is_own,
        }
    }

    /// The number of the goroutine that runs here: 0 if none does, or a plain thread's code.
    #[must_use]
    pub fn goroutine(&self) -> u64 {
        self.g.map_or(0, |g| g.id.get())
    }

    /// The type of the closure that the goroutine was spawned as; empty where there is none.
    #[must_use]
    pub fn spawned_as(&self) -> &'static str {
        self.g.map_or("", G::spawned_as)
    }

    /// The name of the goroutine.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.g?.identity.get()?.name()
    }

    /// Returns whether what was interrupted is a goroutine's code, so that a walk ends at its root.
    #[must_use]
    pub fn is_goroutine(&self) -> bool {
        self.is_own && self.goroutine() != 0
    }

    /// Returns whether what was interrupted is the scheduler, on a thread that runs goroutines.
    #[must_use]
    pub fn is_scheduler(&self) -> bool {
        let is_threads_own = self.g.is_some() && self.goroutine() == 0;
        self.piece.is_some() && !self.is_own && !is_threads_own
    }

    /// The registers, whether it is known which stack this is or not.
    #[must_use]
    pub fn registers(&self) -> Registers {
        self.registers
    }

    /// Returns whether it was interrupted in a switch from one stack to another: no walk begins there.
    #[must_use]
    pub fn is_switching(&self) -> bool {
        switch::is_switching(self.registers.ip)
    }

    /// Where a walk starts; `None` where it is not known which stack this is.
    #[must_use]
    pub fn start(&self) -> Option<Registers> {
        self.piece.as_ref().map(|_| self.registers)
    }

    /// The word at `address` of this piece of the stack; `None` outside of what is alive, and where it is not aligned.
    #[must_use]
    pub fn read(&self, address: u64) -> Option<u64> {
        self.piece.as_ref()?.read(address)
    }

    /// As [`StackView::older`](crate::StackView::older).
    pub fn older(&mut self) -> Option<Suspended> {
        let segment = self.piece.as_ref()?.segment?;
        let context = segment.back.get();
        let low = context.sp().addr();
        self.piece = match segment.prev.get() {
            Some(older) => Piece::on_segment(older, low),
            // SAFETY: the goroutine is interrupted as long as this value lives.
            None => unsafe { own_stack(self.g?) }.and_then(|stack| Piece::on_stack(stack, low)),
        };
        self.piece.as_ref().map(|_| suspended(context))
    }

    /// Calls `each` with the addresses of the frames, as the system's unwinder finds them, innermost first, until it returns
    /// false. That unwinder promises nothing of signals; it is for programs without another.
    pub(crate) fn walk_by_system(&self, each: &mut dyn FnMut(usize) -> bool) {
        let stack = self.piece.as_ref().and_then(|piece| match piece.segment {
            Some(segment) => Some(&*segment.stack),
            // SAFETY: the handler has interrupted the goroutine, and has not returned.
            None => unsafe { own_stack(self.g?) },
        });
        if let Some(stack) = stack {
            goroutines_stack::walk_interrupted(stack, each);
        }
    }
}

fn suspended(context: Context) -> Suspended {
    // SAFETY: the computation was suspended when a segment was entered, and is as long as the segment runs; its frame lies
    // below its stack pointer.
    unsafe { context.suspended(context.sp()) }
}

/// The piece of a stack of `g` that `sp` is on.
///
/// # Safety
///
/// `g` is the current one of this thread, which does not go on while the result lives.
unsafe fn piece_of<'a>(g: &'static G, sp: usize) -> Option<Piece<'a>> {
    let mut link = g.segments.running();
    while let Some(segment) = link {
        if let Some(piece) = Piece::on_segment(segment, sp) {
            return Some(piece);
        }
        link = segment.prev.get();
    }
    // SAFETY: what the caller says.
    Piece::on_stack(unsafe { own_stack(g) }?, sp)
}

/// # Safety
///
/// As for [`piece_of`].
unsafe fn own_stack<'a>(g: &'static G) -> Option<&'a Stack> {
    // SAFETY: null, or the stack of a goroutine that runs on this thread, which does not go on meanwhile.
    unsafe { g.own_stack().as_ref() }
}
