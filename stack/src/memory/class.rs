//! Classes: the sizes a stack's window can have.
//!
//! A class is a row of [`WINDOWS`]; a further size is a further row (ascending, a power of two, at least 64 KiB).
//! Everything else about a class follows from its window: the arena it is carved from, how large its hard guard is and
//! where a soft guard can stand (`window.rs`).
//!
//! Where addresses have 32 bits, windows are smaller, for all of them share 3 GiB. Where pages have 64 KiB, the hard guard
//! alone fills the smallest window: that class is not served then ([`Class::usable`]).

use std::fmt;
use std::io;

use crate::memory::map;

/// The window sizes in bytes, smallest first.
#[cfg(target_pointer_width = "64")]
const WINDOWS: [usize; 6] = [64 << 10, 256 << 10, 1 << 20, 8 << 20, 64 << 20, 1 << 30];
#[cfg(target_pointer_width = "32")]
const WINDOWS: [usize; 5] = [64 << 10, 256 << 10, 1 << 20, 8 << 20, 64 << 20];

/// How many classes there are.
pub(crate) const CLASSES: usize = WINDOWS.len();

/// The row of the default class. With 32 bits ten thousand stacks of it must fit into the address space, and a frame with an
/// array of some 10 KiB into the stack.
const DEFAULT_ROW: usize = if cfg!(target_pointer_width = "64") {
    2
} else {
    1
};

/// Pages that a window has at least: one for the hard guard, one for a soft guard, and two to run on.
const LEAST_PAGES: usize = 4;

/// The largest page of which some class can make its guards.
pub(crate) const LARGEST_PAGE: usize = HARD_GUARD;

/// The hard guard of windows that are large enough for it: C frames without stack probes step over smaller ones.
const HARD_GUARD: usize = 64 << 10;

/// Every class in ascending order of its window.
const ROWS: [Class; CLASSES] = {
    let mut rows = [Class(0); CLASSES];
    let mut i = 0;
    while i < CLASSES {
        assert!(WINDOWS[i].is_power_of_two() && WINDOWS[i] >= 64 << 10);
        assert!(i == 0 || WINDOWS[i - 1] < WINDOWS[i]);
        rows[i] = Class(i as u8);
        i += 1;
    }
    rows
};

/// A size of stack: how much address space, its *window*, a stack of this class can grow into.
///
/// ```
/// use goroutines_stack::Class;
/// assert_eq!(Class::for_size(100_000)?.window(), 256 * 1024);
/// assert_eq!(Class::for_size(300_000)?.window(), 1024 * 1024);
/// # Ok::<(), goroutines_stack::SizeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Class(u8);

impl Class {
    /// The class of a stack for which no size was asked: a window of 1 MiB, or 256 KiB where addresses have 32 bits.
    pub const DEFAULT: Class = ROWS[DEFAULT_ROW];

    /// The class with the largest window.
    pub const LARGEST: Class = ROWS[CLASSES - 1];

    /// Every class, smallest window first. What can be made of them depends on the kernel: see [`Class::usable`].
    pub const ALL: &'static [Class] = &ROWS;

    /// The classes of which stacks can be made with this kernel's pages, smallest window first: all of [`Class::ALL`] but
    /// those whose window has less than four pages.
    ///
    /// ```
    /// use goroutines_stack::Class;
    /// let smallest = Class::usable()[0];
    /// assert_eq!(Class::for_size(1)?, smallest);
    /// # Ok::<(), goroutines_stack::SizeError>(())
    /// ```
    #[must_use]
    pub fn usable() -> &'static [Class] {
        let small = ROWS.iter().take_while(|class| !class.is_usable());
        &Class::ALL[small.count()..]
    }

    /// Returns whether stacks can be made of it with this kernel's pages.
    pub(crate) fn is_usable(self) -> bool {
        self.window() >= LEAST_PAGES * map::page_size()
    }

    /// The smallest class whose window holds `bytes`, and of which stacks can be made.
    ///
    /// # Errors
    ///
    /// When `bytes` is 0 or more than the largest window.
    pub fn for_size(bytes: usize) -> Result<Class, SizeError> {
        if bytes == 0 {
            return Err(SizeError { bytes });
        }
        let mut usable = Class::usable().iter();
        let fits = usable.find(|class| class.window() >= bytes);
        fits.copied().ok_or(SizeError { bytes })
    }

    /// The size of the window in bytes. The hard guard at its bottom and the colour at its top are part of it.
    #[inline]
    pub const fn window(self) -> usize {
        WINDOWS[self.index()]
    }

    /// Bytes at the bottom of the window that are never accessible: 64 KiB, or an eighth of a small window, in whole pages.
    #[inline]
    pub fn hard_guard(self) -> usize {
        HARD_GUARD.min(self.window() / 8).max(map::page_size())
    }

    /// The place of this class in [`Class::ALL`].
    #[inline]
    pub const fn index(self) -> usize {
        let index = self.0 as usize;
        // SAFETY: a `Class` is made from an index of `ROWS` (there, and in `from_index`), and these are below `CLASSES`.
        unsafe { std::hint::assert_unchecked(index < CLASSES) };
        index
    }

    /// The class whose [`index`](Class::index) this is.
    ///
    /// # Safety
    ///
    /// `index` is one that [`index`](Class::index) returned.
    #[inline]
    pub(crate) const unsafe fn from_index(index: usize) -> Class {
        debug_assert!(index < CLASSES);
        Class(index as u8)
    }

    /// The next larger class, which is the remedy when a stack of this one overflows.
    pub fn next_larger(self) -> Option<Class> {
        ROWS.get(self.index() + 1).copied()
    }
}

/// A stack size that no class can serve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SizeError {
    bytes: usize,
}

impl fmt::Display for SizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let largest = Class::LARGEST.window();
        if self.bytes == 0 {
            write!(f, "stack size 0 is too small: ask for 1 to {largest} bytes")
        } else {
            write!(
                f,
                "stack size {} is above the largest stack: ask for at most {largest} bytes",
                self.bytes
            )
        }
    }
}

impl std::error::Error for SizeError {}

impl From<SizeError> for io::Error {
    fn from(error: SizeError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_gets_the_smallest_window_that_holds_it() {
        let smallest = Class::usable()[0].window();
        assert_eq!(Class::for_size(1).unwrap().window(), smallest);
        assert_eq!(Class::for_size(64 << 10).unwrap().window(), smallest);
        assert_eq!(Class::for_size((64 << 10) + 1).unwrap().window(), 256 << 10);
        assert_eq!(Class::for_size(1 << 20).unwrap().window(), 1 << 20);
        assert_eq!(Class::for_size((1 << 20) + 1).unwrap().window(), 8 << 20);
        assert_eq!(Class::for_size(9 << 20).unwrap().window(), 64 << 20);
        let largest = Class::LARGEST.window();
        assert_eq!(Class::for_size(largest).unwrap(), Class::LARGEST);
    }

    #[test]
    fn ten_thousand_stacks_for_which_no_size_was_asked_fit_into_the_address_space() {
        assert!(Class::DEFAULT.window() <= (usize::MAX / 10_000).min(1 << 20));
    }

    #[test]
    fn a_size_no_class_can_serve_is_named_with_the_remedy() {
        let largest = Class::LARGEST.window();
        let zero = Class::for_size(0).unwrap_err().to_string();
        assert!(zero.contains("stack size 0 ") && zero.contains(&largest.to_string()));
        let huge = Class::for_size(largest + 1).unwrap_err();
        let text = huge.to_string();
        assert!(text.contains(&format!("stack size {} ", largest + 1)));
        assert!(text.contains(&format!("at most {largest} bytes")));
        assert_eq!(io::Error::from(huge).kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_hard_guard_is_64_kib_or_an_eighth_of_the_window_and_leaves_pages_to_run_on() {
        let page = map::page_size();
        for class in Class::usable() {
            let guard = (64 << 10).min(class.window() / 8).max(page);
            assert_eq!(class.hard_guard(), guard, "{class:?}");
            assert!(guard.is_multiple_of(page) && guard + 3 * page <= class.window());
        }
    }

    #[test]
    fn only_the_smallest_windows_can_be_too_small_for_the_pages() {
        let usable = Class::usable();
        assert!(Class::ALL.ends_with(usable) && usable.len() + 1 >= CLASSES);
        assert_eq!(usable.len() == CLASSES, map::page_size() <= 16 << 10);
    }

    #[test]
    fn index_and_next_larger_follow_the_table() {
        for (i, class) in Class::ALL.iter().enumerate() {
            assert_eq!(class.index(), i);
            assert_eq!(class.next_larger(), Class::ALL.get(i + 1).copied());
        }
        assert_eq!(Class::LARGEST.next_larger(), None);
    }
}
