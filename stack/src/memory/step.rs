//! Steps: where the soft guard of a *guarded* stack stands, and where it goes next. A *paged* stack has none.
//!
//! | step | ends below the window's end | |
//! |---|---|---|
//! | 0 | one page of 4 KiB or more | [`Step::STRICT`]: 2 KB or more below the top, whatever the colour |
//! | 1 | 16 KiB | |
//! | 2, 3, ... | 64 KiB, 256 KiB, ..., times four | each a page further down at least, where pages are large |
//! | [`Step::PAGED`] | the hard guard | no soft guard: the kernel supplies pages as they are touched |
//!
//! All starts share one schedule: a stack starts at some step and grows through the later ones. Where no step of its class
//! is left it becomes paged.
//!
//! A stack for which no start was asked begins at the [`default_start`]: paged, unless the process has called
//! [`start_stacks_at`].

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::memory::class::Class;
use crate::memory::map;

/// Where step 0 ends on kernels with small pages. Each further step ends four times as far down.
const FIRST: usize = 4 << 10;
const SHIFT: u32 = 2;

/// A step of a stack's growth: where its soft guard stands. Later steps are greater.
///
/// ```
/// use goroutines_stack::{Class, Step, acquire_at};
/// let stack = acquire_at(Class::DEFAULT, Step::STRICT)?;
/// assert!(stack.committed() >= 2048);
/// let paged = acquire_at(Class::DEFAULT, Step::PAGED)?;
/// assert_eq!(paged.committed(), paged.limit());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Step(u8);

/// The step of stacks for which no start was asked.
static DEFAULT: AtomicU8 = AtomicU8::new(Step::PAGED.0);

/// The step at which a stack starts if none was asked for. Default: [`Step::PAGED`].
#[inline]
pub fn default_start() -> Step {
    // Relaxed: pairs with `start_stacks_at`; a setting that guards no other memory, and a stack may start at any step.
    Step::from_bits(usize::from(DEFAULT.load(Ordering::Relaxed)))
}

/// Sets the step at which a stack starts if none is asked for. Call it before the first stack is made: stacks that lie in
/// lists stay as they are.
pub fn start_stacks_at(step: Step) {
    DEFAULT.store(step.0, Ordering::Relaxed); // Relaxed: pairs with `default_start`, see there.
}

impl Step {
    /// The first page of the stack: at least 2 KB.
    pub const STRICT: Step = Step(0);

    /// No soft guard: all of the window can be used, page by page.
    pub const PAGED: Step = Step(MASK as u8);

    /// The step at which a stack has `bytes` before it grows: 2 KiB, 16 KiB, 64 KiB and so on by four. The colour of a
    /// stack (see `Stack::top`) takes up to 2 KB of all but the first.
    ///
    /// # Errors
    ///
    /// When `bytes` is 0.
    pub fn for_start(bytes: usize) -> Result<Step, StartError> {
        match bytes {
            0 => Err(StartError),
            1..=2048 => Ok(Step::STRICT),
            _ => {
                let fits = |step: &u8| scheduled(*step) >= bytes;
                // What no step holds needs no guard.
                Ok((1..MASK as u8).find(fits).map_or(Step::PAGED, Step))
            }
        }
    }

    /// The number of the step, below 16.
    #[inline]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The step with a number that [`number`](Step::number) gave.
    #[inline]
    pub const fn from_number(number: u8) -> Step {
        Step::from_bits(number as usize)
    }

    /// The step whose number is in the low bits of `word`.
    #[inline]
    pub(crate) const fn from_bits(word: usize) -> Step {
        Step((word & MASK) as u8)
    }

    /// The step after it in windows of `class`.
    pub(crate) fn next(self, class: Class) -> Step {
        match self {
            Step::PAGED => Step::PAGED,
            Step(number) => Step(number + 1).within(class),
        }
    }

    /// This step where windows of `class` have it, else without a guard.
    pub(crate) fn within(self, class: Class) -> Step {
        match self.end(class) {
            Some(_) => self,
            None => Step::PAGED,
        }
    }

    /// Where the step ends in windows of `class`, in bytes below the window's end; `None` where it would end at the hard
    /// guard or beyond.
    pub(crate) fn end(self, class: Class) -> Option<usize> {
        if self == Step::PAGED {
            return None;
        }
        let page = map::page_size();
        // Pages above 4 KiB: the first steps end a page apart.
        let end = scheduled(self.0).max(page * (usize::from(self.0) + 1));
        let room = class
            .window()
            .saturating_sub(class.hard_guard())
            .saturating_sub(page);
        (end < room).then_some(end)
    }
}

/// Where a step ends if pages are small: the whole address space for those that reach beyond.
const fn scheduled(step: u8) -> usize {
    let shift = SHIFT * step as u32;
    match shift < usize::BITS - FIRST.ilog2() {
        true => FIRST << shift,
        false => usize::MAX,
    }
}

/// The bits of a number that say a step.
pub(crate) const MASK: usize = 0xf;

/// A stack cannot start with nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StartError;

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stack that starts with 0 bytes is too small: ask for 2048 or more")
    }
}

impl std::error::Error for StartError {}

impl From<StartError> for io::Error {
    fn from(error: StartError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_grow_fourfold_to_the_hard_guard() {
        if map::page_size() != 4096 {
            return;
        }
        let ends = |class: Class| -> Vec<usize> {
            let steps = (0..MASK as u8).map(Step);
            steps.map_while(|step| step.end(class)).collect()
        };
        assert_eq!(ends(Class::ALL[0]), [4 << 10, 16 << 10]);
        assert_eq!(ends(Class::ALL[1]), [4 << 10, 16 << 10, 64 << 10]);
        let four = [4 << 10, 16 << 10, 64 << 10, 256 << 10];
        assert_eq!(ends(Class::ALL[2]), four);
        let below = Class::LARGEST.window() - (64 << 10) - 4096;
        let all = (0..9).map(|i| (4 << 10) << (2 * i));
        let all: Vec<usize> = all.take_while(|end| *end < below).collect();
        assert_eq!(ends(Class::LARGEST), all);
    }

    #[test]
    fn steps_end_on_pages_and_each_below_the_one_before() {
        let page = map::page_size();
        for &class in Class::usable() {
            let steps = (0..MASK as u8).map(Step);
            let ends: Vec<usize> = steps.map_while(|step| step.end(class)).collect();
            assert!(ends.iter().all(|end| end.is_multiple_of(page)), "{ends:?}");
            assert!(ends.windows(2).all(|two| two[0] + page <= two[1]));
            // The soft guard of the last one stands above the hard guard.
            let last = ends.last().copied().unwrap_or_default();
            assert!(last + page < class.window() - class.hard_guard());
        }
    }

    #[test]
    fn every_class_comes_to_its_end_in_steps_that_fit_into_their_bits() {
        for &class in Class::usable() {
            let mut step = Step::STRICT;
            let mut steps = 0;
            while step != Step::PAGED {
                assert!(step.next(class) > step);
                step = step.next(class);
                steps += 1;
            }
            assert!((1..MASK).contains(&steps), "{steps}");
            assert_eq!(Step::PAGED.next(class), Step::PAGED);
            assert_eq!(Step::PAGED.end(class), None);
        }
    }

    #[test]
    fn a_start_is_rounded_up_to_a_step() {
        for (bytes, step) in [
            (1, 0),
            (2048, 0),
            (2049, 1),
            (16 << 10, 1),
            (64 << 10, 2),
            (100 << 10, 3),
            (1 << 20, 4),
        ] {
            assert_eq!(Step::for_start(bytes).unwrap().number(), step, "{bytes}");
        }
        // What no window holds has no guard.
        let all = Step::for_start(usize::MAX).unwrap();
        assert_eq!(all.within(Class::LARGEST), Step::PAGED);
        let error = Step::for_start(0).unwrap_err().to_string();
        assert!(error.contains("0 bytes") && error.contains("2048"));
    }
}
