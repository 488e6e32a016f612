//! What the tests build on: a guarded stack, and a fiber that runs a closure on it.
//!
//! A fiber is *inside* its closure or suspended; whoever resumes it waits *outside*. Values travel both ways.

#![allow(dead_code, reason = "each test binary uses a part")]

use goroutines_asm::{Context, Native, Port, prepare, switch};
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::{io, ptr};

/// Bytes of guard below every stack; a multiple of all page sizes.
pub(crate) const GUARD: usize = 64 << 10;
/// Usable bytes of a stack.
pub(crate) const SIZE: usize = 512 << 10;

/// A stack with an inaccessible guard below it.
pub(crate) struct Stack {
    bottom: *mut u8,
}

// SAFETY: the mapping belongs to this value alone and may be used from any thread.
unsafe impl Send for Stack {}

impl Stack {
    pub(crate) fn new() -> Self {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: asks for a new mapping wherever the kernel likes.
        let bottom =
            unsafe { libc::mmap(ptr::null_mut(), GUARD + SIZE, libc::PROT_NONE, flags, -1, 0) };
        assert_ne!(
            bottom,
            libc::MAP_FAILED,
            "mmap: {}",
            io::Error::last_os_error()
        );
        let stack = Self {
            bottom: bottom.cast(),
        };
        stack.protect(GUARD, SIZE, libc::PROT_READ | libc::PROT_WRITE);
        stack
    }

    fn protect(&self, offset: usize, len: usize, access: i32) {
        // SAFETY: the range lies in our own mapping.
        let result = unsafe { libc::mprotect(self.bottom.add(offset).cast(), len, access) };
        assert_eq!(result, 0, "mprotect: {}", io::Error::last_os_error());
    }

    /// The lowest address of the guard.
    pub(crate) fn guard(&self) -> *mut u8 {
        self.bottom
    }

    /// The lowest usable address.
    pub(crate) fn low(&self) -> *mut u8 {
        // SAFETY: the mapping is longer than its guard.
        unsafe { self.bottom.add(GUARD) }
    }

    /// The exclusive end.
    pub(crate) fn top(&self) -> *mut u8 {
        // SAFETY: one past the end of the mapping.
        unsafe { self.bottom.add(GUARD + SIZE) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: our own mapping; a fiber on it that never ended is forgotten together with what it owns.
        unsafe { libc::munmap(self.bottom.cast(), GUARD + SIZE) };
    }
}

/// The inner end of a fiber: what its closure suspends with.
#[derive(Clone, Copy)]
pub(crate) struct Inside(*const Shared);

type Body = Box<dyn FnOnce(Inside, usize) -> usize>;

struct Shared {
    inside: Cell<Context>,
    outside: Cell<Context>,
    first: Cell<usize>,
    body: Cell<Option<Body>>,
    panic: Cell<Option<Box<dyn Any + Send>>>,
    done: Cell<bool>,
}

pub(crate) struct Fiber {
    shared: Box<Shared>,
    started: bool,
    pub stack: Stack,
}

// SAFETY: `new` takes only closures that are `Send`, and one thread at a time holds the fiber, suspended. What closures
// keep on the stack between suspensions is up to the tests.
unsafe impl Send for Fiber {}

impl Fiber {
    pub(crate) fn new(body: impl FnOnce(Inside, usize) -> usize + Send + 'static) -> Self {
        let stack = Stack::new();
        let top = stack.top();
        Self::with_top(stack, top, body)
    }

    /// A fiber that starts below the end of its stack.
    pub(crate) fn with_top(
        stack: Stack,
        top: *mut u8,
        body: impl FnOnce(Inside, usize) -> usize + Send + 'static,
    ) -> Self {
        // SAFETY: `top` is aligned, and the memory below it belongs to `stack`, which the fiber keeps.
        let inside = unsafe { prepare(top, entry) };
        let shared = Shared {
            inside: Cell::new(inside),
            outside: Cell::new(Context::NULL),
            first: Cell::new(0),
            body: Cell::new(Some(Box::new(body))),
            panic: Cell::new(None),
            done: Cell::new(false),
        };
        Self {
            shared: Box::new(shared),
            started: false,
            stack,
        }
    }

    /// Runs the closure until it suspends or ends; a panic of its continues here.
    #[inline(always)]
    pub(crate) fn resume(&mut self, arg: usize) -> usize {
        let (save, load, arg) = self.begin(arg);
        // SAFETY: the fiber is suspended, and `save` points into the box.
        let value = unsafe { switch(save, load, arg) };
        self.end(value)
    }

    /// [`Fiber::resume`] through the port's probe.
    pub(crate) fn resume_probed(&mut self, arg: usize, registers: &mut [u64]) -> usize {
        assert_eq!(registers.len(), Native::CALLEE_SAVED.len());
        let (save, load, arg) = self.begin(arg);
        // SAFETY: the fiber is suspended, `save` points into the box, and the slice has a word for each register.
        let value = unsafe { Native::probe(save, load, arg, registers.as_mut_ptr()) };
        self.end(value)
    }

    /// What to hand to a switch that resumes the fiber: where to save, what to load, the argument.
    #[inline(always)]
    pub(crate) fn begin(&mut self, arg: usize) -> (*mut Context, Context, usize) {
        assert!(!self.is_done(), "resumed a fiber that has ended");
        let arg = if self.started {
            arg
        } else {
            self.started = true;
            self.shared.first.set(arg);
            &raw const *self.shared as usize
        };
        (self.shared.outside.as_ptr(), self.shared.inside.get(), arg)
    }

    #[inline(always)]
    fn end(&mut self, value: usize) -> usize {
        match self.shared.panic.take() {
            Some(payload) => resume_unwind(payload),
            None => value,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.shared.done.get()
    }

    /// Where the fiber is suspended.
    pub(crate) fn context(&self) -> Context {
        self.shared.inside.get()
    }
}

impl Inside {
    /// Goes back outside with `value`; returns what the next resumption brings.
    #[inline(always)]
    pub(crate) fn suspend(self, value: usize) -> usize {
        let (save, load) = self.contexts();
        // SAFETY: outside waits in its switch to us.
        unsafe { switch(save, load, value) }
    }

    /// [`Inside::suspend`] through the port's probe.
    pub(crate) fn suspend_probed(self, value: usize, registers: &mut [u64]) -> usize {
        assert_eq!(registers.len(), Native::CALLEE_SAVED.len());
        let (save, load) = self.contexts();
        // SAFETY: outside waits in its switch to us, and the slice has a word for each register.
        unsafe { Native::probe(save, load, value, registers.as_mut_ptr()) }
    }

    /// Where to save the inside, and the outside to go to.
    #[inline(always)]
    pub(crate) fn contexts(self) -> (*mut Context, Context) {
        // SAFETY: the box lives as long as the fiber, and only one side of it runs at a time.
        let shared = unsafe { &*self.0 };
        (shared.inside.as_ptr(), shared.outside.get())
    }
}

unsafe extern "C" fn entry(shared: usize) -> ! {
    let inside = Inside(shared as *const Shared);
    // SAFETY: `begin` passes the address of the box, which outlives the fiber.
    let shared = unsafe { &*inside.0 };
    let body = shared.body.take().expect("a fiber starts once");
    let result = catch_unwind(AssertUnwindSafe(|| body(inside, shared.first.get())));
    shared.done.set(true);
    let value = result.unwrap_or_else(|payload| {
        shared.panic.set(Some(payload));
        0
    });
    inside.suspend(value);
    unreachable!("a fiber that had ended was resumed");
}
