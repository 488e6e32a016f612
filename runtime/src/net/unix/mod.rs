//! [`std::os::unix::net`], for goroutines: sockets of this machine.

mod datagram;
mod listener;
mod stream;

#[doc(no_inline)]
pub use std::os::unix::net::SocketAddr;

pub use {
    datagram::UnixDatagram,
    listener::{Closer, Incoming, UnixListener},
    stream::UnixStream,
};
