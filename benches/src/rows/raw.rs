//! The bare switch, without a scheduler: two stacks on one thread pass a word back and forth.
//!
//! ```text
//! the thread's stack          the other stack
//!   switch(.., word) ───────►   word
//!   word             ◄───────   switch(.., word)      one round trip, two operations
//! ```

use std::alloc::{self, Layout};
use std::hint::black_box;
use std::io;
use std::ptr::NonNull;
use std::time::Instant;

use corosensei::{Coroutine, CoroutineResult};
use goroutines_asm::{Context, prepare, switch};

use super::{Group, Row, round_trips};
use crate::measure::Sample;

/// The bare switches, ours and the rival's.
pub const ROWS: [Row; 2] = [
    Row {
        id: "raw-goroutines",
        name: "raw switch, goroutines-asm",
        what: "one context switch between two stacks of a thread, a word passed along",
        group: Group::Goroutines,
        run: ours,
    },
    Row {
        id: "raw-corosensei",
        name: "raw switch, corosensei",
        what: "the same with corosensei: one resume or one suspend",
        group: Group::Corosensei,
        run: corosensei,
    },
];

/// What both sides of our switch know, on the measuring side's stack.
struct Pair {
    measuring: Context,
    echoing: Context,
}

/// Sends each word back that it gets; abandoned in the middle of a switch, which leaks nothing because it owns nothing.
unsafe extern "C" fn echo(pair: usize) -> ! {
    let pair = pair as *mut Pair;
    let mut word = 0;
    loop {
        // SAFETY: the word of the first switch was the address of the `Pair`, which lives in the frame that waits for this
        // switch; `measuring` was saved by the switch that got us here, and is resumed once.
        word = unsafe { switch(&raw mut (*pair).echoing, (*pair).measuring, word) };
    }
}

/// Two operations a round trip through our switch.
///
/// # Errors
///
/// If the other side does not send back what it got.
pub fn ours(operations: u64) -> io::Result<Sample> {
    let trips = round_trips(operations);
    let stack = Stack::new();
    let mut pair = Pair {
        measuring: Context::NULL,
        echoing: Context::NULL,
    };
    let pair = &raw mut pair;
    // SAFETY: the stack is aligned, 64 KiB deep, and dropped after the last switch.
    let fresh = unsafe { prepare(stack.top(), echo) };
    // SAFETY: `fresh` is resumed here for the only time, and `pair` outlives every switch.
    unsafe { switch(&raw mut (*pair).measuring, fresh, pair as usize) };
    let mut sum = 0;
    let start = Instant::now();
    for trip in 0..trips {
        // SAFETY: `echoing` was saved by the switch that brought us back, and is resumed once; both live on this thread.
        sum += unsafe { switch(&raw mut (*pair).measuring, (*pair).echoing, trip as usize) } as u64;
    }
    checked(start, trips, sum)
}

/// Two operations a round trip through corosensei's resume and suspend.
///
/// # Errors
///
/// If the other side does not send back what it got.
pub fn corosensei(operations: u64) -> io::Result<Sample> {
    let trips = round_trips(operations);
    let mut echo = Coroutine::new(|yielder, mut word: Option<u64>| {
        while let Some(got) = word {
            word = yielder.suspend(got);
        }
    });
    echo.resume(Some(0));
    let mut sum = 0;
    let start = Instant::now();
    for trip in 0..trips {
        if let CoroutineResult::Yield(word) = echo.resume(Some(trip)) {
            sum += word;
        }
    }
    let sample = checked(start, trips, sum);
    echo.resume(None);
    sample
}

/// The words 0, 1, 2, ... must all have come back.
fn checked(start: Instant, trips: u64, sum: u64) -> io::Result<Sample> {
    let elapsed = start.elapsed();
    if black_box(sum) != trips * (trips - 1) / 2 {
        return Err(io::Error::other(format!(
            "{trips} switched words came back as a sum of {sum}"
        )));
    }
    Ok(Sample {
        elapsed,
        operations: 2 * trips,
    })
}

/// 64 KiB to run on. No guard: `echo` uses a few words of it.
struct Stack(NonNull<u8>);

impl Stack {
    const LAYOUT: Layout = match Layout::from_size_align(64 << 10, 4096) {
        Ok(layout) => layout,
        Err(_) => panic!("a power of two is a valid alignment"),
    };

    fn new() -> Self {
        // SAFETY: the layout's size is not zero.
        let memory = unsafe { alloc::alloc(Self::LAYOUT) };
        Self(NonNull::new(memory).unwrap_or_else(|| alloc::handle_alloc_error(Self::LAYOUT)))
    }

    fn top(&self) -> *mut u8 {
        // SAFETY: one past the end of the allocation of that size.
        unsafe { self.0.as_ptr().add(Self::LAYOUT.size()) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout; `ours` is back on the thread's stack and switches no more.
        unsafe { alloc::dealloc(self.0.as_ptr(), Self::LAYOUT) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_does_what_was_asked_for_and_counts_one_way() {
        for row in ROWS {
            assert_eq!((row.run)(0).unwrap().operations, 2, "{}", row.name);
            assert_eq!((row.run)(1001).unwrap().operations, 1002, "{}", row.name);
        }
    }

    #[test]
    fn a_lost_word_is_an_error() {
        assert!(checked(Instant::now(), 4, 6).is_ok());
        assert!(checked(Instant::now(), 4, 5).is_err());
    }
}
