//! Bad input: what std says to it, ours say, in the same words, on goroutines and on threads.

use std::thread;

use goroutines::go;
use goroutines_tests::start;

/// One call that fails, and how.
type Failure = (&'static str, String);

macro_rules! failures {
    ($($name:literal: $result:expr),* $(,)?) => {
        vec![$(($name, described($result))),*]
    };
}

fn described<T>(result: std::io::Result<T>) -> String {
    match result {
        Ok(_) => "no error".into(),
        Err(error) => format!("{:?} {:?} {error}", error.kind(), error.raw_os_error()),
    }
}

mod theirs {
    use std::{net, os::unix::net as unix};

    use super::{Failure, described};

    include!("same_as_std/bad_input.rs");
}

mod ours {
    use goroutines::net::{self, unix};

    use super::{Failure, described};

    include!("same_as_std/bad_input.rs");
}

#[track_caller]
fn same(ours: &[Failure], theirs: &[Failure]) {
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!(ours, theirs);
        assert_ne!(ours.1, "no error", "{}", ours.0);
    }
    assert!(ours.len() == theirs.len() && ours.len() > 20);
}

#[test]
fn a_goroutine_is_told_of_bad_input_as_std_tells_it() {
    start(2);
    let ours = go(|| ours::all("goroutine")).join().unwrap();
    let theirs = thread::spawn(|| theirs::all("thread")).join().unwrap();
    same(&ours, &theirs);
}

#[test]
fn a_thread_is_told_of_bad_input_as_std_tells_it() {
    start(2);
    let ours = thread::spawn(|| ours::all("ours")).join().unwrap();
    let theirs = thread::spawn(|| theirs::all("theirs")).join().unwrap();
    same(&ours, &theirs);
}
