//! `stack-report`: what stacks cost on this machine, beside what is asked of them.

use std::process::ExitCode;

use goroutines_benches::{report, stack};

fn main() -> ExitCode {
    report::main("stack-report", stack::run)
}
