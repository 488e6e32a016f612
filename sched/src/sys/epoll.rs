//! The kernel's list of sockets and their events: the only file that names epoll.
//!
//! One epoll for the process, edge-triggered: an event reports a change once. Three kinds of descriptors are in it:
//! sockets, an eventfd by which a thread that sleeps in [`Poll::wait`] is interrupted, and, on kernels without
//! `epoll_pwait2`, a timerfd. The last two are level-triggered: a poll of another thread does not take their events
//! away from the thread that sleeps.
//!
//! The eventfd is readable all the time. An interruption is a change of its mask, from no event to EPOLLIN and back,
//! which costs as much as a write and a read of it. A program that closes descriptors it does not know, as daemons do,
//! may have another file under that number later: a write would go into that file, while the change of the mask fails
//! for any file but the eventfd, and in any epoll but this one. All calls that fail so end the process.
//!
//! ```text
//! token   63 ............ 32 31 ............. 0
//!        │ generation       │ number of the socket's record, or KICK, or TIMER │
//! ```

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::sys::fatal;

/// Events that are taken at a time.
pub(crate) const BATCH: usize = 128;

const KICK: u64 = u32::MAX as u64;
const TIMER: u64 = KICK - 1;

/// What a socket is registered for: both directions report an error and the end of the peer's half.
pub(crate) const READ: u32 =
    (libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLRDHUP | libc::EPOLLET) as u32;
pub(crate) const READ_WRITE: u32 = READ | libc::EPOLLOUT as u32;

/// An event as the kernel reports it.
#[derive(Clone, Copy)]
pub(crate) struct Event(libc::epoll_event);

impl Event {
    /// The number of the socket's record, and its generation when it was registered.
    pub(crate) fn token(self) -> (u32, u32) {
        let token = self.0.u64;
        (token as u32, (token >> 32) as u32)
    }

    fn has(self, flags: i32) -> bool {
        self.0.events & flags as u32 != 0
    }

    /// Returns whether the sleeper was interrupted.
    pub(crate) fn is_kick(self) -> bool {
        self.0.u64 == KICK
    }

    /// Returns whether it concerns readers.
    pub(crate) fn reads(self) -> bool {
        self.has(
            libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR,
        )
    }

    pub(crate) fn writes(self) -> bool {
        self.has(libc::EPOLLOUT | libc::EPOLLHUP | libc::EPOLLERR)
    }

    /// Returns whether readers may get no further event.
    pub(crate) fn ends_reading(self) -> bool {
        self.has(libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLPRI)
    }

    pub(crate) fn ends_writing(self) -> bool {
        self.has(libc::EPOLLHUP)
    }
}

/// The epoll of the process.
pub(crate) struct Poll {
    epoll: OwnedFd,
    kick: OwnedFd,
    timer: OwnedFd,
    /// Whether the kernel lacks `epoll_pwait2`.
    no_pwait2: AtomicBool,
}

static POLL: OnceLock<Poll> = OnceLock::new();

/// The epoll of the process, once there is one.
#[inline]
pub(crate) fn get() -> Option<&'static Poll> {
    POLL.get()
}

/// Interrupts the thread that sleeps in [`Poll::wait`].
#[cold]
pub(crate) fn kick() {
    if let Some(poll) = get() {
        poll.kick();
    }
}

/// The epoll of the process; makes it if there is none yet.
///
/// # Errors
///
/// The kernel's, where the process may have no more descriptors, or none of this kind.
pub(crate) fn get_or_make() -> io::Result<&'static Poll> {
    if let Some(poll) = POLL.get() {
        return Ok(poll);
    }
    let made = Poll::new()?;
    // Two threads may make one at once: the second is closed again.
    Ok(POLL.get_or_init(|| made))
}

/// What `epoll_pwait2` takes: 64 bits each on every CPU, whatever the C library's `timespec` is.
#[repr(C)]
struct Timeout {
    seconds: i64,
    nanoseconds: i64,
}

impl Timeout {
    fn new(nanos: u64) -> Timeout {
        Timeout {
            seconds: (nanos / 1_000_000_000) as i64,
            nanoseconds: (nanos % 1_000_000_000) as i64,
        }
    }
}

fn timespec(nanos: u64) -> libc::timespec {
    libc::timespec {
        // A longer wait ends early, which it may.
        tv_sec: i32::try_from(nanos / 1_000_000_000)
            .unwrap_or(i32::MAX)
            .into(),
        tv_nsec: (nanos % 1_000_000_000) as libc::c_long,
    }
}

fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for this caller, and no other code has the number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn check(result: i32) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

impl Poll {
    fn new() -> io::Result<Poll> {
        // SAFETY: the call takes numbers only.
        let epoll = owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the call takes numbers only.
        let kick = owned(unsafe { libc::eventfd(1, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        // SAFETY: the call takes numbers only.
        let timer = owned(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) })?;
        let poll = Poll {
            epoll,
            kick,
            timer,
            no_pwait2: AtomicBool::new(false),
        };
        let add = libc::EPOLL_CTL_ADD;
        poll.try_control(add, poll.kick.as_raw_fd(), 0, KICK)?;
        let readable = libc::EPOLLIN as u32;
        poll.try_control(add, poll.timer.as_raw_fd(), readable, TIMER)?;
        Ok(poll)
    }

    /// The kernel's answer, as long as the descriptors are those that [`Poll::new`] made.
    fn control(&self, operation: i32, fd: RawFd, events: u32, token: u64) -> io::Result<()> {
        let result = self.try_control(operation, fd, events, token);
        if let Err(error) = &result
            && matches!(error.raw_os_error(), Some(libc::EBADF | libc::EINVAL))
        {
            self.check();
        }
        result
    }

    /// Ends the process if the epoll, or the eventfd in it, is not there any more. Otherwise the caller's descriptor was
    /// meant.
    #[cold]
    fn check(&self) {
        let again = self.try_control(libc::EPOLL_CTL_ADD, self.kick.as_raw_fd(), 0, KICK);
        match again {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
            Err(error) => self.is_lost(&error),
            Ok(()) => self.is_lost(&io::Error::from_raw_os_error(libc::EBADF)),
        }
    }

    /// Without its descriptors no goroutine that waits would be woken.
    #[cold]
    fn is_lost(&self, error: &io::Error) -> ! {
        let [epoll, kick, timer] = [&self.epoll, &self.kick, &self.timer].map(AsRawFd::as_raw_fd);
        fatal::fatal(format_args!(
            "the network poller cannot use its descriptors {epoll}, {kick} and {timer} ({error}): the program has \
             closed or replaced one of them; close inherited descriptors before `goroutines::start`, and later only \
             those that the program has opened itself"
        ))
    }

    fn try_control(&self, operation: i32, fd: RawFd, events: u32, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events, u64: token };
        // SAFETY: the event lives until the call returns; a number that is no descriptor is an error.
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd, &raw mut event) })
    }

    fn token(number: u32, generation: u32) -> u64 {
        u64::from(generation) << 32 | u64::from(number)
    }

    /// # Errors
    ///
    /// EEXIST: it is registered. EPERM: it cannot be waited for. ENOSPC, ENOMEM: there are too many.
    pub(crate) fn add(&self, fd: RawFd, mask: u32, number: u32, generation: u32) -> io::Result<()> {
        self.control(
            libc::EPOLL_CTL_ADD,
            fd,
            mask,
            Poll::token(number, generation),
        )
    }

    /// Changes a registration. Events that are pending are reported again.
    pub(crate) fn modify(
        &self,
        fd: RawFd,
        mask: u32,
        number: u32,
        generation: u32,
    ) -> io::Result<()> {
        self.control(
            libc::EPOLL_CTL_MOD,
            fd,
            mask,
            Poll::token(number, generation),
        )
    }

    pub(crate) fn remove(&self, fd: RawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    /// The events, after at most `timeout` nanoseconds; `None`: without a limit. It may return without events: time
    /// is up, a signal came, or the thread was interrupted.
    pub(crate) fn wait<'a>(
        &self,
        events: &'a mut [MaybeUninit<Event>; BATCH],
        timeout: Option<u64>,
    ) -> impl Iterator<Item = Event> + 'a {
        let count = match timeout {
            Some(0) => self.wait_millis(events, 0),
            _ if self.lacks_pwait2() => self.wait_by_timer(events, timeout),
            _ => self.wait_nanos(events, timeout).unwrap_or_else(|| {
                // Relaxed: each thread may find it out by itself.
                self.no_pwait2.store(true, Ordering::Relaxed);
                self.wait_by_timer(events, timeout)
            }),
        };
        // SAFETY: the kernel has written as many.
        events
            .iter()
            .take(count)
            .map(|event| unsafe { event.assume_init() })
    }

    fn lacks_pwait2(&self) -> bool {
        // Relaxed: see the store.
        self.no_pwait2.load(Ordering::Relaxed)
    }

    fn wait_millis(&self, events: &mut [MaybeUninit<Event>; BATCH], millis: i32) -> usize {
        // SAFETY: there is room for as many events as are asked for.
        let count = unsafe {
            libc::epoll_wait(
                self.epoll.as_raw_fd(),
                events.as_mut_ptr().cast(),
                BATCH as i32,
                millis,
            )
        };
        usize::try_from(count).unwrap_or_else(|_| self.no_events(&io::Error::last_os_error()))
    }

    /// A wait that failed: a signal came, or the descriptor is no epoll. A sleeper that took the second for no events
    /// would wait again at once, for ever.
    #[cold]
    fn no_events(&self, error: &io::Error) -> usize {
        match error.kind() {
            io::ErrorKind::Interrupted => 0,
            _ => self.is_lost(error),
        }
    }

    /// `None`: the kernel has no such call.
    fn wait_nanos(
        &self,
        events: &mut [MaybeUninit<Event>; BATCH],
        timeout: Option<u64>,
    ) -> Option<usize> {
        let time = timeout.map(Timeout::new);
        let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: there is room for as many events as are asked for; the time lives until the call returns.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.epoll.as_raw_fd(),
                events.as_mut_ptr(),
                BATCH as i32,
                time,
                ptr::null::<libc::sigset_t>(),
                0_usize,
            )
        };
        if let Ok(count) = usize::try_from(count) {
            return Some(count);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            // A seccomp filter may return either.
            Some(libc::ENOSYS | libc::EPERM) => None,
            _ => Some(self.no_events(&error)),
        }
    }

    /// As [`Poll::wait`], with a timerfd, for one thread at a time.
    fn wait_by_timer(
        &self,
        events: &mut [MaybeUninit<Event>; BATCH],
        timeout: Option<u64>,
    ) -> usize {
        if let Some(timeout) = timeout {
            self.set_timer(timeout);
        }
        let count = self.wait_millis(events, -1);
        if timeout.is_some() {
            // Disarmed, it is not readable any more.
            self.set_timer(0);
        }
        count
    }

    fn set_timer(&self, nanos: u64) {
        let time = libc::itimerspec {
            it_interval: timespec(0),
            it_value: timespec(nanos),
        };
        // SAFETY: the time lives until the call returns; the old one is not asked for.
        let set = check(unsafe {
            libc::timerfd_settime(self.timer.as_raw_fd(), 0, &raw const time, ptr::null_mut())
        });
        set.unwrap_or_else(|error| self.is_lost(&error));
    }

    /// Interrupts the thread that sleeps in [`Poll::wait`], or the next one that does.
    pub(crate) fn kick(&self) {
        self.mask_kick(libc::EPOLLIN as u32);
    }

    /// Clears the interruption. By the thread that was interrupted.
    pub(crate) fn take_kick(&self) {
        self.mask_kick(0);
    }

    fn mask_kick(&self, events: u32) {
        let masked = self.try_control(libc::EPOLL_CTL_MOD, self.kick.as_raw_fd(), events, KICK);
        masked.unwrap_or_else(|error| self.is_lost(&error));
    }
}
