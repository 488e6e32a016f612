//! Interleaved rounds.
//!
//! First each row is tried with more and more operations until a sample takes about as long as planned (*calibration*;
//! it also warms everything up). Then each round runs each row once. The order is shuffled anew for each round, from a
//! fixed seed: no row always profits or suffers from what ran before it, and two runs do the same.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use super::row::Row;
use crate::random::Random;
use crate::sample::Sample;

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many rounds.
    pub rounds: usize,
    /// How long one sample of one row should take.
    pub sample: Duration,
    /// No new round is begun after this time.
    pub budget: Duration,
}

/// What all rounds gave.
#[derive(Clone, Debug)]
pub struct Measured {
    /// How many rounds there were: fewer than planned when the budget ran out.
    pub rounds: usize,
    /// How many were planned.
    pub planned: usize,
    /// How long it all took, calibration included.
    pub elapsed: Duration,
    /// Row by row, in the rows' order, one number a round: nanoseconds an operation.
    pub samples: Vec<Vec<f64>>,
}

/// A row could not be measured.
#[derive(Debug)]
pub struct RowError {
    row: &'static str,
    cause: io::Error,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot measure `{}`: {}", self.row, self.cause)
    }
}

impl std::error::Error for RowError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// Measures the rows; `progress` hears after each round how many of how many are done.
///
/// # Errors
///
/// The first row that fails ends it all: a table with a hole could not be compared with another.
pub fn measure(
    rows: &[Row],
    plan: &Plan,
    mut progress: impl FnMut(usize, usize),
) -> Result<Measured, RowError> {
    let start = Instant::now();
    progress(0, plan.rounds);
    let operations: Vec<u64> = rows
        .iter()
        .map(|row| calibrate(row, plan.sample))
        .collect::<Result<_, _>>()?;
    let mut samples = vec![Vec::with_capacity(plan.rounds); rows.len()];
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut random = Random::new();
    let mut rounds = 0;
    while rounds < plan.rounds && (rounds == 0 || start.elapsed() < plan.budget) {
        random.shuffle(&mut order);
        for &index in &order {
            samples[index].push(run(&rows[index], operations[index])?.nanoseconds());
        }
        rounds += 1;
        progress(rounds, plan.rounds);
    }
    Ok(Measured {
        rounds,
        planned: plan.rounds,
        elapsed: start.elapsed(),
        samples,
    })
}

fn run(row: &Row, operations: u64) -> Result<Sample, RowError> {
    (row.run)(operations).map_err(|cause| RowError {
        row: row.name,
        cause,
    })
}

/// How many operations of a row take about as long as a sample should.
fn calibrate(row: &Row, target: Duration) -> Result<u64, RowError> {
    let mut operations = 1;
    loop {
        let sample = run(row, operations)?;
        let fits = target.as_nanos() as f64 / sample.nanoseconds().max(0.01);
        // The last try before this one was too short to be trusted; a quarter of the target is long enough.
        if sample.elapsed >= target / 4 {
            return Ok(fits.max(1.0) as u64);
        }
        operations = (operations * 2).max((fits as u64).min(operations * 16));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::row::Group;

    fn row(name: &'static str, run: fn(u64) -> io::Result<Sample>) -> Row {
        Row {
            id: name,
            name,
            what: "",
            group: Group::Threads,
            run,
        }
    }

    /// Pretends that an operation takes 20 ns.
    fn pretend(operations: u64) -> io::Result<Sample> {
        Ok(Sample {
            elapsed: Duration::from_nanos(20 * operations),
            operations,
        })
    }

    fn refuse(_: u64) -> io::Result<Sample> {
        Err(io::Error::other("no more threads"))
    }

    const PLAN: Plan = Plan {
        rounds: 7,
        sample: Duration::from_millis(1),
        budget: Duration::from_secs(60),
    };

    #[test]
    fn every_row_gets_one_sample_a_round() {
        let mut heard = Vec::new();
        let measured = measure(&[row("a", pretend), row("b", pretend)], &PLAN, |done, _| {
            heard.push(done)
        })
        .unwrap();
        assert_eq!(measured.samples, vec![vec![20.0; 7]; 2]);
        assert_eq!((measured.rounds, heard), (7, (0..=7).collect()));
    }

    #[test]
    fn a_spent_budget_ends_after_a_whole_round() {
        let plan = Plan {
            budget: Duration::ZERO,
            ..PLAN
        };
        let measured = measure(&[row("a", pretend), row("b", pretend)], &plan, |_, _| ()).unwrap();
        assert_eq!(measured.rounds, 1);
        assert!(measured.samples.iter().all(|samples| samples.len() == 1));
    }

    #[test]
    fn a_row_that_fails_is_named() {
        let error = measure(&[row("a", pretend), row("b", refuse)], &PLAN, |_, _| ()).unwrap_err();
        assert_eq!(error.to_string(), "cannot measure `b`: no more threads");
    }

    #[test]
    fn calibration_finds_the_number_of_operations_that_fills_a_sample() {
        assert_eq!(
            calibrate(&row("a", pretend), Duration::from_micros(100)).unwrap(),
            5000
        );
    }

    #[test]
    fn an_operation_longer_than_a_sample_is_still_done_once() {
        assert_eq!(
            calibrate(&row("a", pretend), Duration::from_nanos(3)).unwrap(),
            1
        );
    }
}
