//! How a report program ends: what it prints, what it says when there is no report, and its exit status.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Why there is no report.
#[derive(Debug)]
pub struct Failure {
    /// What to tell the caller.
    pub message: String,
    /// The program's exit status.
    pub status: u8,
}

impl Failure {
    /// The caller asked for something impossible.
    pub fn usage(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            status: 2,
        }
    }

    /// The measurement or its output failed.
    pub fn run(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            status: 1,
        }
    }
}

/// Tells the caller of `program` why it failed, if it did, and gives the exit status.
pub fn exit(program: &str, result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If this fails, there is nowhere left to report it.
            let _ = writeln!(io::stderr(), "{program}: {}", failure.message);
            ExitCode::from(failure.status)
        }
    }
}

/// Prints a report. A reader that went away is no failure.
///
/// # Errors
///
/// When standard output cannot be written for another reason.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::run(format!("cannot print the report: {error}")))
        }
        _ => Ok(()),
    }
}
