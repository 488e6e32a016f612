//! Clients in a closed loop: each sends its next message when it has the answer to the last one.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::time::Instant;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::{Counted, END, GONE, Message, PATIENCE, Phase, at_barrier};
use crate::net::service::MESSAGE;

struct Client {
    stream: TcpStream,
    sent: Instant,
    /// Bytes of the answer that have come.
    got: usize,
}

const SENT: Message = [0x5a; MESSAGE];

/// Connects so many clients, and lets them work in one loop.
pub(in crate::net) fn echo(
    address: SocketAddr,
    connections: usize,
    phase: &Phase,
    barrier: &Barrier,
) -> io::Result<Counted> {
    let connected = (0..connections).map(|_| connect(address)).collect();
    let mut clients: Vec<Client> = at_barrier(barrier, connected)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    for (index, client) in clients.iter_mut().enumerate() {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, index as u64);
        epoll.add(&client.stream, event)?;
        client.send(Instant::now())?;
    }
    let mut counted = Counted::default();
    let mut events = [EpollEvent::empty(); 128];
    let mut last = Instant::now();
    while !phase.is(END) {
        let count = epoll.wait(&mut events, EpollTimeout::from(100_u16))?;
        if count == 0 && last.elapsed() > PATIENCE {
            return Err(io::ErrorKind::TimedOut.into());
        }
        for event in &events[..count] {
            let client = &mut clients[event.data() as usize];
            if client.receive()? {
                let now = Instant::now();
                counted.add(phase, now - client.sent);
                client.send(now)?;
                last = now;
            }
        }
    }
    Ok(counted)
}

fn connect(address: SocketAddr) -> io::Result<Client> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(Client {
        stream,
        sent: Instant::now(),
        got: 0,
    })
}

impl Client {
    fn send(&mut self, now: Instant) -> io::Result<()> {
        self.sent = now;
        self.got = 0;
        self.stream.write_all(&SENT)
    }

    /// True: the whole answer is there.
    fn receive(&mut self) -> io::Result<bool> {
        let mut buffer: Message = [0; MESSAGE];
        let count = self.stream.read(&mut buffer[self.got..])?;
        if count == 0 {
            return Err(io::Error::other(GONE));
        }
        if buffer[self.got..][..count] != SENT[self.got..][..count] {
            return Err(io::Error::other("the answer is not what was sent"));
        }
        self.got += count;
        Ok(self.got == MESSAGE)
    }
}
