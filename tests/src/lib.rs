//! What the tests across crates share.

mod depth;

use std::{
    process::{Command, Output},
    sync::Once,
};

pub use depth::{below, deep};

use goroutines::Config;

/// Starts the runtime of this test process with `procs` Ps, once.
pub fn start(procs: usize) {
    start_with(Config::new().procs(procs));
}

/// Starts the runtime of this test process, once.
///
/// # Panics
///
/// When it does not start.
pub fn start_with(config: Config) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the tests keep no thread-local storage over a call that can park.
        let started = unsafe { config.start() };
        started.expect("the runtime starts");
    });
}

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

/// Runs `command` to its end.
///
/// # Panics
///
/// When it cannot be started.
pub fn run(command: &mut Command) -> Death {
    use std::os::unix::process::ExitStatusExt;
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
