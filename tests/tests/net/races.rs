//! Several goroutines at one connection, which read, write, set deadlines, copy and end it at the same time.

use std::{
    io::{self, ErrorKind, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use goroutines::{JoinHandle, blocking, go, time::sleep, yield_now};
use goroutines_tests::{Stream, of_both_streams};

const SOON: Duration = Duration::from_millis(3);

fn after(time: Duration) -> Option<Instant> {
    Some(Instant::now() + time)
}

of_both_streams! {
    readers_and_writers_race_with_deadlines_and_lose_no_byte;
    whoever_waits_hears_of_the_end_whatever_deadlines_are_set_meanwhile;
    all_methods_may_be_called_at_once;
    no_bytes_are_as_with_std;
}

/// Sets deadlines of every kind, until `stop`; none at last.
fn fidget<S: Stream>(stream: &Arc<S>, stop: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (stream, stop) = (stream.clone(), stop.clone());
    go(move || {
        while !stop.load(SeqCst) {
            for millis in [0, 1, 3, 30_000] {
                let deadline = after(Duration::from_millis(millis));
                stream.read_until(deadline);
                sleep(Duration::from_micros(50));
                stream.write_until(deadline);
                sleep(Duration::from_micros(50));
            }
        }
        stream.until(None);
    })
}

/// The result, where no deadline was in the way.
fn in_time<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::TimedOut => yield_now(),
            result => return result,
        }
    }
}

fn readers_and_writers_race_with_deadlines_and_lose_no_byte<S: Stream>() {
    const EACH: usize = 20_000;
    let (one, other) = S::pair();
    let (one, other) = (Arc::new(one), Arc::new(other));
    let stop = Arc::new(AtomicBool::new(false));
    let fidgets = [fidget(&one, &stop), fidget(&other, &stop)];
    let mut writers = Vec::new();
    let mut readers = Vec::new();
    for byte in 1..=4_u8 {
        for (from, to) in [(&one, &other), (&other, &one)] {
            let (from, to) = (from.clone(), to.clone());
            writers.push(go(move || {
                let mut left = EACH;
                while left > 0 {
                    left -= in_time(|| from.send(&[byte; 97][..left.min(97)])).unwrap();
                }
            }));
            readers.push(go(move || {
                let (mut got, mut buf) = ([0; 5], [0; 61]);
                while let n @ 1.. = in_time(|| to.recv(&mut buf)).unwrap() {
                    buf[..n].iter().for_each(|&byte| got[byte as usize] += 1);
                }
                got
            }));
        }
    }
    writers
        .into_iter()
        .for_each(|writer| writer.join().unwrap());
    stop.store(true, SeqCst);
    for fidget in fidgets {
        fidget.join().unwrap();
    }
    // What is on its way arrives before the end.
    one.end_writing();
    other.end_writing();
    let mut all = [0; 5];
    for reader in readers {
        let got = reader.join().unwrap();
        (0..5).for_each(|byte| all[byte] += got[byte]);
    }
    assert_eq!(all, [0, 2 * EACH, 2 * EACH, 2 * EACH, 2 * EACH]);
}

fn whoever_waits_hears_of_the_end_whatever_deadlines_are_set_meanwhile<S: Stream>() {
    for _ in 0..5 {
        let (one, other) = S::pair();
        let one = Arc::new(one);
        let stop = Arc::new(AtomicBool::new(false));
        let fidget = fidget(&one, &stop);
        let waiters: Vec<_> = (0..5)
            .map(|_| {
                let [reads, writes] = [one.clone(), one.clone()];
                let reader = go(move || in_time(|| reads.recv(&mut [0])).unwrap());
                let writer = go(move || while in_time(|| writes.send(&[0; 9999])).is_ok() {});
                (reader, writer)
            })
            .collect();
        sleep(Duration::from_millis(20));
        one.end();
        for (reader, writer) in waiters {
            assert_eq!(reader.join().unwrap(), 0);
            writer.join().unwrap();
        }
        stop.store(true, SeqCst);
        fidget.join().unwrap();
        drop(other);
    }
}

fn all_methods_may_be_called_at_once<S: Stream>() {
    let (one, other) = S::pair();
    let ends = [Arc::new(one), Arc::new(other)];
    let callers: Vec<_> = (0..10)
        .map(|caller| {
            let stream = ends[caller % 2].clone();
            go(move || {
                for round in 0..50 {
                    stream.until(after(SOON));
                    let _ = stream.recv(&mut [0; 100]);
                    stream.read_until(after(SOON));
                    stream.write_until(after(SOON));
                    let _ = stream.send(&[0; 100]);
                    let clone = stream.copy();
                    stream.read_within(Some(SOON));
                    let _ = clone.recv(&mut [0; 50]);
                    drop(clone);
                    stream.read_within(None);
                    if (caller, round) == (0, 45) {
                        stream.end();
                    }
                }
            })
        })
        .collect();
    callers
        .into_iter()
        .for_each(|caller| caller.join().unwrap());
}

/// A read of no bytes waits as any other, and one that is late says so. (The kernel's own for TCP ends with 0 bytes then.)
fn no_bytes_are_as_with_std<S: Stream>() {
    let states: [fn(&S, &S); 2] = [
        |_, other| assert_eq!(other.send(b"x").unwrap(), 1),
        |_, other| other.end(),
    ];
    for state in states {
        let results = [true, false].map(|is_ours| {
            let (one, other) = S::pair();
            state(&one, &other);
            match is_ours {
                true => [one.recv(&mut []), one.send(&[])],
                false => blocking(|| {
                    let mut std = S::Std::from(one);
                    [std.read(&mut []), std.write(&[])]
                }),
            }
            .map(|result| result.map_err(|error| error.kind()))
        });
        assert_eq!(results[0], results[1]);
    }
    let (one, other) = S::pair();
    one.read_within(Some(SOON));
    let kind = one.recv(&mut []).unwrap_err().kind();
    assert_eq!(kind, ErrorKind::WouldBlock);
    assert_eq!(one.send(&[]).unwrap(), 0);
    one.read_within(None);
    // After a read that got less than it asked for, nothing is known to be there.
    other.send(b"x").unwrap();
    assert_eq!(one.recv(&mut [0; 8]).unwrap(), 1);
    let late = go(move || {
        sleep(SOON);
        other.send(b"x").unwrap();
        other
    });
    assert_eq!(one.recv(&mut []).unwrap(), 0);
    assert_eq!(one.recv(&mut [0; 8]).unwrap(), 1);
    drop(late.join().unwrap());
}
