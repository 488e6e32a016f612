//! How a connection is served by code that may wait.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::http;
use crate::net::service::{BUFFER, Service};

/// A connection.
pub(super) trait Stream: Read + Write {
    /// Reads last so long at most.
    fn limit_reads(&self, time: Duration) -> io::Result<()>;
}

/// Serves one connection to its end.
pub(super) fn answer(stream: impl Stream, service: Service) -> io::Result<()> {
    match (service, service.write_size()) {
        (_, Some(size)) => pour(stream, size),
        (Service::Http, _) => http::serve(stream),
        _ => echo(stream, service),
    }
}

fn echo(mut stream: impl Stream, service: Service) -> io::Result<()> {
    if service == Service::Timeout {
        stream.limit_reads(Duration::from_secs(60))?;
    }
    let mut buffer = [0; BUFFER];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        if service.computes() {
            replace_time(&mut buffer);
        }
        stream.write_all(&buffer[..count])?;
        if service == Service::Short {
            return Ok(());
        }
    }
}

/// Sends without end.
fn pour(mut stream: impl Write, size: usize) -> io::Result<()> {
    let zeros = vec![0; size];
    loop {
        stream.write_all(&zeros)?;
    }
}

/// Sends datagrams back for ever. Says why if that fails.
pub(super) fn datagrams(
    receive: impl Fn(&mut [u8]) -> io::Result<(usize, SocketAddr)>,
    send: impl Fn(&[u8], SocketAddr) -> io::Result<usize>,
) {
    let mut buffer = [0; BUFFER];
    let mut one = || {
        let (count, from) = receive(&mut buffer)?;
        send(&buffer[..count], from)
    };
    loop {
        if let Err(error) = one() {
            eprintln!("a receiver of datagrams ends: {error}");
            return;
        }
    }
}

/// Nanoseconds of the clock that all processes have in common.
pub(in crate::net) fn clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// Puts how long ago the message was sent in the place of when.
fn replace_time(buffer: &mut [u8; BUFFER]) {
    let (time, _) = buffer.split_first_chunk_mut().expect("eight bytes");
    *time = clock()
        .saturating_sub(u64::from_ne_bytes(*time))
        .to_ne_bytes();
}

/// Keeps a CPU busy, and calls `give_way` every 100 us.
pub(super) fn compute(service: Service, give_way: impl Fn()) {
    loop {
        let start = Instant::now();
        while start.elapsed() < Duration::from_micros(100) {
            (0..100).for_each(|_| std::hint::spin_loop());
        }
        if service == Service::Yielders {
            give_way();
        }
    }
}
