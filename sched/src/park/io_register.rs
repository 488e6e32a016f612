//! Registering a socket with the poller, at its first wait, and removing it.
//!
//! A socket is registered at its first wait, for reading. Writing is added at the first wait to write, because a new
//! connection can be written to: registered for both, each would make an event for nothing.
//!
//! ```text
//! R1 under `registration`: the direction is registered: done
//! R2 nothing is: ADD. EEXIST (a descriptor that was registered under another record): MOD
//! R3 only reading is: MOD, after which the kernel reports both anew
//! R4 EPERM: it cannot be waited for (a regular file). ENOSPC, ENOMEM, or no descriptors for the poller itself: not now
//! ```
//!
//! # Closing one of several clones
//!
//! A registration belongs to the file that the clones share, under the number of the clone that waited first. Once
//! that number is closed the registration cannot be removed, and lasts as long as a clone lives.
//!
//! ```text
//! D1 under `registration`: the number that is registered is this one's, and there are other users: DEL, not
//!    registered any more, all waiters look again: one of them registers its own number
//! D2 one user less; the last one gives the record back under another generation
//! D3 close
//! ```

use std::{io, os::fd::RawFd};

use crate::{
    global::{ready::ready_tail, sched},
    gmp::{
        io_waiter::IoWaiter,
        poll_desc::{self, PollDesc, Registration},
    },
    sys::epoll::{self, READ, READ_WRITE},
};

/// D1 and D2, before `fd` is closed (`closes`) or leaves the runtime. No caller waits through this socket.
pub(super) fn release(number: u32, fd: RawFd, closes: bool) {
    let Some(desc) = poll_desc::get(number) else {
        return;
    };
    desc.with_registration(|registration| {
        if registration.fd != fd {
            return;
        }
        // A file whose last number is closed loses its registration in the kernel.
        if (!closes || !desc.is_sole())
            && let Some(poll) = epoll::get()
        {
            // It was registered; a failure means that it is gone.
            let _ = poll.remove(fd);
        }
        sched::running().poller.note_removed();
        *registration = Registration {
            fd: -1,
            writes: false,
        };
        desc.read.set_registered(false, wake);
        desc.write.set_registered(false, wake);
    });
    desc.leave(number);
}

/// R1 to R4. False: the kernel cannot tell when a call may succeed.
#[cold]
pub(crate) fn register(
    desc: &PollDesc,
    number: u32,
    fd: RawFd,
    wants_write: bool,
) -> io::Result<bool> {
    // R4: the caller blocks, and a later wait asks again.
    let Ok(poll) = epoll::get_or_make() else {
        return Ok(false);
    };
    let generation = desc.generation();
    let result = desc.with_registration(|registration| {
        if registration.fd >= 0 && (registration.writes || !wants_write) {
            return Ok(()); // R1
        }
        let writes = wants_write || registration.writes;
        let mask = if writes { READ_WRITE } else { READ };
        if registration.fd >= 0 {
            poll.modify(registration.fd, mask, number, generation)?; // R3
        } else {
            match poll.add(fd, mask, number, generation) {
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
                    poll.modify(fd, mask, number, generation)?;
                }
                added => added?,
            }
            registration.fd = fd;
            sched::running().poller.note_registered();
        }
        registration.writes = writes;
        desc.read.set_registered(true, wake);
        if writes {
            desc.write.set_registered(true, wake);
        }
        Ok(())
    });
    match result {
        Ok(()) => Ok(true),
        Err(error) => refused(error),
    }
}

/// R4.
fn refused(error: io::Error) -> io::Result<bool> {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::ENOSPC | libc::ENOMEM) => Ok(false),
        _ => Err(error),
    }
}

/// Makes a claimed waiter ready.
pub(super) fn wake(waiter: IoWaiter) {
    if let Some(g) = waiter.served() {
        // SAFETY: the caller has claimed a G that parks, under the lock which the G's commit releases; or the service
        // goroutine, whose flag said that it has parked.
        unsafe { ready_tail(g) };
    }
}
