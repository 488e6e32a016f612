//! The socket in the file system: who may connect, and whose name it is.
//!
//! The mode is set before the socket has a name, so no other user can connect at any time. A name that is taken is tried: a
//! socket of our user on which no process listens is what a process that was killed has left, and is replaced. The other
//! process may have bound it and not listen yet; then it finds out when it listens, because the name is no longer its own.

use std::{
    fs,
    io::{self, ErrorKind},
    mem,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::{
            ffi::OsStrExt,
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::Path,
    time::{Duration, Instant},
};

/// How many clients may wait until they are accepted.
const BACKLOG: libc::c_int = 8;

/// The file that a socket is, by device and inode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct File(u64, u64);

impl File {
    fn at(path: &Path) -> io::Result<File> {
        fs::symlink_metadata(path).map(|data| File(data.dev(), data.ino()))
    }

    /// Removes it from `path`, if it is what is there.
    pub(super) fn remove(self, path: &Path) {
        if File::at(path).is_ok_and(|there| there == self) {
            // Another process may have been faster.
            let _ = fs::remove_file(path);
        }
    }
}

fn error(kind: ErrorKind, path: &Path, what: &str) -> io::Error {
    io::Error::new(kind, format!("debug::serve: {}: {what}", path.display()))
}

/// The error that the last system call has left.
fn refused(path: &Path, call: &str) -> io::Error {
    let last = io::Error::last_os_error();
    error(last.kind(), path, &format!("{call}: {last}"))
}

/// Makes the socket at `path`, and listens.
pub(super) fn listen(path: &Path) -> io::Result<(UnixListener, File)> {
    let address = Address::of(path)?;
    let socket = new_socket(0)?;
    // Before it has a name: never is it there with another mode.
    fs::File::from(socket.try_clone()?).set_permissions(fs::Permissions::from_mode(0o600))?;
    if !address.bind(&socket) {
        let bound = io::Error::last_os_error();
        if bound.kind() != ErrorKind::AddrInUse {
            return Err(error(bound.kind(), path, &bound.to_string()));
        }
        remove_dead(path, &address)?;
        if !address.bind(&socket) {
            return Err(refused(path, "bind"));
        }
    }
    let file = File::at(path)?;
    // SAFETY: takes numbers only.
    if unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) } != 0 {
        let error = refused(path, "listen");
        file.remove(path);
        return Err(error);
    }
    match File::at(path) {
        Ok(there) if there == file => Ok((UnixListener::from(socket), file)),
        _ => Err(error(
            ErrorKind::AddrInUse,
            path,
            "another process has replaced the socket while it was made",
        )),
    }
}

/// Removes the socket at `path`, on which no process listens any more.
fn remove_dead(path: &Path, address: &Address) -> io::Result<()> {
    let in_use = |what| Err(error(ErrorKind::AddrInUse, path, what));
    let data = match fs::symlink_metadata(path) {
        Ok(data) => data,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !data.file_type().is_socket() {
        return in_use("there is a file that is no socket: choose another path, or remove it");
    }
    if data.uid() != own_user() {
        return in_use("there is a socket of another user: choose another path");
    }
    let probe = new_socket(libc::SOCK_NONBLOCK)?;
    if address.connect(&probe) {
        return in_use("another process serves there: choose another path");
    }
    let answer = io::Error::last_os_error();
    match answer.kind() {
        ErrorKind::NotFound => Ok(()),
        ErrorKind::ConnectionRefused => {
            File(data.dev(), data.ino()).remove(path);
            Ok(())
        }
        // Its queue is full.
        ErrorKind::WouldBlock => in_use("another process serves there: choose another path"),
        kind => Err(error(kind, path, &answer.to_string())),
    }
}

fn new_socket(flags: libc::c_int) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | flags;
    // SAFETY: takes numbers only.
    let socket = unsafe { libc::socket(libc::AF_UNIX, kind, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, so it has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

fn own_user() -> u32 {
    // SAFETY: takes nothing and always succeeds.
    unsafe { libc::geteuid() }
}

/// A path as the system wants it.
struct Address {
    name: libc::sockaddr_un,
    length: libc::socklen_t,
}

impl Address {
    fn of(path: &Path) -> io::Result<Address> {
        let bytes = path.as_os_str().as_bytes();
        // SAFETY: the struct has numbers only.
        let mut name: libc::sockaddr_un = unsafe { mem::zeroed() };
        // A NUL stands at the end.
        let most = name.sun_path.len() - 1;
        let wrong = |what: String| Err(error(ErrorKind::InvalidInput, path, &what));
        if bytes.is_empty() {
            return wrong("the path of a socket must not be empty".to_owned());
        }
        if bytes.contains(&0) {
            return wrong("the path of a socket must not have a NUL".to_owned());
        }
        if bytes.len() > most {
            return wrong(format!(
                "the path of a socket may have {most} bytes, and this has {}",
                bytes.len()
            ));
        }
        name.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (place, &byte) in name.sun_path.iter_mut().zip(bytes) {
            *place = byte as libc::c_char;
        }
        let length = mem::offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + 1;
        Ok(Address {
            name,
            length: length as libc::socklen_t,
        })
    }

    fn bind(&self, socket: &OwnedFd) -> bool {
        // SAFETY: the name lives, and its length is what was written.
        unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const self.name).cast(),
                self.length,
            ) == 0
        }
    }

    fn connect(&self, socket: &OwnedFd) -> bool {
        // SAFETY: the name lives, and its length is what was written.
        unsafe {
            libc::connect(
                socket.as_raw_fd(),
                (&raw const self.name).cast(),
                self.length,
            ) == 0
        }
    }
}

/// Ends `accept`, in which another thread may wait: it fails from here on.
pub(super) fn stop(listener: &UnixListener) {
    // SAFETY: takes numbers only.
    unsafe { libc::shutdown(listener.as_raw_fd(), libc::SHUT_RDWR) };
}

/// Waits for `time`. Returns whether the client has left before, or was sent away.
pub(super) fn ends_within(stream: &UnixStream, time: Duration) -> bool {
    let end = Instant::now() + time;
    let mut place = libc::pollfd {
        fd: stream.as_raw_fd(),
        events: libc::POLLRDHUP,
        revents: 0,
    };
    loop {
        let left = end.saturating_duration_since(Instant::now());
        // Rounded up: what is left of a millisecond is waited for.
        let left = left.as_micros().div_ceil(1000) as libc::c_int;
        // SAFETY: one place, which lives.
        let ended = unsafe { libc::poll(&raw mut place, 1, left) };
        // A signal may have come.
        if ended > 0 || left == 0 {
            return ended > 0;
        }
    }
}

/// Returns whether our user, or root, has connected.
pub(super) fn is_from_our_user(stream: &UnixStream) -> bool {
    let mut peer = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut length = size_of_val(&peer) as libc::socklen_t;
    // SAFETY: both places live, and the length is that of the first.
    let answer = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    answer == 0 && may_look(peer.uid, own_user())
}

fn may_look(user: u32, own: u32) -> bool {
    user == own || user == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_leaves_ends_what_it_waits_for() {
        let (one, other) = UnixStream::pair().expect("two descriptors");
        assert!(!ends_within(&one, Duration::from_millis(1)));
        // What it says before it leaves is not read meanwhile.
        io::Write::write_all(&mut &other, b"bye\n").unwrap();
        assert!(!ends_within(&one, Duration::from_millis(1)));
        drop(other);
        assert!(ends_within(&one, Duration::from_secs(3600)));
    }

    #[test]
    fn our_user_and_root_may_look_and_no_other() {
        assert!(may_look(1000, 1000) && may_look(0, 1000) && may_look(0, 0));
        assert!(!may_look(1001, 1000) && !may_look(1000, 0));
        let (one, _other) = UnixStream::pair().expect("two descriptors");
        assert!(is_from_our_user(&one));
    }
}
