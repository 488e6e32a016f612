//! The default stacks: how large they are, where they start, own or copied.

use std::env;

use goroutines_stack::{Class, Step};

use crate::global::settings::StackKind;
use crate::start::{
    config::{Config, StartError},
    size,
};

/// The stacks that a [`Config`] sets; `None` for what it does not set.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DefaultStacks {
    size: Option<usize>,
    start: Option<usize>,
    copied: bool,
}

impl DefaultStacks {
    /// The environment, then the configuration, then the defaults.
    pub(crate) fn resolve(self) -> Result<StackKind, StartError> {
        let class = match self.size {
            None => Class::DEFAULT,
            Some(bytes) => Class::for_size(bytes).map_err(StartError::StackSize)?,
        };
        let start = match self.start {
            None => Step::PAGED,
            Some(bytes) => Step::for_start(bytes).map_err(StartError::StackStart)?,
        };
        Ok(StackKind {
            class: match env::var_os("GOROUTINE_STACK") {
                Some(value) => parse_size(&value.to_string_lossy())?,
                None => class,
            },
            start: match env::var_os("GOROUTINE_STACK_START") {
                Some(value) => parse_start(&value.to_string_lossy())?,
                None => start,
            },
            copied: self.copied,
        })
    }
}

impl Config {
    /// How far the stack of a goroutine may grow, in bytes, where its builder sets no size. Rounded up to the next
    /// window: 64 KiB, 256 KiB, 1 MiB, 8 MiB, 64 MiB or 1 GiB. The environment variable `GOROUTINE_STACK` overrides
    /// it.
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Config {
        self.stacks.size = Some(bytes);
        self
    }

    /// How much stack a goroutine starts with, in bytes, where its builder does not say: guarded stacks, see
    /// `goroutines::Config::stack_start`. The environment variable `GOROUTINE_STACK_START` overrides it.
    #[must_use]
    pub fn stack_start(mut self, bytes: usize) -> Config {
        self.stacks.start = Some(bytes);
        self
    }

    /// Makes copied stacks the default.
    ///
    /// # Safety
    ///
    /// That of `goroutines::Config::copy_stacks`.
    #[must_use]
    pub unsafe fn copy_stacks(mut self) -> Config {
        self.stacks.copied = true;
        self
    }
}

/// `GOROUTINE_STACK` as a class; an empty value is not a size.
fn parse_size(value: &str) -> Result<Class, StartError> {
    let bad = |error| StartError::GoroutineStack(value.to_owned(), error);
    let bytes = size::parse(value).ok_or_else(|| bad(None))?;
    Class::for_size(bytes).map_err(|error| bad(Some(error)))
}

/// `GOROUTINE_STACK_START` as a step; an empty value is not a size.
fn parse_start(value: &str) -> Result<Step, StartError> {
    let bad = |error| StartError::GoroutineStackStart(value.to_owned(), error);
    let bytes = size::parse(value).ok_or_else(|| bad(None))?;
    Step::for_start(bytes).map_err(|error| bad(Some(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goroutine_stack_is_a_size_that_a_stack_can_have() {
        for (value, window) in [("1M", 1 << 20), ("100000", 256 << 10), ("2 MiB", 8 << 20)] {
            assert_eq!(parse_size(value).unwrap().window(), window);
        }
        let largest = format!("{} bytes", Class::LARGEST.window());
        for (bad, words) in [
            ("", "is not a size"),
            ("big", "is not a size"),
            ("-1", "K, M or G"),
            ("0", "1 to "),
            ("0", &largest),
            ("2G", &largest),
        ] {
            let error = parse_size(bad).unwrap_err().to_string();
            assert!(
                error.contains(&format!("GOROUTINE_STACK is `{bad}`")),
                "{error}"
            );
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn goroutine_stack_start_is_a_size_above_zero() {
        for (value, bytes) in [("2K", 2048), ("16384", 16 << 10), ("1 MiB", 1 << 20)] {
            assert_eq!(parse_start(value).unwrap(), Step::for_start(bytes).unwrap());
        }
        for (bad, words) in [
            ("", "is not a size"),
            ("strict", "is not a size"),
            ("-1", "K, M or G"),
            ("0", "2048 or more"),
        ] {
            let error = parse_start(bad).unwrap_err().to_string();
            assert!(
                error.contains(&format!("GOROUTINE_STACK_START is `{bad}`")),
                "{error}"
            );
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn without_a_word_stacks_are_paged_own_and_of_the_default_class() {
        let kind = DefaultStacks::default().resolve().unwrap();
        let start = env::var_os("GOROUTINE_STACK_START").map_or(Step::PAGED, |_| kind.start);
        assert_eq!((kind.start, kind.copied), (start, false));
        if env::var_os("GOROUTINE_STACK").is_none() {
            assert_eq!(kind.class, Class::DEFAULT);
        }
    }
}
