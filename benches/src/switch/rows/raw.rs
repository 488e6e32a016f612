//! The bare switch, without a scheduler: two stacks on one thread pass a word back and forth.
//!
//! ```text
//! the thread's stack          the other stack
//!   switch(.., word) ───────►   word
//!   word             ◄───────   switch(.., word)      one round trip, two operations
//! ```
//!
//! At a nanosecond an operation it matters by a third or more where in a cache line the compiler happens to place the one
//! jump of a loop. So each side of each row has its switch at eight places of its code, and the row is their average.

use std::alloc::{self, Layout};
use std::convert::Infallible;
use std::hint::black_box;
use std::io;
use std::ptr::NonNull;
use std::time::Instant;

use corosensei::{Coroutine, CoroutineResult, Yielder};
use goroutines_asm::{Context, prepare, switch, switch_at};

use crate::sample::Sample;
use crate::switch::row::{Group, Row, round_trips};

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

/// What both sides of our switch know. On the heap, where a scheduler keeps its contexts, and not on one of the stacks.
struct Pair {
    measuring: Context,
    echoing: Context,
}

/// How many places of the code have a switch.
const SITES: u64 = 8;

/// Repeats a step at so many places, with the number of the place as a constant.
macro_rules! at_all_sites {
    ($site:ident, $step:expr) => {
        at_all_sites!($site, $step; 0 1 2 3 4 5 6 7);
    };
    ($site:ident, $step:expr; $($number:literal)*) => {
        $({
            #[allow(dead_code, reason = "one side's places have no numbers")]
            const $site: usize = $number;
            $step;
        })*
    };
}

/// Sends each word back that it gets; abandoned in the middle of a switch, which leaks nothing because it owns nothing.
unsafe extern "C" fn echo(pair: usize) -> ! {
    let pair = pair as *mut Pair;
    let mut word = 0;
    loop {
        at_all_sites!(SITE, {
            // SAFETY: the word of the first switch was the address of the `Pair`, which is owned by the frame that waits
            // for this switch; `measuring` was saved by the switch that got us here, and is resumed once.
            word = unsafe {
                switch_at::<{ 1 + SITE }>(&raw mut (*pair).echoing, (*pair).measuring, word)
            };
        });
    }
}

/// Two operations a round trip through our switch.
///
/// # Errors
///
/// If the other side does not send back what it got.
pub fn ours(operations: u64) -> io::Result<Sample> {
    let laps = round_trips(operations).div_ceil(SITES);
    let stack = Stack::new();
    let mut shared = Box::new(Pair {
        measuring: Context::NULL,
        echoing: Context::NULL,
    });
    let pair = &raw mut *shared;
    // SAFETY: the stack is aligned, 64 KiB deep, and dropped after the last switch.
    let fresh = unsafe { prepare(stack.top(), echo) };
    // SAFETY: `fresh` is resumed here for the only time, and `pair` outlives every switch.
    unsafe { switch(&raw mut (*pair).measuring, fresh, pair as usize) };
    let mut trip = 0;
    let mut sum = 0;
    let start = Instant::now();
    for _ in 0..laps {
        at_all_sites!(SITE, {
            // SAFETY: `echoing` was saved by the switch that brought us back, and is resumed once, on the same thread.
            sum += unsafe {
                switch_at::<{ 101 + SITE }>(
                    &raw mut (*pair).measuring,
                    (*pair).echoing,
                    trip as usize,
                )
            };
            trip += 1;
        });
    }
    checked(start, trip, sum as u64)
}

/// Two operations a round trip through corosensei's resume and suspend.
///
/// # Errors
///
/// If the other side does not send back what it got.
pub fn corosensei(operations: u64) -> io::Result<Sample> {
    let laps = round_trips(operations).div_ceil(SITES);
    let mut echo = Coroutine::new(|yielder: &Yielder<u64, u64>, mut word| -> Infallible {
        loop {
            at_all_sites!(SITE, word = yielder.suspend(word));
        }
    });
    let mut send = |word| match echo.resume(word) {
        CoroutineResult::Yield(word) => word,
        CoroutineResult::Return(never) => match never {},
    };
    send(0);
    let mut trip = 0;
    let mut sum = 0;
    let start = Instant::now();
    for _ in 0..laps {
        at_all_sites!(SITE, {
            sum += send(trip);
            trip += 1;
        });
    }
    checked(start, trip, sum)
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
            assert_eq!((row.run)(0).unwrap().operations, 16, "{}", row.name);
            assert_eq!((row.run)(1001).unwrap().operations, 1008, "{}", row.name);
        }
    }

    #[test]
    fn a_lost_word_is_an_error() {
        assert!(checked(Instant::now(), 4, 6).is_ok());
        assert!(checked(Instant::now(), 4, 5).is_err());
    }
}
