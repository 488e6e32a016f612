//! `sleepers-report`: what many sleeping goroutines cost, and how late they wake.

use std::process::ExitCode;

use goroutines_benches::{report, sleepers};

fn main() -> ExitCode {
    report::main("sleepers-report", sleepers::run)
}
