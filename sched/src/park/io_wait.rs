//! Waiting for a socket: the functions of the scheduler that `net` uses.
//!
//! A socket holds an [`IoSource`]. A call uses it in the steps of io_line.rs: [`IoSource::attempt`] makes the call (W1,
//! W2, W7), and [`IoSource::wait`] waits for the next attempt (W3 to W6).

use std::{
    io,
    os::fd::RawFd,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use crate::{
    gmp::{
        g::Kind,
        io_waiter::IoWaiter,
        poll_desc::{self, PollDesc},
        ticket::{TIMED_OUT, Ticket},
    },
    park::{
        arm,
        io_register::{register, release, wake},
        on_thread, park_until_moment,
    },
    protocol::{
        io_line::{EVENT, Line, Node, Refusal, unless_not_now},
        timers::NEVER,
        wait_reason::WaitReason,
    },
    switch::{
        current::{current, running_goroutine},
        thread_word::current_m,
    },
    sys::{
        clock::{self, now},
        fatal,
    },
};

/// A direction of a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    /// Receiving, and accepting.
    Read,
    /// Sending, and connecting.
    Write,
}

/// How a wait for a socket ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IoWait {
    /// The call may succeed now.
    Ready,
    /// The deadline passed: the caller's, or the one of [`IoSource::set_deadline`].
    TimedOut,
    /// No wait is possible any more: [`IoSource::close_waits`].
    Closed,
    /// The kernel cannot tell when the call may succeed, for this kind of file or just now.
    Unpollable,
}

/// The part of a socket that waits: the number of its record (poll_desc.rs), 0 before the first wait.
#[derive(Debug, Default)]
pub struct IoSource {
    number: AtomicU32,
}

pub(crate) fn line(desc: &PollDesc, interest: Interest) -> &Line<IoWaiter> {
    match interest {
        Interest::Read => &desc.read,
        Interest::Write => &desc.write,
    }
}

impl PollDesc {
    fn timeout(&self, interest: Interest) -> &AtomicU64 {
        match interest {
            Interest::Read => &self.read_timeout,
            Interest::Write => &self.write_timeout,
        }
    }
}

/// Returns whether the caller is a goroutine that may leave its thread: it does not unwind, and is not in
/// [`blocking`](crate::blocking()). False for an OS thread.
#[inline]
pub fn can_park() -> bool {
    running_goroutine().is_some()
}

/// Runs `call`, which may block, where the caller [cannot park](can_park). The P of a goroutine that unwinds goes to
/// another M meanwhile.
pub fn keep_thread<R>(call: impl FnOnce() -> R) -> R {
    if current_m().is_none() {
        return call();
    }
    let g = current();
    if g.get().kind() != Kind::Goroutine {
        return call();
    }
    let mut result = None;
    on_thread::keep_thread(g, || result = Some(call()));
    match result {
        Some(result) => result,
        None => fatal::throw(format_args!("a call that kept its thread was not made")),
    }
}

impl IoSource {
    /// Of a socket that was not waited for yet.
    #[must_use]
    pub const fn new() -> IoSource {
        IoSource {
            number: AtomicU32::new(0),
        }
    }

    /// The number of the record, 0 for none.
    pub(crate) fn number(&self) -> u32 {
        // Relaxed: of a caller that has made the record, or seen it.
        self.number.load(Ordering::Relaxed)
    }

    #[inline]
    fn desc(&self) -> Option<&'static PollDesc> {
        // Acquire: partner is the CAS in `made`.
        poll_desc::get(self.number.load(Ordering::Acquire))
    }

    /// The record; makes it if there is none. `None` if there are too many.
    fn made(&self) -> Option<&'static PollDesc> {
        if let Some(desc) = self.desc() {
            return Some(desc);
        }
        let (number, desc) = PollDesc::take()?;
        // Release: partner is the Acquire in `desc`.
        let first = self
            .number
            .compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire);
        if first.is_err() {
            desc.leave(number);
            return self.desc();
        }
        Some(desc)
    }

    /// W1, W2 and W7: makes `call`, which does not wait, if it is worth trying, or in any case if `must_try`. `None`:
    /// not now; the caller [waits](IoSource::wait). `WouldBlock` is "not now", and a call that was interrupted is made
    /// again. `takes_all` returns whether a result shows that there is no more for the moment, so that the next call
    /// waits without a try.
    #[inline]
    pub fn attempt<R>(
        &self,
        interest: Interest,
        must_try: bool,
        call: impl FnMut() -> io::Result<R>,
        takes_all: impl Fn(&R) -> bool,
    ) -> Option<io::Result<R>> {
        match self.desc() {
            Some(desc) => line(desc, interest).attempt(must_try, call, takes_all, wake),
            None => unless_not_now(call),
        }
    }

    /// Returns whether a call is worth trying (W1).
    pub fn shall_try(&self, interest: Interest) -> bool {
        self.desc()
            .is_none_or(|desc| line(desc, interest).look().shall_try())
    }

    /// W3 to W6, for the socket `fd`: waits until a call may succeed, at most until `deadline`.
    ///
    /// # Errors
    ///
    /// What the kernel says of a descriptor that it does not know.
    ///
    /// # Parks
    ///
    /// Yes. The caller is a goroutine that [can park](crate::can_park).
    pub fn wait(
        &self,
        fd: RawFd,
        interest: Interest,
        deadline: Option<Instant>,
    ) -> io::Result<IoWait> {
        let Some(desc) = self.made() else {
            return Ok(IoWait::Unpollable);
        };
        let line = line(desc, interest);
        if !line.look().is_registered() {
            // The call is tried again after that: an event from before may not be announced. Relaxed: read by this
            // thread before.
            let number = self.number.load(Ordering::Relaxed);
            return Ok(
                match register(desc, number, fd, interest == Interest::Write)? {
                    true => IoWait::Ready,
                    false => IoWait::Unpollable,
                },
            );
        }
        let until = deadline.map_or(NEVER, clock::at);
        let outcome = wait_in(line, until.min(line.deadline()));
        // A deadline that was moved before this wait began may have ended it.
        let is_late = || until.min(line.deadline()) <= now();
        Ok(match outcome {
            IoWait::TimedOut if !is_late() => IoWait::Ready,
            outcome => outcome,
        })
    }

    /// Before `fd` is closed (`closes`) or leaves the runtime. No caller waits through this socket.
    pub fn release(&mut self, fd: RawFd, closes: bool) {
        release(std::mem::take(self.number.get_mut()), fd, closes);
    }

    /// Gives up a [share](IoSource::share) that never had a descriptor.
    pub fn leave(&mut self) {
        let number = std::mem::take(self.number.get_mut());
        if let Some(desc) = poll_desc::get(number) {
            desc.leave(number);
        }
    }

    /// W7: wakes the next waiter, if there may be something for it.
    #[inline]
    pub fn pass_baton(&self, interest: Interest) {
        if let Some(desc) = self.desc() {
            line(desc, interest).pass_baton(wake);
        }
    }

    /// Another socket for the same file shares the record: deadlines and waiters.
    ///
    /// # Errors
    ///
    /// When there are two million records.
    pub fn share(&self) -> io::Result<IoSource> {
        self.need()?.share();
        Ok(IoSource {
            // Relaxed: read by this thread before.
            number: AtomicU32::new(self.number.load(Ordering::Relaxed)),
        })
    }

    /// Calls in this direction may last this long from now on; `None`: without a limit. The owner of the socket reads
    /// the value with [`IoSource::timeout`]; [`IoSource::wait`] ignores it.
    ///
    /// # Errors
    ///
    /// When there are two million records.
    pub fn set_timeout(&self, interest: Interest, timeout: Option<Duration>) -> io::Result<()> {
        if timeout.is_none() && self.desc().is_none() {
            return Ok(());
        }
        let nanos = timeout.map_or(0, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(0));
        // Relaxed: a call that begins meanwhile may use either value.
        self.need()?
            .timeout(interest)
            .store(nanos, Ordering::Relaxed);
        Ok(())
    }

    /// See [`IoSource::set_timeout`].
    pub fn timeout(&self, interest: Interest) -> Option<Duration> {
        // Relaxed: as in `set_timeout`.
        let nanos = self.desc()?.timeout(interest).load(Ordering::Relaxed);
        (nanos != 0).then(|| Duration::from_nanos(nanos))
    }

    /// Sets and clears bits that all sockets for this file share. Their meaning is the owner's.
    ///
    /// # Errors
    ///
    /// When there are two million records.
    pub fn change_notes(&self, set: u32, clear: u32) -> io::Result<()> {
        if set == 0 && self.desc().is_none() {
            return Ok(());
        }
        let notes = &self.need()?.notes;
        // Relaxed (both): single bits, which publish no other memory.
        notes.fetch_or(set, Ordering::Relaxed);
        notes.fetch_and(!clear, Ordering::Relaxed);
        Ok(())
    }

    /// See [`IoSource::change_notes`].
    #[inline]
    pub fn notes(&self) -> u32 {
        // Relaxed: as in `change_notes`.
        self.desc()
            .map_or(0, |desc| desc.notes.load(Ordering::Relaxed))
    }

    pub(crate) fn need(&self) -> io::Result<&'static PollDesc> {
        self.made()
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOBUFS))
    }

    /// Waits in this direction end at `deadline` from now on, also waits that have begun.
    ///
    /// # Errors
    ///
    /// When there are two million records.
    pub fn set_deadline(&self, interest: Interest, deadline: Option<Instant>) -> io::Result<()> {
        let desc = self.need()?;
        line(desc, interest).set_deadline(deadline.map_or(NEVER, clock::at), wake);
        Ok(())
    }

    /// Returns whether an event came that may be the last one: the other side hung up, or urgent data came.
    pub fn is_sticky(&self, interest: Interest) -> bool {
        self.desc()
            .is_some_and(|desc| line(desc, interest).look().is_sticky())
    }

    /// The moment of [`IoSource::set_deadline`]; [`NEVER`] without one.
    #[inline]
    fn deadline(&self, interest: Interest) -> u64 {
        self.desc()
            .map_or(NEVER, |desc| line(desc, interest).deadline())
    }

    /// Returns whether there is a deadline of [`IoSource::set_deadline`].
    pub fn has_deadline(&self, interest: Interest) -> bool {
        self.deadline(interest) != NEVER
    }

    /// Returns whether the deadline of [`IoSource::set_deadline`] has passed.
    #[inline]
    pub fn is_late(&self, interest: Interest) -> bool {
        let deadline = self.deadline(interest);
        deadline != NEVER && deadline <= now()
    }

    /// Ends all waits, and refuses further ones.
    ///
    /// # Errors
    ///
    /// When there are two million records.
    pub fn close_waits(&self) -> io::Result<()> {
        let desc = self.need()?;
        desc.read.close(wake);
        desc.write.close(wake);
        Ok(())
    }
}

/// W3 to W6.
fn wait_in(line: &Line<IoWaiter>, until: u64) -> IoWait {
    // Most waits have no end, and the clock costs as much as parking.
    if until != NEVER && until <= now() {
        return IoWait::TimedOut;
    }
    let ticket = arm();
    let node = Node::new(IoWaiter::Goroutine(ticket));
    if ticket.g().is_copied_out() {
        let node = Box::new(node);
        return wait_with(line, &node, ticket, until);
    }
    wait_with(line, &node, ticket, until)
}

fn wait_with(line: &Line<IoWaiter>, node: &Node<IoWaiter>, ticket: Ticket, until: u64) -> IoWait {
    // SAFETY: the node stays where it is until this function returns, which it does after an event took it out, or
    // after `withdraw`.
    if let Err(refusal) = unsafe { line.enlist(node, until) } {
        return match refusal {
            Refusal::Closed => IoWait::Closed,
            Refusal::Late if line.deadline() <= now() => IoWait::TimedOut,
            Refusal::Ready | Refusal::NotRegistered | Refusal::Late => IoWait::Ready,
        };
    }
    let commit = || {
        // SAFETY: `enlist` left it locked for this.
        unsafe { line.unlock() };
        true
    };
    // SAFETY: the ticket is this caller's last one, the thread that claims it calls `ready`, and the commit's last
    // step is the one that lets others reach the node.
    let outcome = unsafe { park_until_moment(WaitReason::Io.on(line), ticket, until, commit) };
    if outcome == EVENT {
        return IoWait::Ready;
    }
    line.withdraw(node);
    if outcome == TIMED_OUT {
        return IoWait::TimedOut;
    }
    // The deadline or the registration has changed: the caller reads the word again, and tries the call.
    if line.look().is_closed() {
        return IoWait::Closed;
    }
    IoWait::Ready
}
