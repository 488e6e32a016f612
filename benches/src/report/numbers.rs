//! Numbers for people.

/// Nanoseconds with three or four significant digits.
pub fn nanoseconds(value: f64) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 999.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// How many times cheaper, with two or three significant digits.
pub fn times(value: f64) -> String {
    match value {
        v if v.is_nan() => "-".to_owned(),
        v if v < 0.995 => format!("{v:.2}x"),
        v if v < 99.5 => format!("{v:.1}x"),
        v => format!("{v:.0}x"),
    }
}

/// So many of a thing.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A number with its thousands apart.
pub fn grouped(number: usize) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{} {:03}", grouped(number / 1000), number % 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_or_four_digits() {
        assert_eq!(
            [2.345, 9.994, 9.996, 56.78, 999.94, 1234.5].map(nanoseconds),
            ["2.35", "9.99", "10.0", "56.8", "999.9", "1234"]
        );
        assert_eq!(
            [0.128, 1.0, 61.94, 412.3].map(times),
            ["0.13x", "1.0x", "61.9x", "412x"]
        );
    }

    #[test]
    fn nouns_are_counted() {
        assert_eq!(
            (count(1, "round"), count(2, "CPU")),
            ("1 round".to_owned(), "2 CPUs".to_owned())
        );
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(
            [999, 1_000, 1_000_020].map(grouped),
            ["999", "1 000", "1 000 020"]
        );
    }
}
