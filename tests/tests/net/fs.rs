//! Files: what std's do, with other goroutines that run meanwhile.

use std::{
    fs as std_fs,
    io::{self, Read, Seek, SeekFrom, Write},
    os::{
        fd::OwnedFd,
        unix::fs::{
            DirBuilderExt, DirEntryExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt,
        },
    },
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use goroutines::{
    fs::{self, DirBuilder, File, FileTimes, OpenOptions, Permissions, TryLockError},
    go,
};
use goroutines_tests::{alone, nothing_left_by, until};

/// A directory of a test, which goes with it.
struct Room(PathBuf);

impl Room {
    fn new() -> Room {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("goroutines-fs-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Room(path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Runs `f` in a goroutine, and on this thread, and looks for descriptors that it left.
fn on_both(f: impl Fn() + Send + Sync + Copy + 'static) {
    f();
    nothing_left_by(f);
}

#[test]
fn what_is_written_is_read_wherever_the_position_is() {
    on_both(|| {
        let room = Room::new();
        let mut file = File::create_new(room.at("file")).unwrap();
        file.write_all(b"hello, world").unwrap();
        file.flush().unwrap();
        assert_eq!(file.seek(SeekFrom::Start(7)).unwrap(), 7);
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "world");
        let mut part = [0; 5];
        (&file).rewind().unwrap();
        (&file).read_exact(&mut part).unwrap();
        assert_eq!(&part, b"hello");
        file.write_all_at(b"H", 0).unwrap();
        file.read_exact_at(&mut part, 0).unwrap();
        assert_eq!(&part, b"Hello");
        // A clone shares the position.
        let mut clone = file.try_clone().unwrap();
        clone.read_exact(&mut part).unwrap();
        assert_eq!((&part, file.stream_position().unwrap()), (b", wor", 10));
        file.set_len(5).unwrap();
        file.sync_all().unwrap();
        file.sync_data().unwrap();
        assert_eq!(fs::read(room.at("file")).unwrap(), b"Hello");
    });
}

#[test]
fn options_mean_what_they_mean_in_std() {
    on_both(|| {
        let room = Room::new();
        let path = room.at("file");
        fs::write(&path, "one").unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b" two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one two");
        let mut options = File::options();
        options.write(true).truncate(true).create(true).mode(0o600);
        drop(options.open(&path).unwrap());
        drop(options.open(room.at("new")).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        let mode = fs::metadata(room.at("new")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let directory = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECTORY)
            .open(&path);
        assert_eq!(directory.unwrap_err().kind(), io::ErrorKind::NotADirectory);
    });
}

#[test]
fn directories_are_made_listed_and_removed() {
    on_both(|| {
        let room = Room::new();
        fs::create_dir_all(room.at("a/b/c")).unwrap();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(room.at("d/e"))
            .unwrap();
        fs::write(room.at("file"), "x").unwrap();
        fs::symlink("file", room.at("link")).unwrap();
        fs::hard_link(room.at("file"), room.at("hard")).unwrap();
        let mut found: Vec<_> = fs::read_dir(&room.0).unwrap().map(Result::unwrap).collect();
        found.sort_by_key(|entry| entry.file_name());
        let names: Vec<_> = found.iter().map(|entry| entry.file_name()).collect();
        assert_eq!(names, ["a", "d", "file", "hard", "link"]);
        assert!(
            found[0].file_type().unwrap().is_dir() && found[4].file_type().unwrap().is_symlink()
        );
        assert_eq!(found[2].ino(), found[3].metadata().unwrap().ino());
        assert_eq!(found[1].path(), room.at("d"));
        assert_eq!(
            fs::read_link(room.at("link")).unwrap(),
            PathBuf::from("file")
        );
        assert!(fs::symlink_metadata(room.at("link")).unwrap().is_symlink());
        assert_eq!(fs::copy(room.at("link"), room.at("copy")).unwrap(), 1);
        fs::rename(room.at("copy"), room.at("moved")).unwrap();
        assert!(fs::exists(room.at("moved")).unwrap() && !fs::exists(room.at("copy")).unwrap());
        let whole = std_fs::canonicalize(room.at("file")).unwrap();
        assert_eq!(fs::canonicalize(room.at("a/../link")).unwrap(), whole);
        fs::remove_file(room.at("hard")).unwrap();
        fs::remove_dir(room.at("a/b/c")).unwrap();
        assert!(!room.at("a/b/c").exists() && !room.at("hard").exists());
    });
}

#[test]
fn permissions_and_times_are_kept() {
    on_both(|| {
        let room = Room::new();
        let file = File::create(room.at("file")).unwrap();
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        file.set_modified(then).unwrap();
        assert_eq!(file.metadata().unwrap().modified().unwrap(), then);
        file.set_times(FileTimes::new().set_accessed(then)).unwrap();
        assert_eq!(file.metadata().unwrap().accessed().unwrap(), then);
        file.set_permissions(Permissions::from_mode(0o640)).unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o640);
        fs::set_permissions(room.at("file"), Permissions::from_mode(0o600)).unwrap();
        assert_eq!(fs::metadata(room.at("file")).unwrap().mode() & 0o777, 0o600);
    });
}

#[test]
fn what_fails_has_std_s_error() {
    on_both(|| {
        let room = Room::new();
        fs::write(room.at("file"), "x").unwrap();
        let facts = |error: io::Error| (error.kind(), error.raw_os_error(), error.to_string());
        for name in ["nowhere", "file/below", "a\0b"] {
            let path = room.at(name);
            macro_rules! same {
                ($($call:ident($($more:expr),*))*) => {$(
                    let expected = std_fs::$call(&path $(, $more)*).map(drop).unwrap_err();
                    let error = fs::$call(&path $(, $more)*).map(drop).unwrap_err();
                    assert_eq!(facts(error), facts(expected), "{} {name}", stringify!($call));
                )*};
            }
            same!(read() read_to_string() read_dir() metadata() symlink_metadata() canonicalize());
            same!(read_link() remove_file() remove_dir() remove_dir_all() rename("/tmp/x"));
            same!(copy("/tmp/x") hard_link("/tmp/x"));
            let expected = std_fs::File::open(&path).map(drop).unwrap_err();
            assert_eq!(
                facts(File::open(&path).map(drop).unwrap_err()),
                facts(expected)
            );
        }
        let path = room.at("file");
        let pairs = [
            (fs::create_dir(&path), std_fs::create_dir(&path)),
            (
                File::create_new(&path).map(drop),
                std_fs::File::create_new(&path).map(drop),
            ),
            (fs::write(&room.0, "x"), std_fs::write(&room.0, "x")),
            (
                (&File::open(&path).unwrap()).write(b"x").map(drop),
                (&std_fs::File::open(&path).unwrap()).write(b"x").map(drop),
            ),
            (
                (&File::open(&path).unwrap())
                    .seek(SeekFrom::Current(-5))
                    .map(drop),
                (&std_fs::File::open(&path).unwrap())
                    .seek(SeekFrom::Current(-5))
                    .map(drop),
            ),
        ];
        for (ours, theirs) in pairs {
            assert_eq!(facts(ours.unwrap_err()), facts(theirs.unwrap_err()));
        }
    });
}

/// Four goroutines on two Ps wait for a lock that a fifth one gives back.
#[test]
fn who_waits_for_a_lock_of_a_file_holds_up_nobody() {
    on_both(|| {
        let room = Room::new();
        let path = room.at("lock");
        let file = File::create(&path).unwrap();
        file.lock().unwrap();
        let begun = Arc::new(AtomicU32::new(0));
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let (path, begun) = (path.clone(), begun.clone());
                go(move || {
                    let file = File::open(&path).unwrap();
                    assert!(matches!(file.try_lock(), Err(TryLockError::WouldBlock)));
                    begun.fetch_add(1, Ordering::Relaxed);
                    file.lock().unwrap();
                    file.unlock().unwrap();
                    file.lock_shared().unwrap();
                })
            })
            .collect();
        until("all wait", || begun.load(Ordering::Relaxed) == 4);
        assert!(waiting.iter().all(|one| !one.is_finished()));
        file.unlock().unwrap();
        waiting.into_iter().for_each(|one| one.join().unwrap());
    });
}

/// The writer's end is opened while the reader's `open` waits for it.
#[test]
fn a_named_pipe_that_nobody_writes_to_holds_up_nobody() {
    let _alone = alone(2);
    go(|| {
        let room = Room::new();
        let path = room.at("fifo");
        let made = goroutines::process::Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap();
        assert!(made.success());
        let opened = Arc::new(AtomicU32::new(0));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (path, opened) = (path.clone(), opened.clone());
                go(move || {
                    let mut file = File::open(path).unwrap();
                    opened.fetch_add(1, Ordering::Relaxed);
                    file.read(&mut [0]).unwrap()
                })
            })
            .collect();
        let mut writer = OpenOptions::new().write(true).open(&path).unwrap();
        writer.write_all(b"1234").unwrap();
        until("all are open", || opened.load(Ordering::Relaxed) == 4);
        drop(writer);
        let mut got = 0;
        for reader in readers {
            got += reader.join().unwrap();
        }
        assert_eq!(got, 4);
    })
    .join()
    .unwrap();
}

#[test]
fn a_file_becomes_std_s_and_a_descriptor_and_back() {
    on_both(|| {
        let room = Room::new();
        fs::write(room.at("file"), "text").unwrap();
        let file = std_fs::File::from(File::open(room.at("file")).unwrap());
        let file = File::from(OwnedFd::from(File::from(file)));
        let expected = format!("{:?}", std_fs::File::open(room.at("file")).unwrap());
        let about = |text: &str| text.split_once("path").unwrap().1.to_owned();
        assert_eq!(about(&format!("{file:?}")), about(&expected));
        assert!(!file.is_terminal());
        let output = goroutines::process::Command::new("cat")
            .stdin(file)
            .output()
            .unwrap();
        assert_eq!(output.stdout, b"text");
    });
}
