//! What all profiles that run have in common: one of a kind at a time, and a thread that looks after it.

use std::{
    error::Error,
    fmt, io,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use goroutines_sched::{as_own_thread, blocking, with_room};

use crate::{cpu::MOST_HZ, profile::Profile, room};

/// Why a profile does not begin.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProfileError {
    /// Another of its kind runs.
    AlreadyRunning,
    /// The rate of a CPU profile, which is to be 1 to 1000 a second.
    Rate(u32),
    /// The program has a handler of SIGPROF of its own.
    SignalInUse,
    /// The system refuses a timer or a thread.
    Io(io::Error),
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProfileError::AlreadyRunning => {
                f.write_str("a profile of this kind runs already: stop it first")
            }
            ProfileError::Rate(hz) => write!(
                f,
                "a CPU profile of {hz} samples a second: choose 1 to {MOST_HZ}"
            ),
            ProfileError::SignalInUse => f.write_str(
                "the program has its own handler of SIGPROF, the signal of CPU profiles: remove it first",
            ),
            ProfileError::Io(error) => write!(f, "a profile cannot begin: {error}"),
        }
    }
}

impl Error for ProfileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ProfileError::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for ProfileError {
    fn from(error: io::Error) -> ProfileError {
        ProfileError::Io(error)
    }
}

/// The right to take a profile of a kind.
#[derive(Debug)]
pub(crate) struct Right(&'static AtomicBool);

impl Right {
    /// # Errors
    ///
    /// When another has it.
    pub(crate) fn take(taken: &'static AtomicBool) -> Result<Right, ProfileError> {
        // Acquire: partner is the store in `drop`.
        match taken.swap(true, Ordering::Acquire) {
            true => Err(ProfileError::AlreadyRunning),
            false => Ok(Right(taken)),
        }
    }
}

impl Drop for Right {
    fn drop(&mut self) {
        // Release: partner is the swap in `take`. What this profile has done is done.
        self.0.store(false, Ordering::Release);
    }
}

/// A profile that is being taken, for its thread.
pub(crate) trait Profiler: Send + 'static {
    /// The pause between two looks.
    fn pause(&self) -> Duration;

    /// Collects what there is.
    fn look(&mut self);

    /// Collects the rest.
    fn end(self) -> Profile;
}

/// What the thread of a profile has. The right is given up last: another profile of the kind begins with what this one has
/// let go.
struct Life<P> {
    profiler: P,
    /// A message: the profile is wanted. Disconnected: it is not.
    end: Receiver<()>,
    _right: Right,
}

impl<P: Profiler> Life<P> {
    fn run(mut self) -> Option<Profile> {
        loop {
            match self.end.recv_timeout(self.profiler.pause()) {
                Err(RecvTimeoutError::Timeout) => self.profiler.look(),
                Err(RecvTimeoutError::Disconnected) => return None,
                Ok(()) => return Some(self.profiler.end()),
            }
        }
    }
}

/// The thread of a profile. Dropped, the profile ends without a result.
#[derive(Debug)]
pub(crate) struct Running {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<Option<Profile>>>,
}

impl Running {
    /// # Errors
    ///
    /// When the system refuses the thread.
    pub(crate) fn begin(profiler: impl Profiler, right: Right) -> io::Result<Running> {
        let (end, ended) = mpsc::channel::<()>();
        let life = Life {
            profiler,
            end: ended,
            _right: right,
        };
        let builder = thread::Builder::new().name("goroutines-profile".to_owned());
        let life = move || as_own_thread(|| life.run());
        let thread = with_room(room::TO_START, || builder.spawn(life))?;
        Ok(Running {
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// # Panics
    ///
    /// When there was no memory.
    pub(crate) fn stop(mut self) -> Profile {
        if let Some(end) = &self.end {
            // Refused where the thread has panicked, which the join tells.
            let _ = end.send(());
        }
        match self.finish() {
            Some(profile) => profile,
            None => panic!("the thread of the profile has panicked: there was no memory"),
        }
    }

    fn finish(&mut self) -> Option<Profile> {
        self.end = None;
        let thread = self.thread.take()?;
        blocking(|| thread.join()).ok()?
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.finish();
    }
}
