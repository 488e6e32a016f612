//! What a row of the switch report is.

use std::io;

use serde::Serialize;

use crate::sample::Sample;

/// Whose work a row measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// This project.
    Goroutines,
    /// A rival in the same process.
    Corosensei,
    /// Threads of the operating system.
    Threads,
}

impl Group {
    /// All groups, in the order of a legend.
    pub const ALL: [Self; 3] = [Self::Goroutines, Self::Corosensei, Self::Threads];

    /// The group's name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Goroutines => "goroutines",
            Self::Corosensei => "corosensei",
            Self::Threads => "OS threads, same core",
        }
    }
}

/// One line of the report.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The row's name for programs; never changes its meaning.
    pub id: &'static str,
    /// The row's name for people.
    pub name: &'static str,
    /// What one operation is.
    pub what: &'static str,
    /// Whose work it measures.
    pub group: Group,
    /// Does about that many operations, at least one.
    pub run: fn(u64) -> io::Result<Sample>,
}

/// The row that all others are compared with: how two threads hand over without anything above the kernel's primitive.
pub const REFERENCE: &str = "thread-futex";

/// How many round trips make at least `operations` one-way operations.
pub(crate) fn round_trips(operations: u64) -> u64 {
    operations.div_ceil(2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_or_tiny_number_of_operations_is_rounded_up_to_whole_round_trips() {
        assert_eq!([0, 1, 2, 3, 10].map(round_trips), [1, 1, 1, 2, 5]);
    }
}
