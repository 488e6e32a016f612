//! A socket that accepts streams of this machine.

use std::{
    io,
    os::unix::net::{SocketAddr, UnixListener as Std},
    path::Path,
    time::Duration,
};

use super::UnixStream;
use crate::net::{
    accept,
    fd::{StdSocket, fd_traits},
    methods::{listener_types, socket_methods},
    socket::Socket,
};

/// A socket that accepts streams, as [`std::os::unix::net::UnixListener`]. [`UnixListener::accept`] parks the goroutine.
///
/// What [`TcpListener`](crate::net::TcpListener) says of non-blocking mode holds here as well.
pub struct UnixListener(Socket<Std>);

fd_traits!(UnixListener, Std);
socket_methods!(UnixListener, SocketAddr);
listener_types!(UnixListener, Std, UnixStream);

impl StdSocket for Std {
    fn timeouts(&self) -> io::Result<(Option<Duration>, Option<Duration>)> {
        Ok((None, None))
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
}

impl<'a> IntoIterator for &'a UnixListener {
    type Item = io::Result<UnixStream>;
    type IntoIter = Incoming<'a>;

    fn into_iter(self) -> Incoming<'a> {
        self.incoming()
    }
}

/// See [`UnixListener::closer`], and [the one of TCP](crate::net::Closer): it is no handle of the listener. The path stays
/// until it is removed.
#[derive(Debug)]
pub struct Closer(accept::Waits);

impl Closer {
    /// As [`net::Closer::close`](crate::net::Closer::close).
    pub fn close(&self) {
        self.0.close();
    }
}
