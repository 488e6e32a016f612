//! Pipes.
//!
//! An end stays in the mode that its user gave it, as a socket does: it is read and written with RWF_NOWAIT, so that a
//! child process that inherits it, and code that takes its descriptor, find a pipe as std makes it.
//!
//! ```text
//!  the kernel says                       what is done
//!  a number of bytes, an error           that is the result
//!  EAGAIN                                wait in the poller; an end that its user made non-blocking: the result
//!  EOPNOTSUPP: no RWF_NOWAIT for this    std's call, in `blocking`
//!    kind of file, or before Linux 6.4
//! ```

use std::{
    cell::RefCell,
    io::{
        self, ErrorKind, IoSlice, IoSliceMut, PipeReader as StdReader, PipeWriter as StdWriter,
        Read, Write,
    },
    process::Stdio,
    time::Duration,
};

use goroutines_sched::{Interest, can_park};

use crate::net::{
    calls,
    fd::{StdSocket, descriptor_traits},
    socket::Socket,
};

/// Makes a pipe: what is written to one end is read from the other. As [`std::io::pipe`].
///
/// # Errors
///
/// Where no more descriptors are to be had.
///
/// # Examples
///
/// A child process whose output and errors come in one stream:
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::io::pipe;
/// use std::{io::Read, process::Command};
///
/// let (mut reader, writer) = pipe()?;
/// let mut command = Command::new("echo");
/// command.arg("hello").stdout(writer.try_clone()?).stderr(writer);
/// let mut child = command.spawn()?;
/// // It has ends of its own, and the reader's end of file waits for it.
/// drop(command);
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "hello\n");
/// child.wait()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    Ok((
        PipeReader(Socket::fresh(reader)),
        PipeWriter(Socket::fresh(writer)),
    ))
}

/// The end of a pipe that is read, as [`std::io::PipeReader`]. A call that waits parks the goroutine.
///
/// It is made by [`pipe`], or from any descriptor. One that the kernel cannot read without waiting (a terminal, a
/// device) is read in [`blocking`](crate::blocking).
pub struct PipeReader(Socket<StdReader>);

/// The end of a pipe that is written, as [`std::io::PipeWriter`]. A call that waits parks the goroutine.
///
/// It is made by [`pipe`], or from any descriptor, as a [`PipeReader`]. Writing when no reader is left fails with
/// [`BrokenPipe`](ErrorKind::BrokenPipe).
pub struct PipeWriter(Socket<StdWriter>);

descriptor_traits!(PipeReader, StdReader);
descriptor_traits!(PipeWriter, StdWriter);

/// A pipe has no timeouts.
macro_rules! no_timeouts {
    ($($std:ty),*) => {$(
        impl StdSocket for $std {
            fn timeouts(&self) -> io::Result<(Option<Duration>, Option<Duration>)> {
                Ok((None, None))
            }
        }
    )*};
}

no_timeouts!(StdReader, StdWriter);

impl From<PipeReader> for StdReader {
    fn from(reader: PipeReader) -> StdReader {
        reader.0.into_std()
    }
}

impl From<PipeWriter> for StdWriter {
    fn from(writer: PipeWriter) -> StdWriter {
        writer.0.into_std()
    }
}

impl From<PipeReader> for Stdio {
    /// The input of a child process.
    fn from(reader: PipeReader) -> Stdio {
        StdReader::from(reader).into()
    }
}

impl From<PipeWriter> for Stdio {
    /// The output of a child process.
    fn from(writer: PipeWriter) -> Stdio {
        StdWriter::from(writer).into()
    }
}

impl PipeReader {
    /// Another handle of the same end: each byte goes to one of them.
    ///
    /// # Errors
    ///
    /// Where no more descriptors are to be had.
    pub fn try_clone(&self) -> io::Result<PipeReader> {
        let clone = self.0.try_clone()?;
        Ok(PipeReader(Socket::clone_of(&self.0, clone)?))
    }
}

impl PipeWriter {
    /// Another handle of the same end. The reader comes to the end of the file when all are dropped.
    ///
    /// # Errors
    ///
    /// Where no more descriptors are to be had.
    pub fn try_clone(&self) -> io::Result<PipeWriter> {
        let clone = self.0.try_clone()?;
        Ok(PipeWriter(Socket::clone_of(&self.0, clone)?))
    }
}

/// The result of a try, or of std's call where a try cannot be made: on an old kernel, and where a sandbox refuses the
/// system call.
fn or_block(
    result: io::Result<usize>,
    std: impl FnOnce() -> io::Result<usize>,
) -> io::Result<usize> {
    let refused = |error: &io::Error| {
        let kind = error.kind();
        kind == ErrorKind::Unsupported || kind == ErrorKind::PermissionDenied
    };
    match result {
        Err(error) if refused(&error) && can_park() => crate::blocking(std),
        result => result,
    }
}

impl Read for &PipeReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_vectored(&mut [IoSliceMut::new(buf)])
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let bufs = RefCell::new(bufs);
        let std = |mut std: &StdReader| std.read_vectored(&mut bufs.borrow_mut());
        let result = self.0.call(
            Interest::Read,
            |fd| calls::read_now(fd, &mut bufs.borrow_mut()),
            // A pipe of packets gives one at a time.
            |_| false,
            std,
        );
        or_block(result, || std(&self.0))
    }
}

impl Write for &PipeWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let std = |mut std: &StdWriter| std.write_vectored(bufs);
        let now = |fd| calls::write_now(fd, bufs);
        let result = self.0.call(Interest::Write, now, |_| false, std);
        or_block(result, || std(&self.0))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for PipeReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }
}

impl Write for PipeWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
