//! Clients that only receive.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::time::Instant;

use super::{Counted, END, GONE, PATIENCE, Phase, at_barrier};

/// An operation.
const MEBIBYTE: usize = 1 << 20;

/// One connection, from which all that comes is received.
pub(in crate::net) fn bulk(
    address: SocketAddr,
    _: usize,
    phase: &Phase,
    barrier: &Barrier,
) -> io::Result<Counted> {
    let connected = TcpStream::connect(address);
    let mut stream = at_barrier(barrier, connected)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = vec![0; MEBIBYTE];
    let mut counted = Counted::default();
    let (mut got, mut begun) = (0, Instant::now());
    while !phase.is(END) {
        // What is received replaces it.
        (buffer[got], buffer[MEBIBYTE - 1]) = (1, 1);
        let count = stream.read(&mut buffer[got..])?;
        if count == 0 {
            return Err(io::Error::other(GONE));
        }
        let is_whole = got + count == MEBIBYTE;
        if buffer[got] != 0 || is_whole && buffer[MEBIBYTE - 1] != 0 {
            return Err(io::Error::other("other bytes than zeros"));
        }
        got += count;
        if is_whole {
            got = 0;
            counted.add(phase, begun.elapsed());
            begun = Instant::now();
        }
    }
    Ok(counted)
}
