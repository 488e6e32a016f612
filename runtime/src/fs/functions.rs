//! The functions of [`std::fs`].

use std::{
    fs::{self, Metadata, Permissions},
    io,
    os::unix,
    path::{Path, PathBuf},
};

use super::ReadDir;
use crate::net::off_thread;

/// Functions of std with the same name, in `blocking`.
macro_rules! hand_on {
    ($($(#[$doc:meta])* $name:ident<$($generic:ident: $bound:path),*>($($arg:ident: $type:ty),*) -> $result:ty = $std:path;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        ///
        /// As std's.
        ///
        /// # Parks
        ///
        /// As [`blocking`](crate::blocking).
        pub fn $name<$($generic: $bound),*>($($arg: $type),*) -> io::Result<$result> {
            off_thread(|| $std($($arg),*))
        }
    )*};
}

hand_on! {
    /// The path without links, `.` and `..`. As [`std::fs::canonicalize`].
    canonicalize<P: AsRef<Path>>(path: P) -> PathBuf = fs::canonicalize;
    /// Copies a file and its permissions, and returns how many bytes that were. As [`std::fs::copy`].
    copy<P: AsRef<Path>, Q: AsRef<Path>>(from: P, to: Q) -> u64 = fs::copy;
    /// Makes a directory. As [`std::fs::create_dir`].
    create_dir<P: AsRef<Path>>(path: P) -> () = fs::create_dir;
    /// Makes a directory, and those above it that are missing. As [`std::fs::create_dir_all`].
    create_dir_all<P: AsRef<Path>>(path: P) -> () = fs::create_dir_all;
    /// Returns whether there is something at `path`. As [`std::fs::exists`].
    exists<P: AsRef<Path>>(path: P) -> bool = fs::exists;
    /// Another name for a file. As [`std::fs::hard_link`].
    hard_link<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> () = fs::hard_link;
    /// What is known of the file. As [`std::fs::metadata`].
    metadata<P: AsRef<Path>>(path: P) -> Metadata = fs::metadata;
    /// All that is in a file. As [`std::fs::read`].
    read<P: AsRef<Path>>(path: P) -> Vec<u8> = fs::read;
    /// Where a link points to. As [`std::fs::read_link`].
    read_link<P: AsRef<Path>>(path: P) -> PathBuf = fs::read_link;
    /// All that is in a file, as text. As [`std::fs::read_to_string`].
    read_to_string<P: AsRef<Path>>(path: P) -> String = fs::read_to_string;
    /// Removes an empty directory. As [`std::fs::remove_dir`].
    remove_dir<P: AsRef<Path>>(path: P) -> () = fs::remove_dir;
    /// Removes a directory and what is in it. As [`std::fs::remove_dir_all`].
    remove_dir_all<P: AsRef<Path>>(path: P) -> () = fs::remove_dir_all;
    /// Removes a file. As [`std::fs::remove_file`].
    remove_file<P: AsRef<Path>>(path: P) -> () = fs::remove_file;
    /// Gives a file or directory another name. As [`std::fs::rename`].
    rename<P: AsRef<Path>, Q: AsRef<Path>>(from: P, to: Q) -> () = fs::rename;
    /// Changes the permissions of a file. As [`std::fs::set_permissions`].
    set_permissions<P: AsRef<Path>>(path: P, permissions: Permissions) -> () = fs::set_permissions;
    /// Makes a link that points to `original`. As [`std::os::unix::fs::symlink`].
    symlink<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> () = unix::fs::symlink;
    /// What is known of the file, or of the link itself. As [`std::fs::symlink_metadata`].
    symlink_metadata<P: AsRef<Path>>(path: P) -> Metadata = fs::symlink_metadata;
    /// Makes a file of these bytes. As [`std::fs::write`].
    write<P: AsRef<Path>, C: AsRef<[u8]>>(path: P, contents: C) -> () = fs::write;
}

/// What is in a directory. As [`std::fs::read_dir`].
///
/// # Errors
///
/// As std's.
///
/// # Parks
///
/// As [`blocking`](crate::blocking).
pub fn read_dir<P: AsRef<Path>>(path: P) -> io::Result<ReadDir> {
    off_thread(|| fs::read_dir(path)).map(ReadDir::from)
}
