//! Accepting connections, for listeners of any kind.
//!
//! The kernel has no call that accepts without waiting from a listener in blocking mode. So a listener is *prepared* at
//! the first accept of a goroutine: it is set to non-blocking mode, which its user has not asked for. A thread to which a
//! prepared listener returns EAGAIN waits in poll(2).
//!
//! # Closing
//!
//! A closer has a share of the listener's record, and no descriptor. It ends the waits; the port is free when the handles
//! of the listener are dropped, which their owners do when their calls fail. It does not free the port itself:
//!
//! - `shutdown` on the socket would: for all processes that have the file. A server that hands its listener to its successor
//!   and then closes it would end the successor's.
//! - A dead socket under the number of each handle (`dup2`) would: in the hands of code that has borrowed a descriptor the
//!   file would change, and a thread that waits in the kernel's accept keeps the old one.

use std::{
    io::{self, ErrorKind},
    os::fd::{AsFd, RawFd},
    time::{Duration, Instant},
};

use goroutines_sched::{Interest, IoSource, can_park, keep_thread};

use super::{
    calls,
    fd::StdSocket,
    socket::{ADOPTED, CLOSED, EXPOSED, NONBLOCKING, PREPARED, Socket, Waited, closed},
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
    // Before a try: in the queue of a server that is busy there is always one more.
    if notes & CLOSED != 0 {
        return Err(closed());
    }
    if notes & FAILED_MASK != 0 && notes & NONBLOCKING == 0 {
        pause(notes, deadline);
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
    crate::checkpoint();
    let mut attempt = || attempt(listener, accept);
    let is_nonblocking = wants_nonblocking(listener);
    if listener.io.is_late(Interest::Read) && !is_nonblocking {
        return Err(timed_out());
    }
    let tried = listener
        .io
        .attempt(Interest::Read, is_nonblocking, &mut attempt, |_| false);
    match tried {
        Some(result) => return result,
        None if is_nonblocking => return Err(io::Error::from_raw_os_error(libc::EAGAIN)),
        None => {}
    }
    match listener.wait_for(Interest::Read, deadline, &mut attempt, &|_| false)? {
        Waited::Done(result) => Ok(result),
        Waited::TimedOut => Err(timed_out()),
        Waited::Closed => Err(closed()),
        Waited::Unpollable => crate::blocking(|| on_thread(listener, deadline, accept)),
    }
}

/// Accepts without waiting.
fn attempt<S: AsFd, R>(
    listener: &Socket<S>,
    accept: &impl Fn(&S) -> io::Result<R>,
) -> io::Result<R> {
    prepare(listener)?;
    loop {
        match accept(listener) {
            Err(error) if is_of_connection(&error) => {}
            result => return result,
        }
    }
}

/// Accepts for a caller that is no goroutine. With a deadline the listener must not block either: another caller may be
/// faster between the wait and the accept.
fn on_thread<S: AsFd, R>(
    listener: &Socket<S>,
    deadline: Option<Instant>,
    accept: &impl Fn(&S) -> io::Result<R>,
) -> io::Result<R> {
    if deadline.is_some() {
        prepare(listener)?;
    }
    loop {
        match accept(listener) {
            Err(error)
                if error.kind() == ErrorKind::WouldBlock
                    && listener.io.notes() & (PREPARED | NONBLOCKING) == PREPARED =>
            {
                wait_with_thread(listener.fd(), deadline)?;
            }
            result => return result,
        }
    }
}

fn wait_with_thread(fd: RawFd, deadline: Option<Instant>) -> io::Result<()> {
    loop {
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(timed_out());
        }
        if calls::poll(fd, libc::POLLIN, deadline)? {
            return Ok(());
        }
    }
}

fn timed_out() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "no connection in time")
}

/// Returns whether the user wants calls to return at once. As long as the listener is not prepared, its mode says so, which
/// any owner of the descriptor may have changed.
fn wants_nonblocking<S: AsFd>(listener: &Socket<S>) -> bool {
    let notes = listener.io.notes();
    let is_shared = notes & (EXPOSED | ADOPTED) != 0;
    let is_unknown = is_shared && notes & (PREPARED | NONBLOCKING) == 0;
    if is_unknown && calls::is_nonblocking(AsFd::as_fd(&**listener)).unwrap_or(false) {
        // Without room for a note the mode is read again.
        let _ = listener.io.change_notes(NONBLOCKING, 0);
        return true;
    }
    notes & NONBLOCKING != 0
}

/// The listener does not block from here on.
fn prepare<S: AsFd>(listener: &Socket<S>) -> io::Result<()> {
    if listener.io.notes() & (PREPARED | NONBLOCKING) != 0 {
        return Ok(());
    }
    listener.io.change_notes(PREPARED, 0)?;
    calls::set_nonblocking(AsFd::as_fd(&**listener), true)
}

/// The listener as std's, in the mode that its user wants. Clones that accept later prepare it again, and change its mode
/// with theirs: a file has one mode.
pub(super) fn into_std<S: StdSocket>(listener: Socket<S>) -> S {
    let notes = listener.io.notes();
    if notes & PREPARED != 0 {
        // A failure leaves the mode that it is in.
        let _ = listener.io.change_notes(0, PREPARED);
        let _ = calls::set_nonblocking(AsFd::as_fd(&*listener), notes & NONBLOCKING != 0);
    }
    listener.into_std()
}

/// Returns whether an accept failed because the listener was closed.
pub(super) fn is_closed<S: AsFd, R>(listener: &Socket<S>, accepted: &io::Result<R>) -> bool {
    listener.io.notes() & CLOSED != 0
        && accepted
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::ConnectionAborted)
}

/// The waits for a listener, which it ends.
#[derive(Debug)]
pub(super) struct Waits(IoSource);

impl Waits {
    pub(super) fn of<S: AsFd>(listener: &Socket<S>) -> io::Result<Waits> {
        listener.io.share().map(Waits)
    }

    /// Ends all waits, and refuses further calls.
    pub(super) fn close(&self) {
        // The record is there, so neither fails. The note is first: a caller that is woken finds it.
        let _ = self.0.change_notes(CLOSED, 0);
        let _ = self.0.close_waits();
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Returns whether this is an error of the connection that would have been accepted, and not of the listener. accept(2)
/// names them, but for EOPNOTSUPP, which a file that is no listener returns each time.
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

/// Before the next try, and not beyond `deadline`: 5 ms, doubled with each failure, up to 1 s.
fn pause(notes: u32, deadline: Option<Instant>) {
    let failed = (notes & FAILED_MASK) / FAILED;
    let (first, longest) = PAUSES;
    let pause = first.saturating_mul(1 << (failed - 1)).min(longest);
    let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
    crate::time::sleep(left.map_or(pause, |left| left.min(pause)));
}
