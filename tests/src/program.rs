//! Child programs, and how they end.

use std::{
    os::unix::process::ExitStatusExt,
    process::{Command, Output},
};

/// How a child program ended.
#[derive(Debug)]
pub struct Death {
    /// Its exit status; none if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Everything it said on standard output.
    pub stdout: String,
    /// Everything it said on standard error.
    pub stderr: String,
}

/// The program at `path`, without the settings of the runtime that the environment of the test may have: they would change
/// what it prints. How guards are made and where stacks start stays as the test process has it.
pub fn program(path: &str) -> Command {
    let mut command = Command::new(path);
    for variable in ["GOMAXPROCS", "GODEBUG", "GOROUTINE_STACK"] {
        command.env_remove(variable);
    }
    // Of no backtrace, which sysmon would print while it should look at the Ps.
    command.env("RUST_BACKTRACE", "0");
    command
}

/// Runs `command` to its end.
///
/// # Panics
///
/// When it cannot be started.
pub fn run(command: &mut Command) -> Death {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the child program starts");
    Death {
        code: status.code(),
        signal: status.signal(),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}
