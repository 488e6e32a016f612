//! Images: where the live bytes of a copied-out stack wait.
//!
//! A goroutine with a copy stack runs in a window that it shares with others. When another one needs the window, the live
//! bytes `[sp, top)` are copied out to its image, and back to the same addresses before it resumes:
//!
//! ```text
//!   window, shared by many                     images, one for each goroutine
//!  ┌──────────────────────┐ top               ┌──────────────────┐ end of the class
//!  │ live bytes of the    │ ── store ───────► │ live bytes       │ the upper ends belong together, so that
//!  │ one that ran last    │ ◄── load ──────── │                  │ a deeper stack only needs more below
//!  ├──────────────────────┤ sp                ├──────────────────┤
//!  │ free                 │                   │ free             │
//!  └──────────────────────┘                   └──────────────────┘
//! ```
//!
//! An image is of a class: 2 KB is the natural one, above it each is twice the one before. Most parked goroutines have
//! less than 2 KB alive, so there are smaller classes in steps of an eighth to a quarter. A stack that outgrows its image
//! gets one of a larger class, at the next copy; one that fits into a quarter of it gets a smaller one.
//!
//! Slots of one class lie densely in chunks and are never unmapped; free ones are linked through their first word.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::memory::map;

/// Slots are multiples of this, which leaves the low bits of an address for the class.
const ALIGN: usize = 64;

/// The bits of an image's word that are not its address, but the index of its size. For debuggers as well.
pub const TAGS: usize = ALIGN - 1;

/// The sizes, smallest first: up to 2 KB in small steps, then doubling to the largest window. A static, for debuggers.
pub static SIZES: [usize; 34] = {
    let small = [
        128, 192, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048,
    ];
    let mut sizes = [0_usize; 34];
    let mut i = 0;
    while i < sizes.len() {
        sizes[i] = if i < small.len() {
            small[i]
        } else {
            sizes[i - 1] * 2
        };
        assert!(sizes[i].is_multiple_of(ALIGN) && sizes.len() <= ALIGN);
        i += 1;
    }
    sizes
};

/// Address space taken at a time for slots of a class.
const CHUNK: usize = if cfg!(target_pointer_width = "64") {
    4 << 20
} else {
    256 << 10
};

static LISTS: [Mutex<List>; SIZES.len()] = [const { Mutex::new(List::new()) }; SIZES.len()];

static GROWTHS: AtomicU64 = AtomicU64::new(0);

/// How many times a live stack has outgrown its image and got a larger one.
pub fn image_growths() -> u64 {
    GROWTHS.load(Ordering::Relaxed) // Relaxed: a statistic, pairs with the addition in `Image::store`.
}

/// The free slots of a class.
struct List {
    free: Option<NonNull<Link>>,
    fresh: NonNull<u8>,
    fresh_slots: usize,
}

/// What a free slot holds.
struct Link(Option<NonNull<Link>>);

// SAFETY: only the list refers to its slots; memory of a mapping may be used on any thread.
unsafe impl Send for List {}

impl List {
    const fn new() -> List {
        List {
            free: None,
            fresh: NonNull::dangling(),
            fresh_slots: 0,
        }
    }

    fn take(&mut self, size: usize) -> io::Result<NonNull<u8>> {
        if let Some(slot) = self.free {
            // SAFETY: `Image::drop` has written a link to each slot on the list, and no image refers to the slot.
            self.free = unsafe { slot.read() }.0;
            return Ok(slot.cast());
        }
        if self.fresh_slots == 0 {
            self.reserve(size)?;
        }
        let slot = self.fresh;
        // SAFETY: one slot is left in the chunk, so this is at most its end.
        self.fresh = unsafe { slot.add(size) };
        self.fresh_slots -= 1;
        Ok(slot)
    }

    #[cold]
    fn reserve(&mut self, size: usize) -> io::Result<()> {
        let slots = (CHUNK / size).max(1);
        let chunk = map::reserve(slots * size, ALIGN, false)
            .map(|base| (base, slots))
            .or_else(|_| Ok((map::reserve(size, ALIGN, false)?, 1)));
        (self.fresh, self.fresh_slots) = chunk.map_err(|error: io::Error| {
            io::Error::new(
                io::ErrorKind::OutOfMemory,
                format!("no memory for {size} live bytes of a copied stack: {error}: raise RLIMIT_AS (`ulimit -v`)"),
            )
        })?;
        Ok(())
    }
}

fn list(class: usize) -> std::sync::MutexGuard<'static, List> {
    // Nothing panics while the lock is held, so what a poisoned one guards is whole.
    LISTS[class].lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place for one copied-out stack: one word.
#[derive(Debug)]
pub struct Image {
    /// Address of the slot, and the class in the low bits.
    word: NonNull<u8>,
}

// SAFETY: only the image refers to its slot; memory of a mapping may be used on any thread.
unsafe impl Send for Image {}

impl Image {
    fn new(class: usize) -> io::Result<Image> {
        let slot = list(class).take(SIZES[class])?;
        Ok(Image {
            word: slot.map_addr(|slot| slot | class),
        })
    }

    fn class(&self) -> usize {
        self.word.addr().get() & TAGS
    }

    /// How many bytes it holds.
    pub fn size(&self) -> usize {
        SIZES[self.class()]
    }

    /// Where the byte is that lies `below` bytes below the top of the stack that was stored last.
    pub fn at(&self, below: usize) -> *const u8 {
        self.end().wrapping_sub(below)
    }

    /// The slot's exclusive end.
    fn end(&self) -> *mut u8 {
        let slot = self.word.as_ptr().map_addr(|word| word & !TAGS);
        slot.wrapping_add(self.size())
    }

    /// Copies the live bytes of a stack out into `image`, whose old content is lost. Makes the image if there is none, and
    /// exchanges it for one of a fitting class.
    ///
    /// # Errors
    ///
    /// When there is no memory for it. Nothing was copied then, and `image` is as it was.
    ///
    /// # Safety
    ///
    /// `[sp, top)` is valid for reads, and no thread writes to it meanwhile.
    pub unsafe fn store(
        image: &mut Option<Image>,
        sp: *const u8,
        top: *const u8,
    ) -> io::Result<()> {
        let live = top.addr() - sp.addr();
        let holder = match image.take_if(|image| !image.fits(live)) {
            None if image.is_some() => image.as_ref(),
            old => {
                let grown = old.as_ref().is_some_and(|old| old.size() < live);
                let Some(class) = SIZES.iter().position(|&size| size >= live) else {
                    *image = old;
                    return Err(io::Error::from(io::ErrorKind::InvalidInput));
                };
                match Image::new(class) {
                    Ok(new) => *image = Some(new),
                    Err(error) => {
                        *image = old;
                        return Err(error);
                    }
                }
                // Relaxed: a statistic, pairs with `image_growths`.
                GROWTHS.fetch_add(u64::from(grown), Ordering::Relaxed);
                image.as_ref()
            }
        };
        if let Some(holder) = holder {
            // SAFETY: `[sp, top)` is readable and not written meanwhile. The holder's slot has at least `live` bytes below its
            // end (`fits`, or the class was chosen so), lies in a mapping of its own, and only this image refers to it.
            unsafe { std::ptr::copy_nonoverlapping(sp, holder.end().wrapping_sub(live), live) };
        }
        Ok(())
    }

    /// Returns whether it is neither too small for `live` bytes nor four times too large.
    fn fits(&self, live: usize) -> bool {
        let size = self.size();
        live <= size && (live > size / 4 || self.class() == 0)
    }

    /// Copies the live bytes back to where they were.
    ///
    /// # Safety
    ///
    /// The image was last stored from `[sp, top)`, which is valid for writes and which nothing else accesses meanwhile.
    pub unsafe fn load(&self, sp: *mut u8, top: *mut u8) {
        let live = top.addr() - sp.addr();
        // SAFETY: `store` has put `live` bytes below the slot's end; `[sp, top)` is writable, accessed by nothing else, and
        // part of a stack, so it does not overlap the slot.
        unsafe { std::ptr::copy_nonoverlapping(self.end().wrapping_sub(live), sp, live) };
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let class = self.class();
        let slot: NonNull<Link> = self
            .word
            .map_addr(|word| {
                // The slot's address without the class is not 0: slots lie in mappings.
                std::num::NonZero::new(word.get() & !(ALIGN - 1)).unwrap_or(word)
            })
            .cast();
        let mut list = list(class);
        // SAFETY: the slot is at least 128 bytes and aligned to 64, and the image that is dropped was the only one that
        // referred to it.
        unsafe { slot.write(Link(list.free)) };
        list.free = Some(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_one_word() {
        assert_eq!(size_of::<Option<Image>>(), size_of::<usize>());
    }

    #[test]
    fn what_is_stored_comes_back_whatever_its_size() {
        let mut image = None;
        let mut held = Vec::new();
        for live in [
            1, 100, 128, 129, 500, 2048, 2049, 5000, 100_000, 300, 200_000, 64, 700,
        ] {
            let bytes: Vec<u8> = (0..live).map(|i| (i * 7 + live) as u8).collect();
            let range = bytes.as_ptr_range();
            // SAFETY: the range is the Vec's.
            unsafe { Image::store(&mut image, range.start, range.end).unwrap() };
            let image = image.as_ref().unwrap();
            assert!(image.size() >= live);
            assert!(
                image.size() <= 128.max(live * 4),
                "{live} bytes in {}",
                image.size()
            );
            let mut back = vec![0; live];
            let range = back.as_mut_ptr_range();
            // SAFETY: stored from as many bytes just now.
            unsafe { image.load(range.start, range.end) };
            assert_eq!(back, bytes);
            // Another image of the same class lies elsewhere.
            held.push(Image::new(image.class()).unwrap());
            assert_ne!(held.last().unwrap().end(), image.end());
        }
    }

    #[test]
    fn a_dropped_image_is_used_again() {
        // A class that no other test uses.
        let class = SIZES.iter().position(|&size| size == 1 << 22).unwrap();
        let first = Image::new(class).unwrap();
        let place = first.end();
        drop(first);
        assert_eq!(Image::new(class).unwrap().end(), place);
    }

    #[test]
    fn outgrowing_is_counted() {
        let before = image_growths();
        let mut image = None;
        let bytes = [0_u8; 4096];
        for live in [1000, 2000, 4000, 3000] {
            let start = bytes.as_ptr();
            // SAFETY: inside the array.
            unsafe { Image::store(&mut image, start, start.add(live)).unwrap() };
        }
        assert!(image_growths() - before >= 2);
    }
}
