//! Pipes: what waits parks the goroutine, and everything else is as std has it.

use std::{
    fs::File,
    io::{ErrorKind, PipeReader as StdReader, PipeWriter as StdWriter, Read, Write},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    thread,
    time::Duration,
};

use goroutines::{
    go,
    io::{PipeReader, PipeWriter, pipe},
    time::sleep,
};
use goroutines_tests::{alone, until};

fn in_goroutine<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    go(f).join().unwrap()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn nothing_is_left(before: usize) {
    let metrics = goroutines::metrics();
    assert_eq!((metrics.sockets, metrics.registered), (0, 0));
    assert_eq!(descriptors(), before);
}

/// The poller's own descriptors come with the first wait.
fn warm_up() -> usize {
    let (mut reader, writer) = pipe().unwrap();
    let reading = go(move || reader.read(&mut [0]).unwrap());
    sleep(Duration::from_millis(1));
    drop(writer);
    assert_eq!(reading.join().unwrap(), 0);
    descriptors()
}

fn mode(fd: &impl AsFd) -> i32 {
    // SAFETY: takes numbers only.
    unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_GETFL) & libc::O_NONBLOCK }
}

fn make_nonblocking(fd: &impl AsFd) {
    let raw = fd.as_fd().as_raw_fd();
    // SAFETY: takes numbers only.
    let status = unsafe { libc::fcntl(raw, libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(status, 0);
}

#[test]
fn a_reader_and_a_writer_wait_for_each_other_and_nothing_is_left() {
    let _alone = alone(2);
    in_goroutine(|| {
        let before = warm_up();
        let (mut reader, mut writer) = pipe().unwrap();
        let sent: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        // More than the pipe holds: the writer waits too.
        let writing = go(move || writer.write_all(&sent).unwrap());
        let mut got = Vec::new();
        reader.read_to_end(&mut got).unwrap();
        writing.join().unwrap();
        assert!(got == expected);
        drop(reader);
        nothing_is_left(before);
    });
}

#[test]
fn hundreds_of_waiting_readers_hold_no_threads() {
    let _alone = alone(2);
    in_goroutine(|| {
        let before = warm_up();
        let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let (mut writers, mut readers) = (Vec::new(), Vec::new());
        for n in 0..400_u32 {
            let (mut reader, writer) = pipe().unwrap();
            writers.push((n, writer));
            readers.push(go(move || {
                let mut got = [0; 4];
                reader.read_exact(&mut got).unwrap();
                u32::from_ne_bytes(got)
            }));
        }
        until("all wait", || goroutines::metrics().registered == 400);
        assert!(threads() < 40, "{} threads", threads());
        for (n, mut writer) in writers.drain(..) {
            writer.write_all(&n.to_ne_bytes()).unwrap();
        }
        for (n, reader) in readers.into_iter().enumerate() {
            assert_eq!(reader.join().unwrap(), n as u32);
        }
        nothing_is_left(before);
    });
}

#[test]
fn each_byte_goes_to_one_of_the_clones_and_the_last_writer_ends_the_file() {
    let _alone = alone(2);
    in_goroutine(|| {
        let before = warm_up();
        let (reader, writer) = pipe().unwrap();
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let mut reader = reader.try_clone().unwrap();
                go(move || {
                    let mut got = Vec::new();
                    reader.read_to_end(&mut got).unwrap();
                    got
                })
            })
            .collect();
        drop(reader);
        let writers: Vec<_> = (0..4_u8)
            .map(|n| {
                let mut writer = writer.try_clone().unwrap();
                go(move || {
                    for _ in 0..500 {
                        writer.write_all(&[n]).unwrap();
                        goroutines::yield_now();
                    }
                })
            })
            .collect();
        drop(writer);
        writers.into_iter().for_each(|one| one.join().unwrap());
        let mut counts = [0; 4];
        for reader in readers {
            for byte in reader.join().unwrap() {
                counts[usize::from(byte)] += 1;
            }
        }
        assert_eq!(counts, [500; 4]);
        nothing_is_left(before);
    });
}

#[test]
fn writing_without_a_reader_is_a_broken_pipe_as_in_std_also_for_one_that_waits() {
    let _alone = alone(2);
    in_goroutine(|| {
        let (reader, mut writer) = std::io::pipe().unwrap();
        drop(reader);
        let theirs = writer.write(b"x").unwrap_err();
        let (reader, mut writer) = pipe().unwrap();
        let writing = go(move || writer.write_all(&vec![0; 1_000_000]).unwrap_err());
        sleep(Duration::from_millis(5));
        drop(reader);
        let ours = writing.join().unwrap();
        assert_eq!(ours.raw_os_error(), theirs.raw_os_error());
        assert_eq!(ours.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn an_end_is_in_blocking_mode_whatever_was_done_with_it() {
    let _alone = alone(2);
    in_goroutine(|| {
        let (mut reader, mut writer) = pipe().unwrap();
        let reading = go(move || {
            reader.read_exact(&mut [0; 2]).unwrap();
            reader
        });
        sleep(Duration::from_millis(2));
        writer.write_all(b"xy").unwrap();
        let reader = reading.join().unwrap();
        assert_eq!((mode(&reader), mode(&writer)), (0, 0));
        // A thread that has taken it over waits in the kernel.
        let mut theirs = StdReader::from(reader);
        let thread = thread::spawn(move || {
            let mut got = [0; 3];
            theirs.read_exact(&mut got).unwrap();
            got
        });
        sleep(Duration::from_millis(5));
        writer.write_all(b"abc").unwrap();
        assert_eq!(&thread.join().unwrap(), b"abc");
    });
}

#[test]
fn a_non_blocking_end_returns_at_once_as_std_s_does() {
    let _alone = alone(2);
    in_goroutine(|| {
        let (theirs, _writer) = std::io::pipe().unwrap();
        make_nonblocking(&theirs);
        let expected = (&theirs).read(&mut [0]).unwrap_err();
        let mut ours = PipeReader::from(theirs);
        let error = ours.read(&mut [0]).unwrap_err();
        assert_eq!(error.raw_os_error(), expected.raw_os_error());
        // And one that is made so through its descriptor.
        let (reader, _writer) = pipe().unwrap();
        make_nonblocking(&reader);
        let error = (&reader).read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    });
}

/// The kernel has no poll for a regular file, and some devices no read without waiting.
#[test]
fn what_is_no_pipe_is_read_and_written_all_the_same() {
    let _alone = alone(2);
    in_goroutine(|| {
        let before = warm_up();
        let manifest = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
        let mut text = String::new();
        PipeReader::from(OwnedFd::from(manifest))
            .read_to_string(&mut text)
            .unwrap();
        assert!(text.starts_with("[package]"));
        for device in ["/dev/zero", "/proc/self/stat"] {
            let mut reader = PipeReader::from(OwnedFd::from(File::open(device).unwrap()));
            reader.read_exact(&mut [1; 16]).unwrap();
        }
        let null = File::options().write(true).open("/dev/null").unwrap();
        PipeWriter::from(OwnedFd::from(null))
            .write_all(b"gone")
            .unwrap();
        nothing_is_left(before);
    });
}

#[test]
fn the_wrong_end_has_std_s_error() {
    let _alone = alone(2);
    in_goroutine(|| {
        let (reader, writer) = std::io::pipe().unwrap();
        let (r, w) = (reader.try_clone().unwrap(), writer.try_clone().unwrap());
        let theirs = StdReader::from(OwnedFd::from(w))
            .read(&mut [0])
            .unwrap_err();
        let ours = PipeReader::from(OwnedFd::from(writer))
            .read(&mut [0])
            .unwrap_err();
        assert_eq!(ours.raw_os_error(), theirs.raw_os_error());
        let theirs = StdWriter::from(OwnedFd::from(r)).write(&[0]).unwrap_err();
        let ours = PipeWriter::from(OwnedFd::from(reader))
            .write(&[0])
            .unwrap_err();
        assert_eq!(ours.raw_os_error(), theirs.raw_os_error());
    });
}

#[test]
fn a_thread_and_a_goroutine_talk_through_a_pipe() {
    let _alone = alone(2);
    let (mut there, mut writer) = pipe().unwrap();
    let (mut reader, mut back) = pipe().unwrap();
    go(move || {
        let mut all = Vec::new();
        there.read_to_end(&mut all).unwrap();
        all.reverse();
        back.write_all(&all).unwrap();
    });
    writer.write_all(b"olleh").unwrap();
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
}
