//! A stream between two processes of this machine.

use std::{
    io,
    os::unix::net::{SocketAddr, UnixStream as Std},
    path::Path,
    time::Duration,
};

use crate::net::{
    fd::{StdSocket, fd_traits},
    methods::{peer_methods, socket_methods, stream_traits, timeout_methods},
    off_thread,
    socket::Socket,
};

/// A UNIX stream socket, as [`std::os::unix::net::UnixStream`]. A call that waits parks the goroutine.
pub struct UnixStream(pub(in crate::net) Socket<Std>);

fd_traits!(UnixStream, Std);
socket_methods!(UnixStream, SocketAddr);
peer_methods!(UnixStream, SocketAddr);
timeout_methods!(UnixStream, "connection");
// A read stops short at a message that carries descriptors, and more may be there.
stream_traits!(UnixStream, |_| false);

impl StdSocket for Std {
    fn timeouts(&self) -> io::Result<(Option<Duration>, Option<Duration>)> {
        Ok((self.read_timeout()?, self.write_timeout()?))
    }
}

impl From<UnixStream> for Std {
    fn from(stream: UnixStream) -> Std {
        stream.0.into_std()
    }
}

impl UnixStream {
    /// Connects to the listener at `path`. Where its queue is full it waits until there is room.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    ///
    /// # Parks
    ///
    /// No: it is a blocking call, during which other goroutines run on other threads.
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        // A socket that does not block gets EAGAIN for a full queue, and no event tells of room in it.
        let stream = off_thread(|| Std::connect(path))?;
        Ok(UnixStream(Socket::fresh(stream)))
    }

    /// The same with an address.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn connect_addr(address: &SocketAddr) -> io::Result<UnixStream> {
        let stream = off_thread(|| Std::connect_addr(address))?;
        Ok(UnixStream(Socket::fresh(stream)))
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{go, net::unix::UnixStream};
    /// use std::io::{Read, Write};
    ///
    /// let (mut one, mut other) = UnixStream::pair()?;
    /// go(move || one.write_all(b"hello").unwrap());
    /// let mut text = String::new();
    /// other.read_to_string(&mut text)?;
    /// assert_eq!(text, "hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Where no more descriptors are to be had.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, other) = Std::pair()?;
        Ok((
            UnixStream(Socket::fresh(one)),
            UnixStream(Socket::fresh(other)),
        ))
    }
}
