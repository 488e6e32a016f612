//! What the process's runtime is started with.

#[cfg(feature = "insight")]
use std::path::PathBuf;
use std::time::Duration;

use goroutines_sched::{self as sched, Deadlock, HogReport};

#[cfg(feature = "insight")]
use crate::debug::{
    Quit,
    dumper::{AtFatal, Settings as Dumps, at_deadlock},
    trace,
};
use crate::panic_hook;

/// Settings of the process's runtime, for [`Config::start`].
///
/// # Examples
///
/// ```
/// // SAFETY: no code of this program keeps thread-local storage over a call that can park.
/// unsafe { goroutines::Config::new().procs(2).stack_size(64 << 10).start() }.unwrap();
///
/// // It can be started once.
/// let again = unsafe { goroutines::start() };
/// assert!(matches!(again, Err(goroutines::StartError::AlreadyStarted)));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "settings do nothing until `start`"]
pub struct Config {
    sched: sched::Config,
    /// Panics do not say which goroutine they are of.
    quiet_panics: bool,
    #[cfg(feature = "insight")]
    dumps: Dumps,
    /// The memory of the flight recorder's rings, and its file.
    #[cfg(feature = "insight")]
    flight: Option<(usize, PathBuf)>,
}

impl Config {
    /// The defaults: one P for each CPU this process may use, stacks that grow up to 1 MiB.
    pub fn new() -> Config {
        Config::default()
    }

    /// How many goroutines run at the same time, 1 to 4096. The environment variable `GOMAXPROCS`
    /// wins over it.
    ///
    /// Default: as many as the CPUs that the process's affinity allows and the CPU quota pays for, rounded up. The quota
    /// is the tightest of the process's control group and all groups above it, version 1 and 2. While the program runs
    /// the number follows both, which are read about once a second, until [`set_gomaxprocs`](crate::set_gomaxprocs) is
    /// called. [`gomaxprocs`](crate::gomaxprocs) returns the number.
    #[doc(alias = "GOMAXPROCS")]
    #[doc(alias = "worker_threads")]
    pub fn procs(self, procs: usize) -> Config {
        self.with(|sched| sched.procs(procs))
    }

    /// How far the stack of a goroutine may grow, in bytes, unless its [`Builder`](crate::Builder)
    /// sets another size. Rounded up to 64 KiB, 256 KiB, 1 MiB, 8 MiB, 64 MiB or 1 GiB. The environment
    /// variable `GOROUTINE_STACK` wins over it: `GOROUTINE_STACK=256K`. Default: 1 MiB.
    ///
    /// Memory is used page by page; a window costs address space and its part of a page table. A million parked
    /// goroutines take less of that with 256 or 64 KiB.
    pub fn stack_size(self, bytes: usize) -> Config {
        self.with(|sched| sched.stack_size(bytes))
    }

    /// The size of a stack at its start, in bytes, unless the goroutine's [`Builder`](crate::Builder) sets another: all
    /// stacks are guarded then, as [`Builder::stack_start`](crate::Builder::stack_start) says of one, with the same three
    /// cases in which a guard cannot be handled. The environment variable `GOROUTINE_STACK_START` wins over it:
    /// `GOROUTINE_STACK_START=2K` is the strict mode, for tests that measure what stacks need. Default: stacks have no
    /// guard but the one at their end.
    ///
    /// # Examples
    ///
    /// ```
    /// let config = goroutines::Config::new().stack_start(2048);
    /// // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    /// unsafe { config.start() }.unwrap();
    /// goroutines::go(|| [1_u8; 10_000].len()).join().unwrap();
    /// println!("{} steps", goroutines::metrics().growth_faults);
    /// ```
    pub fn stack_start(self, bytes: usize) -> Config {
        self.with(|sched| sched.stack_start(bytes))
    }

    /// Stacks are copied, as [`Builder::copy_stack`](crate::Builder::copy_stack) says of one, where a builder does not
    /// ask for a stack of its own ([`own_stack`](crate::Builder::own_stack), `stack_size`, `stack_start`): for programs
    /// that park a million goroutines. A parked one then costs some hundred bytes instead of a page and more.
    ///
    /// [`scope`](crate::thread::scope()) and [`block_on`](crate::block_on) work: a goroutine keeps its run window while
    /// it waits in them. The other goroutines of that window cannot run meanwhile, so a goroutine that waits there for one
    /// that is parked already should have a stack of its own.
    ///
    /// # Safety
    ///
    /// What [`Builder::copy_stack`](crate::Builder::copy_stack) asks of the code of one goroutine holds for the code of
    /// all that are started without a stack of their own, in libraries too.
    ///
    /// # Examples
    ///
    /// ```
    /// // SAFETY: no goroutine lends anything of its stack to another goroutine or thread.
    /// let config = unsafe { goroutines::Config::new().copy_stacks() };
    /// // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    /// unsafe { config.start() }.unwrap();
    /// let (tx, rx) = goroutines::chan::bounded(0);
    /// let all: Vec<_> = (0..1000)
    ///     .map(|i| {
    ///         let tx = tx.clone();
    ///         goroutines::go(move || tx.send(i).unwrap())
    ///     })
    ///     .collect();
    /// assert_eq!(rx.iter().take(1000).sum::<u32>(), 999 * 1000 / 2);
    /// all.into_iter().for_each(|one| one.join().unwrap());
    /// ```
    pub unsafe fn copy_stacks(self) -> Config {
        // SAFETY: the caller promises for its goroutines what `copy_stacks` of sched asks for.
        self.with(|sched| unsafe { sched.copy_stacks() })
    }

    /// How long a goroutine stays parked before the memory that its stack does not need goes back to
    /// the system: after that time, and at most twice as long. [`Duration::ZERO`] for never. The
    /// environment variable `GOROUTINE_STACK_IDLE` wins over it: `500ms`, `5s`, `2m`, `1h` or `off`.
    /// Default: 30 s.
    pub fn stack_idle(self, time: Duration) -> Config {
        self.with(|sched| sched.stack_idle(time))
    }

    /// How many threads the runtime may have, besides the monitor. It needs more threads than Ps when goroutines block
    /// their threads, in [`blocking`](crate::blocking) or outside of it. A program that needs one more than allowed ends
    /// with a message. Default: 10 000.
    pub fn max_threads(self, threads: usize) -> Config {
        self.with(|sched| sched.max_threads(threads))
    }

    /// How long a thread of the runtime has nothing to do before it ends. [`Duration::ZERO`] for never. Default: 10 s.
    /// As many threads as Ps that were ever used stay in any case.
    pub fn thread_idle(self, time: Duration) -> Config {
        self.with(|sched| sched.thread_idle(time))
    }

    /// A goroutine that runs for `time` without a call into this crate is reported, once each time: to the hook of
    /// [`on_hog`](Config::on_hog), or with a line on stderr if there is none. [`Duration::ZERO`] for never, which is
    /// the default.
    ///
    /// The environment variable `GODEBUG=hogs=100` (milliseconds) wins over it, and prints the line in any case.
    /// Such a goroutine does not block the others, but it keeps a thread. Where that is intended,
    /// [`checkpoint`](crate::checkpoint()) and [`blocking`](crate::blocking()) avoid the report: time in `blocking` does
    /// not count.
    pub fn hog_after(self, time: Duration) -> Config {
        self.with(|sched| sched.hog_after(time))
    }

    /// Sets the hook that gets the report of a goroutine that runs for long without a call into this crate. How long, is
    /// the time of [`hog_after`](Config::hog_after); default: 100 ms. The hook runs on a thread of its own. While it
    /// runs, up to 64 further reports wait, and those after them are dropped. A panic in the hook is caught there.
    pub fn on_hog(self, hook: fn(&HogReport)) -> Config {
        self.with(|sched| sched.on_hog(hook))
    }

    /// Whether the reports of [`hog_after`](Config::hog_after) and [`on_hog`](Config::on_hog) show where the goroutine is
    /// ([`HogReport::stack`]). Default: off. The environment variable `GODEBUG=hogs=100,hogstacks=1` wins over it.
    ///
    /// With it the process has a handler for SIGURG, which calls a handler that was there before the start. The
    /// thread of a goroutine that is reported gets that signal, so that a system call in which it blocks, and which
    /// cannot be restarted (`nanosleep`, `poll`), ends early with EINTR. A thread that blocks the signal, and code without
    /// unwind tables, show no or fewer frames.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let config = goroutines::Config::new().hog_stacks(true).hog_after(Duration::from_millis(30));
    /// let config = config.on_hog(|hog| println!("{} frames: {hog}", hog.stack.len()));
    /// // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    /// unsafe { config.start() }.unwrap();
    /// ```
    pub fn hog_stacks(self, on: bool) -> Config {
        self.with(|sched| sched.hog_stacks(on))
    }

    /// Whether the stack of a goroutine is searched for addresses of its old thread's storage before the goroutine resumes
    /// on another thread. Default: on. Off is for measuring what the check costs, and for showing what it catches (see the
    /// *Safety* section of [`start`](Config::start)). The environment variable `GOROUTINE_MIGRATION_CHECK`, `on` or
    /// `off`, wins over it.
    ///
    /// # Examples
    ///
    /// A test that makes goroutines change threads as often as they can, so that a fault of that kind, rare in production,
    /// shows within a second:
    ///
    /// ```
    /// let config = goroutines::Config::new().procs(2).force_migration(true).migration_check(true);
    /// // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    /// unsafe { config.start() }.unwrap();
    ///
    /// goroutines::go(|| (0..100).for_each(|_| goroutines::yield_now())).join().unwrap();
    /// ```
    pub fn migration_check(self, on: bool) -> Config {
        self.with(|sched| sched.migration_check(on))
    }

    /// Whether a goroutine changes threads each time it runs, where another thread takes it. For tests, as in the example
    /// of [`migration_check`](Config::migration_check). Default: off. The environment variable
    /// `GOROUTINE_FORCE_MIGRATION`, `on` or `off`, wins over it.
    pub fn force_migration(self, on: bool) -> Config {
        self.with(|sched| sched.force_migration(on))
    }

    /// What happens when nothing can ever wake a goroutine again: every goroutine waits, and there is no timer, no deadline, no
    /// socket and no signal that is waited for, and no thread that could send, unlock or wake. [`Deadlock::Exit`] is what Go
    /// does: the message `all goroutines are asleep - deadlock!`, a dump of all goroutines, and the end of the process with
    /// status 2. The environment variable `GODEBUG=deadlock=0` switches it off, and `deadlock=1` on. Default:
    /// [`Deadlock::Exit`].
    ///
    /// There is no verdict while the process has a thread outside of the runtime that does anything but wait in a call of
    /// this crate: it could wake a goroutine at any time. So `main` is no obstacle while it waits in
    /// [`JoinHandle::join`](crate::JoinHandle::join) or in a channel of this crate, and hides a deadlock while it waits in
    /// `std::thread::park`. A hook of [`on_hog`](Config::on_hog) counts as part of the runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::{Config, Deadlock};
    ///
    /// // A program that waits until it is killed.
    /// // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    /// unsafe { Config::new().deadlock(Deadlock::Off).start() }.unwrap();
    /// ```
    pub fn deadlock(self, then: Deadlock) -> Config {
        self.with(|sched| sched.deadlock(then))
    }

    /// The signal SIGQUIT, which `kill -QUIT` and, in terminals, `Ctrl-\\` send, writes a dump of all goroutines to stderr; then
    /// the program goes on or ends, as `then` says. Default: SIGQUIT does what it does elsewhere, it ends the program.
    ///
    /// A dump needs memory. Where the heap is locked for good it does not come; then another SIGQUIT gets, a second later, a
    /// shorter one that allocates nothing and waits for no lock: addresses, without names of functions, of the first 1000
    /// goroutines, without the stacks of those that are on a thread.
    ///
    /// The process has a handler for SIGQUIT then, which calls a handler that was there before the start, and two threads that
    /// take the dumps. [`signal`](crate::signal) can receive the signal as well. The signal must not be blocked in all
    /// threads.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::{Config, debug::Quit};
    ///
    /// // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    /// unsafe { Config::new().on_sigquit(Quit::Continue).start() }.unwrap();
    /// ```
    #[cfg(feature = "insight")]
    pub fn on_sigquit(mut self, then: Quit) -> Config {
        self.dumps.quit = Some(then);
        self
    }

    /// Whether a fatal error of the program, after its message, writes a dump of all goroutines to stderr before it ends the
    /// process: 1000 lines at most, then the message again. The other goroutines run on meanwhile, for 10 s at most, and the
    /// process cannot end otherwise. Default: the dump is written, by a thread that is started for it.
    ///
    /// `true`: two threads are there for it from the start. Then it is also written for an internal error of the runtime,
    /// which by default ends the process at once, because what runs after a contradiction may do harm. And the shorter dump
    /// of [`on_sigquit`](Config::on_sigquit) is written after 10 s, where the error was found in the middle of what a dump
    /// needs, and for an error that is found in a signal handler. `false`: the message alone.
    ///
    /// A stack overflow has a message with a backtrace of its own, and no dump.
    ///
    /// # Examples
    ///
    /// ```
    /// // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    /// unsafe { goroutines::Config::new().dump_on_fatal(true).start() }.unwrap();
    /// ```
    #[cfg(feature = "insight")]
    pub fn dump_on_fatal(mut self, on: bool) -> Config {
        self.dumps.at_fatal = match on {
            true => AtFatal::Prepared,
            false => AtFatal::Never,
        };
        self
    }

    /// Keeps the last events of each thread, in `thread_bytes` of memory a thread, as
    /// [`debug::trace::flight`](crate::debug::trace::flight) does. A fatal error of the program or the runtime, and a
    /// deadlock, writes them to the file `path`, for Perfetto, before it ends the process; the program can do so at any time
    /// through [`debug::trace::recorder`](crate::debug::trace::recorder). Default: no recorder.
    ///
    /// A stack overflow ends the process in a signal handler, and writes no file.
    ///
    /// # Examples
    ///
    /// ```
    /// let path = std::env::temp_dir().join("app.pftrace");
    /// // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    /// unsafe { goroutines::Config::new().flight_recorder(1 << 20, path).start() }.unwrap();
    /// assert!(goroutines::debug::trace::recorder().is_some());
    /// ```
    #[cfg(feature = "insight")]
    pub fn flight_recorder(mut self, thread_bytes: usize, path: impl Into<PathBuf>) -> Config {
        self.dumps.flight = true;
        self.flight = Some((thread_bytes, path.into()));
        self
    }

    /// Whether a panic on a goroutine says which one it is. Default: yes. The start then puts a hook before the one that is
    /// there (std's, as a rule), which writes a line to stderr and calls that one:
    ///
    /// ```text
    /// goroutine 17 [worker] panicked at src/main.rs:7:9, spawned as app::serve::{{closure}}
    /// ```
    ///
    /// Panics on plain threads are as before. A hook that the program sets after the start ([`std::panic::set_hook`])
    /// replaces this one, and one that it has [taken](std::panic::take_hook) before it sets its own can be called by that.
    /// A start on a thread that panics changes no hook. The line goes to the descriptor: a test harness that captures what
    /// threads print does not capture it.
    ///
    /// # Examples
    ///
    /// ```
    /// // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    /// unsafe { goroutines::Config::new().panic_hook(false).start() }.unwrap();
    /// ```
    pub fn panic_hook(mut self, on: bool) -> Config {
        self.quiet_panics = !on;
        self
    }

    fn with(mut self, change: impl FnOnce(sched::Config) -> sched::Config) -> Config {
        self.sched = change(self.sched);
        self
    }

    /// Starts the runtime. Once per process, before the first [`go`](crate::go).
    ///
    /// # Errors
    ///
    /// See [`StartError`](crate::StartError). Nothing has been started then.
    ///
    /// # Safety
    ///
    #[doc = include_str!("safety.md")]
    pub unsafe fn start(self) -> Result<(), crate::StartError> {
        let quiet_panics = self.quiet_panics;
        self.launch()?;
        if !quiet_panics {
            panic_hook::install();
        }
        Ok(())
    }

    fn launch(self) -> Result<(), crate::StartError> {
        #[cfg(feature = "insight")]
        {
            let refused =
                |error| crate::StartError::Os("preparing the dumps of all goroutines", error);
            sched::walk_hogs_with(goroutines_insight::walk_hog);
            goroutines_insight::read_contexts_with(crate::context::report::read);
            let dumper = self.dumps.prepare().map_err(refused)?;
            let begun = |(bytes, path)| trace::flight(bytes).map(|flight| (flight, path));
            let flight = self.flight.map(begun).transpose().map_err(|error| {
                crate::StartError::Os(
                    "beginning the flight recorder",
                    std::io::Error::other(error),
                )
            })?;
            sched::start(&self.sched.on_deadlock(at_deadlock))?;
            if let Some((flight, path)) = flight {
                trace::keep_recorder(flight, path);
            }
            match dumper {
                Some(dumper) => dumper.arm().map_err(refused),
                None => {
                    self.dumps.arm_without_threads();
                    Ok(())
                }
            }
        }
        #[cfg(not(feature = "insight"))]
        sched::start(&self.sched)
    }
}
