//! A switch without a scheduler, ours and corosensei's: two stacks on one thread. The switch report measures the same with
//! more care, at eight places of the code.

use std::{convert::Infallible, time::Instant};

use corosensei::{Coroutine, CoroutineResult, Yielder};
use goroutines_asm::{Context, prepare, switch};

use crate::measure::{Answer, Task, not};

/// What both sides know.
struct Pair {
    measuring: Context,
    echoing: Context,
}

/// 64 KiB to run on. No guard: `echo` uses a few words of it.
const WORDS: usize = 4096;

/// Comes back at once; abandoned in the middle of a switch, which leaks nothing because it owns nothing.
unsafe extern "C" fn echo(pair: usize) -> ! {
    let pair = pair as *mut Pair;
    loop {
        // SAFETY: the word of the first switch was the address of the `Pair`, which is owned by the frame that waits for this
        // switch; `measuring` was saved by the switch that got us here, and is resumed once.
        unsafe { switch(&raw mut (*pair).echoing, (*pair).measuring, 0) };
    }
}

pub fn ours(task: &Task) -> Answer {
    let mut stack = vec![0_u128; WORDS];
    let mut shared = Box::new(Pair {
        measuring: Context::NULL,
        echoing: Context::NULL,
    });
    let pair = &raw mut *shared;
    // SAFETY: one past the end of the vector, which is dropped after the last switch; it is aligned to 16 and 64 KiB deep.
    let fresh = unsafe { prepare(stack.as_mut_ptr().add(WORDS).cast(), echo) };
    // SAFETY: `fresh` is resumed here for the only time, and `pair` outlives every switch.
    unsafe { switch(&raw mut (*pair).measuring, fresh, pair as usize) };
    task.steady(1_000_000, |n| {
        let start = Instant::now();
        for _ in 0..n / 2 {
            // SAFETY: `echoing` was saved by the switch that brought us back, and is resumed once, on the same thread.
            unsafe { switch(&raw mut (*pair).measuring, (*pair).echoing, 0) };
        }
        start.elapsed().as_nanos() as f64
    })
}

pub fn corosensei(task: &Task) -> Answer {
    if task.row != "switch" {
        return not("has no scheduler");
    }
    let mut echo = Coroutine::new(|yielder: &Yielder<u64, u64>, mut word| -> Infallible {
        loop {
            word = yielder.suspend(word);
        }
    });
    task.steady(1_000_000, |n| {
        let start = Instant::now();
        for i in 0..n / 2 {
            match echo.resume(i) {
                CoroutineResult::Yield(word) => assert_eq!(word, i),
                CoroutineResult::Return(never) => match never {},
            }
        }
        start.elapsed().as_nanos() as f64
    })
}
