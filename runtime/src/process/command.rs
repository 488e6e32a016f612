//! The program and the settings of a process to be started.

use std::{
    ffi::OsStr,
    fmt, io,
    os::unix::process::CommandExt,
    path::Path,
    process as std_process,
    process::{CommandArgs, CommandEnvs, ExitStatus, Output, Stdio},
};

use super::Child;
use crate::{net::off_thread, reserve_stack::with_room_to_start};

/// The program and the settings of a process to be started, as [`std::process::Command`]. The methods of
/// [`CommandExt`](std::os::unix::process::CommandExt) are its own here.
pub struct Command {
    std: std_process::Command,
    /// Which of stdin, stdout and stderr were set.
    said: [bool; 3],
}

/// Methods that only pass their arguments to std's.
macro_rules! hand_on {
    ($($(#[$doc:meta])* $name:ident<$($generic:ident: $bound:path),*>($($arg:ident: $type:ty),*);)*) => {$(
        $(#[$doc])*
        pub fn $name<$($generic: $bound),*>(&mut self, $($arg: $type),*) -> &mut Command {
            self.std.$name($($arg),*);
            self
        }
    )*};
}

impl Command {
    /// The program `program`, which is looked for in PATH, without arguments.
    pub fn new<S: AsRef<OsStr>>(program: S) -> Command {
        Command {
            std: std_process::Command::new(program),
            said: [false; 3],
        }
    }

    hand_on! {
        /// Adds an argument.
        arg<S: AsRef<OsStr>>(arg: S);
        /// Sets a variable of the environment.
        env<K: AsRef<OsStr>, V: AsRef<OsStr>>(key: K, value: V);
        /// Removes a variable from the environment.
        env_remove<K: AsRef<OsStr>>(key: K);
        /// Clears the environment, but for what is set after.
        env_clear<>();
        /// Sets the working directory of the process.
        current_dir<P: AsRef<Path>>(dir: P);
        /// Sets the first argument of the program. Default: its name.
        arg0<S: AsRef<OsStr>>(arg: S);
        /// Sets the user of the process.
        uid<>(id: u32);
        /// Sets the group of the process.
        gid<>(id: u32);
        /// Sets the process group: 0 is a new one.
        process_group<>(group: i32);
    }

    /// Adds arguments.
    pub fn args<I, S>(&mut self, args: I) -> &mut Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.std.args(args);
        self
    }

    /// Sets variables of the environment.
    pub fn envs<I, K, V>(&mut self, vars: I) -> &mut Command
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.std.envs(vars);
        self
    }

    /// What the process reads. Default: what this program reads; for [`Command::output`] nothing.
    pub fn stdin<T: Into<Stdio>>(&mut self, from: T) -> &mut Command {
        self.said[0] = true;
        self.std.stdin(from);
        self
    }

    /// Where the process writes to. Default: where this program does; for [`Command::output`] a pipe.
    pub fn stdout<T: Into<Stdio>>(&mut self, to: T) -> &mut Command {
        self.said[1] = true;
        self.std.stdout(to);
        self
    }

    /// Where the process writes errors to. Default: where this program does; for [`Command::output`] a pipe.
    pub fn stderr<T: Into<Stdio>>(&mut self, to: T) -> &mut Command {
        self.said[2] = true;
        self.std.stderr(to);
        self
    }

    /// Runs `f` in the child before the program starts.
    ///
    /// # Safety
    ///
    /// As for [`CommandExt::pre_exec`]: `f` runs in the copy of a process of many threads, and may do what a signal handler
    /// may do. It does not call this crate.
    pub unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Command
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        // SAFETY: the caller's promise is the same.
        unsafe { self.std.pre_exec(f) };
        self
    }

    /// Starts the process.
    ///
    /// # Errors
    ///
    /// As std's: `NotFound` and `PermissionDenied` of the program or of [`Command::current_dir`], and what the kernel says.
    ///
    /// # Parks
    ///
    /// No: it is a blocking call, during which other goroutines run on other threads.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::process::{Command, Stdio};
    /// use std::io::{Read, Write};
    ///
    /// let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    /// child.stdin.take().unwrap().write_all(b"hello")?;
    /// let mut text = String::new();
    /// child.stdout.take().unwrap().read_to_string(&mut text)?;
    /// assert_eq!(text, "hello");
    /// assert!(child.wait()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn spawn(&mut self) -> io::Result<Child> {
        off_thread(|| with_room_to_start(|| self.std.spawn())).map(Child::from)
    }

    /// Starts the process, and waits for its end.
    ///
    /// # Errors
    ///
    /// As for [`Command::spawn`].
    ///
    /// # Parks
    ///
    /// Until the process ends.
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn()?.wait()
    }

    /// Starts the process, and returns what it wrote and how it ended.
    ///
    /// # Errors
    ///
    /// As for [`Command::spawn`].
    ///
    /// # Parks
    ///
    /// Until the process has ended and its pipes are closed.
    pub fn output(&mut self) -> io::Result<Output> {
        self.set_unsaid(Stdio::null, Stdio::piped);
        let child = self.spawn();
        self.set_unsaid(Stdio::inherit, Stdio::inherit);
        child?.wait_with_output()
    }

    /// Sets the input and the outputs that were not set.
    fn set_unsaid(&mut self, input: fn() -> Stdio, output: fn() -> Stdio) {
        let [stdin, stdout, stderr] = self.said;
        if !stdin {
            self.std.stdin(input());
        }
        if !stdout {
            self.std.stdout(output());
        }
        if !stderr {
            self.std.stderr(output());
        }
    }

    /// Replaces this process by the program. Returns only when that fails.
    pub fn exec(&mut self) -> io::Error {
        off_thread(|| with_room_to_start(|| self.std.exec()))
    }

    /// The program.
    #[must_use]
    pub fn get_program(&self) -> &OsStr {
        self.std.get_program()
    }

    /// The arguments, without the name of the program.
    pub fn get_args(&self) -> CommandArgs<'_> {
        self.std.get_args()
    }

    /// The changes of the environment; None: removed.
    pub fn get_envs(&self) -> CommandEnvs<'_> {
        self.std.get_envs()
    }

    /// The argument of [`Command::current_dir`].
    #[must_use]
    pub fn get_current_dir(&self) -> Option<&Path> {
        self.std.get_current_dir()
    }
}

impl From<Command> for std_process::Command {
    fn from(command: Command) -> std_process::Command {
        command.std
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.std.fmt(f)
    }
}
