//! Files and directories, in the shape of [`std::fs`].
//!
//! The kernel cannot say when a file is ready, so nothing waits for files in the poller: each call is std's, inside
//! [`blocking`](crate::blocking). Other goroutines run meanwhile. No call here parks for a file; each may park after it,
//! as `blocking` does.
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::{fs, go};
//!
//! let manifest = go(|| fs::read_to_string("Cargo.toml")).join().unwrap()?;
//! assert!(manifest.contains("[package]"));
//! # Ok::<(), std::io::Error>(())
//! ```

/// `Debug` of types that print themselves as std's do, which they have in field 0.
macro_rules! debug_as_std {
    ($($type:ty),*) => {$(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

mod dir;
mod file;
mod functions;
mod open_options;

#[doc(no_inline)]
pub use std::fs::{FileTimes, FileType, Metadata, Permissions, TryLockError};

pub use {
    dir::{DirBuilder, DirEntry, ReadDir},
    file::File,
    functions::{
        canonicalize, copy, create_dir, create_dir_all, exists, hard_link, metadata, read,
        read_dir, read_link, read_to_string, remove_dir, remove_dir_all, remove_file, rename,
        set_permissions, symlink, symlink_metadata, write,
    },
    open_options::OpenOptions,
};
