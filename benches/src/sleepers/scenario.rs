//! The rows of the sleepers report.

use std::time::Duration;

use serde::Serialize;

use super::measure::{Sleeper, hand_over, sleepers};
use crate::report::failure::Failure;

/// OS threads for 100 goroutines: more are refused on many machines.
const THREADS_PERCENT: u32 = 1;

/// How much to measure.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Size {
    /// How many goroutines sleep.
    pub sleepers: u32,
    /// The longest sleep.
    pub longest: Duration,
    /// How often two goroutines unpark each other.
    pub turns: u32,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scenario {
    /// Sleeping goroutines with stacks of their own, and the same again.
    OwnStacks,
    /// Sleeping goroutines with copied stacks, and the same again.
    CopyStacks,
    /// Sleeping threads.
    Threads,
    /// Two goroutines that unpark each other.
    Unpark,
    /// The same with a timeout that does not come.
    UnparkBeforeTimeout,
}

/// A row of the report.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// What was measured.
    pub name: &'static str,
    /// How many sleepers; none where nothing sleeps.
    pub count: Option<u32>,
    /// Processor time of each, in nanoseconds.
    pub processor: f64,
    /// How late they resumed, in microseconds, shortest first.
    pub late: Vec<u32>,
}

impl Scenario {
    /// All of them, in the order of the report.
    pub const ALL: [Scenario; 5] = [
        Scenario::OwnStacks,
        Scenario::CopyStacks,
        Scenario::Threads,
        Scenario::Unpark,
        Scenario::UnparkBeforeTimeout,
    ];

    /// The name of its first row.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::OwnStacks => "goroutines",
            Scenario::CopyStacks => "goroutines with copy stacks",
            Scenario::Threads => "OS threads",
            Scenario::Unpark => "park and unpark",
            Scenario::UnparkBeforeTimeout => "with a timeout that does not come",
        }
    }

    /// Measures its rows.
    ///
    /// # Errors
    ///
    /// When a sleeper cannot be started or has failed, or the kernel does not tell processor time.
    pub fn measure(self, size: &Size) -> Result<Vec<Line>, Failure> {
        let threads = (size.sleepers * THREADS_PERCENT / 100).max(10);
        let rows: &[(&str, Sleeper, u32)] = match self {
            Scenario::OwnStacks => &[
                (self.name(), Sleeper::OwnStack, size.sleepers),
                (
                    "the same again, stacks warm",
                    Sleeper::OwnStack,
                    size.sleepers,
                ),
            ],
            Scenario::CopyStacks => &[
                (self.name(), Sleeper::CopyStack, size.sleepers),
                ("the same again", Sleeper::CopyStack, size.sleepers),
            ],
            Scenario::Threads => &[(self.name(), Sleeper::Thread, threads)],
            Scenario::Unpark => return self.unpark(size, None),
            Scenario::UnparkBeforeTimeout => {
                return self.unpark(size, Some(Duration::from_secs(3600)));
            }
        };
        let line = |&(name, sleeper, count): &(&'static str, Sleeper, u32)| {
            let (processor, late) = sleepers(sleeper, count, size.longest)?;
            Ok(Line {
                name,
                count: Some(count),
                processor,
                late,
            })
        };
        rows.iter().map(line).collect()
    }

    fn unpark(self, size: &Size, timeout: Option<Duration>) -> Result<Vec<Line>, Failure> {
        Ok(vec![Line {
            name: self.name(),
            count: None,
            processor: hand_over(size.turns, timeout)?,
            late: Vec::new(),
        }])
    }
}
