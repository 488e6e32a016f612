//! How a file is opened.

use std::{fs, io, os::unix::fs::OpenOptionsExt, path::Path};

use super::File;
use crate::net::off_thread;

/// How a file is opened, as [`std::fs::OpenOptions`].
///
/// # Examples
///
/// ```
/// use goroutines::fs::{File, OpenOptions};
///
/// let file: File = OpenOptions::new().read(true).open("Cargo.toml")?;
/// assert!(file.metadata()?.is_file());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct OpenOptions(fs::OpenOptions);

/// Switches, off by default.
macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(&mut self, $name: bool) -> &mut OpenOptions {
            self.0.$name($name);
            self
        }
    )*};
}

impl OpenOptions {
    /// All is off.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "std's has none")]
    pub fn new() -> OpenOptions {
        OpenOptions(fs::OpenOptions::new())
    }

    switches! {
        /// Whether the file can be read.
        read;
        /// Whether the file can be written.
        write;
        /// Whether what is written goes to the end.
        append;
        /// Whether the file is emptied.
        truncate;
        /// Whether the file is made, if there is none.
        create;
        /// Whether the file is made, and there must be none.
        create_new;
    }

    /// Opens the file.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn open<P: AsRef<Path>>(&self, path: P) -> io::Result<File> {
        off_thread(|| self.0.open(path)).map(File::from)
    }
}

impl OpenOptionsExt for OpenOptions {
    fn mode(&mut self, mode: u32) -> &mut OpenOptions {
        self.0.mode(mode);
        self
    }

    fn custom_flags(&mut self, flags: i32) -> &mut OpenOptions {
        self.0.custom_flags(flags);
        self
    }
}

debug_as_std!(OpenOptions);
