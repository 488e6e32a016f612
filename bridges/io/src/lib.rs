//! Streams of [`goroutines`] with the traits that crates of futures ask for: [`Io`] has `AsyncRead` and `AsyncWrite` of
//! `futures-io`, and with the feature `tokio` those of tokio.
//!
//! It is for crates whose transport is given to them: protocols, codecs, TLS. They run in
//! [`block_on`](goroutines::block_on) on a goroutine, without tokio's runtime; what asks for that (its timers, its sockets,
//! `tokio::spawn`) does not work here.
//!
//! # Examples
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use futures::io::{AsyncReadExt, AsyncWriteExt};
//! use goroutines::{block_on, go, net::unix::UnixStream};
//! use goroutines_io::Io;
//!
//! let (mut here, mut there) = UnixStream::pair().map(|(a, b)| (Io::new(a), Io::new(b)))?;
//! go(move || block_on(async move { there.write_all(b"ping").await }));
//! let text = go(move || {
//!     let mut text = String::new();
//!     block_on(here.read_to_string(&mut text)).map(|_| text)
//! });
//! assert_eq!(text.join().unwrap()?, "ping");
//! # Ok::<(), std::io::Error>(())
//! ```

mod futures_io;
#[cfg(feature = "tokio")]
mod tokio_io;

use goroutines::net::{PollStream, Polled};

/// A stream for futures. See [`Polled`] for what holds for it.
#[derive(Debug)]
pub struct Io<S>(Polled<S>);

impl<S: PollStream> Io<S> {
    /// Makes one of a stream.
    pub fn new(stream: S) -> Io<S> {
        Io(Polled::new(stream))
    }

    /// The stream again.
    pub fn into_inner(self) -> S {
        self.0.into_inner()
    }

    /// The stream.
    pub fn get_ref(&self) -> &S {
        self.0.get_ref()
    }
}
