//! A file.

use std::{
    fs::{self, FileTimes, Metadata, Permissions, TryLockError},
    io::{self, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd},
        unix::fs::FileExt,
    },
    path::Path,
    process::Stdio,
    time::SystemTime,
};

use super::OpenOptions;
use crate::net::off_thread;

/// An open file, as [`std::fs::File`]. Calls are made in [`blocking`](crate::blocking).
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{fs::File, go};
/// use std::io::Read;
///
/// let text = go(|| {
///     let mut text = String::new();
///     File::open("Cargo.toml")?.read_to_string(&mut text)?;
///     Ok::<_, std::io::Error>(text)
/// });
/// assert!(text.join().unwrap()?.contains("[package]"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct File(fs::File);

/// Methods of std with the same name, in `blocking`.
macro_rules! hand_on {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        ///
        /// As std's.
        ///
        /// # Parks
        ///
        /// As [`blocking`](crate::blocking).
        pub fn $name(&self, $($arg: $type),*) -> $result {
            off_thread(|| self.0.$name($($arg),*))
        }
    )*};
}

impl File {
    /// Opens a file, to be read.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn open<P: AsRef<Path>>(path: P) -> io::Result<File> {
        off_thread(|| fs::File::open(path)).map(File)
    }

    /// Makes a file, or empties the one that is there, to be written.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn create<P: AsRef<Path>>(path: P) -> io::Result<File> {
        off_thread(|| fs::File::create(path)).map(File)
    }

    /// Makes a file where there must be none, to be read and written.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn create_new<P: AsRef<Path>>(path: P) -> io::Result<File> {
        off_thread(|| fs::File::create_new(path)).map(File)
    }

    /// How a file is opened, to be said.
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    hand_on! {
        /// Waits until what was written, and what is known of the file, is on the disk.
        sync_all() -> io::Result<()>;
        /// Waits until what was written is on the disk.
        sync_data() -> io::Result<()>;
        /// Sets the length: what is more is gone, what is less is filled with zeros.
        set_len(size: u64) -> io::Result<()>;
        /// What is known of the file.
        metadata() -> io::Result<Metadata>;
        /// Changes the permissions.
        set_permissions(permissions: Permissions) -> io::Result<()>;
        /// Changes the times.
        set_times(times: FileTimes) -> io::Result<()>;
        /// Changes the time of the last change.
        set_modified(time: SystemTime) -> io::Result<()>;
        /// Waits until the lock of the file is free, and takes it for this handle alone.
        lock() -> io::Result<()>;
        /// Waits for the lock of the file, which only others that share it have then, and takes it.
        lock_shared() -> io::Result<()>;
        /// Takes the lock of the file if it is free.
        try_lock() -> Result<(), TryLockError>;
        /// Takes the lock of the file if only others that share it have it.
        try_lock_shared() -> Result<(), TryLockError>;
        /// Gives the lock of the file back.
        unlock() -> io::Result<()>;
    }

    /// Another handle of the same open file: where it is read and written is common to both.
    ///
    /// # Errors
    ///
    /// Where no more descriptors are to be had.
    pub fn try_clone(&self) -> io::Result<File> {
        self.0.try_clone().map(File)
    }

    /// Returns whether the file is a terminal. The trait [`IsTerminal`](std::io::IsTerminal) is sealed.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        io::IsTerminal::is_terminal(&self.0)
    }
}

impl FileExt for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        off_thread(|| self.0.read_at(buf, offset))
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        off_thread(|| self.0.write_at(buf, offset))
    }
}

/// The traits of reading, writing and seeking, for a file and for a reference.
macro_rules! streams {
    ($($file:ty),*) => {$(
        impl Read for $file {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                off_thread(|| (&self.0).read(buf))
            }

            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                off_thread(|| (&self.0).read_vectored(bufs))
            }

            fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
                off_thread(|| (&self.0).read_to_end(buf))
            }

            fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
                off_thread(|| (&self.0).read_to_string(buf))
            }
        }

        impl Write for $file {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                off_thread(|| (&self.0).write(buf))
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                off_thread(|| (&self.0).write_vectored(bufs))
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl Seek for $file {
            fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
                off_thread(|| (&self.0).seek(to))
            }
        }
    )*};
}

streams!(File, &File);

impl From<fs::File> for File {
    fn from(std: fs::File) -> File {
        File(std)
    }
}

impl From<File> for fs::File {
    fn from(file: File) -> fs::File {
        file.0
    }
}

impl From<OwnedFd> for File {
    fn from(fd: OwnedFd) -> File {
        File(fd.into())
    }
}

impl From<File> for OwnedFd {
    fn from(file: File) -> OwnedFd {
        file.0.into()
    }
}

impl From<File> for Stdio {
    /// Of a child process.
    fn from(file: File) -> Stdio {
        file.0.into()
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl FromRawFd for File {
    unsafe fn from_raw_fd(fd: RawFd) -> File {
        // SAFETY: the caller's promise is the same.
        File(unsafe { fs::File::from_raw_fd(fd) })
    }
}

impl IntoRawFd for File {
    fn into_raw_fd(self) -> RawFd {
        self.0.into_raw_fd()
    }
}

debug_as_std!(File);
