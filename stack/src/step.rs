//! Steps: how far a stack may grow before it is noticed. Each step ends at a soft guard, the last at the hard guard.
//!
//! | step | ends below the window's end | |
//! |---|---|---|
//! | 0 | one page | [`Step::STRICT`]: 2 KB or more below the top, whatever the colour |
//! | 1 | 16 KiB | |
//! | 2 | 64 KiB | [`Step::DEFAULT`]: where a stack starts, and what a cached one is brought back to |
//! | 3, 4, ... | 256 KiB, 1 MiB, ..., times four | where stacks start of which more is known to be needed |
//! | last | the hard guard | no soft guard |
//!
//! One schedule serves every start: a stack starts at some step and goes on from there.

use std::fmt;
use std::io;

use crate::class::Class;
use crate::map;
use crate::window::HARD_GUARD;

/// Where step 0 ends on kernels with small pages. Each further step ends four times as far down.
const FIRST: usize = 4 << 10;
const SHIFT: u32 = 2;

/// A step of a stack's growth: where its soft guard stands. Later steps are greater.
///
/// ```
/// use goroutines_stack::{Class, Step, acquire_at};
/// let stack = acquire_at(Class::DEFAULT, Step::STRICT)?;
/// assert!((2048..=4096).contains(&stack.committed()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Step(u8);

impl Step {
    /// The first page of the stack: at least 2 KB.
    pub const STRICT: Step = Step(0);

    /// 64 KiB.
    pub const DEFAULT: Step = Step(2);

    /// The step at which a stack has `bytes` before it grows: 2 KiB, 16 KiB, 64 KiB and so on by four. The colour of a
    /// stack (see [`Stack::top`](crate::Stack::top)) takes up to 2 KB of all but the first.
    ///
    /// # Errors
    ///
    /// When `bytes` is 0.
    pub fn for_start(bytes: usize) -> Result<Step, StartError> {
        match bytes {
            0 => Err(StartError),
            1..=2048 => Ok(Step::STRICT),
            _ => {
                let fits = |step: &u8| FIRST << (SHIFT * u32::from(*step)) >= bytes;
                // What no step holds gets one beyond the last of every class, which starts at its last.
                Ok(Step((1..MASK as u8).find(fits).unwrap_or(MASK as u8)))
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

    /// The step before it; the first step before itself.
    pub const fn before(self) -> Step {
        Step(self.0.saturating_sub(1))
    }

    /// The step whose number is in the low bits of `word`.
    #[inline]
    pub(crate) const fn from_bits(word: usize) -> Step {
        Step((word & MASK) as u8)
    }

    pub(crate) const fn next(self) -> Step {
        Step(self.0 + 1)
    }

    /// Where the step ends in windows of `class`, in bytes below the window's end; `None` for the last step and beyond.
    pub(crate) fn end(self, class: Class) -> Option<usize> {
        let page = map::page_size();
        // Pages above 4 KiB: the first steps end a page apart.
        let end = (FIRST << (SHIFT * u32::from(self.0))).max(page * (usize::from(self.0) + 1));
        let room = class.window() - HARD_GUARD - page;
        (end < room).then_some(end)
    }

    /// The step of `class` that ends at the hard guard.
    pub(crate) fn last(class: Class) -> Step {
        let mut step = Step(0);
        while step.end(class).is_some() {
            step = step.next();
        }
        step
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
        assert_eq!(ends(Class::DEFAULT), [4 << 10, 16 << 10, 64 << 10]);
        let all: Vec<usize> = (0..9).map(|i| (4 << 10) << (2 * i)).collect();
        assert_eq!(ends(Class::LARGEST), all);
    }

    #[test]
    fn every_last_step_fits_into_its_bits_and_none_is_before_the_default() {
        for &class in Class::ALL {
            let last = Step::last(class);
            assert!(usize::from(last.number()) < MASK);
            assert!(last >= Step::DEFAULT);
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
            (usize::MAX, 15),
        ] {
            assert_eq!(Step::for_start(bytes).unwrap().number(), step, "{bytes}");
        }
        let error = Step::for_start(0).unwrap_err().to_string();
        assert!(error.contains("0 bytes") && error.contains("2048"));
    }
}
