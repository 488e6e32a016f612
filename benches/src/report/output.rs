//! A file that is written at the end, or not at all.
//!
//! Measuring takes many seconds, so a file that cannot be written must be refused before. A measurement that fails must
//! leave nothing behind: no empty file, and an older report as it was. So
//!
//! 1. [`Output::open`] tries the file: an existing one is opened for writing without being changed, one that does not
//!    exist is created and removed again.
//! 2. [`Output::write`] writes a new file beside it and renames that. What is no regular file (`/dev/stdout`) is
//!    written in place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// The file that a flag names.
#[derive(Debug)]
pub struct Requested {
    flag: &'static str,
    file: Output,
}

impl Requested {
    /// Tries the file that `flag` names, if it names one.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn open(flag: &'static str, path: Option<&Path>) -> Result<Option<Self>, Failure> {
        let Some(path) = path else {
            return Ok(None);
        };
        match Output::open(path) {
            Ok(file) => Ok(Some(Self { flag, file })),
            Err(error) => Err(Failure::usage(refused(flag, path, &error))),
        }
    }

    /// The file, as an absolute path if it is a regular one.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Writes the file.
    ///
    /// # Errors
    ///
    /// When the file system refuses.
    pub fn write(self, contents: &str) -> Result<(), Failure> {
        let path = self.path().to_owned();
        self.file
            .write(contents)
            .map_err(|error| Failure::run(refused(self.flag, &path, &error)))
    }
}

fn refused(flag: &str, path: &Path, error: &io::Error) -> String {
    format!("{flag}: cannot write `{}`: {error}", path.display())
}

/// A file that could be written when it was tried.
#[derive(Debug)]
pub struct Output {
    /// Where to write; symbolic links are followed already.
    path: PathBuf,
    /// Whether what is there may be replaced by another file.
    replace: bool,
}

impl Output {
    /// Tries whether the file can be written, and changes nothing.
    ///
    /// # Errors
    ///
    /// What writing the file would meet: no such folder, no permission, it is a folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        match OpenOptions::new().write(true).open(path) {
            Ok(file) => {
                let replace = file.metadata()?.is_file();
                Ok(Self {
                    path: if replace {
                        fs::canonicalize(path)?
                    } else {
                        path.to_owned()
                    },
                    replace,
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                File::create_new(path)?;
                let path = fs::canonicalize(path)?;
                fs::remove_file(&path)?;
                Ok(Self {
                    path,
                    replace: true,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// The file, as an absolute path if it is a regular one.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file.
    ///
    /// # Errors
    ///
    /// If the file system refuses: what was there before is there still.
    pub fn write(self, contents: &str) -> io::Result<()> {
        if !self.replace {
            return OpenOptions::new()
                .write(true)
                .open(&self.path)?
                .write_all(contents.as_bytes());
        }
        let beside = self.beside();
        let written = self
            .write_new(&beside, contents)
            .and_then(|()| fs::rename(&beside, &self.path));
        if written.is_err() {
            // Nothing to add to the error that is reported: the file may not even have been created.
            let _ = fs::remove_file(&beside);
        }
        written
    }

    /// Where the new contents wait for the rename: the same folder, so the same file system.
    fn beside(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        self.path.with_file_name(name)
    }

    fn write_new(&self, beside: &Path, contents: &str) -> io::Result<()> {
        let mut file = File::create_new(beside)?;
        if let Ok(old) = fs::metadata(&self.path) {
            file.set_permissions(old.permissions())?;
        }
        file.write_all(contents.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// An empty folder that is removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            // Relaxed: the number only has to be unique, the addition alone makes it so.
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir()
                .join(format!("goroutines-output-{}-{number}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn files(&self) -> Vec<String> {
            let names = fs::read_dir(&self.0)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_that_is_never_written_leaves_nothing_behind() {
        let folder = Folder::new();
        drop(Output::open(&folder.0.join("new")).unwrap());
        assert!(folder.files().is_empty());
    }

    #[test]
    fn an_older_report_stays_until_the_new_one_is_complete() {
        let folder = Folder::new();
        let path = folder.0.join("old");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let output = Output::open(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        output.write("new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert_eq!(folder.files(), ["old"]);
    }

    #[test]
    fn a_symbolic_link_stays_one() {
        let folder = Folder::new();
        fs::write(folder.0.join("real"), "old").unwrap();
        symlink("real", folder.0.join("link")).unwrap();
        Output::open(&folder.0.join("link"))
            .unwrap()
            .write("new")
            .unwrap();
        assert!(folder.0.join("link").is_symlink());
        assert_eq!(fs::read_to_string(folder.0.join("real")).unwrap(), "new");
    }

    #[test]
    fn a_device_is_written_in_place() {
        Output::open(Path::new("/dev/null"))
            .unwrap()
            .write("gone")
            .unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_folder_or_a_missing_folder_is_refused_at_once() {
        let folder = Folder::new();
        assert_eq!(
            Output::open(&folder.0).unwrap_err().kind(),
            io::ErrorKind::IsADirectory
        );
        assert_eq!(
            Output::open(&folder.0.join("no/such")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn a_failed_write_leaves_the_older_report_and_nothing_else() {
        let folder = Folder::new();
        let path = folder.0.join("old");
        fs::write(&path, "old").unwrap();
        let output = Output::open(&path).unwrap();
        fs::create_dir(output.beside()).unwrap();
        assert!(output.write("new").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }
}
