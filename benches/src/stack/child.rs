//! A scenario in a process of its own.

use std::env;
use std::io;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::figure::Figure;
use super::memory;
use super::scenario::Scenario;

/// How a scenario ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// With these figures.
    Measured(Vec<Figure>),
    /// It was not begun: why.
    Skipped(String),
    /// Without figures: why.
    Failed(String),
}

/// Runs `scenario` in a child: this program, with the arguments that make it [`print()`] the scenario's figures.
///
/// `GOMAXPROCS`, `GOROUTINE_STACK` and `GOROUTINE_STACK_IDLE` do not reach the child: the scenario says how many Ps there
/// are, and how large its stacks may grow.
pub fn run(scenario: &Scenario, quick: bool) -> Outcome {
    if let Some(available) = memory::available().filter(|&bytes| bytes < scenario.needs()) {
        let gigabytes = |bytes: usize| bytes as f64 / 1e9;
        return Outcome::Skipped(format!(
            "it needs about {:.1} GB of memory, {:.1} GB are available",
            gigabytes(scenario.needs()),
            gigabytes(available)
        ));
    }
    let mut arguments = vec!["--scenario".to_owned(), scenario.id()];
    arguments.extend(quick.then(|| "--quick".to_owned()));
    if let Some(bytes) = scenario.stack {
        arguments.extend(["--stack".to_owned(), bytes.to_string()]);
    }
    spawn(&arguments).unwrap_or_else(|error| Outcome::Failed(error.to_string()))
}

fn spawn(arguments: &[String]) -> io::Result<Outcome> {
    let output = Command::new(env::current_exe()?)
        .args(arguments)
        .env_remove("GOMAXPROCS")
        .env_remove("GOROUTINE_STACK")
        .env_remove("GOROUTINE_STACK_IDLE")
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Ok(Outcome::Failed(format!(
            "{}: {}",
            output.status,
            words.trim()
        )));
    }
    Ok(Outcome::Measured(serde_json::from_slice(&output.stdout)?))
}

/// The child's part: measures, and gives what it shall print.
///
/// # Errors
///
/// See [`Scenario::run`].
pub fn print(scenario: &Scenario) -> io::Result<String> {
    Ok(serde_json::to_string(&scenario.run()?)?)
}
