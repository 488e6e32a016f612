//! Timers of CPU time that send SIGPROF, and the threads of the process.

use std::{ffi::c_void, fs, io, mem, ptr};

use crate::cpu::handler::{SIGNAL, Session};

/// A timer. Dropped, it is gone.
pub(super) struct Timer(libc::timer_t);

// SAFETY: a timer belongs to the process.
unsafe impl Send for Timer {}

impl Timer {
    /// Of the CPU time of `thread`, which gets the signal. The signal carries `word`.
    fn of_thread(thread: libc::pid_t, word: *mut c_void) -> io::Result<Timer> {
        Timer::new(clock_of(thread), Some(thread), word)
    }

    /// Of the CPU time of the process. Any thread may get the signal; the kernel prefers the one that runs.
    pub(super) fn of_process(word: *mut c_void) -> io::Result<Timer> {
        Timer::new(libc::CLOCK_PROCESS_CPUTIME_ID, None, word)
    }

    fn new(
        clock: libc::clockid_t,
        thread: Option<libc::pid_t>,
        word: *mut c_void,
    ) -> io::Result<Timer> {
        // SAFETY: all zeroes is a valid `sigevent`.
        let mut event: libc::sigevent = unsafe { mem::zeroed() };
        event.sigev_signo = SIGNAL;
        event.sigev_value.sival_ptr = word;
        event.sigev_notify = libc::SIGEV_SIGNAL;
        if let Some(thread) = thread {
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_notify_thread_id = thread;
        }
        let mut timer = ptr::null_mut();
        // SAFETY: both are whole and live; the signal has a handler.
        match unsafe { libc::timer_create(clock, &raw mut event, &raw mut timer) } {
            0 => Ok(Timer(timer)),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// It fires each `period` nanoseconds from now on.
    pub(super) fn start(&self, period: u64) -> io::Result<()> {
        let period = libc::timespec {
            tv_sec: i32::try_from(period / 1_000_000_000)
                .unwrap_or(i32::MAX)
                .into(),
            tv_nsec: (period % 1_000_000_000) as libc::c_long,
        };
        let times = libc::itimerspec {
            it_interval: period,
            it_value: period,
        };
        // SAFETY: the timer exists until this value is dropped.
        match unsafe { libc::timer_settime(self.0, 0, &raw const times, ptr::null_mut()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: the timer was made in `new`, and is deleted once.
        unsafe { libc::timer_delete(self.0) };
    }
}

/// The clock of the CPU time of a thread, as Linux numbers it: the complement of the thread, and three bits that say that it
/// is one thread's (4), and what the scheduler counts (2).
fn clock_of(thread: libc::pid_t) -> libc::clockid_t {
    !thread << 3 | 4 | 2
}

/// Keeps the signal from the calling thread.
pub(super) fn block_signal() {
    // SAFETY: all zeroes is a valid set; sigaddset and pthread_sigmask read and write live sets.
    unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigaddset(&raw mut set, SIGNAL);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut());
    }
}

/// A thread, its slot, and its timer.
struct ThreadTimer {
    thread: libc::pid_t,
    slot: usize,
    _timer: Timer,
}

/// The timers of threads.
#[derive(Default)]
pub(super) struct ThreadTimers {
    list: Vec<ThreadTimer>,
}

impl ThreadTimers {
    /// Gives each thread a timer, but the caller. Where the system does not show the threads, there are none.
    pub(super) fn update(&mut self, session: &mut Session, period: u64) {
        let threads = threads();
        self.list.retain(|it| {
            let lives = threads.contains(&it.thread);
            if !lives {
                session.release(it.slot);
            }
            lives
        });
        // SAFETY: gettid has no arguments and no preconditions.
        let own = unsafe { libc::gettid() };
        for thread in threads {
            if thread == own || self.list.iter().any(|it| it.thread == thread) {
                continue;
            }
            let Some((slot, word)) = session.claim(thread) else {
                return;
            };
            let timer = Timer::of_thread(thread, word);
            match timer.and_then(|timer| timer.start(period).map(|()| timer)) {
                Ok(timer) => self.list.push(ThreadTimer {
                    thread,
                    slot,
                    _timer: timer,
                }),
                // It has ended meanwhile, or there are no more timers.
                Err(_) => session.release(slot),
            }
        }
    }

    /// No timer fires from here on; signals may still be on their way.
    pub(super) fn end(&mut self) {
        self.list.clear();
    }
}

/// The kernel's numbers of the threads that live.
fn threads() -> Vec<libc::pid_t> {
    let entries = fs::read_dir("/proc/self/task").into_iter().flatten();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_the_clock_that_the_c_library_says() {
        let mut clock = 0;
        // SAFETY: the thread is the caller; `clock` is live.
        let thread = unsafe {
            libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock);
            libc::gettid()
        };
        let mut own = [libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        }; 2];
        for (clock, time) in [clock, clock_of(thread)].into_iter().zip(&mut own) {
            // SAFETY: `time` is live.
            assert_eq!(unsafe { libc::clock_gettime(clock, time) }, 0);
        }
        let nanoseconds = |time: libc::timespec| {
            i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
        };
        let apart = nanoseconds(own[1]) - nanoseconds(own[0]);
        // Both are of this thread, which has used little CPU time between.
        assert!((0..500_000_000).contains(&apart), "{apart}");
    }

    #[test]
    fn the_caller_is_one_of_the_threads() {
        // SAFETY: gettid has no arguments and no preconditions.
        assert!(threads().contains(&unsafe { libc::gettid() }));
    }
}
