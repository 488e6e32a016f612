//! A slab: slots of one type, dense and type-stable.
//!
//! The memory of a slot is never unmapped, moved or used for another type. A stale pointer to a slot therefore always
//! points at *some* value of that type, which is what lets a waker hold one without counting references. Slots lie side
//! by side, without headers and apart from the stacks: ten thousand headers at the same place of ten thousand windows
//! share a handful of cache sets, ten thousand neighbours do not.

use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use crate::memory::map;

/// Slots a reservation holds where address space is plentiful, which it is with 64 bits.
const CHUNK: usize = if cfg!(target_pointer_width = "64") {
    1 << 20
} else {
    1 << 12
};

/// Slots for values of type `T` that live as long as the process. Dropping a `Slab` frees nothing.
///
/// ```
/// use goroutines_stack::Slab;
/// static NUMBERS: Slab<u64> = Slab::new();
/// let slots = NUMBERS.grow(64)?;
/// let first: &'static mut u64 = slots[0].write(17);
/// assert_eq!(*first, 17);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Slab<T> {
    rest: Mutex<Rest>,
    _slots: PhantomData<fn() -> T>,
}

/// What the current reservation has left.
struct Rest {
    next: NonNull<u8>,
    slots: usize,
}

// SAFETY: `next` points to slots that no other value refers to; memory of a mapping may be used on any thread.
unsafe impl Send for Rest {}

impl<T> Slab<T> {
    const LAYOUT_FITS: () = assert!(
        size_of::<T>() > 0 && align_of::<T>() <= 4096,
        "Slab: a slot has a size, and an alignment of at most a page"
    );

    /// A slab without slots. Reserves nothing until it grows.
    pub const fn new() -> Slab<T> {
        let () = Self::LAYOUT_FITS;
        Slab {
            rest: Mutex::new(Rest {
                next: NonNull::dangling(),
                slots: 0,
            }),
            _slots: PhantomData,
        }
    }

    /// Makes `n` new slots, side by side. Their bytes are zero; their memory appears when it is first touched.
    ///
    /// # Errors
    ///
    /// When there is no address space for them. Nothing is lost then.
    pub fn grow(&self, n: usize) -> io::Result<&'static mut [MaybeUninit<T>]> {
        // Nothing panics while the lock is held, so what a poisoned one guards is whole.
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        if rest.slots < n {
            *rest = reserve::<T>(n)?;
        }
        let first = rest.next.cast::<MaybeUninit<T>>();
        // SAFETY: `n` slots are left in the reservation, so this is at most its end.
        rest.next = unsafe { first.add(n).cast() };
        rest.slots -= n;
        // SAFETY: the slots lie in a mapping that is never unmapped, are aligned as `map::reserve` was asked, and `next` moved
        // past them above, so no other reference to them exists.
        Ok(unsafe { std::slice::from_raw_parts_mut(first.as_ptr(), n) })
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab::new()
    }
}

/// Reserves memory for `n` slots or more, as much as is to be had.
fn reserve<T>(n: usize) -> io::Result<Rest> {
    let mut slots = CHUNK.max(n);
    loop {
        let bytes = slots
            .checked_mul(size_of::<T>())
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM));
        // Huge pages are welcome: slots are dense, and a million of them would need many entries of the TLB.
        match bytes.and_then(|bytes| map::reserve(bytes, align_of::<T>(), true)) {
            Ok(next) => return Ok(Rest { next, slots }),
            Err(_) if slots > n => slots = (slots / 16).max(n),
            Err(cause) => {
                return Err(io::Error::new(
                    io::ErrorKind::OutOfMemory,
                    format!(
                        "no address space for {n} descriptors of {} bytes: {cause}: raise RLIMIT_AS (`ulimit -v`) or allow \
                         overcommit (sysctl vm.overcommit_memory=0)",
                        size_of::<T>()
                    ),
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(64))]
    struct Line {
        value: u64,
    }

    #[test]
    fn slots_are_new_aligned_zero_and_side_by_side() {
        let slab: Slab<Line> = Slab::new();
        let a = slab.grow(10).unwrap().as_mut_ptr() as usize;
        let b = slab.grow(10).unwrap();
        assert_eq!(a % 64, 0);
        assert_eq!(b.as_ptr() as usize, a + 10 * size_of::<Line>());
        // SAFETY: the bytes are zero, which is a valid `Line`.
        assert_eq!(unsafe { b[9].assume_init_ref() }.value, 0);
    }

    #[test]
    fn slots_stay_where_they_are_when_the_slab_grows_and_goes() {
        let value = {
            let slab: Slab<Line> = Slab::new();
            let first = slab.grow(1).unwrap();
            let value = &first[0].write(Line { value: 7 }).value;
            assert_eq!(slab.grow(2 * CHUNK).unwrap().len(), 2 * CHUNK);
            value
        };
        assert_eq!(*value, 7);
    }

    #[test]
    fn more_slots_than_address_space_is_an_error_and_the_slab_stays_usable() {
        let slab: Slab<Line> = Slab::new();
        let text = slab.grow(usize::MAX).unwrap_err().to_string();
        assert!(text.contains("descriptors of 64 bytes"), "{text}");
        // More bytes than programs have addresses.
        let text = slab.grow(usize::MAX / 64 / 8 * 7).unwrap_err().to_string();
        assert!(text.contains("RLIMIT_AS"), "{text}");
        assert_eq!(slab.grow(3).unwrap().len(), 3);
    }
}
