//! Child processes, in the shape of [`std::process`]: a goroutine that waits for a child, or reads its output, parks.
//!
//! ```text
//!  spawn                       std's call, in `blocking`
//!  stdin, stdout, stderr       pipes of `io`, which park the goroutine
//!  wait                        a descriptor of the process (pidfd) in the poller; waitpid(2) when it is ready.
//!                              The kernel refuses one: std's call, in `blocking`
//! ```
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::process::Command;
//!
//! let output = Command::new("echo").arg("hello").output()?;
//! assert!(output.status.success());
//! assert_eq!(output.stdout, b"hello\n");
//! # Ok::<(), std::io::Error>(())
//! ```

mod child;
mod command;
mod pidfd;
mod stdio;

#[doc(no_inline)]
pub use std::process::{
    CommandArgs, CommandEnvs, ExitCode, ExitStatus, Output, Stdio, Termination, abort, exit, id,
};

pub use {
    child::Child,
    command::Command,
    stdio::{ChildStderr, ChildStdin, ChildStdout},
};
