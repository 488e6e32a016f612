//! Clients that send a message and take it back: on a connection, or as a datagram.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Barrier;

use super::closed::{Client, run};
use super::{Counted, GONE, Message, Phase};
use crate::net::service::MESSAGE;

const SENT: Message = [0x5a; MESSAGE];

/// Connects so many clients, and lets them work in one loop.
pub(in crate::net) fn echo(
    address: SocketAddr,
    connections: usize,
    phase: &Phase,
    barrier: &Barrier,
) -> io::Result<Counted> {
    run(connections, 1, phase, barrier, || Echo::connect(address))
}

/// The same with datagrams, each client on a socket of its own.
pub(in crate::net) fn udp(
    address: SocketAddr,
    sockets: usize,
    phase: &Phase,
    barrier: &Barrier,
) -> io::Result<Counted> {
    run(sockets, 1, phase, barrier, || Datagrams::connect(address))
}

pub(super) struct Echo {
    stream: TcpStream,
    /// Bytes of the answer that have come.
    got: usize,
}

impl Echo {
    pub(super) fn connect(address: SocketAddr) -> io::Result<Echo> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Echo { stream, got: 0 })
    }
}

impl AsFd for Echo {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Client for Echo {
    fn send(&mut self) -> io::Result<()> {
        self.got = 0;
        self.stream.write_all(&SENT)
    }

    fn receive(&mut self) -> io::Result<bool> {
        let mut buffer: Message = [0; MESSAGE];
        let count = self.stream.read(&mut buffer[self.got..])?;
        if count == 0 {
            return Err(io::Error::other(GONE));
        }
        if buffer[self.got..][..count] != SENT[self.got..][..count] {
            return Err(io::Error::other(CHANGED));
        }
        self.got += count;
        Ok(self.got == MESSAGE)
    }
}

struct Datagrams(UdpSocket);

impl Datagrams {
    fn connect(address: SocketAddr) -> io::Result<Datagrams> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(address)?;
        socket.set_nonblocking(true)?;
        Ok(Datagrams(socket))
    }
}

impl AsFd for Datagrams {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Client for Datagrams {
    fn send(&mut self) -> io::Result<()> {
        self.0.send(&SENT).map(drop)
    }

    fn receive(&mut self) -> io::Result<bool> {
        let mut buffer = [0; MESSAGE + 1];
        let count = self.0.recv(&mut buffer)?;
        match buffer[..count] == SENT {
            true => Ok(true),
            false => Err(io::Error::other(CHANGED)),
        }
    }
}

const CHANGED: &str = "the answer is not what was sent";
