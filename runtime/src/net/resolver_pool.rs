//! The threads that look names up.
//!
//! ```text
//!  submit ──► in_flight: name -> Lookup ◄── goroutines that ask for the same name wait for the same answer
//!    │
//!    ├─ suffix has a share left ──► ready: a queue ──► up to 16 threads, each ends after 10 s without work
//!    └─ it has none ──► held, per suffix ──► ready, when a lookup of that suffix ends
//! ```
//!
//! All names of a domain may depend on one slow server. So the names that end in the same two labels have half of the
//! threads at most, and the other half is left for other names.
//!
//! They are OS threads, because `getaddrinfo` loads modules that need such a thread. Locks and channels are this crate's,
//! because goroutines wait on the other side.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Duration,
};

use crate::{
    chan::{self, Receiver},
    reserve_stack::with_room_to_start,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
};

/// How many threads there are at most.
pub(super) const THREADS: usize = 16;

/// How many of them look up names of one suffix.
pub(super) const SHARE: usize = THREADS / 2;

/// How long a thread waits for work before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// What looks a name up, and blocks meanwhile.
pub(super) type LookUp = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Sync;

/// A name that is looked up, for all that ask for it meanwhile.
pub(super) struct Lookup {
    host: String,
    /// Disconnected when the answer is there.
    done: Receiver<Infallible>,
    answer: OnceLock<Result<Vec<SocketAddr>, Failure>>,
}

/// From this an error is made for each goroutine that asked.
#[derive(Clone)]
enum Failure {
    System(i32),
    Other(io::ErrorKind, String),
}

impl Lookup {
    fn of(host: &str) -> Arc<Lookup> {
        Arc::new(Lookup {
            host: host.to_owned(),
            done: chan::done(None),
            answer: OnceLock::new(),
        })
    }

    /// Is disconnected when the answer is there.
    pub(super) fn done(&self) -> &Receiver<Infallible> {
        &self.done
    }

    /// The answer, once there is one.
    pub(super) fn answer(&self) -> io::Result<Vec<SocketAddr>> {
        match self.answer.get() {
            Some(Ok(addrs)) => Ok(addrs.clone()),
            Some(Err(Failure::System(code))) => Err(io::Error::from_raw_os_error(*code)),
            Some(Err(Failure::Other(kind, text))) => Err(io::Error::new(*kind, text.clone())),
            None => Err(io::Error::other("the lookup has not ended")),
        }
    }

    fn finish(&self, answer: io::Result<Vec<SocketAddr>>) {
        let answer = answer.map_err(|error| match error.raw_os_error() {
            Some(code) => Failure::System(code),
            None => Failure::Other(error.kind(), error.to_string()),
        });
        // Only the thread that took it out of `ready` finishes it.
        let _ = self.answer.set(answer);
        chan::disconnect(&self.done);
    }
}

/// Threads that look names up, and what they have to do.
pub(super) struct Pool {
    look_up: &'static LookUp,
    idle: Duration,
    state: Mutex<State>,
    /// `ready` has a lookup for a thread that waits.
    work: Condvar,
}

struct State {
    in_flight: BTreeMap<String, Arc<Lookup>>,
    ready: VecDeque<Arc<Lookup>>,
    suffixes: BTreeMap<String, Suffix>,
    threads: usize,
    /// How many of them wait for work.
    waiting: usize,
}

/// The names with the same suffix.
#[derive(Default)]
struct Suffix {
    /// How many of them are looked up, or are ready for it.
    active: usize,
    held: VecDeque<Arc<Lookup>>,
}

/// The last two labels of a name.
fn suffix(host: &str) -> &str {
    let name = host.trim_end_matches('.');
    let mut dots = name.rmatch_indices('.');
    dots.nth(1).map_or(name, |(at, _)| &name[at + 1..])
}

impl Pool {
    pub(super) const fn new(look_up: &'static LookUp) -> Pool {
        Pool::with_idle(look_up, IDLE)
    }

    /// A pool whose threads end after `idle` without work.
    pub(super) const fn with_idle(look_up: &'static LookUp, idle: Duration) -> Pool {
        Pool {
            look_up,
            idle,
            state: Mutex::new(State {
                in_flight: BTreeMap::new(),
                ready: VecDeque::new(),
                suffixes: BTreeMap::new(),
                threads: 0,
                waiting: 0,
            }),
            work: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock but for want of memory.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many threads there are.
    #[cfg(test)]
    pub(super) fn threads(&self) -> usize {
        self.lock().threads
    }

    /// The lookup of `host` that is in flight, or a new one.
    pub(super) fn submit(&'static self, host: &str) -> Arc<Lookup> {
        let mut state = self.lock();
        if let Some(lookup) = state.in_flight.get(host) {
            return Arc::clone(lookup);
        }
        let lookup = Lookup::of(host);
        let flying = Arc::clone(&lookup);
        state.in_flight.insert(host.to_owned(), flying);
        let group = state.suffixes.entry(suffix(host).to_owned()).or_default();
        if group.active == SHARE {
            group.held.push_back(Arc::clone(&lookup));
            return lookup;
        }
        group.active += 1;
        state.ready.push_back(Arc::clone(&lookup));
        if state.waiting >= state.ready.len() {
            self.work.notify_one();
        } else if state.threads < THREADS {
            state.threads += 1;
            drop(state);
            self.add_thread();
        }
        lookup
    }

    /// Starts a thread, which is counted already.
    fn add_thread(&'static self) {
        let thread = thread::Builder::new().name("resolver".to_owned());
        if with_room_to_start(|| thread.spawn(|| self.work())).is_ok() {
            return;
        }
        // No thread can be started: the caller works until nothing is left to do.
        crate::blocking(|| self.work_for(Duration::ZERO));
    }

    fn work(&self) {
        self.work_for(self.idle);
    }

    /// The life of a thread.
    fn work_for(&self, idle: Duration) {
        while let Some(lookup) = self.next(idle) {
            let look_up = AssertUnwindSafe(|| (self.look_up)(&lookup.host));
            let answer = catch_unwind(look_up)
                .unwrap_or_else(|_| Err(io::Error::other("the lookup of a name panicked")));
            self.lock().end(&lookup.host);
            lookup.finish(answer);
        }
    }

    /// The next lookup; None if none comes within `idle`: then the thread is no longer counted.
    fn next(&self, idle: Duration) -> Option<Arc<Lookup>> {
        let mut state = self.lock();
        loop {
            if let Some(lookup) = state.ready.pop_front() {
                return Some(lookup);
            }
            state.waiting += 1;
            let waited = self.work.wait_timeout(state, idle);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.waiting -= 1;
            if timeout.timed_out() && state.ready.is_empty() {
                state.threads -= 1;
                return None;
            }
        }
    }
}

impl State {
    /// The lookup of `host` has ended: another one with its suffix may begin, which the caller takes up.
    fn end(&mut self, host: &str) {
        self.in_flight.remove(host);
        let Some(group) = self.suffixes.get_mut(suffix(host)) else {
            return;
        };
        match group.held.pop_front() {
            Some(next) => self.ready.push_back(next),
            None => group.active -= 1,
        }
        if group.active == 0 {
            self.suffixes.remove(suffix(host));
        }
    }
}

#[cfg(test)]
mod tests;
