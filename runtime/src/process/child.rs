//! A child process.

use std::{
    fmt,
    io::{self, Read},
    panic::resume_unwind,
    process as std_process,
    process::{ExitStatus, Output},
    time::{Duration, Instant},
};

use goroutines_sched::{can_park, keep_thread};

use super::{
    pidfd::{PidFd, Waited},
    stdio::{ChildStderr, ChildStdin, ChildStdout},
};

/// A process that was started by [`Command::spawn`](super::Command::spawn), as [`std::process::Child`].
///
/// Dropping it neither ends the process nor waits for it. It stays in the kernel's process table then,
/// until this program ends.
pub struct Child {
    /// What the child reads, if [`Command`](super::Command) asked for a pipe.
    pub stdin: Option<ChildStdin>,
    /// What the child writes, if [`Command`](super::Command) asked for a pipe.
    pub stdout: Option<ChildStdout>,
    /// What the child writes of errors, if [`Command`](super::Command) asked for a pipe.
    pub stderr: Option<ChildStderr>,
    std: std_process::Child,
    /// From the first wait on.
    pidfd: Option<PidFd>,
}

impl Child {
    /// The number of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.std.id()
    }

    /// Ends the process, with SIGKILL. Does nothing if it was waited for already.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn kill(&mut self) -> io::Result<()> {
        self.std.kill()
    }

    /// Returns how the process ended, if it has.
    ///
    /// # Errors
    ///
    /// What the kernel says: ECHILD, where other code has waited for it.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.std.try_wait()
    }

    /// Closes the child's input, and waits for the end of the process.
    ///
    /// # Errors
    ///
    /// As for [`Child::try_wait`].
    ///
    /// # Parks
    ///
    /// Until the process ends.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{go, process::Command};
    ///
    /// let child = go(|| Command::new("sh").args(["-c", "exit 3"]).spawn()?.wait());
    /// assert_eq!(child.join().unwrap()?.code(), Some(3));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        if can_park()
            && let Some(status) = self.wait_until(None)?
        {
            return Ok(status);
        }
        crate::net::off_thread(|| self.std.wait())
    }

    /// Waits until `deadline` for the end of the process; None: it has not ended. The child's input stays open.
    ///
    /// # Errors
    ///
    /// As for [`Child::try_wait`].
    ///
    /// # Parks
    ///
    /// Until the process ends, or `deadline` comes.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::process::Command;
    /// use std::time::{Duration, Instant};
    ///
    /// let mut child = Command::new("sleep").arg("60").spawn()?;
    /// let soon = Instant::now() + Duration::from_millis(10);
    /// if child.wait_deadline(soon)?.is_none() {
    ///     child.kill()?;
    /// }
    /// assert!(!child.wait()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait_deadline(&mut self, deadline: Instant) -> io::Result<Option<ExitStatus>> {
        keep_thread_or_park(|| self.wait_until(Some(deadline)))
    }

    /// Waits at most for `timeout`. As [`Child::wait_deadline`].
    ///
    /// # Errors
    ///
    /// As for [`Child::try_wait`].
    ///
    /// # Parks
    ///
    /// As [`Child::wait_deadline`].
    pub fn wait_timeout(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.wait_deadline(deadline),
            // A moment that std's clock cannot hold never comes.
            None => self.wait().map(Some),
        }
    }

    /// Closes the child's input, reads what it writes (both pipes at once), and waits for its end.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    ///
    /// # Parks
    ///
    /// Until the process has ended and its pipes are closed.
    pub fn wait_with_output(mut self) -> io::Result<Output> {
        drop(self.stdin.take());
        if !can_park() {
            let std = std_process::Child::from(self);
            return keep_thread(|| std.wait_with_output());
        }
        let errors = self
            .stderr
            .take()
            .map(|mut stderr| crate::go(move || all_of(&mut stderr)));
        let stdout = self.stdout.take();
        let stdout = stdout.map_or(Ok(Vec::new()), |mut stdout| all_of(&mut stdout));
        let stderr = match errors.map(crate::JoinHandle::join) {
            None => Ok(Vec::new()),
            Some(joined) => joined.unwrap_or_else(|panic| resume_unwind(panic)),
        };
        let status = self.wait()?;
        Ok(Output {
            status,
            stdout: stdout?,
            stderr: stderr?,
        })
    }

    /// The loop of waits. None: `deadline` has come, or, without one, the process must be waited for with the thread.
    fn wait_until(&mut self, deadline: Option<Instant>) -> io::Result<Option<ExitStatus>> {
        // Before its number is used: after a wait the number may be another process's.
        if let Some(status) = self.std.try_wait()? {
            return Ok(Some(status));
        }
        let pid = self.std.id();
        let pidfd = self.pidfd.get_or_insert_with(|| PidFd::open(pid));
        for tries in 0.. {
            if let Some(status) = pidfd.look(|| self.std.try_wait())? {
                return Ok(Some(status));
            }
            match pidfd.wait(deadline, tries)? {
                Waited::Look => {}
                Waited::Late => return self.std.try_wait(),
                Waited::Cannot => break,
            }
        }
        Ok(None)
    }
}

fn keep_thread_or_park<R>(f: impl FnOnce() -> R) -> R {
    match can_park() {
        true => f(),
        false => keep_thread(f),
    }
}

fn all_of(pipe: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    pipe.read_to_end(&mut all)?;
    Ok(all)
}

impl From<std_process::Child> for Child {
    fn from(mut std: std_process::Child) -> Child {
        Child {
            stdin: std.stdin.take().map(ChildStdin::from),
            stdout: std.stdout.take().map(ChildStdout::from),
            stderr: std.stderr.take().map(ChildStderr::from),
            std,
            pidfd: None,
        }
    }
}

impl From<Child> for std_process::Child {
    fn from(child: Child) -> std_process::Child {
        let mut std = child.std;
        std.stdin = child.stdin.map(std_process::ChildStdin::from);
        std.stdout = child.stdout.map(std_process::ChildStdout::from);
        std.stderr = child.stderr.map(std_process::ChildStderr::from);
        std
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .finish_non_exhaustive()
    }
}
