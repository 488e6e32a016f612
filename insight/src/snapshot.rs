//! Taking a snapshot of all goroutines.

use std::{
    io, mem,
    time::{Duration, SystemTime},
};

use goroutines_sched::{self as sched, Sight, Visitor, Walks, with_room};

use crate::{
    graph::{Cycle, Edge, WaitGraph, waits_of_threads},
    groups::{Group, Groups, Seen},
    json,
    modules::{self, Cache, Unwinder},
    room,
    symbols::{Frame, Symbols, of_program},
    text,
    walk::{Runner, walk},
};

/// Groups that are kept where the caller does not say.
const GROUPS: usize = 1000;

/// How long threads may take to answer where the caller does not say.
const PATIENCE: Duration = Duration::from_millis(100);

/// More than the goroutines that are held at a time.
const ROOM: usize = 64;

/// How a snapshot of all goroutines is taken.
///
/// # Examples
///
/// ```
/// let snapshot = goroutines_insight::Dump::new().groups(10).take();
/// assert_eq!(snapshot.summary().goroutines, 0); // the runtime was not started
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until `take`"]
pub struct Dump {
    groups: usize,
    runtime_frames: bool,
    running: bool,
    patience: Duration,
}

impl Default for Dump {
    fn default() -> Dump {
        Dump::new()
    }
}

impl Dump {
    /// The defaults: at most 1000 groups, without the runtime's frames.
    pub fn new() -> Dump {
        Dump {
            groups: GROUPS,
            runtime_frames: false,
            running: true,
            patience: PATIENCE,
        }
    }

    /// The most groups of equal goroutines that are kept. Goroutines of further groups are only counted. Default: 1000.
    pub fn groups(mut self, most: usize) -> Dump {
        self.groups = most;
        self
    }

    /// Whether stacks show the frames of the runtime, with which they begin and end. Default: no.
    pub fn runtime_frames(mut self, shown: bool) -> Dump {
        self.runtime_frames = shown;
        self
    }

    /// Whether goroutines that are on a thread are asked for their stacks: those that run, are in a
    /// [`blocking`](https://docs.rs/goroutines/latest/goroutines/fn.blocking.html) call, or keep their thread while they wait.
    /// Default: yes.
    ///
    /// Each of their threads is interrupted by SIGURG, as Go does: a system call that cannot be restarted, such as `poll`,
    /// `epoll_wait` or `nanosleep`, ends with EINTR. std calls these again; other code may not. The first such snapshot
    /// installs a handler, which passes on signals of others.
    pub fn running(mut self, asked: bool) -> Dump {
        self.running = asked;
        self
    }

    /// How long threads may take to answer, all together. A thread that wants a CPU may have to wait for it. Default: 100 ms.
    pub fn patience(mut self, patience: Duration) -> Dump {
        self.patience = patience;
        self
    }

    /// Takes the snapshot.
    ///
    /// From goroutines and plain threads. A goroutine that calls this does not park. While it runs, each other goroutine
    /// that is off its thread may be kept from running for some microseconds, and the callers of this function take turns.
    /// No lock of the program is taken.
    ///
    /// It costs some microseconds a goroutine, and some milliseconds for the names of functions, more at the first time.
    ///
    /// # Panics
    ///
    /// When there is no memory.
    #[must_use]
    pub fn take(&self) -> Snapshot {
        with_room(room::TO_NAME, || self.take_here())
    }

    fn take_here(&self) -> Snapshot {
        let (mut groups, total, stacks_read) = modules::with(|modules| {
            let mut taking = Taking {
                unwinder: &modules.unwinder,
                cache: &mut modules.cache,
                asks: self.running,
                batch: Vec::with_capacity(ROOM),
                groups: Groups::new(self.groups),
                total: 0,
            };
            let stacks_read = sched::visit_all(&mut taking, self.patience);
            (taking.groups, taking.total, stacks_read)
        });
        let mut symbols = Symbols::default();
        groups
            .list
            .iter()
            .for_each(|group| symbols.learn_all(group));
        let metrics = sched::metrics();
        let (further, uncounted) = (groups.further(), groups.uncounted);
        let mut list = mem::take(&mut groups.list);
        // The larger first; equal ones in the order in which they were found.
        list.sort_by_key(|group| std::cmp::Reverse(group.count));
        Snapshot {
            groups: list,
            symbols,
            runtime_frames: self.runtime_frames,
            graph: WaitGraph::look(false),
            threads: waits_of_threads(),
            summary: Summary {
                goroutines: total,
                further_groups: further,
                further_goroutines: uncounted,
                stacks_read,
                procs: metrics.procs.len(),
                threads: metrics.threads as usize,
                taken: SystemTime::now(),
            },
        }
    }
}

/// A snapshot that is being taken.
struct Taking<'m> {
    unwinder: &'m Unwinder,
    cache: &'m mut Cache,
    asks: bool,
    /// What was seen since none was held last; has [`ROOM`], so that nothing is allocated while one is.
    batch: Vec<Seen>,
    groups: Groups,
    total: usize,
}

impl<'m> Visitor for Taking<'m> {
    type Walker = Runner<'m>;

    fn visit(&mut self, sight: &mut Sight<'_>, walked: Option<Runner<'m>>) {
        let stack = sight.stack.as_mut();
        let held = stack.map(|stack| walk(self.unwinder, self.cache, stack));
        let walk = held.or(walked.map(|runner| runner.walk));
        self.batch.push(Seen::of(sight, walk));
    }

    fn between(&mut self) {
        self.total += self.batch.len();
        let groups = &mut self.groups;
        self.batch.drain(..).for_each(|one| groups.add(one));
    }

    fn asks(&self) -> bool {
        self.asks
    }

    fn walker(&mut self) -> Runner<'m> {
        Runner::new(self.unwinder)
    }
}

/// For the reports of hogs: lets `ask` have a stack walked, and returns the addresses of its frames.
pub fn walk_hog(ask: &mut dyn FnMut(&mut dyn Walks)) -> Vec<usize> {
    modules::with(|modules| {
        let mut runner = Runner::new(&modules.unwinder);
        ask(&mut runner);
        let within = |(number, &address): (usize, &u64)| {
            // A return address may be that of the next function's start: one less is in the call.
            address as usize - usize::from(number > 0)
        };
        runner.walk.inner().enumerate().map(within).collect()
    })
}

/// What a snapshot is of.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Summary {
    /// How many goroutines were seen.
    pub goroutines: usize,
    /// How many groups there was no room for, and
    pub further_groups: usize,
    /// how many goroutines are in them.
    pub further_goroutines: usize,
    /// Whether stacks could be read: it needs the system call `membarrier`.
    pub stacks_read: bool,
    /// How many processors the scheduler has.
    pub procs: usize,
    /// How many threads it has.
    pub threads: usize,
    /// When it was taken.
    pub taken: SystemTime,
}

/// All goroutines, as they were when they were looked at, one after the other.
#[derive(Clone, Debug)]
pub struct Snapshot {
    groups: Vec<Group>,
    symbols: Symbols,
    runtime_frames: bool,
    pub(crate) graph: WaitGraph,
    threads: Vec<Edge>,
    summary: Summary,
}

impl Snapshot {
    /// What it is of.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.summary
    }

    /// Goroutines that do the same at the same place, the most frequent first.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// What plain threads wait for in calls of the runtime. Their stacks are not read.
    #[must_use]
    pub fn threads(&self) -> &[Edge] {
        &self.threads
    }

    /// Goroutines and threads that wait for each other: deadlocks, also where the rest of the program runs.
    #[must_use]
    pub fn cycles(&self) -> &[Cycle] {
        self.graph.cycles()
    }

    /// The functions in which the goroutines of `group`, a group of this snapshot, are, innermost first. Empty where the
    /// stack was not read.
    #[must_use]
    pub fn frames(&self, group: &Group) -> Vec<Frame> {
        let all = self.symbols.of(group);
        match self.runtime_frames {
            true => all,
            false => of_program(all),
        }
    }

    /// Writes it as text for people.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_text(&self, out: &mut dyn io::Write) -> io::Result<()> {
        text::write(self, out)
    }

    /// Writes it as JSON: an object whose first member is `"version": 1`.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_json(&self, out: &mut dyn io::Write) -> io::Result<()> {
        json::write(self, out)
    }
}

/// Takes a snapshot of all goroutines and writes it to `out`, as text.
///
/// # Errors
///
/// Those of `out`.
///
/// # Panics
///
/// As [`Dump::take`].
pub fn dump(out: &mut dyn io::Write) -> io::Result<Summary> {
    let snapshot = Dump::new().take();
    snapshot.write_text(out)?;
    Ok(snapshot.summary())
}
