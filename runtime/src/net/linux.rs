//! [`std::os::linux::net`], for goroutines: what only Linux has.

use std::{io, os::linux::net::TcpStreamExt as Std};

use super::TcpStream;

#[doc(no_inline)]
pub use std::os::linux::net::SocketAddrExt;

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::net::TcpStream {}
}

/// Options of a TCP connection that Linux has, as [`std::os::linux::net::TcpStreamExt`], which is for std's own type.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::net::{TcpListener, TcpStream, linux::TcpStreamExt};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let stream = TcpStream::connect(listener.local_addr()?)?;
/// stream.set_quickack(true)?;
/// assert!(stream.quickack()?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait TcpStreamExt: sealed::Sealed {
    /// Whether what comes is acknowledged at once, and not with the next data (TCP_QUICKACK). The kernel may change it
    /// back at any time.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    fn set_quickack(&self, quickack: bool) -> io::Result<()>;

    /// See [`TcpStreamExt::set_quickack`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    fn quickack(&self) -> io::Result<bool>;
}

impl TcpStreamExt for TcpStream {
    fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        Std::set_quickack(&*self.0, quickack)
    }

    fn quickack(&self) -> io::Result<bool> {
        Std::quickack(&*self.0)
    }
}
