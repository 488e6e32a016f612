//! Both kinds of streams, for tests of what they have in common.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream as StdTcpStream},
    os::unix::net::UnixStream as StdUnixStream,
    time::{Duration, Instant},
};

use goroutines::net::{TcpStream, unix::UnixStream};

use crate::tcp_pair;

/// What tests need of a stream. Setters do not fail.
pub trait Stream: Send + Sync + Sized + 'static {
    /// std's type of the same kind.
    type Std: Read + Write + From<Self>;
    /// Both ends of a connection.
    fn pair() -> (Self, Self);
    /// Reads, as [`Read::read`].
    ///
    /// # Errors
    ///
    /// As that.
    fn recv(&self, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes, as [`Write::write`].
    ///
    /// # Errors
    ///
    /// As that.
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;
    /// Sets the deadline of both directions.
    fn until(&self, deadline: Option<Instant>);
    /// Sets the deadline of reads.
    fn read_until(&self, deadline: Option<Instant>);
    /// Sets the deadline of writes.
    fn write_until(&self, deadline: Option<Instant>);
    /// Sets how long a read may last.
    fn read_within(&self, timeout: Option<Duration>);
    /// Ends both directions.
    fn end(&self);
    /// Ends the direction that is written.
    fn end_writing(&self);
    /// Another handle.
    fn copy(&self) -> Self;
}

macro_rules! stream {
    ($type:ty, $std:ty, $pair:expr) => {
        impl Stream for $type {
            type Std = $std;

            fn pair() -> ($type, $type) {
                $pair
            }

            fn recv(mut self: &Self, buf: &mut [u8]) -> io::Result<usize> {
                self.read(buf)
            }

            fn send(mut self: &Self, bytes: &[u8]) -> io::Result<usize> {
                self.write(bytes)
            }

            fn until(&self, deadline: Option<Instant>) {
                self.set_deadline(deadline).expect("it is set");
            }

            fn read_until(&self, deadline: Option<Instant>) {
                self.set_read_deadline(deadline).expect("it is set");
            }

            fn write_until(&self, deadline: Option<Instant>) {
                self.set_write_deadline(deadline).expect("it is set");
            }

            fn read_within(&self, timeout: Option<Duration>) {
                self.set_read_timeout(timeout).expect("it is set");
            }

            fn end(&self) {
                let _ = self.shutdown(Shutdown::Both);
            }

            fn end_writing(&self) {
                self.shutdown(Shutdown::Write).expect("it is open");
            }

            fn copy(&self) -> Self {
                self.try_clone().expect("a handle")
            }
        }
    };
}

stream!(TcpStream, StdTcpStream, tcp_pair());
stream!(
    UnixStream,
    StdUnixStream,
    UnixStream::pair().expect("it is set")
);

/// Tests that are functions over a [`Stream`]: each once with TCP and once with UNIX streams. Nothing is left by any.
#[macro_export]
macro_rules! of_both_streams {
    ($($name:ident;)*) => {
        mod tcp {
            $(#[test] fn $name() {
                $crate::nothing_left_by(super::$name::<goroutines::net::TcpStream>);
            })*
        }
        mod unix {
            $(#[test] fn $name() {
                $crate::nothing_left_by(super::$name::<goroutines::net::unix::UnixStream>);
            })*
        }
    };
}
