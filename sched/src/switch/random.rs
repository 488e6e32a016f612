//! Pseudo-random numbers for fair choices: one sequence for each thread.

use std::ptr;

use crate::{
    switch::{attach, thread_word::current_m},
    sys::xorshift,
};

/// A pseudo-random number (xorshift). Good for fair choices, not for secrets.
///
/// # Examples
///
/// ```
/// let numbers: std::collections::HashSet<_> = (0..100).map(|_| goroutines_sched::random()).collect();
/// assert_eq!(numbers.len(), 100);
/// ```
#[inline]
pub fn random() -> u32 {
    let m = current_m().unwrap_or_else(attach::attach);
    let mut x = m.random.get();
    if x == 0 {
        // Different for each M, and never 0.
        x = ((ptr::from_ref(m).addr() >> 4) as u32 ^ 0x9e37_79b9) | 1;
    }
    x = xorshift::after(x);
    m.random.set(x);
    x
}
