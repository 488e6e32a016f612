//! A socket that accepts TCP connections.

use std::{
    io,
    net::{SocketAddr, TcpListener as Std, TcpStream as StdStream},
    time::{Duration, Instant},
};

use goroutines_sched::Interest;
use socket2::{Domain, Protocol, SockAddr, SockRef, Type};

use super::{
    TcpStream, ToSocketAddrs, accept, connect,
    fd::{StdSocket, fd_traits},
    methods::{listener_types, socket_methods},
    socket::Socket,
};

/// A socket that accepts TCP connections, as [`std::net::TcpListener`]. [`TcpListener::accept`] parks the goroutine.
///
/// Several goroutines may accept from one listener: each connection goes to one of them, in the order in which they wait.
///
/// A listener for which a goroutine has waited is in non-blocking mode, because the kernel has no other way to accept
/// without waiting. Other processes that share the listener see that mode too. Calls on OS threads wait all the same.
#[doc(alias = "tcp")]
pub struct TcpListener(Socket<Std>);

fd_traits!(TcpListener, Std);
socket_methods!(TcpListener, SocketAddr);
listener_types!(TcpListener, Std, TcpStream);

impl StdSocket for Std {
    fn timeouts(&self) -> io::Result<(Option<Duration>, Option<Duration>)> {
        Ok((None, None))
    }
}

/// Lets the queue of clients be as long as the system allows. A client that finds no room in it tries again after a second,
/// then after three.
fn lengthen_queue(listener: &Std) {
    // The kernel takes the smaller of this and its own limit. After an error the queue is as long as std made it.
    let _ = SockRef::from(listener).listen(i32::MAX);
}

/// A listener of [`TcpListener::bind_group`].
fn member(addr: SocketAddr) -> io::Result<Std> {
    let domain = Domain::for_address(addr);
    let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    // As std's.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&SockAddr::from(addr))?;
    // As `lengthen_queue`.
    socket.listen(i32::MAX)?;
    Ok(socket.into())
}

impl TcpListener {
    /// Listens at the first of the addresses to which it can bind. As many clients may wait to be accepted as the system
    /// allows (`net.core.somaxconn`, 4096 by default; std's listeners have a queue of 128).
    ///
    /// # Errors
    ///
    /// Those of the last address; `InvalidInput` if there is none.
    ///
    /// # Parks
    ///
    /// While names are looked up.
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        let listener = connect::each(addr, |addr| Std::bind(addr))?;
        lengthen_queue(&listener);
        Ok(TcpListener(Socket::fresh(listener)))
    }

    /// `count` listeners at one address, the first to which they can bind (SO_REUSEPORT). The kernel gives each client to
    /// one of them, so that not all goroutines that accept take from one queue. A client that was given to a listener
    /// which is dropped is reset. Other programs of the same user can join the group.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::bind`]; `InvalidInput` for a group of 0.
    ///
    /// # Parks
    ///
    /// While names are looked up.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::net::TcpListener;
    ///
    /// let group = TcpListener::bind_group("127.0.0.1:0", 2)?;
    /// assert_eq!(group[0].local_addr()?, group[1].local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind_group<A: ToSocketAddrs>(addr: A, count: usize) -> io::Result<Vec<TcpListener>> {
        if count == 0 {
            let text = "TcpListener::bind_group: a group of 0; it has at least one listener";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        connect::each(addr, |&(mut addr)| {
            let mut group = Vec::new();
            while group.len() < count {
                let listener = member(addr)?;
                // Where the port was 0: the others take that of the first.
                addr = listener.local_addr()?;
                group.push(TcpListener(Socket::fresh(listener)));
            }
            Ok(group)
        })
    }

    /// Whether a socket for IPv6 takes no connections of IPv4.
    ///
    /// # Errors
    ///
    /// What the kernel says: it refuses, because the socket has an address.
    #[deprecated(note = "it can only be set before the socket is bound, which `bind` does")]
    #[allow(deprecated)]
    pub fn set_only_v6(&self, only_v6: bool) -> io::Result<()> {
        self.0.set_only_v6(only_v6)
    }

    /// See [`TcpListener::set_only_v6`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    #[deprecated(note = "it can only be set before the socket is bound, which `bind` does")]
    #[allow(deprecated)]
    pub fn only_v6(&self) -> io::Result<bool> {
        self.0.only_v6()
    }

    /// The next connection, and where it comes from.
    ///
    /// Errors of a connection that its peer has given up are not returned. When there are no more descriptors the error is
    /// returned, the connection stays queued, and the next call waits a little before it tries again: 5 ms to 1 s.
    ///
    /// # Errors
    ///
    /// EMFILE, ENFILE and their like; `ConnectionAborted` after [`Closer::close`].
    ///
    /// # Parks
    ///
    /// Until there is one.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept_until(None)
    }

    /// As [`TcpListener::accept`], until `deadline`.
    ///
    /// # Errors
    ///
    /// `TimedOut` as well.
    ///
    /// # Parks
    ///
    /// As [`TcpListener::accept`].
    pub fn accept_deadline(&self, deadline: Instant) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept_until(Some(deadline))
    }

    fn accept_until(&self, deadline: Option<Instant>) -> io::Result<(TcpStream, SocketAddr)> {
        let accepted: (StdStream, SocketAddr) = accept::next(&self.0, deadline, Std::accept)?;
        Ok((TcpStream(Socket::fresh(accepted.0)), accepted.1))
    }

    /// Calls of goroutines that accept end at `deadline` with `TimedOut`, also those that wait already, and later ones
    /// although a connection is queued; None: they do not.
    ///
    /// # Errors
    ///
    /// ENOBUFS, where two million sockets are in use.
    pub fn set_accept_deadline(&self, deadline: Option<Instant>) -> io::Result<()> {
        self.0.io.set_deadline(Interest::Read, deadline)
    }

    /// The time to live of packets (IP_TTL).
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.0.set_ttl(ttl)
    }

    /// See [`TcpListener::set_ttl`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn ttl(&self) -> io::Result<u32> {
        self.0.ttl()
    }
}

/// Ends the waits of a listener from another goroutine, to stop a server.
///
/// It is no handle of the listener: the port is free when the [`TcpListener`] and its clones are dropped, also while a
/// closer lives. Go's `Close` frees it at once; here the goroutine that accepts owns the listener, and drops it when its
/// call fails. Until then clients that come are queued, and then reset, as those that are queued already: so a server
/// drops its listener first, and waits for its connections after.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{go, net::TcpListener};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let closer = listener.closer()?;
/// let server = go(move || listener.incoming().count());
/// closer.close();
/// assert_eq!(server.join().unwrap(), 0);
/// // The server has dropped its listener.
/// let _next = TcpListener::bind(address)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Closer(accept::Waits);

impl Closer {
    /// Ends all waits of goroutines for the listener: they fail with `ConnectionAborted`, and so do all later calls, also
    /// those of OS threads. A thread that waits already waits on.
    ///
    /// Connections that are queued are not accepted any more.
    pub fn close(&self) {
        self.0.close();
    }
}
