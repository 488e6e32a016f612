//! The kernel's calls, which do not wait whatever the mode of the socket: the only file of `net` with `unsafe` calls into
//! libc.
//!
//! They are calls of libc's functions, and no inlined system calls. The call of a function writes its return address to
//! the stack, below every buffer of the caller. If a guard page lies there, this write moves it. The kernel would not: a
//! system call whose buffer has a guard page in it fails with EFAULT.
//!
//! `recv` and `send` of the C library are points at which a thread can be cancelled, and lock the bus twice for that. Its
//! `syscall` is none.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::{self, MaybeUninit},
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    ptr,
    time::Instant,
};

use socket2::{SockAddr, SockRef};

/// The flags of each send: it does not wait, and raises no SIGPIPE.
const SEND: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

fn size(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn status(result: i32) -> io::Result<i32> {
    match result {
        0.. => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `recv` of the C library.
///
/// # Safety
///
/// `len` bytes from `buf` on are live, and no other code has them.
unsafe fn receive(fd: RawFd, buf: *mut u8, len: usize, flags: i32) -> io::Result<usize> {
    let nobody: *mut libc::c_void = ptr::null_mut();
    // SAFETY: the buffer is the caller's promise; where the sender's address goes, and its size, are null.
    let result = unsafe { libc::syscall(libc::SYS_recvfrom, fd, buf, len, flags, nobody, nobody) };
    size(result as isize)
}

pub(super) fn recv(fd: RawFd, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: it is a live buffer, as long as said, of this caller alone.
    unsafe { receive(fd, buf.as_mut_ptr(), buf.len(), libc::MSG_DONTWAIT) }
}

/// The same into memory that need not be initialised. After `Ok(n)` the first `n` bytes are.
pub(super) fn recv_uninit(fd: RawFd, buf: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    // SAFETY: it is a live buffer, as long as said, of this caller alone; the kernel writes to it only.
    unsafe { receive(fd, buf.as_mut_ptr().cast(), buf.len(), libc::MSG_DONTWAIT) }
}

pub(super) fn peek(fd: RawFd, buf: &mut [u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_PEEK;
    // SAFETY: it is a live buffer, as long as said, of this caller alone.
    unsafe { receive(fd, buf.as_mut_ptr(), buf.len(), flags) }
}

pub(super) fn send(fd: RawFd, buf: &[u8]) -> io::Result<usize> {
    let to: *const libc::c_void = ptr::null();
    // SAFETY: the buffer is live and as long as said; there is no address, of no size.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sendto,
            fd,
            buf.as_ptr(),
            buf.len(),
            SEND,
            to,
            0_usize,
        )
    };
    size(result as isize)
}

/// Receives a datagram, and where it comes from.
pub(super) fn recv_from(
    socket: &impl AsFd,
    buf: &mut [u8],
    flags: i32,
) -> io::Result<(usize, SockAddr)> {
    // SAFETY: bytes that may be uninitialised are written only, here by the kernel.
    let buf = unsafe { &mut *(ptr::from_mut(buf) as *mut [MaybeUninit<u8>]) };
    SockRef::from(socket).recv_from_with_flags(buf, libc::MSG_DONTWAIT | flags)
}

/// The same with an address of the Internet.
pub(super) fn inet((n, from): (usize, SockAddr)) -> io::Result<(usize, SocketAddr)> {
    let from = from.as_socket();
    let strange = || io::Error::new(io::ErrorKind::InvalidInput, "invalid argument");
    Ok((n, from.ok_or_else(strange)?))
}

pub(super) fn send_to(socket: &impl AsFd, buf: &[u8], to: &SockAddr) -> io::Result<usize> {
    SockRef::from(socket).send_to_with_flags(buf, to, SEND)
}

/// A message header for `count` parts from `first` on, at most as many as the kernel takes.
fn header(first: *mut libc::iovec, count: usize) -> libc::msghdr {
    // SAFETY: a header of zeros is valid: no address, no parts, no control data.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = first;
    header.msg_iovlen = parts(count) as _;
    header
}

pub(super) fn recv_vectored(fd: RawFd, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    // An `IoSliceMut` is an iovec: std says so for Unix.
    let mut header = header(bufs.as_mut_ptr().cast(), bufs.len());
    // SAFETY: the header and the buffers live until the call returns.
    size(unsafe { libc::recvmsg(fd, &raw mut header, libc::MSG_DONTWAIT) })
}

pub(super) fn send_vectored(fd: RawFd, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    // An `IoSlice` is an iovec: std says so for Unix. The kernel only reads the parts of a message that is sent.
    let header = header(bufs.as_ptr().cast_mut().cast(), bufs.len());
    // SAFETY: the header and the buffers live until the call returns.
    size(unsafe { libc::sendmsg(fd, &raw const header, SEND) })
}

/// How many parts a call takes, of `count`.
fn parts(count: usize) -> libc::c_int {
    count.min(libc::UIO_MAXIOV as usize) as libc::c_int
}

/// Reads from a pipe, in whatever mode it is. `Unsupported`: the kernel has no such call for this kind of file.
pub(crate) fn read_now(fd: RawFd, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    // An `IoSliceMut` is an iovec: std says so for Unix. Offset -1 is where the file is.
    let (from, count) = (bufs.as_ptr().cast(), parts(bufs.len()));
    // SAFETY: the parts and the buffers live until the call returns.
    size(unsafe { libc::preadv2(fd, from, count, -1, libc::RWF_NOWAIT) })
}

/// Writes to a pipe, as [`read_now`].
pub(crate) fn write_now(fd: RawFd, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    // An `IoSlice` is an iovec: std says so for Unix.
    let (from, count) = (bufs.as_ptr().cast(), parts(bufs.len()));
    // SAFETY: the parts and the buffers live until the call returns.
    size(unsafe { libc::pwritev2(fd, from, count, -1, libc::RWF_NOWAIT) })
}

/// The events of `events` for which `fd` is ready, and errors, after at most `millis`; -1: for as long as it takes.
fn ready_for(fd: RawFd, events: i16, millis: i32) -> io::Result<i16> {
    let mut entry = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    // SAFETY: one entry, which lives until the call returns.
    status(unsafe { libc::poll(&raw mut entry, 1, millis) })?;
    Ok(entry.revents)
}

/// Waits, with the thread, until `fd` is ready for `events`. False: it is not yet, because `deadline` has passed, a signal
/// came, or a minute went by.
pub(crate) fn poll(fd: RawFd, events: i16, deadline: Option<Instant>) -> io::Result<bool> {
    let millis = deadline.map_or(-1, |deadline| {
        let left = deadline.saturating_duration_since(Instant::now());
        // Rounded up: it is not over before.
        left.as_millis().min(60_000) as i32 + 1
    });
    match ready_for(fd, events, millis) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        ready => Ok(ready? != 0),
    }
}

/// Returns whether the reading direction has ended: by the other side, or by a shutdown of this one.
pub(super) fn is_ended(fd: RawFd) -> bool {
    ready_for(fd, libc::POLLRDHUP, 0).is_ok_and(|ready| ready & libc::POLLRDHUP != 0)
}

/// Returns whether the file is in non-blocking mode.
pub(super) fn is_nonblocking(fd: BorrowedFd<'_>) -> io::Result<bool> {
    // SAFETY: takes numbers only.
    let flags = status(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    Ok(flags & libc::O_NONBLOCK != 0)
}

pub(super) fn set_nonblocking(fd: BorrowedFd<'_>, nonblocking: bool) -> io::Result<()> {
    let mut value = libc::c_int::from(nonblocking);
    // SAFETY: one number, which lives until the call returns.
    status(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONBIO, ptr::from_mut(&mut value)) })?;
    Ok(())
}
