//! What all profiles that run have in common: one of a kind at a time, and a thread that looks after it.

use std::{
    error::Error,
    fmt, io,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use goroutines_sched::{as_own_thread, with_room};

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

/// The thread of a profile. Dropped, the profile ends without a result.
#[derive(Debug)]
pub(crate) struct Running {
    /// Dropped, it tells the thread to end.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<Profile>>,
}

impl Running {
    /// # Errors
    ///
    /// When the system refuses the thread.
    pub(crate) fn begin(mut profiler: impl Profiler, right: Right) -> io::Result<Running> {
        let (end, ended) = mpsc::channel::<()>();
        let builder = thread::Builder::new().name("goroutines-profile".to_owned());
        let life = move || {
            let _right = right;
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(profiler.pause()) {
                profiler.look();
            }
            profiler.end()
        };
        let thread = with_room(room::TO_START, || builder.spawn(|| as_own_thread(life)))?;
        Ok(Running {
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// # Panics
    ///
    /// When there was no memory.
    pub(crate) fn stop(mut self) -> Profile {
        match self.finish() {
            Some(profile) => profile,
            None => panic!("the thread of the profile has panicked: there was no memory"),
        }
    }

    fn finish(&mut self) -> Option<Profile> {
        self.end = None;
        self.thread.take()?.join().ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.finish();
    }
}
