//! Walks for profiles: of the stack that a signal has interrupted, whichever it is, and of those that have waited.
//!
//! The stacks of goroutines are known, and read in their bounds (`goroutines_sched::Interrupted`). What else may be there
//! (the stack of a thread, one that a library has made) is read by the kernel, a block at a time: what is not mapped is an
//! error then, and no fault.
//!
//! The walk runs on a stack of its own. The one that the handler runs on may be the signal stack that std gives to threads:
//! 8 KiB, of which the kernel needs up to 4 for the registers.

use std::{cell::RefCell, ffi::c_void, io, ptr};

use goroutines_sched::{Interrupted, Registers, StackView, Suspended, call_on, read_memory};

use crate::{
    modules::{Cache, Unwinder},
    walk::{End, Pieces, Walk, pieces, walk},
};

/// Frames after which a walk is given up: it takes the time of the thread that was interrupted.
const MOST: usize = 500;

/// What is read at a time.
const BLOCK: usize = 1024;

/// Room for a walk.
const STACK: usize = 64 << 10;

/// Below it nothing may be used.
const GUARD: usize = 64 << 10;

/// What walks, made before.
pub(crate) struct Walker {
    cache: Box<Cache>,
    block: RefCell<Block>,
    stack: WalkStack,
}

impl Walker {
    pub(crate) fn new() -> io::Result<Walker> {
        Ok(Walker {
            cache: Box::default(),
            block: RefCell::new(Block {
                start: 0,
                words: [0; _],
            }),
            stack: WalkStack::new()?,
        })
    }

    /// What a signal has interrupted. Async-signal-safe. The first address is the next instruction, the others are return
    /// addresses.
    pub(crate) fn walk(
        &mut self,
        unwinder: Option<&Unwinder>,
        code: &mut Interrupted<'_>,
        walk: &mut Walk,
    ) {
        let start = code.registers();
        let Some(unwinder) = unwinder.filter(|_| !code.is_switching()) else {
            *walk = Walk::new(End::Between, 1);
            walk.push(start.ip as u64);
            return;
        };
        self.on_stack(|cache, block, _| *walk = whole(unwinder, cache, block, code, start));
    }

    /// The caller, who runs a goroutine or is a plain thread. Async-signal-safe. All are return addresses.
    pub(crate) fn walk_here(&mut self, unwinder: &Unwinder, walk: &mut Walk) {
        self.on_stack(|cache, block, outside| {
            // SAFETY: the closure runs in the call whose outside this is.
            let mut code = unsafe { Interrupted::outside(outside) };
            let start = code.registers();
            *walk = whole(unwinder, cache, block, &mut code, start);
        });
    }

    /// A goroutine that is held off its stack. Async-signal-safe. All are return addresses.
    pub(crate) fn walk_held(
        &mut self,
        unwinder: &Unwinder,
        stack: &mut StackView<'_>,
        found: &mut Walk,
    ) {
        self.on_stack(|cache, _, _| *found = walk(unwinder, cache, stack));
    }

    /// Calls `f`, which does not panic, on the stack of the walker.
    fn on_stack(&mut self, mut f: impl FnMut(&mut Cache, &RefCell<Block>, Suspended)) {
        let (cache, block) = (&mut self.cache, &self.block);
        let mut call = |outside| f(cache, block, outside);
        // SAFETY: only this walker uses its stack, and one walk at a time, as `&mut self` says. The walks do not panic: they
        // allocate nothing, and their borrows of the block do not meet.
        unsafe { call_on(self.stack.top(), &mut call) };
    }
}

/// Walks all that is on the stack on which `code` is.
fn whole(
    unwinder: &Unwinder,
    cache: &mut Cache,
    block: &RefCell<Block>,
    code: &mut Interrupted<'_>,
    start: Registers,
) -> Walk {
    let mut walk = Walk::new(End::Deep, MOST);
    // What was read for another sample is old.
    block.borrow_mut().start = 0;
    let mut stack = Whole { code, block };
    pieces(unwinder, cache, &mut stack, start, &mut walk);
    walk
}

/// All that is on a stack, known or not.
struct Whole<'a, 'c> {
    code: &'a mut Interrupted<'c>,
    block: &'a RefCell<Block>,
}

impl Pieces for Whole<'_, '_> {
    fn read(&self, address: u64) -> Option<u64> {
        let known = self.code.read(address);
        let unknown = || self.block.borrow_mut().read(address);
        match self.code.is_goroutine() {
            true => known,
            false => known.or_else(unknown),
        }
    }

    fn older(&mut self) -> Option<Suspended> {
        self.code.older()
    }
}

/// Memory that was copied by the kernel.
struct Block {
    /// A multiple of [`BLOCK`]; 0: nothing was copied.
    start: usize,
    words: [usize; BLOCK / size_of::<usize>()],
}

impl Block {
    fn read(&mut self, address: u64) -> Option<u64> {
        let address = usize::try_from(address).ok()?;
        if !address.is_multiple_of(align_of::<usize>()) || address < BLOCK {
            return None;
        }
        let start = address - address % BLOCK;
        if self.start != start {
            // A block lies in one page.
            let is_whole = read_memory(start, &mut self.words);
            self.start = if is_whole { start } else { 0 };
        }
        let word = self.words[(address - start) / size_of::<usize>()];
        (self.start == start).then_some(word as u64)
    }
}

/// The stack on which a walk runs.
struct WalkStack(*mut c_void);

// SAFETY: memory that belongs to no thread.
unsafe impl Send for WalkStack {}

impl WalkStack {
    fn new() -> io::Result<WalkStack> {
        // SAFETY: a new mapping, wherever the system likes; and the lower part of it, which nothing uses.
        unsafe {
            let memory = libc::mmap(
                ptr::null_mut(),
                GUARD + STACK,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            if memory == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            let stack = WalkStack(memory);
            match libc::mprotect(memory, GUARD, libc::PROT_NONE) {
                0 => Ok(stack),
                _ => Err(io::Error::last_os_error()),
            }
        }
    }

    fn top(&self) -> *mut u8 {
        self.0.cast::<u8>().wrapping_add(GUARD + STACK)
    }
}

impl Drop for WalkStack {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`, which nothing uses any more.
        unsafe { libc::munmap(self.0, GUARD + STACK) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_copied_where_memory_is_and_nowhere_else() {
        let mut block = Block {
            start: 0,
            words: [0; _],
        };
        let words: Vec<u64> = (0..1000).collect();
        for number in [0, 1, 500, 999] {
            let address = &raw const words[number] as u64;
            assert_eq!(block.read(address), Some(number as u64));
            assert_eq!(block.read(address + 1), None, "not aligned");
        }
        let guard = WalkStack::new().unwrap();
        assert_eq!(block.read(guard.0 as u64), None);
        assert_eq!(block.read(guard.top() as u64 - 8), Some(0));
        assert_eq!(block.read(8), None);
        assert_eq!(block.read(u64::MAX - 7), None);
    }
}
