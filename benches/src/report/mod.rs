//! What all reports share. It knows none of them.
//!
//! A report is a program: its arguments are those of [`cli`] and its own, it [`choose`]s rows, shows its [`progress`],
//! and prints a [`head`] and the rows of a [`table`]. What was measured can also go to a file of [`output`], as [`json`] or
//! as a [`chart`]. What cannot be done is a [`failure`], with its text and exit status.

pub mod chart;
pub mod choose;
pub mod cli;
pub mod failure;
pub mod head;
pub mod json;
pub mod machine;
pub mod numbers;
pub mod output;
pub mod progress;
pub mod table;

use std::process::ExitCode;

use clap::Parser;

use failure::Failure;

/// The main function of the report `program`: reads the arguments and runs it.
pub fn main<A: Parser>(program: &str, run: impl FnOnce(&A) -> Result<(), Failure>) -> ExitCode {
    failure::exit(program, run(&A::parse()))
}
