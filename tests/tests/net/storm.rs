//! Numbers of descriptors that are used again all the time: no byte of another connection is ever read.
//!
//! `TEST_STORM_SECONDS=60` makes it last a minute.

use std::{
    env,
    io::{Read, Write},
    net::{self as std_net, Shutdown},
    os::fd::{FromRawFd, IntoRawFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use goroutines::{
    go,
    net::{TcpStream, unix::UnixStream},
    time::sleep,
};
use goroutines_tests::{Dice, nothing_left_by, tcp_pair};

const WORKERS: u64 = 8;

fn duration() -> Duration {
    let seconds = env::var("TEST_STORM_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

/// Another handle of the same file, or the same in another guise.
fn changed(stream: TcpStream, dice: &mut Dice) -> TcpStream {
    match dice.roll(5) {
        0 => stream,
        1 => stream.try_clone().unwrap(),
        2 => std_net::TcpStream::from(stream).into(),
        3 => {
            let std = std_net::TcpStream::from(stream);
            let copy = std.try_clone().unwrap();
            drop(std);
            copy.into()
        }
        _ => {
            let number = stream.into_raw_fd();
            // SAFETY: it was given up by its owner the moment before.
            OwnedFd::from(unsafe { std_net::TcpStream::from_raw_fd(number) }).into()
        }
    }
}

/// One connection: its bytes are all the same, and those of no other.
fn round(pattern: u64, dice: &mut Dice) {
    let (mut client, server) = tcp_pair();
    let server = changed(server, dice);
    let messages = dice.between(1, 4);
    let is_dropped_early = dice.once_in(2);
    let pause = dice.micros(150);
    let waiting = server.try_clone().unwrap();
    let reader = go(move || {
        let mut all = Vec::new();
        (&waiting).read_to_end(&mut all).unwrap();
        all
    });
    if is_dropped_early {
        // Its number is free, and goes to another connection while the clone waits.
        sleep(pause);
    }
    drop(changed(server, dice));
    // A descriptor that comes and goes between.
    drop(UnixStream::pair().unwrap());
    for _ in 0..messages {
        client.write_all(&pattern.to_le_bytes()).unwrap();
        if dice.once_in(2) {
            sleep(dice.micros(150));
        }
    }
    client.shutdown(Shutdown::Write).unwrap();
    let all = reader.join().unwrap();
    assert_eq!(all, pattern.to_le_bytes().repeat(messages));
    // The reader has dropped the last of the server's handles.
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
}

#[test]
fn no_byte_of_another_connection_is_read_while_numbers_are_used_again() {
    let rounds = nothing_left_by(|| {
        let rounds = Arc::new(AtomicU64::new(0));
        let end = Instant::now() + duration();
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let rounds = rounds.clone();
                go(move || {
                    let mut dice = Dice::new(worker);
                    while Instant::now() < end {
                        // Relaxed: a count.
                        let number = rounds.fetch_add(1, Ordering::Relaxed);
                        round(number << 8 | worker, &mut dice);
                    }
                })
            })
            .collect();
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
        rounds.load(Ordering::Relaxed)
    });
    // All took part, several times each.
    assert!(rounds >= WORKERS * 4, "{rounds}");
}
