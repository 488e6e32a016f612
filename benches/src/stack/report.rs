//! Everything that the stack report says.

use serde::Serialize;

use super::child::Outcome;
use super::scenario::Scenario;
use crate::report::machine::Machine;

/// The report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where it was measured.
    pub machine: Machine,
    /// Whether the run queues prefetch what their next goroutines will touch.
    pub look_ahead: bool,
    /// How large the stacks might grow, in bytes, if that was asked for.
    pub stack: Option<usize>,
    /// How long it took.
    pub seconds: f64,
    /// The scenarios, in the order of their lines.
    pub scenarios: Vec<Line>,
    /// Which figures fall short of what is asked of them.
    pub shortfalls: Vec<String>,
}

/// A scenario and how it ended.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// [`Scenario::id`].
    pub id: String,
    /// [`Scenario::title`].
    pub title: String,
    /// How many goroutines it had.
    pub count: usize,
    /// How many Ps it had.
    pub procs: usize,
    /// What came of it.
    pub outcome: Outcome,
}

impl Line {
    /// The line of `scenario`.
    pub fn new(scenario: &Scenario, outcome: Outcome) -> Self {
        Self {
            id: scenario.id(),
            title: scenario.title(),
            count: scenario.count,
            procs: scenario.procs,
            outcome,
        }
    }

    /// Whether it says what parked goroutines cost.
    pub fn is_parked(&self) -> bool {
        self.id.starts_with("parked")
    }

    fn shortfalls(&self) -> Vec<String> {
        match &self.outcome {
            Outcome::Measured(figures) => figures
                .iter()
                .filter(|figure| figure.falls_short())
                .map(|figure| {
                    format!(
                        "{}: {} is {}, asked is {}",
                        self.title,
                        figure.name,
                        figure.value_text(),
                        figure.bound_text()
                    )
                })
                .collect(),
            Outcome::Skipped(_) => Vec::new(),
            Outcome::Failed(_) => vec![format!("{}: not measured", self.title)],
        }
    }
}

impl Report {
    /// The report of these scenarios.
    pub fn new(machine: Machine, stack: Option<usize>, seconds: f64, scenarios: Vec<Line>) -> Self {
        Self {
            machine,
            look_ahead: cfg!(not(feature = "no-lookahead")),
            stack,
            seconds,
            shortfalls: scenarios.iter().flat_map(Line::shortfalls).collect(),
            scenarios,
        }
    }

    /// How many scenarios broke.
    pub fn failures(&self) -> usize {
        let failed = |line: &&Line| matches!(line.outcome, Outcome::Failed(_));
        self.scenarios.iter().filter(failed).count()
    }
}
