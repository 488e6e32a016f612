//! Conversions that all sockets have: from and into descriptors and std's types.

use std::{
    io,
    os::fd::{AsFd, FromRawFd, RawFd},
    time::Duration,
};

use goroutines_sched::Interest;

use super::{
    calls,
    socket::{ADOPTED, NONBLOCKING, Socket},
};

/// std's type, as far as a conversion needs it.
pub(crate) trait StdSocket: AsFd {
    /// The timeouts for reading and for writing.
    fn timeouts(&self) -> io::Result<(Option<Duration>, Option<Duration>)>;
}

impl<S: StdSocket> Socket<S> {
    /// A socket that was made elsewhere, with the mode and the timeouts that it has. What cannot be read, or noted, is
    /// taken to be as for a new one.
    pub(crate) fn adopt(std: S) -> Socket<S> {
        let nonblocking = calls::is_nonblocking(std.as_fd());
        let timeouts = std.timeouts();
        let socket = Socket::fresh(std);
        let mode = if let Ok(true) = nonblocking {
            NONBLOCKING
        } else {
            0
        };
        let _ = socket.io.change_notes(ADOPTED | mode, 0);
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
    pub(crate) unsafe fn from_raw(fd: RawFd) -> Socket<S> {
        // SAFETY: the caller's promise is the same.
        Socket::adopt(unsafe { S::from_raw_fd(fd) })
    }
}

/// [`descriptor_traits`] for a type that a socket of `socket2` can become, and that can become one.
macro_rules! fd_traits {
    ($ours:ident, $std:ty) => {
        crate::net::fd::descriptor_traits!($ours, $std);

        impl From<socket2::Socket> for $ours {
            /// Nothing is set, and nothing can fail: the mode and the timeouts are taken over.
            fn from(socket: socket2::Socket) -> $ours {
                $ours::from(<$std>::from(socket))
            }
        }

        impl From<$ours> for socket2::Socket {
            /// Without the poller, in the mode that its user gave it.
            fn from(socket: $ours) -> socket2::Socket {
                <$std>::from(socket).into()
            }
        }
    };
}

/// The traits of std's type `$std` that concern descriptors, for `$ours`, whose field 0 is a [`Socket`], and the
/// conversions between both.
macro_rules! descriptor_traits {
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

        impl std::fmt::Debug for $ours {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

pub(crate) use descriptor_traits;
pub(super) use fd_traits;
