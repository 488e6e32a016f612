//! Servers for the net report: `serve CONTENDER SERVICE PROCS` prints its port and serves until standard input ends. What
//! the services are says `benches/src/net/service.rs`.

use std::{
    io::{self, Read, Write},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{serve_hyper, serve_may, serve_tokio};

/// What a server does for its clients.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Echo,
    Timeout,
    Short,
    Yielders,
    Http,
    Udp,
    /// Writes of so many bytes.
    Bulk(usize),
}

/// What a server reads at a time.
pub const BUFFER: usize = 1024;
/// A timeout that does not come.
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// How many wait for datagrams.
pub const RECEIVERS: usize = 8;

/// Serves; none if the words mean nothing.
pub fn run(contender: &str, service: &str, procs: &str) -> Option<io::Result<()>> {
    let service = match service {
        "echo" => Service::Echo,
        "timeout" => Service::Timeout,
        "short" => Service::Short,
        "yielders" => Service::Yielders,
        "http" => Service::Http,
        "udp" => Service::Udp,
        "bulk-64K" => Service::Bulk(64 << 10),
        "bulk-1M" => Service::Bulk(1 << 20),
        _ => return None,
    };
    let procs = procs.parse().ok()?;
    Some(match (contender, service) {
        ("tokio", _) => serve_tokio::run(service, procs),
        ("hyper", Service::Http) => serve_hyper::run(procs),
        ("may", Service::Http | Service::Udp) => return None,
        ("may", _) => serve_may::run(service, procs),
        _ => return None,
    })
}

/// Says the port, and waits for the end of standard input.
pub fn until_end(port: u16) -> io::Result<()> {
    println!("{port}");
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Puts how long ago the message was sent in the place of when.
pub fn replace_time(buffer: &mut [u8; BUFFER]) {
    let (time, _) = buffer.split_first_chunk_mut().expect("eight bytes");
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_nanos() as u64);
    *time = now.saturating_sub(u64::from_ne_bytes(*time)).to_ne_bytes();
}

/// Keeps a CPU busy for 100 us.
pub fn compute() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_micros(100) {
        (0..100).for_each(|_| std::hint::spin_loop());
    }
}
