//! Waiting for the end of a process: a descriptor that is ready from then on.

use std::{
    io::{self, ErrorKind},
    os::fd::{FromRawFd, OwnedFd},
    process::ExitStatus,
    time::{Duration, Instant},
};

use goroutines_sched::{Interest, IoWait, can_park};

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

    /// Looks at the process by `try_wait`. `None`: it is still running.
    pub(super) fn look(
        &self,
        mut try_wait: impl FnMut() -> io::Result<Option<ExitStatus>>,
    ) -> io::Result<Option<ExitStatus>> {
        let Some(socket) = &self.0 else {
            return try_wait();
        };
        let look = || try_wait()?.ok_or_else(|| ErrorKind::WouldBlock.into());
        let looked = socket.io.attempt(Interest::Read, true, look, |_| false);
        looked.transpose()
    }

    /// The process was still running at the last look: waits until it may have ended, at most until `deadline`. `tries`
    /// is the number of waits before.
    pub(super) fn wait(&self, deadline: Option<Instant>, tries: u32) -> io::Result<Waited> {
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(Waited::Late);
        }
        if let Some(socket) = &self.0 {
            if !can_park() {
                return on_thread(socket, deadline);
            }
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
    calls::poll(socket.fd(), libc::POLLIN, Some(deadline))?;
    Ok(Waited::Look)
}
