//! How far a report has come.

use std::io::{self, IsTerminal, Write};

/// One line on the terminal, which is gone in the end; nothing at all where standard error is no terminal.
#[derive(Debug)]
pub struct Progress {
    terminal: bool,
}

impl Progress {
    /// Nothing is shown yet.
    pub fn start() -> Self {
        Self {
            terminal: io::stderr().is_terminal(),
        }
    }

    /// Shows `text` in place of what was shown before.
    pub fn show(&mut self, text: &str) {
        if self.terminal {
            // A lost line of progress is no reason to lose the measurement.
            let _ = write!(io::stderr(), "\r\x1b[K{text}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.show("");
    }
}
