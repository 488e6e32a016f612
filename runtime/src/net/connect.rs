//! Connecting: one address after the other.
//!
//! 1. A socket that does not block connects: the kernel says "in progress".
//! 2. Only then it is registered, because an unconnected socket is at its end already.
//! 3. After each wake-up: an error, or a peer, ends the wait. With neither the wake-up was spurious: wait again.
//! 4. The socket goes back to blocking mode.

use std::{
    io::{self, ErrorKind},
    net::{Shutdown, SocketAddr, TcpStream as Std},
    time::{Duration, Instant},
};

use goroutines_sched::{Interest, can_park, keep_thread};
use socket2::{Domain, Protocol, SockAddr, Type};

use super::{
    TcpStream, ToSocketAddrs, calls,
    socket::{Socket, Waited},
};

/// The result of `f` for the first address with which it succeeds; its error for the last one otherwise.
pub(super) fn each<A: ToSocketAddrs, R>(
    addr: A,
    mut f: impl FnMut(&SocketAddr) -> io::Result<R>,
) -> io::Result<R> {
    let mut last = None;
    for addr in addr.to_socket_addrs()? {
        match f(&addr) {
            Ok(result) => return Ok(result),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(no_address))
}

/// The error of a name without addresses, in std's words.
pub(super) fn no_address() -> io::Error {
    let text = "could not resolve to any addresses";
    io::Error::new(ErrorKind::InvalidInput, text)
}

/// Connects to the first address that answers.
pub(super) fn first_of<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
    each(addr, |addr| to(addr, None))
}

/// Connects to `addr` within `timeout`.
pub(super) fn within(addr: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    if !can_park() || timeout.is_zero() {
        // An OS thread, or an error that std makes.
        let stream = keep_thread(|| Std::connect_timeout(addr, timeout))?;
        return Ok(TcpStream(Socket::fresh(stream)));
    }
    to(addr, Instant::now().checked_add(timeout))
}

fn to(addr: &SocketAddr, deadline: Option<Instant>) -> io::Result<TcpStream> {
    if !can_park() {
        let stream = keep_thread(|| Std::connect(addr))?;
        return Ok(TcpStream(Socket::fresh(stream)));
    }
    let (stream, connected) = begin(addr, |_| Ok(()))?;
    if !connected {
        wait(&stream, deadline)?;
    }
    stream.set_nonblocking(false)?;
    Ok(TcpStream(stream))
}

/// Step 1, after `prepare`. Returns whether the socket is connected already.
pub(super) fn begin(
    addr: &SocketAddr,
    prepare: impl FnOnce(&socket2::Socket) -> io::Result<()>,
) -> io::Result<(Socket<Std>, bool)> {
    let socket = socket2::Socket::new(
        Domain::for_address(*addr),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    prepare(&socket)?;
    let connected = match socket.connect(&SockAddr::from(*addr)) {
        Ok(()) => true,
        // EINTR: connecting continues as well.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => {
            false
        }
        Err(error) => return Err(error),
    };
    Ok((Socket::fresh(Std::from(socket)), connected))
}

/// Ends the connecting of another goroutine.
pub(super) fn abandon(stream: &Socket<Std>) {
    // For a thread that waits in poll(2). An error says that there is nothing to end.
    let _ = stream.shutdown(Shutdown::Both);
    // Its record is there since it waits; without one, it does not wait.
    let _ = stream.io.close_waits();
}

/// Steps 2 and 3.
pub(super) fn wait(stream: &Socket<Std>, deadline: Option<Instant>) -> io::Result<()> {
    match stream.wait_for(Interest::Write, deadline, &mut || check(stream), &|_| false)? {
        Waited::Done(()) => Ok(()),
        Waited::TimedOut => Err(timed_out()),
        Waited::Closed => Err(abandoned()),
        Waited::Unpollable => wait_with_thread(stream, deadline),
    }
}

fn timed_out() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "connection timed out")
}

/// Step 3. `WouldBlock`: it is still being connected.
fn check(stream: &Std) -> io::Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Err(error) if error.kind() == ErrorKind::NotConnected => Err(ErrorKind::WouldBlock.into()),
        peer => peer.map(|_| ()),
    }
}

/// See [`abandon`].
fn abandoned() -> io::Error {
    io::Error::new(
        ErrorKind::ConnectionAborted,
        "the connection is not wanted any more",
    )
}

/// Where the poller cannot help: poll(2), with the thread.
#[cold]
fn wait_with_thread(stream: &Socket<Std>, deadline: Option<Instant>) -> io::Result<()> {
    crate::blocking(|| {
        loop {
            let is_late = deadline.is_some_and(|deadline| deadline <= Instant::now());
            let ready = calls::poll(stream.fd(), libc::POLLOUT, deadline)?;
            match check(stream) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            if ready {
                return Err(abandoned());
            }
            if is_late {
                return Err(timed_out());
            }
        }
    })
}
