//! Messages between goroutines, and between threads through crossbeam-channel and std's channel.
//!
//! `hand-over` is a ping-pong: every message makes the other side run. `stream` sends in one direction only.

mod common;

use std::io;
use std::thread;
use std::time::Instant;

use crossbeam_channel::bounded;
use goroutines_benches::sample::Sample;
use goroutines_benches::switch::rows::{goroutine, osthread, select};

/// The rival of [`goroutine::channel`]: two threads, two rendezvous channels, one message back and forth.
fn crossbeam_hand_over(operations: u64) -> io::Result<Sample> {
    let trips = operations.div_ceil(2).max(1);
    let hung_up = || io::Error::other("the other thread hung up");
    let (to_there, there) = bounded::<u64>(0);
    let (to_here, here) = bounded::<u64>(0);
    let other = thread::Builder::new()
        .spawn(move || there.iter().try_for_each(|word| to_here.send(word)))?;
    let ask = |word| {
        to_there
            .send(word)
            .map_err(|_| hung_up())
            .and_then(|()| here.recv().map_err(|_| hung_up()))
    };
    ask(0)?;
    let start = Instant::now();
    (0..trips).try_for_each(|trip| ask(trip).map(drop))?;
    let elapsed = start.elapsed();
    drop(to_there);
    other
        .join()
        .map_err(|_| hung_up())?
        .map_err(|_| hung_up())?;
    Ok(Sample {
        elapsed,
        operations: 2 * trips,
    })
}

/// The rival of [`goroutine::stream`].
fn crossbeam_stream(capacity: usize, operations: u64) -> io::Result<Sample> {
    let operations = operations.max(1);
    let (sender, receiver) = bounded(capacity);
    let other = thread::Builder::new()
        .spawn(move || (0..operations).try_for_each(|word| sender.send(word)))?;
    let start = Instant::now();
    let received = receiver.iter().count() as u64;
    let elapsed = start.elapsed();
    let sent = other.join().is_ok_and(|sent| sent.is_ok());
    if !sent || received != operations {
        return Err(io::Error::other(format!(
            "{received} of {operations} messages arrived"
        )));
    }
    Ok(Sample {
        elapsed,
        operations,
    })
}

/// The rival of [`select::ready`].
fn crossbeam_select_ready(operations: u64) -> io::Result<Sample> {
    let operations = operations.max(1);
    let channels: [_; 4] = std::array::from_fn(|_| bounded(1));
    let [(a, from_a), (b, from_b), (c, from_c), (d, from_d)] = &channels;
    let start = Instant::now();
    for word in 0..operations {
        let to = [a, b, c, d][(word % 4) as usize];
        to.send(word)
            .map_err(|_| io::Error::other("a channel is gone"))?;
        let received = crossbeam_channel::select! {
            recv(from_a) -> word => word,
            recv(from_b) -> word => word,
            recv(from_c) -> word => word,
            recv(from_d) -> word => word,
        };
        if received != Ok(word) {
            return Err(io::Error::other("another message arrived"));
        }
    }
    Ok(Sample {
        elapsed: start.elapsed(),
        operations,
    })
}

fn main() {
    common::pin_and_start();
    let mut criterion = common::criterion();
    let mut group = criterion.benchmark_group("chan hand-over");
    common::bench(&mut group, "goroutines", goroutine::channel);
    common::bench(
        &mut group,
        "threads, crossbeam-channel",
        crossbeam_hand_over,
    );
    common::bench(&mut group, "threads, std::sync::mpsc", osthread::rendezvous);
    group.finish();
    for (name, capacity) in [
        ("chan stream, unbuffered", 0),
        ("chan stream, buffer of 128", 128),
    ] {
        let mut group = criterion.benchmark_group(name);
        common::bench(&mut group, "goroutines", |operations| {
            goroutine::stream(capacity, operations)
        });
        common::bench(&mut group, "threads, crossbeam-channel", |operations| {
            crossbeam_stream(capacity, operations)
        });
        group.finish();
    }
    let mut group = criterion.benchmark_group("select of 4, one ready (and its send)");
    common::bench(&mut group, "goroutines", select::ready);
    common::bench(
        &mut group,
        "a thread, crossbeam-channel",
        crossbeam_select_ready,
    );
    group.finish();
    let mut group = criterion.benchmark_group("select of 4, waiting");
    common::bench(&mut group, "goroutines", select::waiting);
    group.finish();
    criterion.final_summary();
}
