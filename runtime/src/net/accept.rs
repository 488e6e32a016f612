//! Accepting connections, for listeners of any kind.
//!
//! The kernel has no call that accepts without waiting from a listener in blocking mode. So a listener is *prepared* at
//! the first accept of a goroutine: it goes to non-blocking mode, which its user has not asked for. A thread that is
//! told "not now" by a prepared listener waits in poll(2).

use std::{
    io::{self, ErrorKind},
    os::fd::{AsFd, RawFd},
    time::{Duration, Instant},
};

use goroutines_sched::{Interest, IoWait, can_park, keep_thread};

use super::{
    calls,
    fd::StdSocket,
    socket::{NONBLOCKING, PREPARED, Socket},
};

/// The first pause after an accept for which there were no descriptors, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// Accept without descriptors failed so often in a row: the note counts it, from this bit on, up to 15.
const FAILED: u32 = 1 << 8;
const FAILED_MASK: u32 = 15 * FAILED;

/// The next connection.
pub(super) fn next<S: AsFd, R>(
    listener: &Socket<S>,
    deadline: Option<Instant>,
    accept: impl Fn(&S) -> io::Result<R>,
) -> io::Result<R> {
    let notes = listener.io.notes();
    if notes & FAILED_MASK != 0 {
        pause(notes);
    }
    let result = match can_park() {
        true => on_goroutine(listener, deadline, &accept),
        false => keep_thread(|| on_thread(listener, deadline, &accept)),
    };
    note_failure(listener, notes, &result);
    result
}

fn on_goroutine<S: AsFd, R>(
    listener: &Socket<S>,
    deadline: Option<Instant>,
    accept: &impl Fn(&S) -> io::Result<R>,
) -> io::Result<R> {
    prepare(listener)?;
    crate::checkpoint();
    let io = &listener.io;
    loop {
        let seen = io.look(Interest::Read);
        if seen.shall_try() {
            match accept(listener) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    io.clear(Interest::Read, seen);
                    if io.notes() & NONBLOCKING != 0 {
                        return Err(error);
                    }
                }
                Err(error) if is_of_connection(&error) => continue,
                result => {
                    io.pass_baton(Interest::Read);
                    return result;
                }
            }
        } else if io.notes() & NONBLOCKING != 0 {
            return accept(listener);
        }
        match io.wait(listener.fd(), Interest::Read, deadline)? {
            IoWait::Ready => {}
            IoWait::TimedOut => {
                return Err(io::Error::new(ErrorKind::TimedOut, "no connection in time"));
            }
            IoWait::Closed => {
                return Err(io::Error::new(
                    ErrorKind::ConnectionAborted,
                    "use of a closed listener",
                ));
            }
            IoWait::Unpollable => {
                return crate::blocking(|| on_thread(listener, deadline, accept));
            }
        }
    }
}

fn on_thread<S: AsFd, R>(
    listener: &Socket<S>,
    deadline: Option<Instant>,
    accept: &impl Fn(&S) -> io::Result<R>,
) -> io::Result<R> {
    loop {
        if let Some(deadline) = deadline {
            wait_with_thread(listener.fd(), deadline)?;
        }
        match accept(listener) {
            Err(error)
                if error.kind() == ErrorKind::WouldBlock
                    && listener.io.notes() & (PREPARED | NONBLOCKING) == PREPARED =>
            {
                calls::poll(listener.fd(), libc::POLLIN, -1).or_else(ignore_signal)?;
            }
            result => return result,
        }
    }
}

fn wait_with_thread(fd: RawFd, deadline: Instant) -> io::Result<()> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let millis = left.as_millis().min(60_000) as i32;
        if calls::poll(fd, libc::POLLIN, millis).or_else(ignore_signal)? {
            return Ok(());
        }
        if left.is_zero() {
            return Err(io::Error::new(ErrorKind::TimedOut, "no connection in time"));
        }
    }
}

/// A signal came: nothing is ready.
fn ignore_signal(error: io::Error) -> io::Result<bool> {
    match error.kind() {
        ErrorKind::Interrupted => Ok(false),
        _ => Err(error),
    }
}

/// The listener does not block from here on.
fn prepare<S: AsFd>(listener: &Socket<S>) -> io::Result<()> {
    if listener.io.notes() & (PREPARED | NONBLOCKING) != 0 {
        return Ok(());
    }
    listener.io.change_notes(PREPARED, 0)?;
    calls::set_nonblocking(AsFd::as_fd(&**listener), true)
}

/// The listener as std's, in the mode that its user wants.
pub(super) fn into_std<S: StdSocket>(listener: Socket<S>) -> S {
    let prepared = listener.io.notes() & (PREPARED | NONBLOCKING) == PREPARED;
    let std = listener.into_std();
    if prepared {
        // A failure leaves the mode that it is in.
        let _ = calls::set_nonblocking(std.as_fd(), false);
    }
    std
}

/// Returns whether an accept of a goroutine ended because of a `Closer`.
pub(super) fn is_closed<R>(accepted: &io::Result<R>) -> bool {
    can_park()
        && accepted
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::ConnectionAborted)
}

/// Ends all waits for the listener.
pub(super) fn close<S: AsFd>(listener: &Socket<S>) {
    // Its record is there: clones share one.
    let _ = listener.io.close_waits();
}

/// Is this an error of the connection that would have been accepted, and not of the listener? accept(2) names them.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::EINTR
                | libc::EPROTO
                | libc::ENETDOWN
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::EOPNOTSUPP
                | libc::ENETUNREACH
        )
    )
}

/// Counts failures for want of descriptors or memory in a row.
fn note_failure<S: AsFd, R>(listener: &Socket<S>, notes: u32, result: &io::Result<R>) {
    let failed = (notes & FAILED_MASK) / FAILED;
    let out_of = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    let now = match result {
        Err(error)
            if error
                .raw_os_error()
                .is_some_and(|code| out_of.contains(&code)) =>
        {
            (failed + 1).min(15)
        }
        Err(_) => failed,
        Ok(_) => 0,
    };
    if now != failed {
        // Two that count at once: the number is a hint.
        let _ = listener
            .io
            .change_notes(now * FAILED, FAILED_MASK & !(now * FAILED));
    }
}

/// Before the next try: 5 ms, doubled with each failure, up to 1 s.
fn pause(notes: u32) {
    let failed = (notes & FAILED_MASK) / FAILED;
    let (first, longest) = PAUSES;
    let pause = first.saturating_mul(1 << (failed - 1)).min(longest);
    crate::time::sleep(pause);
}
