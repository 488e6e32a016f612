//! What all sockets have in common: a socket of std, and how a goroutine waits for it.
//!
//! ```text
//!  where the call is made                      what is done
//!  a goroutine that may leave its thread       the call with MSG_DONTWAIT; on EAGAIN: wait in the poller
//!  an OS thread, `blocking`                    std's own call
//!  a goroutine that unwinds                    std's own call; its P goes to another thread
//! ```
//!
//! The file stays in the mode that its user gave it: a stream is used with MSG_DONTWAIT on a blocking file, so that code
//! that gets its descriptor finds it as std would have made it. There is no such flag for accept and connect: the
//! exceptions are a listener for which a goroutine has waited, and a socket while it connects.

use std::{
    fmt,
    io::{self, ErrorKind},
    mem::ManuallyDrop,
    ops::Deref,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    time::{Duration, Instant},
};

use goroutines_sched::{Interest, IoSource, IoWait, can_park, keep_thread};

use super::calls;

/// The user wants calls to return at once. A note of [`IoSource`], as the four below.
pub(super) const NONBLOCKING: u32 = 1;
/// The descriptor was given out: the program may change its mode, or copy it, without the runtime.
pub(super) const EXPOSED: u32 = 1 << 1;
/// The runtime has made a listener non-blocking, and its user has not.
pub(super) const PREPARED: u32 = 1 << 2;
/// The file was opened elsewhere: the program may have other descriptors of it.
pub(super) const ADOPTED: u32 = 1 << 3;
/// The waits of a listener were ended for good.
pub(super) const CLOSED: u32 = 1 << 4;

/// The longest pause between two tries of a call whose success no event announces.
const LONGEST_PAUSE: Duration = Duration::from_millis(8);

/// How a wait for a call ended.
pub(super) enum Waited<R> {
    Done(R),
    TimedOut,
    Closed,
    /// No event will tell when the call may succeed.
    Unpollable,
}

/// A socket of std's type `S`.
pub(crate) struct Socket<S: AsFd> {
    std: ManuallyDrop<S>,
    pub(crate) io: IoSource,
}

impl<S: AsFd> Socket<S> {
    /// A new socket, in blocking mode and without timeouts.
    pub(crate) fn fresh(std: S) -> Socket<S> {
        Socket {
            std: ManuallyDrop::new(std),
            io: IoSource::new(),
        }
    }

    /// A socket that shares the file of `other`.
    pub(crate) fn clone_of(other: &Socket<S>, std: S) -> io::Result<Socket<S>> {
        Ok(Socket {
            std: ManuallyDrop::new(std),
            io: other.io.share()?,
        })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.std.as_fd().as_raw_fd()
    }

    /// The descriptor, for users.
    pub(crate) fn expose(&self) -> BorrowedFd<'_> {
        if self.io.notes() & EXPOSED == 0 {
            // Without room for a note the mode of the file is read each time anyway.
            let _ = self.io.change_notes(EXPOSED, 0);
        }
        self.std.as_fd()
    }

    /// The socket as std's, without the poller.
    pub(crate) fn into_std(mut self) -> S {
        self.io.release(self.fd(), false);
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, so it is taken only here.
        unsafe { ManuallyDrop::take(&mut this.std) }
    }

    /// Returns whether the user wants calls to return at once.
    fn is_nonblocking(&self) -> bool {
        match self.io.notes() {
            notes if notes & (EXPOSED | ADOPTED) != 0 => {
                calls::is_nonblocking(self.std.as_fd()).unwrap_or(false)
            }
            notes => notes & NONBLOCKING != 0,
        }
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        // A prepared listener stays as it is: the note says what its user wants.
        if self.io.notes() & PREPARED == 0 {
            calls::set_nonblocking(self.std.as_fd(), nonblocking)?;
        }
        match nonblocking {
            true => self.io.change_notes(NONBLOCKING, 0),
            false => self.io.change_notes(0, NONBLOCKING),
        }
    }

    /// A socket call. `now` is the call that does not wait, `std` the one that does. `takes_all` says of a result that
    /// there is nothing more for the moment, so that the next call waits without a try.
    #[inline]
    pub(crate) fn call<R>(
        &self,
        interest: Interest,
        mut now: impl FnMut(RawFd) -> io::Result<R>,
        takes_all: impl Fn(&R) -> bool,
        mut std: impl FnMut(&S) -> io::Result<R>,
    ) -> io::Result<R> {
        if !can_park() {
            return keep_thread(|| std(&self.std));
        }
        crate::checkpoint();
        // Before a try: where the other side always has more, no wait would ever find it out.
        if self.io.is_late(interest) && !self.is_nonblocking() {
            return Err(deadline_passed());
        }
        let fd = self.fd();
        if let Some(result) = self.io.attempt(interest, false, || now(fd), &takes_all) {
            return result;
        }
        self.call_slowly(interest, &mut now, &takes_all, &mut std)
    }

    /// A socket call that writes, and whose success no event announces: it blocks where it would wait. With a deadline,
    /// which may be moved, it is tried again and again.
    pub(super) fn call_or_block<R>(
        &self,
        mut now: impl FnMut() -> io::Result<R>,
        std: impl FnOnce(&S) -> io::Result<R>,
    ) -> io::Result<R> {
        if !can_park() {
            return keep_thread(|| std(&self.std));
        }
        crate::checkpoint();
        if self.io.is_late(Interest::Write) && !self.is_nonblocking() {
            return Err(deadline_passed());
        }
        match now() {
            Err(error) if error.kind() == ErrorKind::WouldBlock && !self.is_nonblocking() => {
                match self.io.has_deadline(Interest::Write) {
                    true => self.try_until_late(&mut now),
                    false => crate::blocking(|| std(&self.std)),
                }
            }
            result => result,
        }
    }

    #[cold]
    fn try_until_late<R>(&self, now: &mut dyn FnMut() -> io::Result<R>) -> io::Result<R> {
        let timeout = self.io.timeout(Interest::Write);
        let own = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut pause = Duration::from_millis(1);
        loop {
            let left = own.map(|own| own.saturating_duration_since(Instant::now()));
            crate::time::sleep(left.map_or(pause, |left| left.min(pause)));
            if self.io.is_late(Interest::Write) {
                return Err(deadline_passed());
            }
            match now() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            if own.is_some_and(|own| own <= Instant::now()) {
                return Err(timed_out(own));
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    #[cold]
    fn call_slowly<R>(
        &self,
        interest: Interest,
        now: &mut dyn FnMut(RawFd) -> io::Result<R>,
        takes_all: &dyn Fn(&R) -> bool,
        std: &mut dyn FnMut(&S) -> io::Result<R>,
    ) -> io::Result<R> {
        if self.is_nonblocking() {
            let result = now(self.fd());
            self.io.pass_baton(interest);
            return result;
        }
        let timeout = self.io.timeout(interest);
        // A moment that std's clock cannot hold never comes.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut attempt = || now(self.fd());
        match self.wait_for(interest, deadline, &mut attempt, takes_all)? {
            Waited::Done(result) => Ok(result),
            Waited::TimedOut => Err(timed_out(deadline)),
            Waited::Closed => Err(closed()),
            Waited::Unpollable => crate::blocking(|| std(&self.std)),
        }
    }

    /// Waits, and tries `call`, until that has a result: W1 to W7 of io_line.rs. `call` does not wait, and says
    /// `WouldBlock` for "not now"; `takes_all` as for [`Socket::call`].
    ///
    /// Before it returns `TimedOut` it tries once more, unless the deadline of the socket has passed: data may have come
    /// whose event was not handled yet.
    ///
    /// A datagram socket that was shut down announces its end, and says EAGAIN to a call that does not wait: only a call
    /// that waits returns. So that one is made.
    pub(super) fn wait_for<R>(
        &self,
        interest: Interest,
        deadline: Option<Instant>,
        call: &mut dyn FnMut() -> io::Result<R>,
        takes_all: &dyn Fn(&R) -> bool,
    ) -> io::Result<Waited<R>> {
        loop {
            if interest == Interest::Read
                && self.io.is_sticky(interest)
                && calls::is_ended(self.fd())
            {
                return Ok(Waited::Unpollable);
            }
            let late = match self.io.wait(self.fd(), interest, deadline)? {
                IoWait::Ready => false,
                IoWait::TimedOut if self.io.is_late(interest) => return Ok(Waited::TimedOut),
                IoWait::TimedOut => true,
                IoWait::Closed => return Ok(Waited::Closed),
                IoWait::Unpollable => return Ok(Waited::Unpollable),
            };
            match self.io.attempt(interest, late, &mut *call, takes_all) {
                Some(result) => return result.map(Waited::Done),
                None if late => return Ok(Waited::TimedOut),
                None => {}
            }
        }
    }
}

/// std's error when the timeout of its setters is over, which ends at `own`. Otherwise a deadline of ours has passed.
fn timed_out(own: Option<Instant>) -> io::Error {
    if own.is_some_and(|own| own <= Instant::now()) {
        return io::Error::from_raw_os_error(libc::EAGAIN);
    }
    deadline_passed()
}

fn deadline_passed() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "the deadline of the socket passed")
}

pub(super) fn closed() -> io::Error {
    io::Error::new(ErrorKind::ConnectionAborted, "use of a closed listener")
}

impl<S: AsFd> Drop for Socket<S> {
    fn drop(&mut self) {
        // The kernel drops the registration with the last descriptor of a file. Where there may be another one, the
        // poller removes it.
        let closes = self.io.notes() & (EXPOSED | ADOPTED) == 0;
        self.io.release(self.fd(), closes);
        // SAFETY: it is dropped once, here.
        unsafe { ManuallyDrop::drop(&mut self.std) };
    }
}

impl<S: AsFd> Deref for Socket<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.std
    }
}

impl<S: AsFd + fmt::Debug> fmt::Debug for Socket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of the socket, and not of what keeps it from being dropped.
        S::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        thread,
        time::Duration,
    };

    use goroutines_sched::Interest;

    use crate::{
        go,
        net::{TcpListener, TcpStream},
    };

    #[test]
    fn after_a_short_read_the_next_one_waits_without_a_try_also_where_the_first_one_waited() {
        crate::net::start_for_tests();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let reader = go(move || {
            let mut buffer = [0; 64];
            let mut read = |mut server: &TcpStream| {
                assert_eq!(server.read(&mut buffer).unwrap(), 1);
                let shall_try = server.0.io.shall_try(Interest::Read);
                server.write_all(b"x").unwrap();
                shall_try
            };
            // The first reads may find their byte without a wait, and the socket is registered at a wait.
            let _ = (0..200).find(|_| !read(&server));
            (0..10).filter(|_| read(&server)).count()
        });
        while !reader.is_finished() {
            // Meanwhile the reader waits.
            thread::sleep(Duration::from_millis(3));
            let sent = client.write_all(b"x");
            if sent.is_ok() {
                // The end of the reader may come in place of an answer.
                let _ = client.read(&mut [0]);
            }
        }
        assert_eq!(reader.join().unwrap(), 0);
    }
}
