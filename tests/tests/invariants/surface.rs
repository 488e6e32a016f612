//! Every public item of the originals by its full type, once with the originals and once with ours; what differs are
//! the imports. `docs/originals.md` is the table of it for people.
//!
//! The files of `surface/` are compiled twice. That they compile says that names and signatures are the same; the tests
//! say the same of the traits of every type, for elements of every kind, and of what is printed.
#![allow(
    unused,
    clippy::declare_interior_mutable_const,
    clippy::extra_unused_lifetimes,
    clippy::into_iter_on_ref,
    clippy::type_complexity
)]

#[macro_use]
#[path = "surface/probe.rs"]
mod probe;

use probe::Fact;

macro_rules! parts {
    ($($part:ident $file:literal),* $(,)?) => {
        $(pub(crate) mod $part {
            use super::*;
            include!($file);
        })*

        pub(crate) fn facts() -> Vec<(&'static str, Vec<Fact>)> {
            vec![$((stringify!($part), $part::facts())),*]
        }

        pub(crate) fn texts() -> Vec<(&'static str, Vec<String>)> {
            vec![$((stringify!($part), $part::texts())),*]
        }
    };
}

macro_rules! all_parts {
    () => {
        parts! {
            channels "surface/channels.rs",
            locks "surface/locks.rs",
            once "surface/once.rs",
            mpsc "surface/mpsc.rs",
            threads "surface/threads.rs",
            time_ "surface/time.rs",
            group_ "surface/group.rs",
            sockets "surface/net.rs",
            streams "surface/io.rs",
            processes "surface/process.rs",
            files "surface/fs.rs",
        }
    };
}

mod theirs {
    use crate::probe::*;
    use crossbeam_channel as channel;
    use crossbeam_utils::sync as group;
    use std::{
        fs as files_of, io as waiting_io, net,
        os::{
            linux::net as linux_net,
            unix::{fs as links_of, net as unix_net},
        },
        process as processes_of, sync, thread, time,
        time::{Duration, Instant},
    };

    macro_rules! local {
        ($($what:tt)*) => { std::thread_local! { $($what)* } };
    }

    all_parts!();
}

mod ours {
    use crate::probe::*;
    use goroutines::{
        chan as channel, fs as files_of, fs as links_of, io as waiting_io,
        net::{self, linux as linux_net, unix as unix_net},
        process as processes_of, sync, sync as group, thread, time,
    };
    use std::time::{Duration, Instant};

    macro_rules! local {
        ($($what:tt)*) => { goroutines::goroutine_local! { $($what)* } };
    }

    all_parts!();
}

/// Traits that a type has here and there not: `(what, trait)`.
type More = Vec<(String, &'static str)>;

/// What ours have more; what they have less is in the second list.
fn differences() -> (More, More) {
    let (mut more, mut less) = (Vec::new(), Vec::new());
    let halves = theirs::facts().into_iter().zip(ours::facts());
    for ((part, theirs), (_, ours)) in halves {
        assert_eq!(theirs.len(), ours.len(), "{part}");
        for ((name, theirs), (same, ours)) in theirs.into_iter().zip(ours) {
            assert_eq!(name, same);
            let only = |these: &[&'static str], those: &[&'static str]| {
                let mut these = these.to_vec();
                these.retain(|one| !those.contains(one));
                these
                    .into_iter()
                    .map(|one| (format!("{part}: {name}"), one))
            };
            more.extend(only(&ours, &theirs).collect::<Vec<_>>());
            less.extend(only(&theirs, &ours).collect::<Vec<_>>());
        }
    }
    (more, less)
}

/// The names in `list`, each with its traits.
fn by_name(list: &More) -> Vec<String> {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, one) in list {
        match lines.last_mut() {
            Some((last, traits)) if last == name => traits.push(one),
            _ => lines.push((name.clone(), vec![one])),
        }
    }
    let line = |(name, traits): (String, Vec<&str>)| format!("{name}: {}", traits.join(" "));
    lines.into_iter().map(line).collect()
}

#[test]
fn no_type_lacks_a_trait_of_the_original() {
    let (_, less) = differences();
    // A pinned goroutine may return what must stay on its thread, and its handle gives that out. With the originals
    // there is no such handle to ask for.
    let handles = [
        "threads: JoinHandle<T>, T = Rc: SEND",
        "threads: JoinHandle<T>, T = Stays: SEND",
    ];
    assert_eq!(by_name(&less), handles);
}

#[test]
fn what_our_types_can_do_beyond_the_originals_is_listed() {
    let (more, _) = differences();
    let listed = [
        "channels: TryReadyError: DISPLAY ERROR",
        "channels: ReadyTimeoutError: DISPLAY ERROR",
        "channels: Select<'static>: UNWIND_SAFE REF_UNWIND_SAFE",
        "threads: ScopedJoinHandle<'static, T>, T = Rc: SYNC",
        "threads: ScopedJoinHandle<'static, T>, T = Stays: SYNC",
        "threads: Builder: DEFAULT",
        "sockets: unix_net::Incoming<'static>: FUSED",
    ];
    assert_eq!(by_name(&more), listed);
}

#[test]
fn what_is_printed_is_what_the_originals_print() {
    goroutines_tests::start(2);
    let halves = theirs::texts().into_iter().zip(ours::texts());
    for ((part, theirs), (_, mut ours)) in halves {
        // The ends of our channels also say how full these are.
        for text in &mut ours {
            *text = text.replace("{ len: 0, capacity: Some(1), .. }", "{ .. }");
        }
        assert_eq!(theirs, ours, "{part}");
    }
}

#[test]
fn a_local_value_that_is_gone_says_so_as_in_the_originals() {
    goroutines_tests::start(2);
    let theirs = theirs::threads::at_the_end();
    assert!(theirs.starts_with("Err"), "{theirs}");
    assert_eq!(ours::threads::at_the_end(), theirs);
}

#[test]
fn the_probe_tells_traits_apart() {
    use probe::*;
    let opaque: Vec<&str> = traits!(ask Opaque);
    let automatic = ["SEND", "SYNC", "UNPIN", "UNWIND_SAFE", "REF_UNWIND_SAFE"];
    assert_eq!(opaque, automatic);
    let stays: Vec<&str> = traits!(ask Stays);
    assert!(!stays.contains(&"SEND") && stays.contains(&"SYNC") && stays.contains(&"COPY"));
}

/// The versions that the table speaks of are those that the test was compiled with.
#[test]
fn the_table_is_of_the_originals_that_are_compared() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let read = |name| std::fs::read_to_string(format!("{root}/{name}")).unwrap();
    let (table, lock) = (read("docs/originals.md"), read("Cargo.lock"));
    let (_, entry) = lock.split_once("name = \"crossbeam-channel\"").unwrap();
    let version = entry.split('"').nth(1).unwrap();
    let std = env!("CARGO_PKG_RUST_VERSION");
    for original in [
        format!("crossbeam-channel {version},"),
        format!("std {std},"),
    ] {
        assert!(
            table.contains(&original),
            "docs/originals.md is not of {original}"
        );
    }
}
