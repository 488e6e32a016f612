//! A stream with the traits of hyper.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use goroutines::net::{PollStream, Polled};
use hyper::rt::{Read, ReadBufCursor, Write};

/// A stream for hyper. See [`Polled`] for what holds for it.
#[derive(Debug)]
pub struct Io<S>(Polled<S>);

impl<S: PollStream> Io<S> {
    /// Makes one of a stream.
    pub fn new(stream: S) -> Io<S> {
        Io(Polled::new(stream))
    }

    /// The stream again, after an upgrade for example.
    pub fn into_inner(self) -> S {
        self.0.into_inner()
    }

    /// The stream.
    pub fn get_ref(&self) -> &S {
        self.0.get_ref()
    }
}

impl<S: PollStream + Unpin> Read for Io<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // SAFETY: only the kernel writes there, so nothing that is initialised is made uninitialised.
        let free = unsafe { buf.as_mut() };
        let n = ready!(self.0.poll_read_uninit(cx, free))?;
        // SAFETY: the first n bytes were written by the kernel.
        unsafe { buf.advance(n) };
        Poll::Ready(Ok(()))
    }
}

impl<S: PollStream + Unpin> Write for Io<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write_vectored(cx, bufs)
    }
}
