//! UDP sockets.

use std::{
    cell::RefCell,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as Std},
    time::Duration,
};

use goroutines_sched::Interest;

use super::{
    ToSocketAddrs, calls, connect,
    fd::{StdSocket, fd_traits},
    methods::{datagram_methods, socket_methods, timeout_methods},
    socket::Socket,
};

/// A UDP socket, as [`std::net::UdpSocket`]. A call that waits parks the goroutine.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{go, net::UdpSocket};
///
/// let server = UdpSocket::bind("127.0.0.1:0")?;
/// let address = server.local_addr()?;
/// let got = go(move || {
///     let mut buf = [0; 16];
///     let (n, _from) = server.recv_from(&mut buf).unwrap();
///     buf[..n].to_vec()
/// });
/// UdpSocket::bind("127.0.0.1:0")?.send_to(b"hello", address)?;
/// assert_eq!(got.join().unwrap(), b"hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UdpSocket(Socket<Std>);

fd_traits!(UdpSocket, Std);
socket_methods!(UdpSocket, SocketAddr);
timeout_methods!(UdpSocket, "socket");
datagram_methods!(UdpSocket);

impl StdSocket for Std {
    fn timeouts(&self) -> io::Result<(Option<Duration>, Option<Duration>)> {
        Ok((self.read_timeout()?, self.write_timeout()?))
    }
}

impl From<UdpSocket> for Std {
    fn from(socket: UdpSocket) -> Std {
        socket.0.into_std()
    }
}

impl UdpSocket {
    /// Binds to the first of the addresses to which it can.
    ///
    /// # Errors
    ///
    /// Those of the last address; `InvalidInput` if there is none.
    ///
    /// # Parks
    ///
    /// While names are looked up.
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<UdpSocket> {
        let socket = connect::each(addr, |addr| Std::bind(addr))?;
        Ok(UdpSocket(Socket::fresh(socket)))
    }

    /// Sends to, and receives from, one address only: the first that can be used.
    ///
    /// # Errors
    ///
    /// Those of the last address; `InvalidInput` if there is none.
    ///
    /// # Parks
    ///
    /// While names are looked up.
    pub fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        connect::each(addr, |addr| self.0.connect(addr))
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
            |_| calls::recv_from(&*self.0, &mut buf.borrow_mut(), 0).and_then(calls::inet),
            |_| false,
            |std| std.recv_from(&mut buf.borrow_mut()),
        )
    }

    /// As [`UdpSocket::recv_from`], but leaves the datagram in the socket.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    ///
    /// # Parks
    ///
    /// Until there is one.
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let buf = RefCell::new(buf);
        self.0.call(
            Interest::Read,
            |_| {
                calls::recv_from(&*self.0, &mut buf.borrow_mut(), libc::MSG_PEEK)
                    .and_then(calls::inet)
            },
            |_| false,
            |std| std.peek_from(&mut buf.borrow_mut()),
        )
    }

    /// As [`UdpSocket::recv`], but leaves the datagram in the socket.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    ///
    /// # Parks
    ///
    /// Until there is one.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let buf = RefCell::new(buf);
        self.0.call(
            Interest::Read,
            |fd| calls::peek(fd, &mut buf.borrow_mut()),
            |_| false,
            |std| std.peek(&mut buf.borrow_mut()),
        )
    }

    /// Waits until there is a datagram. No buffer is needed meanwhile.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    ///
    /// # Parks
    ///
    /// Yes.
    pub fn wait_readable(&self) -> io::Result<()> {
        self.peek_from(&mut []).map(|_| ())
    }

    /// Sends a datagram to the first address of `addr`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if there is none, and what the kernel says.
    ///
    /// # Parks
    ///
    /// Until there is room for it, and while names are looked up.
    pub fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        let Some(addr) = addr.to_socket_addrs()?.next() else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "no addresses to send data to",
            ));
        };
        let to = socket2::SockAddr::from(addr);
        self.0.call(
            Interest::Write,
            |_| calls::send_to(&*self.0, buf, &to),
            |_| false,
            |std| std.send_to(buf, addr),
        )
    }

    /// The address to which it is connected.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// Whether datagrams may be sent to broadcast addresses (SO_BROADCAST). Default: false.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.0.set_broadcast(broadcast)
    }

    /// See [`UdpSocket::set_broadcast`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.0.broadcast()
    }

    /// Whether multicast datagrams come back to this machine (IP_MULTICAST_LOOP).
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn set_multicast_loop_v4(&self, multicast_loop_v4: bool) -> io::Result<()> {
        self.0.set_multicast_loop_v4(multicast_loop_v4)
    }

    /// See [`UdpSocket::set_multicast_loop_v4`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.0.multicast_loop_v4()
    }

    /// The time to live of multicast datagrams (IP_MULTICAST_TTL).
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn set_multicast_ttl_v4(&self, multicast_ttl_v4: u32) -> io::Result<()> {
        self.0.set_multicast_ttl_v4(multicast_ttl_v4)
    }

    /// See [`UdpSocket::set_multicast_ttl_v4`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.0.multicast_ttl_v4()
    }

    /// Whether multicast datagrams come back to this machine (IPV6_MULTICAST_LOOP).
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn set_multicast_loop_v6(&self, multicast_loop_v6: bool) -> io::Result<()> {
        self.0.set_multicast_loop_v6(multicast_loop_v6)
    }

    /// See [`UdpSocket::set_multicast_loop_v6`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.0.multicast_loop_v6()
    }

    /// The time to live of packets (IP_TTL).
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.0.set_ttl(ttl)
    }

    /// See [`UdpSocket::set_ttl`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn ttl(&self) -> io::Result<u32> {
        self.0.ttl()
    }

    /// Joins a multicast group (IP_ADD_MEMBERSHIP).
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn join_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.0.join_multicast_v4(multiaddr, interface)
    }

    /// Leaves a multicast group (IP_DROP_MEMBERSHIP).
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn leave_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.0.leave_multicast_v4(multiaddr, interface)
    }

    /// Joins a multicast group (IPV6_ADD_MEMBERSHIP).
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.0.join_multicast_v6(multiaddr, interface)
    }

    /// Leaves a multicast group (IPV6_DROP_MEMBERSHIP).
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.0.leave_multicast_v6(multiaddr, interface)
    }
}
