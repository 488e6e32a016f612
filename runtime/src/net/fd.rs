//! Conversions that all sockets have: from and into descriptors and std's types.

use std::{
    io,
    os::fd::{AsFd, FromRawFd, RawFd},
    time::Duration,
};

use goroutines_sched::Interest;

use super::{
    calls,
    socket::{NONBLOCKING, Socket},
};

/// std's type, as far as a conversion needs it.
pub(super) trait StdSocket: AsFd {
    /// The timeouts for reading and for writing.
    fn timeouts(&self) -> io::Result<(Option<Duration>, Option<Duration>)>;
}

impl<S: StdSocket> Socket<S> {
    /// One that was made elsewhere: in whatever mode and with whatever timeouts. What cannot be asked for, or noted, is
    /// as for a new one.
    pub(super) fn adopt(std: S) -> Socket<S> {
        let nonblocking = calls::is_nonblocking(std.as_fd());
        let timeouts = std.timeouts();
        let socket = Socket::fresh(std);
        if let Ok(true) = nonblocking {
            let _ = socket.io.change_notes(NONBLOCKING, 0);
        }
        if let Ok((read, write)) = timeouts {
            let _ = socket.io.set_timeout(Interest::Read, read);
            let _ = socket.io.set_timeout(Interest::Write, write);
        }
        socket
    }
}

impl<S: StdSocket + FromRawFd> Socket<S> {
    /// # Safety
    ///
    /// As for [`FromRawFd::from_raw_fd`].
    pub(super) unsafe fn from_raw(fd: RawFd) -> Socket<S> {
        // SAFETY: the caller's promise is the same.
        Socket::adopt(unsafe { S::from_raw_fd(fd) })
    }
}

/// The traits of std's type `$std` that concern descriptors, for `$ours`, whose field 0 is a [`Socket`], and the
/// conversions between both.
macro_rules! fd_traits {
    ($ours:ident, $std:ty) => {
        impl std::os::fd::AsFd for $ours {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.0.expose()
            }
        }

        impl std::os::fd::AsRawFd for $ours {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsRawFd::as_raw_fd(&self.0.expose())
            }
        }

        impl std::os::fd::FromRawFd for $ours {
            unsafe fn from_raw_fd(fd: std::os::fd::RawFd) -> $ours {
                // SAFETY: the caller's promise is the same.
                $ours(unsafe { Socket::from_raw(fd) })
            }
        }

        impl std::os::fd::IntoRawFd for $ours {
            fn into_raw_fd(self) -> std::os::fd::RawFd {
                std::os::fd::IntoRawFd::into_raw_fd(<$std>::from(self))
            }
        }

        impl From<std::os::fd::OwnedFd> for $ours {
            fn from(fd: std::os::fd::OwnedFd) -> $ours {
                $ours::from(<$std>::from(fd))
            }
        }

        impl From<$ours> for std::os::fd::OwnedFd {
            fn from(socket: $ours) -> std::os::fd::OwnedFd {
                <$std>::from(socket).into()
            }
        }

        impl From<$std> for $ours {
            /// Nothing is set, and nothing can fail: the mode and the timeouts are taken over.
            fn from(socket: $std) -> $ours {
                $ours(Socket::adopt(socket))
            }
        }

        impl From<socket2::Socket> for $ours {
            /// Nothing is set, and nothing can fail: the mode and the timeouts are taken over.
            fn from(socket: socket2::Socket) -> $ours {
                $ours::from(<$std>::from(socket))
            }
        }

        impl std::fmt::Debug for $ours {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

/// The setters and getters of timeouts, and the deadlines that std has not.
macro_rules! timeout_methods {
    ($ours:ident, $what:literal) => {
        impl $ours {
            /// Sets how long a call that reads may last; None: for ever. Default: None.
            ///
            /// A call that lasts longer fails with [`WouldBlock`](std::io::ErrorKind::WouldBlock), as std's does on Unix.
            ///
            /// # Errors
            ///
            /// `InvalidInput`: the timeout is zero.
            pub fn set_read_timeout(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
                self.0.set_read_timeout(timeout)?;
                self.0.io.set_timeout(goroutines_sched::Interest::Read, timeout)
            }

            /// Sets how long a call that writes may last; None: for ever. Default: None. As
            #[doc = concat!("[`", stringify!($ours), "::set_read_timeout`].")]
            ///
            /// # Errors
            ///
            /// `InvalidInput`: the timeout is zero.
            pub fn set_write_timeout(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
                self.0.set_write_timeout(timeout)?;
                self.0.io.set_timeout(goroutines_sched::Interest::Write, timeout)
            }

            /// The timeout of [`set_read_timeout`](Self::set_read_timeout).
            ///
            /// # Errors
            ///
            /// What the kernel says.
            pub fn read_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                self.0.read_timeout()
            }

            /// The timeout of [`set_write_timeout`](Self::set_write_timeout).
            ///
            /// # Errors
            ///
            /// What the kernel says.
            pub fn write_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                self.0.write_timeout()
            }

            #[doc = concat!("Calls of goroutines that read from this ", $what, " end at `deadline`, also those that wait just now;")]
            /// None: they do not. They fail with [`TimedOut`](std::io::ErrorKind::TimedOut). Any goroutine or thread may change
            /// it at any time, also for clones. Calls of OS threads know nothing of it.
            ///
            /// # Errors
            ///
            /// ENOBUFS, where two million sockets are in use.
            pub fn set_read_deadline(&self, deadline: Option<std::time::Instant>) -> std::io::Result<()> {
                self.0.io.set_deadline(goroutines_sched::Interest::Read, deadline)
            }

            /// The same for calls that write.
            ///
            /// # Errors
            ///
            /// As [`set_read_deadline`](Self::set_read_deadline).
            pub fn set_write_deadline(&self, deadline: Option<std::time::Instant>) -> std::io::Result<()> {
                self.0.io.set_deadline(goroutines_sched::Interest::Write, deadline)
            }

            /// Both at once.
            ///
            /// # Errors
            ///
            /// As [`set_read_deadline`](Self::set_read_deadline).
            pub fn set_deadline(&self, deadline: Option<std::time::Instant>) -> std::io::Result<()> {
                self.set_read_deadline(deadline)?;
                self.set_write_deadline(deadline)
            }
        }
    };
}

/// `Read` and `Write` for `$ours` and `&$ours`, whose field 0 is a [`Socket`](super::socket::Socket) of a stream. `$is_short`
/// says of a read that got less than it asked for whether that is a sign that there is no more.
macro_rules! stream_traits {
    ($ours:ident, $is_short:expr) => {
        impl std::io::Read for &$ours {
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                let len = buf.len();
                let buf = std::cell::RefCell::new(buf);
                self.0.call(
                    goroutines_sched::Interest::Read,
                    |fd| crate::net::calls::recv(fd, &mut buf.borrow_mut()),
                    |&n| n != 0 && n < len && $is_short(*self),
                    |mut std| std.read(&mut buf.borrow_mut()),
                )
            }

            fn read_vectored(
                &mut self,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> std::io::Result<usize> {
                let bufs = std::cell::RefCell::new(bufs);
                self.0.call(
                    goroutines_sched::Interest::Read,
                    |fd| crate::net::calls::recv_vectored(fd, &mut bufs.borrow_mut()),
                    |_| false,
                    |mut std| std.read_vectored(&mut bufs.borrow_mut()),
                )
            }
        }

        impl std::io::Write for &$ours {
            fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
                self.0.call(
                    goroutines_sched::Interest::Write,
                    |fd| crate::net::calls::send(fd, buf),
                    |&n| n < buf.len(),
                    |mut std| std.write(buf),
                )
            }

            fn write_vectored(&mut self, bufs: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
                self.0.call(
                    goroutines_sched::Interest::Write,
                    |fd| crate::net::calls::send_vectored(fd, bufs),
                    |_| false,
                    |mut std| std.write_vectored(bufs),
                )
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }

        impl std::io::Read for $ours {
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                (&*self).read(buf)
            }

            fn read_vectored(
                &mut self,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> std::io::Result<usize> {
                (&*self).read_vectored(bufs)
            }
        }

        impl std::io::Write for $ours {
            fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
                (&*self).write(buf)
            }

            fn write_vectored(&mut self, bufs: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
                (&*self).write_vectored(bufs)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
    };
}

pub(super) use {fd_traits, stream_traits, timeout_methods};
