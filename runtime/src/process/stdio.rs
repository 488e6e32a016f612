//! The ends of the pipes to a child that the parent has.

use std::{
    fmt,
    io::{self, IoSlice, IoSliceMut, Read, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd},
    process as std_process,
    process::Stdio,
};

use crate::io::{PipeReader, PipeWriter};

/// `$name`, a `$pipe` that can be `$std`.
macro_rules! end {
    ($(#[$doc:meta])* $name:ident, $pipe:ident, $std:ty) => {
        $(#[$doc])*
        pub struct $name($pipe);

        impl From<$std> for $name {
            fn from(end: $std) -> $name {
                $name::from(OwnedFd::from(end))
            }
        }

        impl From<$name> for $std {
            fn from(end: $name) -> $std {
                <$std>::from(OwnedFd::from(end))
            }
        }

        impl From<OwnedFd> for $name {
            fn from(fd: OwnedFd) -> $name {
                $name($pipe::from(fd))
            }
        }

        impl From<$name> for OwnedFd {
            fn from(end: $name) -> OwnedFd {
                end.0.into()
            }
        }

        impl From<$name> for Stdio {
            /// For another child.
            fn from(end: $name) -> Stdio {
                OwnedFd::from(end).into()
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.as_fd()
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                self.0.as_raw_fd()
            }
        }

        impl IntoRawFd for $name {
            fn into_raw_fd(self) -> RawFd {
                self.0.into_raw_fd()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

end!(
    /// What the child reads, as [`std::process::ChildStdin`]. A call that waits parks the goroutine. It is closed when it is
    /// dropped: the child comes to the end of its input.
    ChildStdin,
    PipeWriter,
    std_process::ChildStdin
);
end!(
    /// What the child writes, as [`std::process::ChildStdout`]. A call that waits parks the goroutine.
    ChildStdout,
    PipeReader,
    std_process::ChildStdout
);
end!(
    /// What the child writes of errors, as [`std::process::ChildStderr`]. A call that waits parks the goroutine.
    ChildStderr,
    PipeReader,
    std_process::ChildStderr
);

impl Write for &ChildStdin {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&self.0).write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        (&self.0).write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for ChildStdin {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&self.0).write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        (&self.0).write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

macro_rules! reads {
    ($($name:ident),*) => {$(
        impl Read for $name {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                (&self.0).read(buf)
            }

            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&self.0).read_vectored(bufs)
            }
        }
    )*};
}

reads!(ChildStdout, ChildStderr);
