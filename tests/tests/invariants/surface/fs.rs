// std::fs and its extensions for Unix, by their full types.

use std::{
    ffi::OsString,
    io::{self, IoSlice, IoSliceMut, IsTerminal, Read, Seek, SeekFrom, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd},
        unix::fs::{DirBuilderExt, DirEntryExt, FileExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    process::Stdio,
    time::SystemTime,
};

use super::{
    files_of::{self as fs, *},
    links_of::symlink,
};

pub(crate) fn facts() -> Vec<Fact> {
    plain![
        File,
        OpenOptions,
        DirBuilder,
        ReadDir,
        DirEntry,
        FileTimes,
        FileType,
        Metadata,
        Permissions,
        TryLockError,
    ]
}

fn functions<P: AsRef<Path>, Q: AsRef<Path>, C: AsRef<[u8]>>() {
    let _: [fn(P) -> io::Result<PathBuf>; 2] = [fs::canonicalize::<P>, fs::read_link::<P>];
    let _: fn(P, Q) -> io::Result<u64> = fs::copy::<P, Q>;
    let _: [fn(P, Q) -> io::Result<()>; 3] =
        [fs::hard_link::<P, Q>, fs::rename::<P, Q>, symlink::<P, Q>];
    let _: [fn(P) -> io::Result<()>; 5] = [
        fs::create_dir::<P>,
        fs::create_dir_all::<P>,
        fs::remove_dir::<P>,
        fs::remove_dir_all::<P>,
        fs::remove_file::<P>,
    ];
    let _: fn(P) -> io::Result<bool> = fs::exists::<P>;
    let _: [fn(P) -> io::Result<Metadata>; 2] = [fs::metadata::<P>, fs::symlink_metadata::<P>];
    let _: fn(P) -> io::Result<Vec<u8>> = fs::read::<P>;
    let _: fn(P) -> io::Result<String> = fs::read_to_string::<P>;
    let _: fn(P) -> io::Result<ReadDir> = fs::read_dir::<P>;
    let _: fn(P, Permissions) -> io::Result<()> = fs::set_permissions::<P>;
    let _: fn(P, C) -> io::Result<()> = fs::write::<P, C>;
}

fn file<P: AsRef<Path>>() {
    type F = File;
    let _: [fn(P) -> io::Result<F>; 3] = [F::open::<P>, F::create::<P>, F::create_new::<P>];
    let _: fn() -> OpenOptions = F::options;
    let _: [fn(&F) -> io::Result<()>; 5] =
        [F::sync_all, F::sync_data, F::lock, F::lock_shared, F::unlock];
    let _: [fn(&F) -> Result<(), TryLockError>; 2] = [F::try_lock, F::try_lock_shared];
    let _: fn(&F, u64) -> io::Result<()> = F::set_len;
    let _: fn(&F) -> io::Result<Metadata> = F::metadata;
    let _: fn(&F) -> io::Result<F> = F::try_clone;
    let _: fn(&F, Permissions) -> io::Result<()> = F::set_permissions;
    let _: fn(&F, FileTimes) -> io::Result<()> = F::set_times;
    let _: fn(&F, SystemTime) -> io::Result<()> = F::set_modified;
    let _: fn(&F, &mut [u8], u64) -> io::Result<usize> = <F as FileExt>::read_at;
    let _: fn(&F, &mut [u8], u64) -> io::Result<()> = <F as FileExt>::read_exact_at;
    let _: fn(&F, &[u8], u64) -> io::Result<usize> = <F as FileExt>::write_at;
    let _: fn(&F, &[u8], u64) -> io::Result<()> = <F as FileExt>::write_all_at;
    let _: for<'a> fn(&'a F) -> BorrowedFd<'a> = <F as AsFd>::as_fd;
    let _: fn(&F) -> RawFd = <F as AsRawFd>::as_raw_fd;
    let _: unsafe fn(RawFd) -> F = <F as FromRawFd>::from_raw_fd;
    let _: fn(F) -> RawFd = <F as IntoRawFd>::into_raw_fd;
    let _: fn(OwnedFd) -> F = <F as From<OwnedFd>>::from;
    let _: fn(F) -> OwnedFd = <OwnedFd as From<F>>::from;
    let _: fn(F) -> Stdio = <Stdio as From<F>>::from;
    // A trait of std that is sealed, and a method here.
    let _: fn(&F) -> bool = |file| file.is_terminal();
}

/// For a file and for a reference.
macro_rules! streams {
    ($($type:ty),*) => {$({
        type F = $type;
        let _: fn(&mut F, &mut [u8]) -> io::Result<usize> = <F as Read>::read;
        let _: fn(&mut F, &mut [IoSliceMut<'_>]) -> io::Result<usize> = <F as Read>::read_vectored;
        let _: fn(&mut F, &[u8]) -> io::Result<usize> = <F as Write>::write;
        let _: fn(&mut F, &[IoSlice<'_>]) -> io::Result<usize> = <F as Write>::write_vectored;
        let _: fn(&mut F) -> io::Result<()> = <F as Write>::flush;
        let _: fn(&mut F, SeekFrom) -> io::Result<u64> = <F as Seek>::seek;
        let _: fn(&mut F) -> io::Result<u64> = <F as Seek>::stream_position;
    })*};
}

fn both_streams() {
    streams!(File, &'static File);
}

fn options<P: AsRef<Path>>() {
    type O = OpenOptions;
    let _: fn() -> O = O::new;
    let _: [fn(&mut O, bool) -> &mut O; 6] =
        [O::read, O::write, O::append, O::truncate, O::create, O::create_new];
    let _: fn(&O, P) -> io::Result<File> = O::open::<P>;
    let _: fn(&mut O, u32) -> &mut O = <O as OpenOptionsExt>::mode;
    let _: fn(&mut O, i32) -> &mut O = <O as OpenOptionsExt>::custom_flags;
}

fn directories<P: AsRef<Path>>() {
    type B = DirBuilder;
    let _: fn() -> B = B::new;
    let _: fn(&mut B, bool) -> &mut B = B::recursive;
    let _: fn(&B, P) -> io::Result<()> = B::create::<P>;
    let _: fn(&mut B, u32) -> &mut B = <B as DirBuilderExt>::mode;
    let _: fn(&mut ReadDir) -> Option<io::Result<DirEntry>> = <ReadDir as Iterator>::next;
    type E = DirEntry;
    let _: fn(&E) -> PathBuf = E::path;
    let _: fn(&E) -> OsString = E::file_name;
    let _: fn(&E) -> io::Result<Metadata> = E::metadata;
    let _: fn(&E) -> io::Result<FileType> = E::file_type;
    let _: fn(&E) -> u64 = <E as DirEntryExt>::ino;
}

pub(crate) fn texts() -> Vec<String> {
    let digits = |text: String| text.replace(|c: char| c.is_ascii_digit(), "");
    let entry = fs::read_dir("/proc/self").unwrap().next().unwrap().unwrap();
    vec![
        digits(format!("{:?}", File::open("/dev/null").unwrap())),
        format!("{:?}", fs::read_dir("/dev").unwrap()),
        digits(format!("{entry:?}")),
        format!("{:?}", OpenOptions::new().read(true)),
        format!("{:?}", DirBuilder::new()),
        format!("{:?}", File::open("/nowhere/to/be/found").map(drop)),
    ]
}
