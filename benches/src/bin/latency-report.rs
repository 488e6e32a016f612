//! `latency-report`: how late a goroutine runs that should run now, beside others that take the CPUs.

use std::process::ExitCode;

use goroutines_benches::{latency, report};

fn main() -> ExitCode {
    report::main("latency-report", latency::run)
}
