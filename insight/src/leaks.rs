//! Goroutines that have waited for long, and those that can never go on.
//!
//! How long a goroutine has waited is known from the marks of the thread that shrinks stacks: it looks at all goroutines once
//! in an idle time (`Config::stack_idle`, 30 s by default), so a wait is known for that much less than it is long.
//!
//! That a goroutine can never go on is proved by the wait-for graph (graph.rs) alone: it is in a ring of waits that have one
//! way out each, or waits for one that is; or by what it waits on, which is the channel of `never`. The counts of any other
//! channel prove nothing: its last sender wakes those that receive as it goes, and a sender that is still there may send.

use std::{io, mem, time::Duration};

use goroutines_sched::{self as sched, Sight, State, with_room};

use crate::{
    graph::WaitGraph,
    groups::{Group, Groups, Seen},
    modules, room,
    symbols::{Frame, Symbols, of_program},
    text::{Spaced, counted, write_frames},
    walk::walk,
};

/// Groups that are kept of each kind.
const GROUPS: usize = 1000;

/// Goroutines that have waited for long at the same place.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Leak {
    /// The goroutines, what they wait for, and for how long.
    pub group: Group,
    /// Whether they can never go on.
    pub is_certain: bool,
}

/// Goroutines that have waited for long.
///
/// # Examples
///
/// ```
/// let leaks = goroutines_insight::leaks(std::time::Duration::from_secs(60));
/// assert_eq!(leaks.count(), 0); // the runtime was not started
/// ```
#[derive(Clone, Debug)]
pub struct Leaks {
    leaks: Vec<Leak>,
    older_than: Duration,
    count: usize,
    symbols: Symbols,
    graph: WaitGraph,
}

/// Looks for goroutines that have waited for `older_than` or longer, grouped by stack and by what they were spawned as.
///
/// From goroutines and plain threads. A goroutine that calls this does not park. It costs what a dump costs. How long a
/// goroutine has waited is known from looks at idle stacks: it is found up to `Config::stack_idle` (30 s by default) later
/// than it has waited for that long, and never where that is off. With an `older_than` of zero, all that wait are found.
///
/// # Panics
///
/// When there is no memory.
#[must_use]
pub fn leaks(older_than: Duration) -> Leaks {
    with_room(room::TO_NAME, || Leaks::look(older_than))
}

impl Leaks {
    fn look(older_than: Duration) -> Leaks {
        let graph = WaitGraph::look(false);
        let (mut certain, mut others) = (Groups::new(GROUPS), Groups::new(GROUPS));
        let mut count = 0;
        modules::with(|modules| {
            let batch = std::cell::RefCell::new(Vec::with_capacity(64));
            sched::goroutines(
                &mut |sight: &mut Sight<'_>| {
                    let waits = matches!(sight.state, State::Waiting(_) | State::Blocked(_));
                    let is_old = sight.parked_for.unwrap_or_default() >= older_than;
                    if waits && is_old {
                        let stack = sight.stack.as_mut();
                        let walked =
                            stack.map(|stack| walk(&modules.unwinder, &mut modules.cache, stack));
                        batch.borrow_mut().push(Seen::of(sight, walked));
                    }
                },
                &mut || {
                    for mut seen in batch.borrow_mut().drain(..) {
                        count += 1;
                        seen.waits_long = false; // shrunk or not, they are of one group
                        let on_never = seen.channel.is_some_and(|channel| channel.is_never);
                        match on_never || graph.is_stuck(seen.id) {
                            true => certain.add(seen),
                            false => others.add(seen),
                        }
                    }
                },
            )
        });
        let mut symbols = Symbols::default();
        let mut leaks = Vec::new();
        for (groups, is_certain) in [(&mut certain, true), (&mut others, false)] {
            let mut list = mem::take(&mut groups.list);
            list.sort_by_key(|group| std::cmp::Reverse(group.count));
            list.iter().for_each(|group| symbols.learn_all(group));
            leaks.extend(list.into_iter().map(|group| Leak { group, is_certain }));
        }
        Leaks {
            leaks,
            older_than,
            count,
            symbols,
            graph,
        }
    }

    /// Those that can never go on first, and of each kind the most frequent first.
    #[must_use]
    pub fn groups(&self) -> &[Leak] {
        &self.leaks
    }

    /// What waits for what.
    pub(crate) fn graph(&self) -> &WaitGraph {
        &self.graph
    }

    /// How many goroutines have waited for so long.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The functions in which the goroutines of `group`, a group of these, are, innermost first. Empty where the stack was
    /// not read.
    #[must_use]
    pub fn frames(&self, group: &Group) -> Vec<Frame> {
        of_program(self.symbols.of(group))
    }

    /// Writes them as text for people.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_text(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let certain = self.leaks.iter().filter(|leak| leak.is_certain);
        writeln!(
            out,
            "leaks: {} waiting for {:?} or longer, in {}; {} of them can never go on",
            counted(self.count, "goroutine"),
            self.older_than,
            counted(self.leaks.len(), "group"),
            Spaced(certain.map(|leak| leak.group.count).sum()),
        )?;
        for cycle in self.graph.cycles() {
            writeln!(out, "{cycle}")?;
        }
        for leak in &self.leaks {
            let how_long = match leak.group.parked_for {
                Some(time) => format!("for {time:.1?} or longer"),
                None => "for a time that is not known yet".to_owned(),
            };
            let ever = if leak.is_certain {
                ", and for ever"
            } else {
                ""
            };
            writeln!(out, "\n{how_long}{ever}:")?;
            let frames = self.frames(&leak.group);
            write_frames(&leak.group, &self.graph, &frames, out)?;
        }
        Ok(())
    }
}
