//! Reads and writes its standard streams, for tests/net/stdio.rs: one case per argument.

use std::{
    io::{BufRead, Read, Write},
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use goroutines::{
    go,
    io::{stderr, stdin, stdout},
    process::{Command, Stdio},
    time::sleep,
};

fn main() {
    goroutines_tests::start(2);
    let case = std::env::args().nth(1).expect("a case");
    let run = match case.as_str() {
        "upper" => upper,
        "beside" => beside,
        "turns" => turns,
        "shared" => shared,
        "full" => full,
        "crossed" => crossed,
        case => panic!("no case {case}"),
    };
    go(run).join().expect("the case ends");
}

/// Each line in capitals.
fn upper() {
    let mut first = String::new();
    stdin().read_line(&mut first).unwrap();
    write!(stdout(), "{}", first.to_uppercase()).unwrap();
    let mut out = stdout().lock();
    for line in stdin().lines() {
        writeln!(out, "{}", line.unwrap().to_uppercase()).unwrap();
        // Who has the lock may take it again.
        stdout().flush().unwrap();
    }
    writeln!(stderr(), "end").unwrap();
}

/// Counts while three others wait for input, and says so before any has come.
fn beside() {
    let readers: Vec<_> = (0..3)
        .map(|_| {
            go(|| {
                let mut line = String::new();
                stdin().read_line(&mut line).unwrap();
                line
            })
        })
        .collect();
    let counted = Arc::new(AtomicU32::new(0));
    let counters: Vec<_> = (0..2)
        .map(|_| {
            let counted = counted.clone();
            go(move || {
                for _ in 0..20 {
                    counted.fetch_add(1, Ordering::Relaxed);
                    sleep(Duration::from_micros(100));
                }
            })
        })
        .collect();
    counters.into_iter().for_each(|one| one.join().unwrap());
    writeln!(stdout(), "counted {}", counted.load(Ordering::Relaxed)).unwrap();
    let mut lines: Vec<_> = readers.into_iter().map(|one| one.join().unwrap()).collect();
    lines.sort();
    write!(stdout(), "{}", lines.concat()).unwrap();
}

/// Eight that write three lines each, one after the other, with pauses.
fn turns() {
    let writers: Vec<_> = (0..8)
        .map(|n| {
            go(move || {
                let mut out = stdout().lock();
                for part in 0..3 {
                    writeln!(out, "{n} {part}").unwrap();
                    sleep(Duration::from_micros(200));
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|one| one.join().unwrap());
}

/// What std's stdin has read ahead comes first, and what `print!` wrote too.
fn shared() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    print!("{line}");
    let mut rest = String::new();
    stdin().lock().read_to_string(&mut rest).unwrap();
    stdout().write_all(rest.as_bytes()).unwrap();
    println!("end");
}

/// One writes more than the pipe takes, while others go on: these tell on stderr.
fn full() {
    let writer = go(|| stdout().write_all(&vec![b'x'; 1_000_000]).unwrap());
    let others: Vec<_> = (0..2)
        .map(|_| go(|| (0..20).for_each(|_| sleep(Duration::from_micros(100)))))
        .collect();
    others.into_iter().for_each(|one| one.join().unwrap());
    writeln!(stderr(), "went on").unwrap();
    writer.join().unwrap();
    let closed = stdin().lock().fill_buf().unwrap().is_empty();
    writeln!(stderr(), "{closed}").unwrap();
}

/// Children write to the other stream, also while this program has its lock; the locks are descriptors of their streams.
fn crossed() {
    let echo = |text: &str, to: Stdio| {
        let status = Command::new("echo").arg(text).stdout(to).status();
        assert!(status.unwrap().success());
    };
    let (out, errors, input) = (stdout().lock(), stderr().lock(), stdin().lock());
    echo("to stderr", stderr().into());
    echo("to stdout", stdout().into());
    let numbers = [input.as_raw_fd(), out.as_raw_fd(), errors.as_raw_fd()];
    assert_eq!(numbers, [0, 1, 2]);
    let terminals = [input.is_terminal(), out.is_terminal(), errors.is_terminal()];
    assert_eq!(terminals, [false; 3]);
}
