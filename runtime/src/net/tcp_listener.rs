//! A socket that TCP connections come to.

use std::{
    io::{self, ErrorKind},
    iter::FusedIterator,
    net::{SocketAddr, TcpListener as Std, TcpStream as StdStream},
    os::fd::AsFd,
    time::{Duration, Instant},
};

use goroutines_sched::{Interest, can_park};

use super::{
    TcpStream, ToSocketAddrs, accept, calls, connect,
    fd::{StdSocket, fd_traits},
    socket::{PREPARED, Socket},
};

/// A socket that TCP connections come to, as [`std::net::TcpListener`]. [`TcpListener::accept`] parks the goroutine.
///
/// Several goroutines may accept from one listener: each connection goes to one of them, in the order in which they wait.
///
/// A listener for which a goroutine has waited is in non-blocking mode, because the kernel has no other way to accept
/// without waiting. That is seen by other processes that have it as well. Calls on OS threads wait all the same.
pub struct TcpListener(Socket<Std>);

fd_traits!(TcpListener, Std);

impl StdSocket for Std {
    fn timeouts(&self) -> io::Result<(Option<Duration>, Option<Duration>)> {
        Ok((None, None))
    }
}

impl From<TcpListener> for Std {
    fn from(listener: TcpListener) -> Std {
        let prepared = listener.0.io.notes() & PREPARED != 0;
        let std = listener.0.into_std();
        if prepared {
            // What its user wants; a failure leaves the mode that it is in.
            let _ = calls::set_nonblocking(std.as_fd(), false);
        }
        std
    }
}

impl TcpListener {
    /// Listens at the first of the addresses that is free.
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
        Ok(TcpListener(Socket::fresh(listener)))
    }

    /// The address at which it listens.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Another handle of the same listener.
    ///
    /// # Errors
    ///
    /// Where no more descriptors are to be had.
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        let clone = self.0.try_clone()?;
        Ok(TcpListener(Socket::clone_of(&self.0, clone)?))
    }

    /// The next connection, and where it comes from.
    ///
    /// Errors of the connection itself, which its peer has given up, are not told. Where descriptors are at an end the
    /// error is returned, the connection stays queued, and the next call waits a little before it tries again.
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

    /// Calls of goroutines that accept end at `deadline` with `TimedOut`, also those that wait just now; None: they do not.
    ///
    /// # Errors
    ///
    /// ENOBUFS, where two million sockets are in use.
    pub fn set_accept_deadline(&self, deadline: Option<Instant>) -> io::Result<()> {
        self.0.io.set_deadline(Interest::Read, deadline)
    }

    /// The connections that come, one after the other.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming {
            listener: self,
            closed: false,
        }
    }

    /// Ends the waits of this listener from elsewhere: see [`Closer`].
    ///
    /// # Errors
    ///
    /// Where no more descriptors are to be had.
    pub fn closer(&self) -> io::Result<Closer> {
        Ok(Closer(self.try_clone()?))
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

    /// The error that is noted for the socket, which is none after.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    /// Whether `accept` returns at once, with `WouldBlock` where it would wait. Default: false.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        accept::set_nonblocking(&self.0, nonblocking)
    }
}

/// See [`TcpListener::incoming`]. It ends after [`Closer::close`].
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
    closed: bool,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        if self.closed {
            return None;
        }
        let next = self.listener.accept().map(|(stream, _)| stream);
        if can_park()
            && let Err(error) = &next
            && error.kind() == ErrorKind::ConnectionAborted
        {
            self.closed = true;
            return None;
        }
        Some(next)
    }
}

impl FusedIterator for Incoming<'_> {}

/// Ends the waits of a listener from another goroutine: a server stops by it.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{go, net::TcpListener};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let closer = listener.closer()?;
/// let server = go(move || listener.incoming().count());
/// closer.close();
/// assert_eq!(server.join().unwrap(), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Closer(TcpListener);

impl Closer {
    /// Ends all waits of goroutines for the listener, and those that come: they fail with `ConnectionAborted`.
    /// Connections that are queued are not accepted any more.
    pub fn close(&self) {
        accept::close(&self.0.0);
    }
}
