//! The thread that writes dumps where no code of the program can: at a signal, and before the process is ended.
//!
//! ```text
//!  handler of SIGQUIT ── a byte ──►┐
//!                                  ├─ socket ──► the thread: takes a snapshot, writes it to stderr
//!  a fatal error ────── a byte ──►┘              and then goes on, ends the process, or lets it end
//! ```
//!
//! The handler interrupts a thread anywhere, perhaps inside the allocator, so it makes system calls and nothing else. The
//! thread exists only where the configuration asks for it. Without it, a fatal error has the starter start one for its dump
//! (sched/src/global/starter.rs), which needs no descriptor that the program could have closed. Either thread waits for the
//! allocator like any other thread, so a heap that stays locked for good means that there is no dump. A fatal error waits for
//! its dump for [`PATIENCE`] at most: the code that found the error may hold a lock that the dump needs. What keeps the
//! process from ending otherwise in that time is said in sched/src/sys/fatal.rs.
//!
//! Where the configuration asks for dumps there is a second thread, which allocates nothing and waits for no lock
//! (insight/src/emergency.rs). It writes addresses without names:
//!
//! - at a SIGQUIT that comes while the dump of the one before is not written, if that is not written within [`GRACE`] either;
//! - for a fatal error whose dump is not written in time;
//! - for a fatal error that is found in a signal handler, which must not wait for locks.
//!
//! It is a thread, and not the handler itself, because a handler may be on a signal stack that is too small for a walk.

use std::{
    io::{self, Read as _, Write as _},
    os::fd::{AsRawFd, OwnedFd},
    os::unix::net::UnixStream,
    panic::catch_unwind,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use goroutines_sched as sched;

use goroutines_insight::Emergency;

use crate::{debug::Quit, signal::quit};

/// How long a dump may take before it is taken for one that does not come.
const GRACE: Duration = Duration::from_secs(1);

/// How long a fatal error waits for its dump. Reading the names of a large program takes seconds where others use the CPUs.
const PATIENCE: Duration = Duration::from_secs(10);

/// The exit status of [`Quit::Exit`], which is Go's.
const STATUS: i32 = 2;

/// What the bytes of the socket mean.
const QUIT: u8 = b'q';
const FATAL: u8 = b'f';

/// Where a fatal error writes its byte, which thread reads it, and what it does.
static COMMANDS: OnceLock<(UnixStream, ThreadId, Settings)> = OnceLock::new();

/// What the second thread reads.
static URGENT: OnceLock<UnixStream> = OnceLock::new();

/// How many dumps of fatal errors the second thread has written.
static URGENT_WRITTEN: AtomicU32 = AtomicU32::new(0);

/// Whether the dump of a fatal error is written.
static WRITTEN: AtomicBool = AtomicBool::new(false);

/// How many lines the dump of a fatal error has at most, so that the message stays in sight.
const LINES: usize = 1000;

/// Whether a fatal error writes a dump.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum AtFatal {
    Never,
    /// By a thread that is started then, or by that of SIGQUIT.
    #[default]
    Started,
    /// By a thread that is there: internal errors too, and those that are found in signal handlers.
    Prepared,
}

/// When dumps are written by themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) quit: Option<Quit>,
    pub(crate) at_fatal: AtFatal,
    /// Whether the flight recorder is written before a fatal error ends the process.
    pub(crate) flight: bool,
}

/// The thread, which waits; dropped, it ends.
pub(crate) struct Dumper {
    settings: Settings,
    commands: UnixStream,
    urgent: UnixStream,
    thread: ThreadId,
}

impl Settings {
    /// Starts the threads, if they are asked for.
    ///
    /// # Errors
    ///
    /// When the system refuses the thread or the socket.
    pub(crate) fn prepare(self) -> io::Result<Option<Dumper>> {
        if self.quit.is_none() && !self.is_prepared() {
            return Ok(None);
        }
        let (commands, bytes) = UnixStream::pair()?;
        let builder = thread::Builder::new().name("goroutines-dump".to_owned());
        let thread = builder
            .spawn(move || sched::as_own_thread(|| serve(bytes, self)))?
            .thread()
            .id();
        let (urgent, bytes) = UnixStream::pair()?;
        let builder = thread::Builder::new().name("goroutines-urgent".to_owned());
        builder
            .spawn(move || sched::as_own_thread(|| serve_urgently(bytes, Emergency::prepare())))?;
        Ok(Some(Dumper {
            settings: self,
            commands,
            urgent,
            thread,
        }))
    }

    /// Whether there are threads for fatal errors.
    fn is_prepared(self) -> bool {
        self.at_fatal == AtFatal::Prepared || self.flight
    }

    /// The runtime has been started, and none of the threads was asked for.
    pub(crate) fn arm_without_threads(self) {
        if self.at_fatal == AtFatal::Started {
            sched::before_fatal(dump_aside, false);
        }
    }
}

impl Dumper {
    /// The runtime has been started: from here on bytes come, for good. The handler is not installed earlier, because a
    /// start that fails must leave the signal as it was.
    ///
    /// # Errors
    ///
    /// When the system refuses the handler; it has not refused that of faults.
    pub(crate) fn arm(self) -> io::Result<()> {
        if self.settings.quit.is_some() {
            let urgent = OwnedFd::from(self.urgent.try_clone()?);
            quit::install(OwnedFd::from(self.commands.try_clone()?), urgent, QUIT)?;
        }
        // Set once: a process starts the runtime once.
        let commands = (self.commands, self.thread, self.settings);
        let is_first = URGENT.set(self.urgent).is_ok() && COMMANDS.set(commands).is_ok();
        let settings = self.settings;
        if is_first && (settings.at_fatal != AtFatal::Never || settings.flight) {
            sched::before_fatal(wait_for_dump, settings.is_prepared());
        }
        if is_first && settings.at_fatal == AtFatal::Prepared {
            sched::before_fatal_in_signal(dump_urgently);
        }
        Ok(())
    }
}

/// The life of the thread.
fn serve(mut bytes: UnixStream, settings: Settings) {
    let mut byte = [0];
    while let Ok(1) = bytes.read(&mut byte) {
        match byte[0] {
            QUIT => {
                write_dump("SIGQUIT");
                quit::is_written();
                if let Some(Quit::Exit) = settings.quit {
                    sched::exit_now(STATUS);
                }
            }
            _ => {
                if settings.at_fatal != AtFatal::Never {
                    write_short_dump();
                }
                super::trace::write_recorder();
                // Release: partner is the load in `wait_for_dump`.
                WRITTEN.store(true, Ordering::Release);
            }
        }
    }
}

/// The life of the second thread. Allocates nothing, and waits for no lock.
fn serve_urgently(mut bytes: UnixStream, mut emergency: Emergency) {
    let mut byte = [0];
    while let Ok(1) = bytes.read(&mut byte) {
        if byte[0] == QUIT {
            let before = quit::written();
            thread::sleep(GRACE);
            if quit::written() != before || quit::is_written_by_now() {
                continue;
            }
            emergency.write("SIGQUIT again, and the dump of the one before is not written");
        } else {
            emergency.write("all goroutines, at the fatal error");
            // Release: partner is the load in `dump_urgently`.
            URGENT_WRITTEN.fetch_add(1, Ordering::Release);
        }
    }
}

/// Has the second thread write a dump, and waits for it, for [`PATIENCE`] at most. Returns whether there is that thread.
/// Async-signal-safe.
fn dump_urgently() -> bool {
    let Some(urgent) = URGENT.get() else {
        return false;
    };
    // Acquire (both): partner is the addition in `serve_urgently`.
    let before = URGENT_WRITTEN.load(Ordering::Acquire);
    quit::send(urgent.as_raw_fd(), FATAL);
    let pause = Duration::from_millis(1);
    for _ in 0..PATIENCE.as_millis() {
        if URGENT_WRITTEN.load(Ordering::Acquire) != before {
            break;
        }
        thread::sleep(pause);
    }
    true
}

/// Writes all goroutines to stderr, as much of it as the system takes. Without std's lock of stderr, which a parked
/// goroutine may hold.
fn write_dump(cause: &str) {
    sched::write_to_stderr(&dump_under(cause));
}

/// The text of a dump, under a line that says why.
fn dump_under(cause: &str) -> Vec<u8> {
    let mut text = format!("goroutines: {cause}\n").into_bytes();
    // Writing to a vector does not fail.
    let _ = super::dump(&mut text);
    text
}

/// The same at a fatal error, with [`LINES`] lines at most.
fn write_short_dump() {
    let mut text = dump_under("all goroutines, at the fatal error");
    let mut ends = text.iter().enumerate().filter(|&(_, &byte)| byte == b'\n');
    if let Some((end, _)) = ends.nth(LINES) {
        let more = ends.count();
        text.truncate(end + 1);
        // Writing to a vector does not fail.
        let _ = writeln!(text, "(and {more} lines more)");
    }
    sched::write_to_stderr(&text);
}

/// Called by the thread that has found a fatal error, and has said which, where the thread of the dumps is there.
fn wait_for_dump() -> bool {
    let Some((commands, dumper, settings)) = COMMANDS.get() else {
        return false;
    };
    if thread::current().id() == *dumper || (&mut &*commands).write_all(&[FATAL]).is_err() {
        return false;
    }
    if !is_written_in_time() && settings.at_fatal == AtFatal::Prepared {
        dump_urgently();
    }
    true
}

/// The same where it is not there.
fn dump_aside() -> bool {
    fn body() {
        // A dump that fails leaves the message.
        let _ = catch_unwind(write_short_dump);
        over();
    }
    fn over() {
        // Release: partner is the load in `is_written_in_time`.
        WRITTEN.store(true, Ordering::Release);
    }
    sched::run_aside(body, over) && {
        is_written_in_time();
        true
    }
}

/// Waits for the dump of a fatal error, for [`PATIENCE`] at most.
fn is_written_in_time() -> bool {
    let end = Instant::now() + PATIENCE;
    // Acquire: partners are the stores in `serve` and `dump_aside`.
    while !WRITTEN.load(Ordering::Acquire) {
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}

/// Called by the scheduler's monitor, which has found that nothing can wake a goroutine again, and has said so. Its stack is
/// small: the dump is taken on another.
pub(crate) fn at_deadlock() {
    let builder = thread::Builder::new().name("goroutines-dump".to_owned());
    let dump = || {
        let mut text = b"goroutines: all goroutines, at the deadlock\n".to_vec();
        // Writing to a vector does not fail (both).
        let _ = goroutines_insight::write_stuck_channels(&mut text);
        let _ = super::dump(&mut text);
        sched::write_to_stderr(&text);
        super::trace::write_recorder();
    };
    // Without a thread there is the message alone.
    if let Ok(dumps) = builder.spawn(dump) {
        let _ = dumps.join();
    }
}
