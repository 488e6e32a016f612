//! The standard streams of the process.
//!
//! They are never made non-blocking: the shell, and other programs, have the same files. So each call is std's, in
//! `blocking`. The locks are for goroutines: std's belong to a thread, and a goroutine that has one may go on on another.
//!
//! ```text
//!  stdin      a buffer of ours, filled by std's stdin, whose buffer is taken first
//!  stdout     std's stdout, whose buffer is the one of `print!`
//!  stderr     std's stderr
//! ```

use std::{
    fmt::Arguments,
    io::{self, BufRead, BufReader, IoSlice, IsTerminal, Lines, Read, Write},
    marker::PhantomData,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    process::Stdio,
    sync::{OnceLock, PoisonError},
};

use crate::{
    net::off_thread,
    sync::{Condvar, Mutex, MutexGuard},
    thread::{self, ThreadId},
};

/// Reads std's stdin, and has no buffer.
#[derive(Debug)]
struct Source;

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        off_thread(|| io::stdin().read(buf))
    }
}

/// The standard input, as [`std::io::Stdin`]: see [`stdin`].
#[derive(Debug)]
pub struct Stdin {
    shared: &'static Mutex<BufReader<Source>>,
}

/// The standard input, locked: other callers wait. As [`std::io::StdinLock`].
#[derive(Debug)]
pub struct StdinLock<'a> {
    reader: MutexGuard<'a, BufReader<Source>>,
}

/// The standard input of the process. What waits for it holds up no other goroutine.
///
/// It has a buffer. What std's own `stdin` has read ahead comes first here; what is read ahead here, std's does not see.
///
/// # Examples
///
/// ```no_run
/// use goroutines::io::stdin;
///
/// for line in stdin().lines() {
///     println!("{}", line?.to_uppercase());
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn stdin() -> Stdin {
    static STDIN: OnceLock<Mutex<BufReader<Source>>> = OnceLock::new();
    Stdin {
        shared: STDIN.get_or_init(|| Mutex::new(BufReader::new(Source))),
    }
}

impl Stdin {
    /// Waits until the lock is free, and takes it.
    ///
    /// # Parks
    ///
    /// Until the lock is free.
    #[must_use]
    pub fn lock(&self) -> StdinLock<'static> {
        StdinLock {
            reader: self.shared.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Appends the next line to `buf`, with its end.
    ///
    /// # Errors
    ///
    /// As std's: `InvalidData` where it is no UTF-8.
    pub fn read_line(&self, buf: &mut String) -> io::Result<usize> {
        self.lock().read_line(buf)
    }

    /// The lines, without their ends.
    #[must_use = "it reads nothing by itself"]
    pub fn lines(self) -> Lines<StdinLock<'static>> {
        self.lock().lines()
    }
}

macro_rules! reads {
    ($($stdin:ty),*) => {$(
        impl Read for $stdin {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.lock().read(buf)
            }

            fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
                self.lock().read_to_end(buf)
            }

            fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
                self.lock().read_to_string(buf)
            }

            fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
                self.lock().read_exact(buf)
            }
        }
    )*};
}

reads!(Stdin, &Stdin);

impl Read for StdinLock<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buf)
    }
}

impl BufRead for StdinLock<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.reader.consume(n);
    }
}

/// Whose turn it is to write: a goroutine or thread may take it several times.
#[derive(Debug)]
struct Turn {
    owner: Mutex<(Option<ThreadId>, usize)>,
    free: Condvar,
}

impl Turn {
    const fn new() -> Turn {
        Turn {
            owner: Mutex::new((None, 0)),
            free: Condvar::new(),
        }
    }

    fn take(&self) {
        let me = thread::current().id();
        let mut owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        while owner.0.is_some_and(|owner| owner != me) {
            owner = self
                .free
                .wait(owner)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *owner = (Some(me), owner.1 + 1);
    }

    fn give_back(&self) {
        let mut owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        owner.1 -= 1;
        if owner.1 == 0 {
            owner.0 = None;
            drop(owner);
            self.free.notify_one();
        }
    }
}

macro_rules! descriptors {
    ($($stream:ty),*) => {$(
        impl AsRawFd for $stream {
            fn as_raw_fd(&self) -> RawFd {
                self.as_fd().as_raw_fd()
            }
        }
    )*};
}

/// A stream that is written, its lock, and the function for it.
macro_rules! output {
    ($(#[$doc:meta])* $function:ident, $stream:ident, $lock:ident, $turn:ident) => {
        static $turn: Turn = Turn::new();

        #[doc = concat!("See [`", stringify!($function), "`], and [`std::io::", stringify!($stream), "`].")]
        #[derive(Debug)]
        pub struct $stream(());

        #[doc = concat!("[`", stringify!($stream), "`], to which no other goroutine writes meanwhile.")]
        #[derive(Debug)]
        pub struct $lock<'a> {
            /// It is given back by who took it.
            stays: PhantomData<(&'a (), *const ())>,
        }

        $(#[$doc])*
        #[must_use]
        pub fn $function() -> $stream {
            $stream(())
        }

        impl $stream {
            /// Waits until no other goroutine or thread has the lock, and takes it. Who has it may take it again.
            ///
            /// `print!` and its kin know nothing of it.
            ///
            /// # Parks
            ///
            /// Until no other has the lock.
            #[must_use]
            pub fn lock(&self) -> $lock<'static> {
                $turn.take();
                $lock { stays: PhantomData }
            }
        }

        impl Drop for $lock<'_> {
            fn drop(&mut self) {
                $turn.give_back();
            }
        }

        impl Write for $lock<'_> {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                off_thread(|| io::$function().write(buf))
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                off_thread(|| io::$function().write_vectored(bufs))
            }

            fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
                off_thread(|| io::$function().write_all(buf))
            }

            fn flush(&mut self) -> io::Result<()> {
                off_thread(|| io::$function().flush())
            }
        }

        output!(@write $stream, $stream);
        output!(@write $stream, &$stream);

        impl AsFd for $stream {
            fn as_fd(&self) -> BorrowedFd<'_> {
                static STD: OnceLock<io::$stream> = OnceLock::new();
                STD.get_or_init(io::$function).as_fd()
            }
        }

        impl AsFd for $lock<'_> {
            fn as_fd(&self) -> BorrowedFd<'_> {
                static STREAM: $stream = $stream(());
                STREAM.as_fd()
            }
        }

        descriptors!($stream, $lock<'_>);

        impl From<$stream> for Stdio {
            /// Of a child process.
            fn from(_: $stream) -> Stdio {
                io::$function().into()
            }
        }
    };
    (@write $stream:ident, $type:ty) => {
        impl Write for $type {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.lock().write(buf)
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.lock().write_vectored(bufs)
            }

            fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
                self.lock().write_all(buf)
            }

            /// All at once, as std's.
            fn write_fmt(&mut self, args: Arguments<'_>) -> io::Result<()> {
                self.lock().write_fmt(args)
            }

            fn flush(&mut self) -> io::Result<()> {
                self.lock().flush()
            }
        }
    };
}

output!(
    /// The standard output of the process, with the buffer of `print!`. Who waits for it holds up no other goroutine.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::io::stdout;
    /// use std::io::Write;
    ///
    /// let mut out = stdout().lock();
    /// writeln!(out, "two lines,")?;
    /// writeln!(out, "one after the other")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    stdout, Stdout, StdoutLock, STDOUT
);
output!(
    /// The standard output for errors, without a buffer. Who waits for it holds up no other goroutine.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::io::stderr;
    /// use std::io::Write;
    ///
    /// writeln!(stderr(), "it did not work")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    stderr, Stderr, StderrLock, STDERR
);

/// Whether it is a terminal: [`IsTerminal`] is sealed.
macro_rules! terminals {
    ($($stream:ty = $function:ident),*) => {$(
        impl $stream {
            /// Returns whether it is a terminal. The trait [`IsTerminal`] is sealed.
            #[must_use]
            pub fn is_terminal(&self) -> bool {
                io::$function().is_terminal()
            }
        }
    )*};
}

terminals!(
    Stdin = stdin,
    StdinLock<'_> = stdin,
    Stdout = stdout,
    StdoutLock<'_> = stdout,
    Stderr = stderr,
    StderrLock<'_> = stderr
);

impl AsFd for Stdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        std_stdin().as_fd()
    }
}

impl AsFd for StdinLock<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        std_stdin().as_fd()
    }
}

descriptors!(Stdin, StdinLock<'_>);

fn std_stdin() -> &'static io::Stdin {
    static STD: OnceLock<io::Stdin> = OnceLock::new();
    STD.get_or_init(io::stdin)
}
