//! `switch-report`: what a switch costs on this machine, goroutines beside threads.

use std::process::ExitCode;

use goroutines_benches::{report, switch};

fn main() -> ExitCode {
    report::main("switch-report", switch::run)
}
