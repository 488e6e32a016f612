//! Waiting for the end of a process: a descriptor that is ready from then on.

use std::{
    io,
    os::fd::{FromRawFd, OwnedFd},
    time::{Duration, Instant},
};

use goroutines_sched::{Interest, IoSeen, IoWait, can_park};

use crate::net::{calls, socket::Socket};

/// The longest pause between two looks at a process without a descriptor.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The descriptor of a process, if the kernel gives one.
#[derive(Debug)]
pub(super) struct PidFd(Option<Socket<OwnedFd>>);

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// The process may have ended.
    Look,
    /// The moment has come.
    Late,
    /// There is nothing to wait for: the process must be waited for with the thread.
    Cannot,
}

impl PidFd {
    /// The descriptor of a child that was not waited for yet.
    pub(super) fn open(pid: u32) -> PidFd {
        // SAFETY: takes numbers only.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        // No such call before Linux 5.3, or forbidden in here, or no descriptors: it works without.
        let fd = i32::try_from(fd).ok().filter(|&fd| fd >= 0);
        // SAFETY: the kernel has just made it for us.
        PidFd(fd.map(|fd| Socket::fresh(unsafe { OwnedFd::from_raw_fd(fd) })))
    }

    /// Before a look at the process.
    pub(super) fn look(&self) -> Option<IoSeen> {
        self.0.as_ref().map(|socket| socket.io.look(Interest::Read))
    }

    /// The process was still running at a look after `seen`: waits until it may have ended, at most until `deadline`.
    /// `tries` is the number of waits before.
    pub(super) fn wait(
        &self,
        seen: Option<IoSeen>,
        deadline: Option<Instant>,
        tries: u32,
    ) -> io::Result<Waited> {
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(Waited::Late);
        }
        if let (Some(socket), Some(seen)) = (&self.0, seen) {
            if !can_park() {
                return on_thread(socket, deadline);
            }
            socket.io.clear(Interest::Read, seen);
            match socket.io.wait(socket.fd(), Interest::Read, deadline)? {
                IoWait::Ready => return Ok(Waited::Look),
                IoWait::TimedOut => return Ok(Waited::Late),
                IoWait::Closed | IoWait::Unpollable => {}
            }
        }
        let Some(deadline) = deadline else {
            return Ok(Waited::Cannot);
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let pause = Duration::from_millis(1 << tries.min(8)).min(LONGEST_PAUSE);
        crate::time::sleep(pause.min(left));
        Ok(Waited::Look)
    }
}

/// With the thread, in poll(2).
fn on_thread(socket: &Socket<OwnedFd>, deadline: Option<Instant>) -> io::Result<Waited> {
    let Some(deadline) = deadline else {
        return Ok(Waited::Cannot);
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let millis = left.as_millis().min(60_000) as i32 + 1;
    calls::poll_through_signals(socket.fd(), libc::POLLIN, millis)?;
    Ok(Waited::Look)
}
