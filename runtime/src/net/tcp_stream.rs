//! A TCP connection.

use std::{
    io,
    net::{SocketAddr, TcpStream as Std},
    time::Duration,
};

use goroutines_sched::Interest;
use socket2::{SockRef, TcpKeepalive};

use super::{
    ToSocketAddrs, calls, connect,
    fd::{StdSocket, fd_traits},
    methods::{peer_methods, socket_methods, stream_traits, timeout_methods},
    socket::{EXPOSED, Socket},
};

/// A TCP connection, as [`std::net::TcpStream`]. A call that waits parks the goroutine.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{go, net::{TcpListener, TcpStream}};
/// use std::io::{Read, Write};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// go(move || {
///     let (mut stream, _) = listener.accept().unwrap();
///     stream.write_all(b"hello").unwrap();
/// });
/// let greeting = go(move || {
///     let mut text = String::new();
///     TcpStream::connect(address).unwrap().read_to_string(&mut text).unwrap();
///     text
/// });
/// assert_eq!(greeting.join().unwrap(), "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "tcp")]
pub struct TcpStream(pub(super) Socket<Std>);

fd_traits!(TcpStream, Std);
socket_methods!(TcpStream, SocketAddr);
peer_methods!(TcpStream, SocketAddr);
timeout_methods!(TcpStream, "connection");
stream_traits!(TcpStream, TcpStream::is_plain);

impl StdSocket for Std {
    fn timeouts(&self) -> io::Result<(Option<Duration>, Option<Duration>)> {
        Ok((self.read_timeout()?, self.write_timeout()?))
    }
}

impl From<TcpStream> for Std {
    fn from(stream: TcpStream) -> Std {
        stream.0.into_std()
    }
}

impl TcpStream {
    /// Connects to `addr`: to one address after the other, until one answers.
    ///
    /// # Errors
    ///
    /// Those of the last address; `InvalidInput` if there is none.
    ///
    /// # Parks
    ///
    /// Until the connection is there, and while names are looked up.
    pub fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        connect::first_of(addr)
    }

    /// Connects to `addr`, within `timeout`.
    ///
    /// # Errors
    ///
    /// `InvalidInput`: the timeout is zero. `TimedOut`: there was no answer in time.
    ///
    /// # Parks
    ///
    /// Until the connection is there.
    pub fn connect_timeout(addr: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        connect::within(addr, timeout)
    }

    /// Receives, and leaves what is received in the socket for the next read.
    ///
    /// # Errors
    ///
    /// As [`Read::read`](std::io::Read::read).
    ///
    /// # Parks
    ///
    /// Until there is something, or the other side has ended its direction.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let buf = std::cell::RefCell::new(buf);
        self.0.call(
            Interest::Read,
            |fd| calls::peek(fd, &mut buf.borrow_mut()),
            |_| false,
            |std| std.peek(&mut buf.borrow_mut()),
        )
    }

    /// Waits until there is something to read, or the other side has ended its direction. No buffer is needed meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Read::read`](std::io::Read::read).
    ///
    /// # Parks
    ///
    /// Yes.
    pub fn wait_readable(&self) -> io::Result<()> {
        self.peek(&mut [0]).map(|_| ())
    }

    /// Whether small messages are sent at once (TCP_NODELAY). Default: false.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.set_nodelay(nodelay)
    }

    /// See [`TcpStream::set_nodelay`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.0.nodelay()
    }

    /// After so much time without a packet the kernel probes the other side (SO_KEEPALIVE), in whole seconds; None: it
    /// does not. Default: None. A connection whose other side does not answer fails with `TimedOut`.
    ///
    /// # Errors
    ///
    /// `InvalidInput`: less than a second, or more than 32767.
    pub fn set_keepalive(&self, idle: Option<Duration>) -> io::Result<()> {
        let socket = SockRef::from(&*self.0);
        match idle {
            Some(idle) => socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle)),
            None => socket.set_keepalive(false),
        }
    }

    /// See [`TcpStream::set_keepalive`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn keepalive(&self) -> io::Result<Option<Duration>> {
        let socket = SockRef::from(&*self.0);
        match socket.keepalive()? {
            true => socket.tcp_keepalive_time().map(Some),
            false => Ok(None),
        }
    }

    /// The time to live of packets (IP_TTL).
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.0.set_ttl(ttl)
    }

    /// See [`TcpStream::set_ttl`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn ttl(&self) -> io::Result<u32> {
        self.0.ttl()
    }

    /// Returns whether a read that returned less than its buffer holds means that there is no more. Not if others may have
    /// changed what a read returns.
    pub(super) fn is_plain(&self) -> bool {
        self.0.io.notes() & EXPOSED == 0
    }
}
