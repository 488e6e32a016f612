//! Pipes, shaped as in [`std::io`]: a read or a write that waits parks the goroutine.
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::{go, io::pipe};
//! use std::io::{Read, Write};
//!
//! let (mut reader, mut writer) = pipe()?;
//! go(move || writer.write_all(b"hello").unwrap());
//! let mut text = String::new();
//! reader.read_to_string(&mut text)?;
//! assert_eq!(text, "hello");
//! # Ok::<(), std::io::Error>(())
//! ```

mod pipe;
mod stdio;

pub use {
    pipe::{PipeReader, PipeWriter, pipe},
    stdio::{Stderr, StderrLock, Stdin, StdinLock, Stdout, StdoutLock, stderr, stdin, stdout},
};
