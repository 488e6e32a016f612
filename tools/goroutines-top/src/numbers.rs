//! How numbers stand on the screen.

/// A number in groups of three digits.
pub(crate) fn spaced(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A rate with three digits: `0.2`, `12`, `1.2k`, `35M`.
pub(crate) fn short(rate: f64) -> String {
    let units = ["", "k", "M", "G"];
    let (mut rate, mut unit) = (rate, 0);
    while rate >= 999.5 && unit + 1 < units.len() {
        (rate, unit) = (rate / 1000.0, unit + 1);
    }
    match rate {
        rate if rate > 0.0 && rate < 9.95 => format!("{rate:.1}{}", units[unit]),
        rate => format!("{rate:.0}{}", units[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_groups_of_three_digits() {
        for (number, text) in [(0, "0"), (999, "999"), (1_234_567, "1 234 567")] {
            assert_eq!(spaced(number), text);
        }
    }

    #[test]
    fn rates_have_three_digits() {
        for (rate, text) in [
            (0.0, "0"),
            (0.25, "0.2"),
            (9.96, "10"),
            (999.4, "999"),
            (999.9, "1.0k"),
            (34_567_890.0, "35M"),
            (7e12, "7000G"),
        ] {
            assert_eq!(short(rate), text);
        }
    }
}
