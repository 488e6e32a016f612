//! The rows of the report: one file a family.
//!
//! A row's program is asked for a number of operations, times those and nothing else, and says how many it really did.
//! A program that counts on control changing hands (a yield, a contended lock) counts the changes instead of believing in
//! them.

pub mod goroutine;
pub mod lock;
pub mod osthread;
pub mod raw;
pub mod select;

use std::env;
use std::io;

use serde::Serialize;

use crate::measure::Sample;

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

/// The rows in the order of the report. The goroutine rows need a runtime with one P.
pub fn all() -> Vec<Row> {
    [&raw::ROWS[..], &goroutine::ROWS[..], &osthread::ROWS[..]].concat()
}

/// Starts the runtime with one P.
///
/// # Errors
///
/// If it has been started already, cannot be started, or `GOMAXPROCS` asks for more Ps than the one that is measured.
pub fn start_runtime() -> io::Result<()> {
    if let Some(procs) = env::var_os("GOMAXPROCS").filter(|procs| procs != "1") {
        let procs = procs.to_string_lossy();
        let message =
            format!("GOMAXPROCS is `{procs}`, but one P on one CPU is what is measured; unset it");
        return Err(io::Error::other(message));
    }
    // SAFETY: the goroutines of the rows and of the benches use atomics, channels, a mutex, the clock and the allocator:
    // none of them hands out a reference into thread-local storage, so none is held while a goroutine parks.
    unsafe {
        goroutines::Config::new()
            .procs(1)
            .start()
            .map_err(io::Error::other)?;
    }
    Ok(())
}

/// How many round trips make at least `operations` one-way operations.
pub(crate) fn round_trips(operations: u64) -> u64 {
    operations.div_ceil(2).max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_and_names_are_unique_and_the_reference_is_one_of_them() {
        let rows = all();
        assert_eq!(
            rows.iter().map(|row| row.id).collect::<HashSet<_>>().len(),
            rows.len()
        );
        assert_eq!(
            rows.iter()
                .map(|row| row.name)
                .collect::<HashSet<_>>()
                .len(),
            rows.len()
        );
        assert_eq!(rows.iter().filter(|row| row.id == REFERENCE).count(), 1);
    }

    #[test]
    fn an_odd_or_tiny_number_of_operations_is_rounded_up_to_whole_round_trips() {
        assert_eq!([0, 1, 2, 3, 10].map(round_trips), [1, 1, 1, 2, 5]);
    }
}
