//! `scaling-report`: how the scheduler would scale to 128 Ps.

use std::process::ExitCode;

use goroutines_benches::{report, scaling};

fn main() -> ExitCode {
    report::main("scaling-report", scaling::run)
}
