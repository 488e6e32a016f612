//! Taking a snapshot of all goroutines.

use std::{io, mem, time::SystemTime};

use goroutines_sched::{self as sched, Sight, has_stack, on_segment, reserve_stack};

use crate::{
    groups::{Group, Groups, Seen},
    json, modules,
    symbols::{Frame, Symbols, of_program},
    text,
    walk::walk,
};

/// Stack that a dump needs: the symboliser's frames are large.
const STACK: usize = 512 << 10;

/// Groups that are kept where the caller does not say.
const GROUPS: usize = 1000;

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

    /// Takes the snapshot.
    ///
    /// From goroutines and plain threads. A goroutine that calls this does not park. While it runs, each other goroutine
    /// that is off its thread may be kept from running for some microseconds, and the callers of this function take turns.
    /// Nothing is asked of a goroutine, and no lock of the program is taken.
    ///
    /// It costs some microseconds a goroutine, and some milliseconds for the names of functions, more at the first time.
    ///
    /// # Panics
    ///
    /// When there is no memory.
    #[must_use]
    pub fn take(&self) -> Snapshot {
        // A system call of the symboliser cannot move a guard of the stack. Where there is no room for that, it fails.
        let _ = reserve_stack(STACK);
        match has_stack(STACK) {
            true => self.take_here(),
            false => on_segment(STACK, || self.take_here()),
        }
    }

    fn take_here(&self) -> Snapshot {
        let mut groups = Groups::new(self.groups);
        let mut seen = Vec::with_capacity(64);
        let mut total = 0;
        let stacks_read = modules::with(|modules| {
            let batch = std::cell::RefCell::new(&mut seen);
            sched::goroutines(
                &mut |sight: &mut Sight<'_>| {
                    let walked = sight.stack.as_mut().map(|stack| walk(modules, stack));
                    batch.borrow_mut().push(Seen::of(sight, walked));
                },
                &mut || {
                    let mut batch = batch.borrow_mut();
                    total += batch.len();
                    batch.drain(..).for_each(|one| groups.add(one));
                },
            )
        });
        let mut symbols = Symbols::default();
        for group in &groups.list {
            let addresses = group.stack.iter().flat_map(|stack| &stack.addresses);
            addresses.for_each(|&address| symbols.learn(address));
        }
        let metrics = sched::metrics();
        let (further, uncounted) = (groups.further(), groups.uncounted);
        let mut list = mem::take(&mut groups.list);
        // The larger first; equal ones in the order in which they were found.
        list.sort_by_key(|group| std::cmp::Reverse(group.count));
        Snapshot {
            groups: list,
            symbols,
            runtime_frames: self.runtime_frames,
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

    /// The functions in which the goroutines of `group`, a group of this snapshot, are, innermost first. Empty where the
    /// stack was not read.
    #[must_use]
    pub fn frames(&self, group: &Group) -> Vec<Frame> {
        let Some(stack) = &group.stack else {
            return Vec::new();
        };
        let all = stack
            .addresses
            .iter()
            .flat_map(|&address| self.symbols.at(address).iter().cloned())
            .collect();
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
