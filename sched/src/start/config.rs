//! The configuration of a start, and the ways in which it can fail.

use std::{env, error, fmt, io, time::Duration};

use goroutines_stack::{SizeError, StartError as StepError};

use crate::{
    global::{procs::MAX_PROCS, settings::Settings},
    observe::{
        deadlock::{Deadlock, Rule},
        hogs::{HogReport, HogRule},
    },
    start::{default_stacks::DefaultStacks, flags::Switches, godebug::GoDebug, size},
    sys::{cpus, errno},
};

/// The configuration with which the process's runtime is started.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(crate) procs: Option<usize>,
    pub(crate) stacks: DefaultStacks,
    pub(crate) stack_idle: Option<Duration>,
    pub(crate) max_threads: Option<usize>,
    pub(crate) thread_idle: Option<Duration>,
    pub(crate) hog_after: Option<Duration>,
    pub(crate) on_hog: Option<fn(&HogReport)>,
    pub(crate) deadlock: Rule,
    pub(crate) switches: Switches,
}

/// All settings of a start, resolved.
pub(crate) struct Resolved {
    pub(crate) settings: Settings,
    /// How often a line on the scheduler goes to stderr.
    pub(crate) schedtrace: Option<Duration>,
    pub(crate) hogs: Option<HogRule>,
    pub(crate) deadlock: Rule,
    /// Whether the stacks of goroutines that change threads are searched (migrate.rs).
    pub(crate) migration_check: bool,
    /// Whether goroutines change threads as often as they can (migrate.rs).
    pub(crate) force_migration: bool,
}

/// The default time for which a goroutine stays parked before its stack shrinks.
const STACK_IDLE: Duration = Duration::from_secs(30);

/// The default for the largest number of threads; Go's number.
const MAX_THREADS: usize = 10_000;

/// The default time for which a thread is idle before it ends.
const THREAD_IDLE: Duration = Duration::from_secs(10);

/// The default time after which a hog is reported.
const HOG_AFTER: Duration = Duration::from_millis(100);

// Shown by another crate, where links to this crate's items would not resolve.
/// Why a start failed. Nothing has been started then.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The runtime is already running; it is started once per process.
    AlreadyStarted,
    /// The environment variable `GOMAXPROCS` is not a positive integer (at most 4096).
    Gomaxprocs(String),
    /// `Config::procs` was given 0 or more than 4096.
    Procs(usize),
    /// `Config::max_threads` was given fewer threads than there are Ps: the threads, the Ps.
    MaxThreads(usize, usize),
    /// `Config::stack_size` was given 0 or more than the largest window.
    StackSize(SizeError),
    /// The environment variable `GOROUTINE_STACK` is no size, or none that a stack can have.
    GoroutineStack(String, Option<SizeError>),
    /// `Config::stack_start` was given 0.
    StackStart(StepError),
    /// The environment variable `GOROUTINE_STACK_START` is no size, or 0.
    GoroutineStackStart(String, Option<StepError>),
    /// The environment variable `GOROUTINE_STACK_IDLE` is no duration.
    GoroutineStackIdle(String),
    /// An item of the environment variable `GODEBUG` is known, and its value is no number of milliseconds.
    Godebug(String),
    /// The environment variable of this name is neither `on` (`1`) nor `off` (`0`).
    Switch(&'static str, String),
    /// The hardware keeps a shadow stack for the program's threads, which a switch of stacks would not match.
    ShadowStack,
    /// The operating system refused something: what, and why.
    Os(&'static str, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::AlreadyStarted => f.write_str(
                "goroutines::start: the runtime is already running; start it once, at the top of main",
            ),
            StartError::Gomaxprocs(value) => write!(
                f,
                "goroutines::start: GOMAXPROCS is `{value}`, which is not a positive integer up to \
                 {MAX_PROCS}; set it to the number of processors to use, or unset it"
            ),
            StartError::Procs(value) => write!(
                f,
                "Config::procs: {value} processors; give a number from 1 to {MAX_PROCS}"
            ),
            StartError::MaxThreads(threads, procs) => write!(
                f,
                "Config::max_threads: {threads} threads for {procs} processors; each needs one, and goroutines \
                 that block need more: give a larger number, or fewer processors"
            ),
            StartError::StackSize(error) => write!(f, "Config::stack_size: {error}"),
            StartError::GoroutineStack(value, None) => write!(
                f,
                "goroutines::start: GOROUTINE_STACK is `{value}`, which is not a size; set it to {}, \
                 at most 1G, or unset it",
                size::FORM
            ),
            StartError::GoroutineStack(value, Some(error)) => {
                write!(f, "goroutines::start: GOROUTINE_STACK is `{value}`: {error}")
            }
            StartError::StackStart(error) => write!(f, "Config::stack_start: {error}"),
            StartError::GoroutineStackStart(value, None) => write!(
                f,
                "goroutines::start: GOROUTINE_STACK_START is `{value}`, which is not a size; set it to {}, or unset it",
                size::FORM
            ),
            StartError::GoroutineStackStart(value, Some(error)) => {
                write!(f, "goroutines::start: GOROUTINE_STACK_START is `{value}`: {error}")
            }
            StartError::GoroutineStackIdle(value) => write!(
                f,
                "goroutines::start: GOROUTINE_STACK_IDLE is `{value}`, which is not a duration; set it \
                 to a number of seconds, or one followed by ms, s, m or h, or to `off`, or unset it"
            ),
            StartError::Godebug(item) => write!(
                f,
                "goroutines::start: GODEBUG has `{item}`, whose value is not a number of milliseconds up to \
                 86400000 (for hogstacks and deadlock: 0 or 1); set it to one, or to 0 for off, or leave it out"
            ),
            StartError::Switch(name, value) => write!(
                f,
                "goroutines::start: {name} is `{value}`, which is neither `on` nor `off`; set it to one \
                 of them, or unset it"
            ),
            StartError::ShadowStack => f.write_str(
                "goroutines::start: shadow stacks are on, and a switch between goroutines would not match them; start the \
                 program without: GLIBC_TUNABLES must not have glibc.cpu.x86_shstk=on or glibc.cpu.aarch64_gcs=1",
            ),
            StartError::Os(what, error) => write!(
                f,
                "goroutines::start: {what}: {error}{}",
                errno::remedy(error)
            ),
        }
    }
}

impl error::Error for StartError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            StartError::Os(_, error) => Some(error),
            StartError::StackSize(error) | StartError::GoroutineStack(_, Some(error)) => {
                Some(error)
            }
            StartError::StackStart(error) | StartError::GoroutineStackStart(_, Some(error)) => {
                Some(error)
            }
            _ => None,
        }
    }
}

impl Config {
    /// The defaults: as many Ps as there are CPUs for this process, stacks of 1 MiB.
    pub fn new() -> Config {
        Config::default()
    }

    /// The number of Ps: how many goroutines run at the same time. The environment variable `GOMAXPROCS` overrides
    /// it. Default: as many as the CPUs that the process's affinity allows and the CPU quota of its control groups
    /// pays for, rounded up. By default the number also follows these while the program runs, with a look about once
    /// a second.
    #[must_use]
    pub fn procs(mut self, procs: usize) -> Config {
        self.procs = Some(procs);
        self
    }

    /// How long a goroutine stays parked before the memory that its stack does not need goes back to the system:
    /// after that time, and at most twice as long. [`Duration::ZERO`] for never. The environment variable
    /// `GOROUTINE_STACK_IDLE` overrides it. Default: 30 s.
    #[must_use]
    pub fn stack_idle(mut self, time: Duration) -> Config {
        self.stack_idle = Some(time);
        self
    }

    /// How many threads the scheduler may have. More are needed when goroutines block theirs, in announced calls or
    /// not. A program that needs a further one ends with a message. Default: 10 000.
    #[must_use]
    pub fn max_threads(mut self, threads: usize) -> Config {
        self.max_threads = Some(threads);
        self
    }

    /// How long a thread of the scheduler has nothing to do before it ends. [`Duration::ZERO`] for never. As many
    /// threads as ever ran at the same time stay in any case. Default: 10 s.
    #[must_use]
    pub fn thread_idle(mut self, time: Duration) -> Config {
        self.thread_idle = Some(time);
        self
    }

    /// The time after which a goroutine that makes no call into the runtime is reported: to the hook of
    /// [`Config::on_hog`], or on stderr if there is none. `GODEBUG=hogs=100` overrides it, and prints in any case.
    /// [`Duration::ZERO`] for never. Default: never, or 100 ms if there is a hook.
    #[must_use]
    pub fn hog_after(mut self, time: Duration) -> Config {
        self.hog_after = Some(time);
        self
    }

    /// The hook that is called for a goroutine that runs for long without a call into the runtime. How long is set by
    /// [`Config::hog_after`]. Default: 100 ms.
    #[must_use]
    pub fn on_hog(mut self, hook: fn(&HogReport)) -> Config {
        self.on_hog = Some(hook);
        self
    }

    /// What happens when nothing can ever wake a goroutine again. `GODEBUG=deadlock=0` overrides it with
    /// [`Deadlock::Off`], and `deadlock=1` with [`Deadlock::Exit`]. Default: [`Deadlock::Off`].
    #[must_use]
    pub fn deadlock(mut self, then: Deadlock) -> Config {
        self.deadlock.then = then;
        self
    }

    /// Lets `hook` run after the message of a deadlock, on the thread of sysmon, whose stack is small.
    #[must_use]
    pub fn on_deadlock(mut self, hook: fn()) -> Config {
        self.deadlock.hook = Some(hook);
        self
    }

    fn hog_rule(&self, debug: &GoDebug) -> Option<HogRule> {
        let default = self.on_hog.map(|_| HOG_AFTER);
        let after = debug.hogs.or(self.hog_after).or(default)?;
        (!after.is_zero()).then_some(HogRule {
            after,
            hook: self.on_hog,
            print: debug.hogs.is_some() || self.on_hog.is_none(),
            stacks: debug.hogstacks.unwrap_or(self.switches.hog_stacks()),
        })
    }

    /// The settings in force: environment, then this configuration, then the machine.
    pub(crate) fn resolve(&self) -> Result<Resolved, StartError> {
        let stacks = self.stacks.resolve()?;
        if let Some(procs) = self.procs
            && !(1..=MAX_PROCS).contains(&procs)
        {
            return Err(StartError::Procs(procs));
        }
        let asked = match env::var_os("GOMAXPROCS") {
            Some(value) => Some(parse_procs(&value.to_string_lossy())?),
            None => self.procs,
        };
        let procs = asked.unwrap_or_else(|| cpus::available().min(MAX_PROCS));
        let stack_idle = match env::var_os("GOROUTINE_STACK_IDLE") {
            Some(value) => parse_idle(&value.to_string_lossy())?,
            None => self.stack_idle.unwrap_or(STACK_IDLE),
        };
        let max_threads = self.max_threads.unwrap_or(MAX_THREADS);
        if max_threads < procs {
            return Err(StartError::MaxThreads(max_threads, procs));
        }
        let debug = GoDebug::from_env()?;
        Ok(Resolved {
            settings: Settings {
                procs,
                follow: asked.is_none(),
                stacks,
                stack_idle: Some(stack_idle).filter(|time| !time.is_zero()),
                max_threads,
                thread_idle: Some(self.thread_idle.unwrap_or(THREAD_IDLE))
                    .filter(|time| !time.is_zero()),
            },
            schedtrace: debug.schedtrace,
            hogs: self.hog_rule(&debug),
            deadlock: Rule {
                then: debug.deadlock.unwrap_or(self.deadlock.then),
                ..self.deadlock
            },
            migration_check: self.switches.migration_check()?,
            force_migration: self.switches.force_migration()?,
        })
    }
}

/// `GOMAXPROCS` as a number; an empty value is not a number.
fn parse_procs(value: &str) -> Result<usize, StartError> {
    match value.trim().parse::<usize>() {
        Ok(procs) if (1..=MAX_PROCS).contains(&procs) => Ok(procs),
        _ => Err(StartError::Gomaxprocs(value.to_owned())),
    }
}

/// `GOROUTINE_STACK_IDLE` as a time, zero for `off`; an empty value is not a duration.
fn parse_idle(value: &str) -> Result<Duration, StartError> {
    let text = value.trim();
    if text.eq_ignore_ascii_case("off") {
        return Ok(Duration::ZERO);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit.trim_start().to_ascii_lowercase().as_str() {
        "ms" => Some(1),
        "" | "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    milliseconds
        .and_then(|unit: u64| number.parse::<u64>().ok()?.checked_mul(unit))
        .map(Duration::from_millis)
        .ok_or_else(|| StartError::GoroutineStackIdle(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goroutine_stack_idle_is_a_duration_or_off() {
        for (value, milliseconds) in [
            ("5", 5000),
            ("250ms", 250),
            (" 2 S ", 2000),
            ("3m", 180_000),
            ("1h", 3_600_000),
            ("0", 0),
            ("off", 0),
        ] {
            let parsed = parse_idle(value).unwrap();
            assert_eq!(parsed, Duration::from_millis(milliseconds));
        }
        for bad in [
            "",
            "soon",
            "-1",
            "1.5",
            "1 day",
            "99999999999999999999",
            "s",
        ] {
            let error = parse_idle(bad).unwrap_err().to_string();
            assert!(
                error.contains(&format!("GOROUTINE_STACK_IDLE is `{bad}`")),
                "{error}"
            );
            assert!(error.contains("off"), "{error}");
        }
    }

    #[test]
    fn gomaxprocs_is_a_positive_integer() {
        assert_eq!(parse_procs("3").unwrap(), 3);
        assert_eq!(parse_procs(" 8 ").unwrap(), 8);
        for bad in ["", "0", "-1", "two", "1.5", "99999999999999999999", "4097"] {
            let error = parse_procs(bad).unwrap_err().to_string();
            assert!(error.contains("GOMAXPROCS"), "{error}");
            assert!(error.contains(&format!("`{bad}`")), "{error}");
        }
    }

    #[test]
    fn bad_settings_name_the_function_and_the_value() {
        for (config, words) in [
            (Config::new().procs(0), ["Config::procs", "0 processors"]),
            (Config::new().procs(5000), ["Config::procs", "5000"]),
            (Config::new().stack_size(0), ["Config::stack_size", "0"]),
            (
                Config::new().stack_start(0),
                ["Config::stack_start", "2048"],
            ),
            (
                Config::new().stack_size(usize::MAX),
                ["Config::stack_size", &usize::MAX.to_string()],
            ),
        ] {
            let error = config.resolve().err().unwrap().to_string();
            for word in words {
                assert!(error.contains(word), "{error}");
            }
        }
    }
}
