//! `rivals-report`: the same workloads on goroutines and on other runtimes.

use std::process::ExitCode;

use goroutines_benches::{report, rivals};

fn main() -> ExitCode {
    report::main("rivals-report", rivals::run)
}
