//! The signal stack of an M: where the fault handler runs, because the goroutine's stack is what faulted.

use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::MmapMut;

use crate::memory::map;

/// Room for the handler, for a handler that was there before, and for the largest register state a CPU saves.
const SIZE: usize = 64 << 10;

/// An alternate signal stack for the calling thread, with a guard page below it. Dropping it restores what was there
/// before; it stays on its thread.
///
/// ```
/// let signals = goroutines_stack::SignalStack::install()?;
/// // This thread may now run code on stacks that grow.
/// drop(signals);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct SignalStack {
    before: libc::stack_t,
    /// Unmapped once the previous stack is restored.
    memory: ManuallyDrop<MmapMut>,
    _of_this_thread: PhantomData<*mut ()>,
}

impl SignalStack {
    /// Gives the calling thread a signal stack.
    ///
    /// # Errors
    ///
    /// When there is no memory for it, or when the thread runs on its present signal stack.
    pub fn install() -> io::Result<SignalStack> {
        let page = map::page_size();
        let size = SIZE + frame_size();
        let size = size.next_multiple_of(page);
        let mut memory = map::anonymous(page + size)?;
        let start = memory.as_mut_ptr();
        // SAFETY: the page is the first of `memory`, a new mapping of which nothing was read or written.
        if unsafe { libc::mprotect(start.cast(), page, libc::PROT_NONE) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let stack = libc::stack_t {
            ss_sp: start.wrapping_add(page).cast(),
            ss_flags: 0,
            ss_size: size,
        };
        let before = exchange(&stack)?;
        Ok(SignalStack {
            before,
            memory: ManuallyDrop::new(memory),
            _of_this_thread: PhantomData,
        })
    }

    /// Where handlers run on it.
    pub fn addresses(&self) -> AddressRange {
        let page = map::page_size();
        AddressRange {
            start: self.memory.as_ptr().addr() + page,
            len: self.memory.len() - page,
        }
    }
}

/// How much stack the kernel needs at most for the frame of a handler.
pub(crate) fn frame_size() -> usize {
    /// Where the kernel does not say: more than any CPU needed before kernels did.
    const UNKNOWN: usize = 8 << 10;
    static FRAME: AtomicUsize = AtomicUsize::new(0);
    // Relaxed (both): every thread computes the same value.
    match FRAME.load(Ordering::Relaxed) {
        0 => {
            // SAFETY: getauxval has no preconditions; it returns 0 for an entry that the kernel did not supply.
            let size = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
            let size = if size == 0 { UNKNOWN } else { size };
            FRAME.store(size, Ordering::Relaxed);
            size
        }
        size => size,
    }
}

/// Returns whether `sp` is on the signal stack of this thread. In a handler that runs there: whether it has interrupted
/// another handler. Async-signal-safe.
pub(crate) fn is_on_signal_stack(sp: usize) -> bool {
    present().is_ok_and(|stack| {
        stack.ss_flags & libc::SS_DISABLE == 0
            && sp.wrapping_sub(stack.ss_sp.addr()) < stack.ss_size
    })
}

/// Addresses from one up to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AddressRange {
    start: usize,
    len: usize,
}

impl AddressRange {
    /// Returns whether `address` is one of them.
    pub fn contains(self, address: usize) -> bool {
        address.wrapping_sub(self.start) < self.len
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        // The thread may have set another one since; std disables its own, and unmaps it, before the destructors of a thread
        // run. Then there is nothing to restore.
        let ours = self.memory.as_ptr().addr() + map::page_size();
        let replaced = present().is_ok_and(|present| present.ss_sp.addr() != ours);
        // Fails only while a handler runs on this very stack; then its memory must stay.
        if replaced || exchange(&self.before).is_ok() {
            // SAFETY: the thread has another signal stack now, and drop runs once, so the mapping is dropped once.
            unsafe { ManuallyDrop::drop(&mut self.memory) };
        }
    }
}

/// Sets the calling thread's signal stack to `addresses` again if it was disabled meanwhile. Returns whether it did. Does
/// nothing if the thread has set another one.
///
/// # Safety
///
/// `addresses` are those of a [`SignalStack`] of this thread that has not been dropped.
pub unsafe fn restore_if_disabled(addresses: AddressRange) -> bool {
    let is_disabled = |stack: libc::stack_t| stack.ss_flags & libc::SS_DISABLE != 0;
    if !present().is_ok_and(is_disabled) {
        return false;
    }
    let stack = libc::stack_t {
        ss_sp: ptr::with_exposed_provenance_mut(addresses.start),
        ss_flags: 0,
        ss_size: addresses.len,
    };
    exchange(&stack).is_ok()
}

/// The thread's signal stack.
fn present() -> io::Result<libc::stack_t> {
    let mut present = disabled();
    // SAFETY: a null pointer sets nothing; the present stack is written to a whole `stack_t`.
    match unsafe { libc::sigaltstack(ptr::null(), &mut present) } {
        0 => Ok(present),
        _ => Err(io::Error::last_os_error()),
    }
}

/// No signal stack.
fn disabled() -> libc::stack_t {
    libc::stack_t {
        ss_sp: ptr::null_mut(),
        ss_flags: libc::SS_DISABLE,
        ss_size: 0,
    }
}

/// Sets the thread's signal stack and returns the previous one.
fn exchange(stack: &libc::stack_t) -> io::Result<libc::stack_t> {
    let mut before = disabled();
    // SAFETY: both pointers are to whole `stack_t`. The stack is a mapping of a `SignalStack`, which is unmapped only after
    // another was set, or the one that the thread had before.
    match unsafe { libc::sigaltstack(stack, &mut before) } {
        0 => Ok(before),
        _ => Err(io::Error::last_os_error()),
    }
}
