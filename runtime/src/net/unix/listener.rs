//! A socket that streams of this machine come to.

use std::{
    io::{self, ErrorKind},
    iter::FusedIterator,
    os::{
        fd::AsFd,
        unix::net::{SocketAddr, UnixListener as Std},
    },
    path::Path,
    time::Duration,
};

use goroutines_sched::can_park;

use super::UnixStream;
use crate::net::{
    accept, calls,
    fd::{StdSocket, fd_traits},
    socket::{PREPARED, Socket},
};

/// A socket that streams come to, as [`std::os::unix::net::UnixListener`]. [`UnixListener::accept`] parks the goroutine.
///
/// What [`TcpListener`](crate::net::TcpListener) says of non-blocking mode holds here as well.
pub struct UnixListener(Socket<Std>);

fd_traits!(UnixListener, Std);

impl StdSocket for Std {
    fn timeouts(&self) -> io::Result<(Option<Duration>, Option<Duration>)> {
        Ok((None, None))
    }
}

impl From<UnixListener> for Std {
    fn from(listener: UnixListener) -> Std {
        let prepared = listener.0.io.notes() & PREPARED != 0;
        let std = listener.0.into_std();
        if prepared {
            // What its user wants; a failure leaves the mode that it is in.
            let _ = calls::set_nonblocking(std.as_fd(), false);
        }
        std
    }
}

impl UnixListener {
    /// Listens at `path`.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        Ok(UnixListener(Socket::fresh(Std::bind(path)?)))
    }

    /// Listens at an address.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixListener> {
        Ok(UnixListener(Socket::fresh(Std::bind_addr(address)?)))
    }

    /// The next stream, and where it comes from.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::accept`](crate::net::TcpListener::accept).
    ///
    /// # Parks
    ///
    /// Until there is one.
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (stream, from) = accept::next(&self.0, None, Std::accept)?;
        Ok((UnixStream(Socket::fresh(stream)), from))
    }

    /// The streams that come, one after the other.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming {
            listener: self,
            closed: false,
        }
    }

    /// Ends the waits of this listener from elsewhere, as [`net::Closer`](crate::net::Closer) does.
    ///
    /// # Errors
    ///
    /// Where no more descriptors are to be had.
    pub fn closer(&self) -> io::Result<Closer> {
        Ok(Closer(self.try_clone()?))
    }

    /// Another handle of the same socket. Timeouts, deadlines and the mode are common to both.
    ///
    /// # Errors
    ///
    /// Where no more descriptors are to be had.
    pub fn try_clone(&self) -> io::Result<UnixListener> {
        let clone = self.0.try_clone()?;
        Ok(UnixListener(Socket::clone_of(&self.0, clone)?))
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
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

impl<'a> IntoIterator for &'a UnixListener {
    type Item = io::Result<UnixStream>;
    type IntoIter = Incoming<'a>;

    fn into_iter(self) -> Incoming<'a> {
        self.incoming()
    }
}

/// See [`UnixListener::incoming`]. It ends after [`Closer::close`].
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a UnixListener,
    closed: bool,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<UnixStream>;

    fn next(&mut self) -> Option<io::Result<UnixStream>> {
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

    fn size_hint(&self) -> (usize, Option<usize>) {
        (if self.closed { 0 } else { usize::MAX }, None)
    }
}

impl FusedIterator for Incoming<'_> {}

/// See [`UnixListener::closer`].
#[derive(Debug)]
pub struct Closer(UnixListener);

impl Closer {
    /// Ends all waits of goroutines for the listener, and those that come: they fail with `ConnectionAborted`.
    pub fn close(&self) {
        accept::close(&self.0.0);
    }
}
