//! Methods and traits that several kinds of sockets have, written once.

/// The setters and getters of timeouts, and the deadlines, which std does not have.
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

            #[doc = concat!("Calls of goroutines that read from this ", $what, " end at `deadline`, also those that wait already;")]
            /// None: they do not. They fail with [`TimedOut`](std::io::ErrorKind::TimedOut), and so do later calls, whatever is
            /// there for them: an other side that always has more does not go on beyond it. What is there stays. Any
            /// goroutine or thread may change the deadline at any time, also for clones. It has no effect on calls of OS
            /// threads.
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

/// What a socket of datagrams has whose other side is set by `connect`.
macro_rules! datagram_methods {
    ($ours:ident) => {
        impl $ours {
            /// Receives a datagram; a connected socket receives from its other side only. What does not fit into `buf` is
            /// lost.
            ///
            /// # Errors
            ///
            /// What the kernel says.
            ///
            /// # Parks
            ///
            /// Until there is one.
            pub fn recv(&self, buf: &mut [u8]) -> std::io::Result<usize> {
                let buf = std::cell::RefCell::new(buf);
                self.0.call(
                    goroutines_sched::Interest::Read,
                    |fd| crate::net::calls::recv(fd, &mut buf.borrow_mut()),
                    |_| false,
                    |std| std.recv(&mut buf.borrow_mut()),
                )
            }

            /// Sends a datagram to the other side, to which the socket is connected.
            ///
            /// # Errors
            ///
            /// What the kernel says.
            ///
            /// # Parks
            ///
            /// Until there is room for it.
            pub fn send(&self, buf: &[u8]) -> std::io::Result<usize> {
                self.0.call(
                    goroutines_sched::Interest::Write,
                    |fd| crate::net::calls::send(fd, buf),
                    |_| false,
                    |std| std.send(buf),
                )
            }
        }
    };
}

/// `Read` and `Write` for `$ours` and `&$ours`, whose field 0 is a [`Socket`](super::socket::Socket) of a stream. `$is_short`
/// says whether a read that returned less than its buffer holds means that there is no more.
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

/// What every socket has. `$addr` is its kind of address.
macro_rules! socket_methods {
    ($ours:ident, $addr:ty) => {
        impl $ours {
            /// The address of this side.
            ///
            /// # Errors
            ///
            /// What the kernel says.
            pub fn local_addr(&self) -> std::io::Result<$addr> {
                self.0.local_addr()
            }

            /// Another handle of the same socket. Timeouts, deadlines and the mode are common to both.
            ///
            /// # Errors
            ///
            /// When there are no more descriptors.
            pub fn try_clone(&self) -> std::io::Result<$ours> {
                let clone = self.0.try_clone()?;
                Ok($ours(Socket::clone_of(&self.0, clone)?))
            }

            /// The pending error of the socket (SO_ERROR), which is cleared by that.
            ///
            /// # Errors
            ///
            /// What the kernel says.
            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                self.0.take_error()
            }

            /// Sets whether calls return at once, with `WouldBlock` where they would wait. Default: false.
            ///
            /// # Errors
            ///
            /// What the kernel says.
            pub fn set_nonblocking(&self, nonblocking: bool) -> std::io::Result<()> {
                self.0.set_nonblocking(nonblocking)
            }
        }
    };
}

/// What a socket with another side has.
macro_rules! peer_methods {
    ($ours:ident, $addr:ty) => {
        impl $ours {
            /// The address of the other side.
            ///
            /// # Errors
            ///
            /// `NotConnected`, and what the kernel says.
            pub fn peer_addr(&self) -> std::io::Result<$addr> {
                self.0.peer_addr()
            }

            /// Ends one direction, or both. Calls that wait in it return.
            ///
            /// # Errors
            ///
            /// What the kernel says.
            pub fn shutdown(&self, how: std::net::Shutdown) -> std::io::Result<()> {
                self.0.shutdown(how)
            }
        }
    };
}

/// What a listener has whose connections are `$stream`s: its iterator and its closer.
macro_rules! listener_types {
    ($ours:ident, $std:ty, $stream:ty) => {
        impl From<$ours> for $std {
            fn from(listener: $ours) -> $std {
                crate::net::accept::into_std(listener.0)
            }
        }

        impl $ours {
            /// An iterator over the connections, in the order in which they are accepted.
            pub fn incoming(&self) -> Incoming<'_> {
                Incoming {
                    listener: self,
                    closed: false,
                }
            }

            /// A [`Closer`], with which another goroutine ends the waits of this listener.
            ///
            /// # Errors
            ///
            /// ENOBUFS, where two million sockets are in use.
            pub fn closer(&self) -> std::io::Result<Closer> {
                Ok(Closer(crate::net::accept::Waits::of(&self.0)?))
            }
        }

        #[doc = concat!("See [`", stringify!($ours), "::incoming`]. It ends after [`Closer::close`].")]
        #[derive(Debug)]
        pub struct Incoming<'a> {
            listener: &'a $ours,
            closed: bool,
        }

        impl Iterator for Incoming<'_> {
            type Item = std::io::Result<$stream>;

            fn next(&mut self) -> Option<std::io::Result<$stream>> {
                if self.closed {
                    return None;
                }
                let next = self.listener.accept().map(|(stream, _)| stream);
                if crate::net::accept::is_closed(&self.listener.0, &next) {
                    self.closed = true;
                    return None;
                }
                Some(next)
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                match self.closed {
                    true => (0, Some(0)),
                    false => (0, None),
                }
            }
        }

        impl std::iter::FusedIterator for Incoming<'_> {}
    };
}

pub(super) use {
    datagram_methods, listener_types, peer_methods, socket_methods, stream_traits, timeout_methods,
};
