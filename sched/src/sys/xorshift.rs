//! The generator of pseudo-random numbers.

/// The number after `x`, which is not 0.
#[inline]
pub(crate) fn after(mut x: u32) -> u32 {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    x
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_do_not_soon_come_again_and_are_not_zero() {
        let mut x = 1;
        let numbers: std::collections::HashSet<u32> = (0..10_000)
            .map(|_| {
                x = super::after(x);
                x
            })
            .collect();
        assert_eq!(numbers.len(), 10_000);
        assert!(!numbers.contains(&0));
    }
}
