//! Streams for futures: calls that are polled, and never park.

use std::{
    fmt,
    io::{self, ErrorKind, IoSlice},
    mem::MaybeUninit,
    net::Shutdown,
    os::fd::RawFd,
    task::{Context, Poll},
};

use goroutines_sched::{Interest, IoFuture, IoSource};

use super::{TcpStream, calls, unix::UnixStream};

/// What a [`Polled`] needs of a stream.
pub(super) mod parts {
    use super::{IoSource, RawFd, Shutdown, io};

    pub trait Parts {
        fn source(&self) -> (&IoSource, RawFd);
        fn end(&self, how: Shutdown) -> io::Result<()>;
        /// Returns whether a read that got less than it asked for shows that there is no more.
        fn is_short(&self) -> bool;
    }
}

/// A stream that futures can use: [`TcpStream`] and [`UnixStream`].
pub trait PollStream: parts::Parts {}

impl PollStream for TcpStream {}
impl PollStream for UnixStream {}

impl parts::Parts for TcpStream {
    fn source(&self) -> (&IoSource, RawFd) {
        (&self.0.io, self.0.fd())
    }

    fn end(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }

    fn is_short(&self) -> bool {
        self.is_plain()
    }
}

impl parts::Parts for UnixStream {
    fn source(&self) -> (&IoSource, RawFd) {
        (&self.0.io, self.0.fd())
    }

    fn end(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }

    fn is_short(&self) -> bool {
        false
    }
}

/// A stream for futures. No call parks or blocks: a call that would returns `Pending`, and its waker is called when it may
/// succeed. Crates that implement `AsyncRead` and the like are built on it; programs use the stream itself, whose calls
/// park.
///
/// Any executor may poll it: [`block_on`](crate::block_on) on a goroutine, or the executor of another crate on its threads.
/// A goroutine of the runtime, which starts with the first call that is pending, calls the wakers. In each direction one
/// task can wait: the one that polled last. Other handles of the same connection ([`TcpStream::try_clone`]) are not affected.
///
/// Timeouts and deadlines of the stream do not count here: executors have timers.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{block_on, go, net::{Polled, unix::UnixStream}};
/// use std::{future::poll_fn, io::Write};
///
/// let (reader, mut writer) = UnixStream::pair()?;
/// let read = go(move || {
///     let mut reader = Polled::new(reader);
///     let mut buf = [0; 8];
///     let n = block_on(poll_fn(|cx| reader.poll_read(cx, &mut buf)))?;
///     Ok::<_, std::io::Error>(buf[..n].to_vec())
/// });
/// writer.write_all(b"ping")?;
/// assert_eq!(read.join().unwrap()?, b"ping");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Polled<S> {
    // Dropped first: they leave the stream's lines before it is closed.
    read: IoFuture,
    write: IoFuture,
    stream: S,
}

impl<S: PollStream> Polled<S> {
    /// Makes one of a stream, in whatever mode that is.
    pub fn new(stream: S) -> Polled<S> {
        Polled {
            read: IoFuture::new(),
            write: IoFuture::new(),
            stream,
        }
    }

    /// The stream again. Nothing is lost: what was not read yet is still in the socket.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// The stream.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Reads into `buf`, as [`Read::read`](std::io::Read::read).
    ///
    /// # Errors
    ///
    /// What the kernel says, but for `WouldBlock` and `Interrupted`.
    ///
    /// # Panics
    ///
    /// When the runtime has not been started, and the call would be pending.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let len = buf.len();
        let is_short = self.stream.is_short();
        self.poll_call(
            Interest::Read,
            cx,
            |fd| calls::recv(fd, buf),
            |&n| is_short && n != 0 && n < len,
        )
    }

    /// As [`Polled::poll_read`], into memory that need not be initialised. The first `n` bytes are, after `Ok(n)`.
    ///
    /// # Errors
    ///
    /// As [`Polled::poll_read`].
    ///
    /// # Panics
    ///
    /// As [`Polled::poll_read`].
    pub fn poll_read_uninit(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        let len = buf.len();
        let is_short = self.stream.is_short();
        self.poll_call(
            Interest::Read,
            cx,
            |fd| calls::recv_uninit(fd, buf),
            |&n| is_short && n != 0 && n < len,
        )
    }

    /// Writes from `buf`, as [`Write::write`](std::io::Write::write).
    ///
    /// # Errors
    ///
    /// As [`Polled::poll_read`]; `BrokenPipe` if the other side is gone.
    ///
    /// # Panics
    ///
    /// As [`Polled::poll_read`].
    pub fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_call(
            Interest::Write,
            cx,
            |fd| calls::send(fd, buf),
            |&n| n < buf.len(),
        )
    }

    /// Writes from several buffers, as [`Write::write_vectored`](std::io::Write::write_vectored).
    ///
    /// # Errors
    ///
    /// As [`Polled::poll_write`].
    ///
    /// # Panics
    ///
    /// As [`Polled::poll_read`].
    pub fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_call(
            Interest::Write,
            cx,
            |fd| calls::send_vectored(fd, bufs),
            |_| false,
        )
    }

    /// Ends the writing direction: the other side reads the end. No wait is needed, and none of what was written is lost.
    ///
    /// # Errors
    ///
    /// What the kernel says; a connection that is gone already is none.
    pub fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.stream.end(Shutdown::Write) {
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(()),
            result => result,
        })
    }

    /// Makes a call, or waits as a future in the line of the socket (io_line.rs). `now` does not wait; `takes_all`
    /// returns whether a result shows that there is no more for the moment.
    fn poll_call<R>(
        &mut self,
        interest: Interest,
        cx: &mut Context<'_>,
        mut now: impl FnMut(RawFd) -> io::Result<R>,
        takes_all: impl Fn(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        let (io, fd) = self.stream.source();
        let future = match interest {
            Interest::Read => &mut self.read,
            Interest::Write => &mut self.write,
        };
        loop {
            if let Some(result) = io.attempt(interest, false, || now(fd), &takes_all) {
                return Poll::Ready(result);
            }
            if io.wait_as_future(fd, interest, future, cx.waker())? {
                return Poll::Pending;
            }
        }
    }
}

impl<S: PollStream> From<S> for Polled<S> {
    fn from(stream: S) -> Polled<S> {
        Polled::new(stream)
    }
}

impl<S: fmt::Debug> fmt::Debug for Polled<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Polled").field(&self.stream).finish()
    }
}
