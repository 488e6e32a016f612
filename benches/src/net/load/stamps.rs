//! Clients that say when a message was sent, and are told how long it took until it was read.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use super::{Counted, END, Message, PATIENCE, Phase, at_barrier};
use crate::net::serve::clock;
use crate::net::service::MESSAGE;

/// A message every millisecond on one connection.
pub(in crate::net) fn stamps(
    address: SocketAddr,
    _: usize,
    phase: &Phase,
    barrier: &Barrier,
) -> io::Result<Counted> {
    let connected = TcpStream::connect(address);
    let mut stream = at_barrier(barrier, connected)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut counted = Counted::default();
    while !phase.is(END) {
        let mut message: Message = [0; MESSAGE];
        message[..8].copy_from_slice(&clock().to_ne_bytes());
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        let (time, _) = message.split_first_chunk().expect("eight bytes");
        counted.add(phase, Duration::from_nanos(u64::from_ne_bytes(*time)));
        thread::sleep(Duration::from_millis(1));
    }
    Ok(counted)
}
