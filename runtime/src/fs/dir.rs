//! Directories.

use std::{
    ffi::OsString,
    fs::{self, FileType, Metadata},
    io,
    os::unix::fs::{DirBuilderExt, DirEntryExt},
    path::{Path, PathBuf},
};

use crate::net::off_thread;

/// What is in a directory, as [`std::fs::ReadDir`]: made by [`read_dir`](super::read_dir).
pub struct ReadDir(fs::ReadDir);

impl From<fs::ReadDir> for ReadDir {
    fn from(std: fs::ReadDir) -> ReadDir {
        ReadDir(std)
    }
}

impl Iterator for ReadDir {
    type Item = io::Result<DirEntry>;

    fn next(&mut self) -> Option<io::Result<DirEntry>> {
        let entry = off_thread(|| self.0.next())?;
        Some(entry.map(DirEntry))
    }
}

/// Something in a directory, as [`std::fs::DirEntry`].
pub struct DirEntry(fs::DirEntry);

impl DirEntry {
    /// The path of the directory as it was given, and the name.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.0.path()
    }

    /// The name.
    #[must_use]
    pub fn file_name(&self) -> OsString {
        self.0.file_name()
    }

    /// What is known of it, or of the link itself.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn metadata(&self) -> io::Result<Metadata> {
        off_thread(|| self.0.metadata())
    }

    /// What kind of file it is.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn file_type(&self) -> io::Result<FileType> {
        off_thread(|| self.0.file_type())
    }
}

impl DirEntryExt for DirEntry {
    fn ino(&self) -> u64 {
        self.0.ino()
    }
}

/// How directories are made, as [`std::fs::DirBuilder`].
pub struct DirBuilder(fs::DirBuilder);

impl DirBuilder {
    /// One directory, with the usual permissions.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "std's has none")]
    pub fn new() -> DirBuilder {
        DirBuilder(fs::DirBuilder::new())
    }

    /// Whether directories above it are made as well. Default: false.
    pub fn recursive(&mut self, recursive: bool) -> &mut DirBuilder {
        self.0.recursive(recursive);
        self
    }

    /// Makes the directory.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn create<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        off_thread(|| self.0.create(path))
    }
}

impl DirBuilderExt for DirBuilder {
    fn mode(&mut self, mode: u32) -> &mut DirBuilder {
        self.0.mode(mode);
        self
    }
}

debug_as_std!(ReadDir, DirEntry, DirBuilder);
