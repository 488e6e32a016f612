//! `net-report`: what serving connections costs, beside other runtimes and a loop without one.

use std::process::ExitCode;

use goroutines_benches::{net, report};

fn main() -> ExitCode {
    report::main("net-report", net::run)
}
