//! Datagrams between processes of this machine.

use std::{
    cell::RefCell,
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram as Std},
        },
    },
    path::Path,
    time::Duration,
};

use goroutines_sched::Interest;
use socket2::SockAddr;

use crate::net::{
    calls,
    fd::{StdSocket, fd_traits},
    methods::{datagram_methods, peer_methods, socket_methods, timeout_methods},
    socket::Socket,
};

/// A UNIX datagram socket, as [`std::os::unix::net::UnixDatagram`]. A call that waits parks the goroutine.
pub struct UnixDatagram(Socket<Std>);

fd_traits!(UnixDatagram, Std);
socket_methods!(UnixDatagram, SocketAddr);
peer_methods!(UnixDatagram, SocketAddr);
timeout_methods!(UnixDatagram, "socket");
datagram_methods!(UnixDatagram);

impl StdSocket for Std {
    fn timeouts(&self) -> io::Result<(Option<Duration>, Option<Duration>)> {
        Ok((self.read_timeout()?, self.write_timeout()?))
    }
}

impl From<UnixDatagram> for Std {
    fn from(socket: UnixDatagram) -> Std {
        socket.0.into_std()
    }
}

impl UnixDatagram {
    /// A socket with the address `path`.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        Ok(UnixDatagram(Socket::fresh(Std::bind(path)?)))
    }

    /// A socket with this address.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixDatagram> {
        Ok(UnixDatagram(Socket::fresh(Std::bind_addr(address)?)))
    }

    /// A socket without an address.
    ///
    /// # Errors
    ///
    /// When there are no more descriptors.
    pub fn unbound() -> io::Result<UnixDatagram> {
        Ok(UnixDatagram(Socket::fresh(Std::unbound()?)))
    }

    /// Sends to, and receives from, the socket at `path` only.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.0.connect(path)
    }

    /// The same with an address.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn connect_addr(&self, address: &SocketAddr) -> io::Result<()> {
        self.0.connect_addr(address)
    }

    /// Receives a datagram, and where it comes from. What does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    ///
    /// # Parks
    ///
    /// Until there is one.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let buf = RefCell::new(buf);
        self.0.call(
            Interest::Read,
            |_| calls::recv_from(&*self.0, &mut buf.borrow_mut(), 0).and_then(local),
            |_| false,
            |std| std.recv_from(&mut buf.borrow_mut()),
        )
    }

    /// Sends a datagram to the socket at `path`. Without a write deadline it is a blocking call while there is no room, and
    /// a deadline that is set meanwhile counts from the next call on: no event tells of room in another socket.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    ///
    /// # Parks
    ///
    /// Until there is room for it.
    pub fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        let to = SockAddr::unix(path.as_ref())?;
        self.send_to_socket(buf, &to, |std| std.send_to(buf, path.as_ref()))
    }

    /// The same with an address.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    ///
    /// # Parks
    ///
    /// Until there is room for it.
    pub fn send_to_addr(&self, buf: &[u8], address: &SocketAddr) -> io::Result<usize> {
        let to = match (address.as_pathname(), address.as_abstract_name()) {
            (Some(path), _) => SockAddr::unix(path)?,
            (_, Some(name)) => SockAddr::unix(OsStr::from_bytes(&[b"\0", name].concat()))?,
            // std's call makes the error for an address without a name.
            _ => return self.0.send_to_addr(buf, address),
        };
        self.send_to_socket(buf, &to, |std| std.send_to_addr(buf, address))
    }

    fn send_to_socket(
        &self,
        buf: &[u8],
        to: &SockAddr,
        std: impl FnOnce(&Std) -> io::Result<usize>,
    ) -> io::Result<usize> {
        // The poller tells of room in this socket, and not in the one at the other end.
        self.0
            .call_or_block(|| calls::send_to(&*self.0, buf, to), std)
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// When there are no more descriptors.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (one, other) = Std::pair()?;
        Ok((
            UnixDatagram(Socket::fresh(one)),
            UnixDatagram(Socket::fresh(other)),
        ))
    }
}

/// A datagram's length and its sender's address, which is unnamed if the sender has none.
fn local((n, from): (usize, SockAddr)) -> io::Result<(usize, SocketAddr)> {
    match from.as_unix() {
        Some(from) => Ok((n, from)),
        None => Ok((n, SocketAddr::from_pathname("")?)),
    }
}
