//! [`std::net`], for goroutines: a program that changes `use std::net` to `use goroutines::net` still works.
//!
//! A call that waits parks the goroutine; other goroutines run on its thread meanwhile. On OS threads, and inside
//! [`blocking`](crate::blocking), the calls are std's own.
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::{go, net::{TcpListener, TcpStream}};
//! use std::io::{Read, Write};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! go(move || {
//!     for stream in listener.incoming() {
//!         let mut stream = stream.unwrap();
//!         go(move || {
//!             let mut buf = [0; 1024];
//!             while let Ok(n @ 1..) = stream.read(&mut buf) {
//!                 stream.write_all(&buf[..n]).unwrap();
//!             }
//!         });
//!     }
//! });
//! let echo = go(move || {
//!     let mut stream = TcpStream::connect(address).unwrap();
//!     stream.write_all(b"ping").unwrap();
//!     let mut buf = [0; 4];
//!     stream.read_exact(&mut buf).unwrap();
//!     buf
//! });
//! assert_eq!(&echo.join().unwrap(), b"ping");
//! # Ok::<(), std::io::Error>(())
//! ```

mod accept;
mod addrs;
pub(crate) mod calls;
mod connect;
mod dialer;
mod eyeballs;
pub(crate) mod fd;
pub mod linux;
mod methods;
mod polled;
mod resolve;
mod resolver_pool;
pub(crate) mod socket;
mod tcp_listener;
mod tcp_stream;
mod udp;
pub mod unix;

#[doc(no_inline)]
pub use std::net::{
    AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6,
};

pub use {
    addrs::ToSocketAddrs,
    dialer::Dialer,
    polled::{PollStream, Polled},
    tcp_listener::{Closer, Incoming, TcpListener},
    tcp_stream::TcpStream,
    udp::UdpSocket,
};

/// Runs a call that may block: other goroutines run on other threads meanwhile.
pub(crate) fn off_thread<R>(call: impl FnOnce() -> R) -> R {
    match goroutines_sched::can_park() {
        true => crate::blocking(call),
        false => goroutines_sched::keep_thread(call),
    }
}

/// Starts the runtime once for all unit tests of this crate.
#[cfg(test)]
fn start_for_tests() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    // SAFETY: what the tests run keeps no thread-local storage over a call that can park.
    ONCE.call_once(|| unsafe { crate::start() }.unwrap());
}
