//! Signals of the system as messages: shaped as Go's `os/signal`.
//!
//! ```text
//!  handler (any thread)                     a goroutine                                  receivers of `notify`
//!  sets the signal's bit,    ──────►  takes the bits, and sends each signal  ──────►  those of this signal
//!  writes a byte                      to its receivers; sleeps in a read
//! ```
//!
//! The handler does nothing else, so it may interrupt any code, the scheduler as well. Handlers that were installed
//! before are called too: `signal-hook-registry` chains them. They run on the thread's signal stack, and not on that of
//! the goroutine that they interrupt.
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::{chan::{after, select}, signal};
//! use std::time::Duration;
//!
//! let stop = signal::notify(&[signal::SIGINT, signal::SIGTERM])?;
//! select! {
//!     recv(stop) -> which => println!("signal {}: finishing", which?),
//!     recv(after(Duration::from_millis(10))) -> _ => println!("work"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod handler;
#[cfg(feature = "insight")]
pub(crate) mod quit;

use std::{
    io::{self, ErrorKind, Read},
    os::fd::OwnedFd,
    time::Duration,
};

use crate::{
    Builder,
    chan::{Receiver, Sender, bounded},
    context::Context,
    net::unix::UnixStream,
    sync::{Mutex, MutexGuard, PoisonError},
};

#[doc(no_inline)]
pub use handler::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN,
    SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH,
};

/// How many signals a receiver keeps that were not received.
const KEPT: usize = 64;

/// The pause after an error of the system.
const RETRY: Duration = Duration::from_millis(20);

static NOTIFIER: Mutex<Notifier> = Mutex::new(Notifier {
    runs: false,
    handled: 0,
    listeners: Vec::new(),
});

struct Notifier {
    /// Whether the goroutine that sends was started.
    runs: bool,
    /// The signals that have a handler, as [`bit`]s.
    handled: u64,
    listeners: Vec<Listener>,
}

/// The receivers.
struct Listener {
    signals: u64,
    tx: Sender<i32>,
}

/// The place of a signal in a set; none for a number that is no signal.
fn bit(signal: i32) -> Option<u64> {
    (1..=64).contains(&signal).then(|| 1 << (signal - 1))
}

fn notifier() -> MutexGuard<'static, Notifier> {
    // Nothing panics under the lock but for want of memory.
    NOTIFIER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A receiver that gets the number of each of `signals` that comes from now on.
///
/// From here on the default action of these signals, such as ending the process, never happens again. A signal that comes
/// again before it was sent is sent once, as the system does it. A receiver keeps up to 64 signals; while it is full,
/// further ones are dropped for it.
///
/// Several receivers for one signal all get it; clones of one receiver share what it gets. Dropping the receiver, or
/// [`stop`], ends it.
///
/// # Errors
///
/// `InvalidInput`: there is no such signal, or it cannot be received: SIGKILL, SIGSTOP, and those that report a fault of
/// the thread itself, SIGSEGV, SIGBUS, SIGILL and SIGFPE. Otherwise the system's error, when there are no descriptors or
/// no memory for it. Nothing has changed then.
///
/// # Panics
///
/// When the runtime has not been started.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::signal;
/// use std::process::{self, Command};
///
/// let reload = signal::notify(&[signal::SIGHUP])?;
/// Command::new("kill").args(["-HUP", &process::id().to_string()]).status()?;
/// assert_eq!(reload.recv(), Ok(signal::SIGHUP));
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "ctrlc")]
#[doc(alias = "ctrl_c")]
#[doc(alias = "SIGTERM")]
pub fn notify(signals: &[i32]) -> io::Result<Receiver<i32>> {
    let mut set = 0;
    for &signal in signals {
        if handler::FORBIDDEN.contains(&signal) {
            return Err(bad(signal, "it cannot be received"));
        }
        set |= bit(signal).ok_or_else(|| bad(signal, "there is no such signal"))?;
    }
    let mut notifier = notifier();
    if !notifier.runs {
        notifier.run()?;
    }
    for &signal in signals {
        notifier.handle(signal)?;
    }
    notifier.forget_closed();
    let (tx, rx) = bounded(KEPT);
    notifier.listeners.push(Listener { signals: set, tx });
    Ok(rx)
}

/// Ends a receiver of [`notify`], also for its clones: once this returns it gets no more signals. Those that it has can
/// still be received.
///
/// The signals keep their handlers, which do nothing when there is no receiver.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::signal;
///
/// let resized = signal::notify(&[signal::SIGWINCH])?;
/// signal::stop(&resized);
/// assert!(resized.recv().is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn stop(receiver: &Receiver<i32>) {
    receiver.close();
    notifier().forget_closed();
}

fn bad(signal: i32, why: &str) -> io::Error {
    let text = format!("signal::notify: signal {signal}: {why}");
    io::Error::new(ErrorKind::InvalidInput, text)
}

impl Notifier {
    /// Starts the goroutine that sends.
    fn run(&mut self) -> io::Result<()> {
        let (bytes, for_handler) = UnixStream::pair()?;
        let builder = Builder::new().name("signals".to_owned());
        // It outlives the context of the first caller.
        Context::background().run(|| builder.spawn(move || send_all(bytes)))?;
        handler::write_to(OwnedFd::from(for_handler));
        self.runs = true;
        Ok(())
    }

    /// Installs the handler of `signal`, once.
    fn handle(&mut self, signal: i32) -> io::Result<()> {
        let bit = bit(signal).unwrap_or(0);
        if self.handled & bit == 0 {
            handler::install(signal, bit).map_err(|error| match error.kind() {
                // Those that the C library keeps for itself.
                ErrorKind::InvalidInput => bad(signal, "it cannot be received"),
                _ => error,
            })?;
            self.handled |= bit;
        }
        Ok(())
    }

    /// Removes the receivers that were stopped or dropped.
    fn forget_closed(&mut self) {
        self.listeners.retain(|listener| !listener.tx.is_closed());
    }

    fn send(&mut self, signals: u64) {
        for signal in 1..=64 {
            let Some(bit) = bit(signal).filter(|bit| signals & bit != 0) else {
                continue;
            };
            for listener in &self.listeners {
                if listener.signals & bit != 0 {
                    // Full, or closed.
                    let _ = listener.tx.try_send(signal);
                }
            }
        }
        self.forget_closed();
    }
}

/// The life of the goroutine.
fn send_all(mut bytes: UnixStream) {
    let mut some = [0; 64];
    loop {
        match bytes.read(&mut some) {
            // The other end is closed: it never is.
            Ok(0) => return,
            Ok(_) => {}
            // No descriptors for a poller, or no memory: that may change.
            Err(_) => crate::sleep(RETRY),
        }
        let signals = handler::take();
        if signals != 0 {
            notifier().send(signals);
        }
    }
}
