//! Where a select keeps the message that it has received, of any type, until the case takes it.

use std::{
    alloc::{self, Layout},
    cell::UnsafeCell,
    mem::MaybeUninit,
    ptr::NonNull,
};

/// Larger messages are kept on the heap.
const INLINE: usize = 64;

#[repr(align(16))]
struct Inline {
    _room: MaybeUninit<[u8; INLINE]>,
}

/// Memory for one message. The owner has to know whether there is one.
pub(super) struct Stash {
    /// Written by counterparts, through the address in a node.
    inline: UnsafeCell<Inline>,
    heap: Option<(NonNull<u8>, Layout)>,
}

impl Stash {
    #[inline(always)]
    pub(super) fn new() -> Stash {
        Stash {
            inline: UnsafeCell::new(Inline {
                _room: MaybeUninit::uninit(),
            }),
            heap: None,
        }
    }

    /// Returns whether a message of this layout has room on the stack.
    #[inline(always)]
    pub(super) const fn fits(layout: Layout) -> bool {
        layout.size() <= INLINE && layout.align() <= align_of::<Inline>()
    }

    /// Makes room for `layout` at [`Stash::place`], off the stack if that is asked for. A message that was there is
    /// leaked.
    #[inline(always)]
    pub(super) fn prepare(&mut self, layout: Layout, off_stack: bool) {
        if off_stack || self.heap.is_some() || !Self::fits(layout) {
            self.prepare_heap(layout);
        }
    }

    #[cold]
    #[inline(never)]
    fn prepare_heap(&mut self, layout: Layout) {
        if let Some((_, old)) = self.heap {
            if old.size() >= layout.size() && old.align() >= layout.align() {
                return;
            }
            self.free();
        }
        // No memory without a size.
        let size = layout.size().max(1);
        let Ok(layout) = Layout::from_size_align(size, layout.align()) else {
            unreachable!("goroutines: the layout of a type is one");
        };
        // SAFETY: the size is not 0.
        let place = unsafe { alloc::alloc(layout) };
        let Some(place) = NonNull::new(place) else {
            alloc::handle_alloc_error(layout);
        };
        self.heap = Some((place, layout));
    }

    /// Where the message lies, or is to go. Stays the same while the stash does, and is not prepared anew.
    #[inline(always)]
    pub(super) fn place(&self) -> *mut () {
        match self.heap {
            None => self.inline.get().cast(),
            Some((place, _)) => place.as_ptr().cast(),
        }
    }

    fn free(&mut self) {
        if let Some((place, layout)) = self.heap.take() {
            // SAFETY: allocated above with this layout; no counterpart has the address any more.
            unsafe { alloc::dealloc(place.as_ptr(), layout) };
        }
    }
}

impl Drop for Stash {
    #[inline(always)]
    fn drop(&mut self) {
        if self.heap.is_some() {
            self.free();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_gets_a_place_that_suits_it() {
        #[repr(align(256))]
        struct Aligned;
        let mut stash = Stash::new();
        let layouts = [
            Layout::new::<()>(),
            Layout::new::<u64>(),
            Layout::new::<[u64; 8]>(),
            Layout::new::<Aligned>(),
            Layout::new::<[u64; 100]>(),
            Layout::new::<u8>(),
        ];
        for layout in layouts {
            for off_stack in [false, true] {
                stash.prepare(layout, off_stack);
                let place = stash.place();
                assert_eq!(place.addr() % layout.align(), 0, "{layout:?}");
                // SAFETY: the place has that size.
                unsafe { place.cast::<u8>().write_bytes(7, layout.size()) };
                let here = (&raw const stash).addr();
                let is_inline = (here..here + size_of::<Stash>()).contains(&place.addr());
                assert!(!(off_stack && is_inline), "{layout:?}");
            }
        }
    }
}
