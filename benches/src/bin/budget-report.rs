//! `budget-report`: how many instructions operations take, beside what is recorded.

use std::process::ExitCode;

use goroutines_benches::{budget, report};

fn main() -> ExitCode {
    report::main("budget-report", budget::run)
}
