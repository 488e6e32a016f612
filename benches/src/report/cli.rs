//! The arguments that every report takes. A report flattens them into its own, and may describe them in its words.

use std::path::PathBuf;

use clap::Args;

/// The arguments.
#[derive(Args, Clone, Debug, Default)]
pub struct Common {
    /// Also write everything that was measured to FILE, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Only try whether everything works: few and short samples, rough numbers
    #[arg(long)]
    pub quick: bool,

    /// Only the rows whose name contains TEXT
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,

    /// Measure so many rounds: each row once a round, in turns [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub rounds: Option<u16>,
}

impl Common {
    /// How many rounds to measure; `default` if no number was given.
    pub fn rounds_or(&self, default: usize) -> usize {
        self.rounds.map_or(default, usize::from)
    }
}

/// A size in bytes, for a flag: `65536`, `64K`, `1M`, `1G`.
///
/// # Errors
///
/// When it is none, or none from 1 byte to 1 GiB.
pub fn size(text: &str) -> Result<usize, String> {
    let (number, shift) = match text.strip_suffix(['K', 'M', 'G']) {
        None => (text, 0),
        Some(number) if text.ends_with('K') => (number, 10),
        Some(number) if text.ends_with('M') => (number, 20),
        Some(number) => (number, 30),
    };
    number
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .filter(|bytes| (1..=1 << 30).contains(bytes))
        .ok_or_else(|| "give a number of bytes from 1 to 1G, such as 65536, 64K or 1M".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_or_without_a_unit() {
        for (text, bytes) in [
            ("1", 1),
            ("65536", 65536),
            ("64K", 64 << 10),
            ("8M", 8 << 20),
            ("1G", 1 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_or_too_large_is_refused_with_the_form() {
        for text in [
            "",
            "K",
            "0",
            "-1",
            "1.5M",
            "2G",
            "1T",
            "64k",
            "99999999999999999999",
            "99999999999G",
        ] {
            let error = size(text).unwrap_err();
            assert!(error.contains("64K"), "{text}: {error}");
        }
    }

    #[test]
    fn rounds_are_the_number_that_was_given_or_the_default() {
        let given = Common {
            rounds: Some(7),
            ..Common::default()
        };
        assert_eq!((given.rounds_or(3), Common::default().rounds_or(3)), (7, 3));
    }
}
