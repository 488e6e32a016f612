//! Clients that connect, send a message, take the answer and the end of the connection, and begin again.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use super::{Counted, END, GONE, Message, PATIENCE, Phase, at_barrier};
use crate::net::service::MESSAGE;

/// So many at a time, each in a thread.
pub(in crate::net) fn short(
    address: SocketAddr,
    connections: usize,
    phase: &Phase,
    barrier: &Barrier,
) -> io::Result<Counted> {
    at_barrier(barrier, Ok(()))?;
    thread::scope(|scope| {
        let one = |_| scope.spawn(|| client(address, phase));
        let all: Vec<_> = (0..connections).map(one).collect();
        let mut sum = Counted::default();
        for one in all {
            let failed = |_| io::Error::other("a client panicked");
            sum.extend(one.join().map_err(failed)??);
        }
        Ok(sum)
    })
}

fn client(address: SocketAddr, phase: &Phase) -> io::Result<Counted> {
    let mut counted = Counted::default();
    while !phase.is(END) {
        let start = Instant::now();
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&[0; MESSAGE])?;
        let mut answer: Message = [0; MESSAGE];
        stream.read_exact(&mut answer)?;
        if stream.read(&mut answer)? != 0 {
            return Err(io::Error::other(GONE.replace("closed", "did not close")));
        }
        counted.add(phase, start.elapsed());
    }
    Ok(counted)
}
