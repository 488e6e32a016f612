//! What waits for what, and rings of such waits.
//!
//! ```text
//!   goroutine 12 ──mutex 0x55d0c8──► goroutine 31 ──join──► goroutine 12      a ring: none of them can go on
//!   goroutine 40 ──join──► goroutine 12                                       waits for a ring
//!   goroutine 41 ──rwlock 0x55d100──► goroutine 42                            42 runs, or may be woken
//! ```
//!
//! The edges are those of `goroutines_sched::waits`. Rings are searched among the edges that are the only way out of their
//! wait, and counted only if a second look, at all of a ring at once, finds the same.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use goroutines_sched::{self as sched, Certainty, Verdict, Wait, WaitReason, Waiter};

use crate::{cycles::cycles, text::noun};

/// A goroutine, or a thread that waits in a call of the runtime.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Node {
    /// The goroutine's number; 0 for a thread.
    pub id: u64,
    /// The kernel's number of the thread; 0 for a goroutine.
    pub thread: i32,
    /// The name, where it is known.
    pub name: Option<String>,
}

/// A wait.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Edge {
    /// What waits.
    pub from: Node,
    /// Why.
    pub reason: WaitReason,
    /// The address of what it waits on; 0 where there is none, or several.
    pub object: usize,
    /// What could end the wait; `None` where that is unknown.
    pub to: Option<Node>,
    /// How sure that is.
    pub certainty: Certainty,
    /// Whether the wait may also end otherwise: at a deadline, by a context, by another case of a select.
    pub has_way_out: bool,
}

/// A ring of waits: each waits for the next, and the last for the first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cycle {
    /// The waits, in the order of the ring.
    pub edges: Vec<Edge>,
    /// Whether it is sure that none of them goes on: they were all held in their waits at one moment, and each edge is exact.
    pub is_certain: bool,
    /// How many others wait for one of them, at first or second hand.
    pub others: usize,
}

/// What waits for what.
///
/// # Examples
///
/// ```
/// let graph = goroutines_insight::wait_graph();
/// assert!(graph.edges().is_empty() && graph.cycles().is_empty()); // the runtime was not started
/// ```
#[derive(Clone, Debug, Default)]
pub struct WaitGraph {
    edges: Vec<Edge>,
    cycles: Vec<Cycle>,
    /// The goroutines of certain rings, and those that wait for them.
    stuck: HashSet<u64>,
}

/// Looks at all waits, of goroutines and of plain threads in calls of the runtime.
///
/// From goroutines and plain threads. A goroutine that calls this does not park. It costs some microseconds a goroutine, and
/// 10 ms more where some seem to wait for each other.
#[must_use]
pub fn wait_graph() -> WaitGraph {
    WaitGraph::look(true)
}

impl WaitGraph {
    /// Without `all`, only waits of which the other side can be known.
    pub(crate) fn look(all: bool) -> WaitGraph {
        let waits = sched::waits(all);
        let edges = Edge::all(&waits);
        let (cycles, stuck) = rings(&waits, &edges);
        WaitGraph {
            edges,
            cycles,
            stuck,
        }
    }

    /// All waits.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The rings among them: deadlocks, also where the rest of the program runs.
    #[must_use]
    pub fn cycles(&self) -> &[Cycle] {
        &self.cycles
    }

    /// Returns whether the goroutine with this number can never go on: it is in a ring that is certain, or waits for one that
    /// is.
    pub(crate) fn is_stuck(&self, id: u64) -> bool {
        self.stuck.contains(&id)
    }

    /// How many others wait for one of `nodes`, at first or second hand, and have no other way out.
    pub(crate) fn waiting_for(&self, nodes: &[Node]) -> usize {
        let key = |node: &Node| (node.id, node.thread);
        let places: HashMap<_, usize> = (self.edges.iter().map(|edge| key(&edge.from)))
            .zip(0..)
            .collect();
        let next = |place: usize| {
            let edge = &self.edges[place];
            let to = edge.to.as_ref().filter(|_| !edge.has_way_out)?;
            places.get(&key(to)).copied()
        };
        let of_nodes = nodes.iter().filter_map(|node| places.get(&key(node)));
        let of_nodes: Vec<usize> = of_nodes.copied().collect();
        with_leading_to(&of_nodes, self.edges.len(), next).len() - of_nodes.len()
    }

    /// What holds the lock at `object`.
    pub(crate) fn holder(&self, object: usize) -> Option<Holder<'_>> {
        let is_it = |edge: &&Edge| {
            edge.object == object && edge.reason != WaitReason::Join && edge.to.is_some()
        };
        let edge = self.edges.iter().find(is_it)?;
        Some(Holder(edge.to.as_ref()?, edge.certainty))
    }
}

/// The holder of a lock: `goroutine 31 (exact)`.
pub(crate) struct Holder<'a>(pub(crate) &'a Node, pub(crate) Certainty);

/// The rings of `waits`, which are `edges`, and the goroutines that can never go on.
fn rings(waits: &[Wait], edges: &[Edge]) -> (Vec<Cycle>, HashSet<u64>) {
    let mut stuck = HashSet::new();
    let places: HashMap<Waiter, usize> = waits
        .iter()
        .enumerate()
        .map(|(place, wait)| (wait.from, place))
        .collect();
    let next = |place: usize| {
        let wait = &waits[place];
        let on = wait.on.filter(|_| !wait.has_way_out);
        on.and_then(|on| places.get(&on).copied())
    };
    let rings: Vec<Vec<usize>> = cycles(waits.len(), |place| next(place).into_iter().collect())
        .into_iter()
        .map(|ring| in_order(&ring, next))
        .collect();
    if rings.is_empty() {
        return (Vec::new(), stuck);
    }
    let waiters: Vec<Vec<Waiter>> = rings
        .iter()
        .map(|ring| ring.iter().map(|&place| waits[place].from).collect())
        .collect();
    let verdicts = sched::look_again(&waiters);
    let found = rings.iter().zip(verdicts);
    let cycles = found
        .filter(|&(_, verdict)| verdict != Verdict::Void)
        .map(|(ring, verdict)| {
            let edges: Vec<Edge> = ring.iter().map(|&place| edges[place].clone()).collect();
            let exact = edges.iter().all(|edge| edge.certainty == Certainty::Exact);
            let is_certain = exact && verdict == Verdict::Certain;
            let all = with_leading_to(ring, waits.len(), next);
            if is_certain {
                stuck.extend(all.iter().map(|&place| waits[place].from.id));
            }
            Cycle {
                is_certain,
                others: all.len() - ring.len(),
                edges,
            }
        })
        .collect();
    (cycles, stuck)
}

/// The nodes of a ring, each before the one that it waits for, from the lowest on.
fn in_order(ring: &[usize], next: impl Fn(usize) -> Option<usize>) -> Vec<usize> {
    let first = ring.iter().copied().min();
    std::iter::successors(first, |&place| next(place))
        .take(ring.len())
        .collect()
}

/// The nodes of `ring`, and those that have a path to it.
fn with_leading_to(
    ring: &[usize],
    nodes: usize,
    next: impl Fn(usize) -> Option<usize>,
) -> HashSet<usize> {
    let mut from: HashMap<usize, Vec<usize>> = HashMap::new();
    for place in 0..nodes {
        if let Some(to) = next(place) {
            from.entry(to).or_default().push(place);
        }
    }
    let mut found: HashSet<usize> = ring.iter().copied().collect();
    let mut open = ring.to_vec();
    while let Some(place) = open.pop() {
        for &before in from.get(&place).into_iter().flatten() {
            if found.insert(before) {
                open.push(before);
            }
        }
    }
    found
}

/// The waits of plain threads in calls of the runtime.
pub(crate) fn waits_of_threads() -> Vec<Edge> {
    Edge::all(&sched::waits_of_threads())
}

impl Edge {
    /// An edge for each wait, in their order. What waits itself has its name at both ends.
    fn all(waits: &[Wait]) -> Vec<Edge> {
        let names: HashMap<Waiter, &str> = waits
            .iter()
            .filter_map(|wait| Some((wait.from, wait.name.as_deref()?)))
            .collect();
        waits.iter().map(|wait| Edge::of(wait, &names)).collect()
    }

    fn of(wait: &Wait, names: &HashMap<Waiter, &str>) -> Edge {
        let node = |waiter: Waiter| Node {
            id: waiter.id,
            thread: waiter.thread,
            name: names.get(&waiter).map(|&name| name.to_owned()),
        };
        Edge {
            from: node(wait.from),
            reason: wait.reason,
            object: wait.object,
            to: wait.on.map(node),
            certainty: wait.certainty,
            has_way_out: wait.has_way_out,
        }
    }

    /// What it waits on, in words.
    fn on(&self) -> String {
        match (self.reason, self.object) {
            (WaitReason::Join, _) => "join".to_owned(),
            (reason, 0) => reason.to_string(),
            (reason, object) => format!("{} {object:#x}", noun(reason)),
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.thread, &self.name) {
            (0, None) => write!(f, "goroutine {}", self.id),
            (0, Some(name)) => write!(f, "goroutine {} {name:?}", self.id),
            (thread, None) => write!(f, "thread {thread}"),
            (thread, Some(name)) => write!(f, "thread {thread} {name:?}"),
        }
    }
}

/// `goroutine 12 -> mutex 0x55d0c8 -> goroutine 31 (exact)`.
impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from, self.on())?;
        if let Some(to) = &self.to {
            write!(f, " -> {to}{}", how_sure(self.certainty))?;
        }
        if self.has_way_out {
            f.write_str(" (may end otherwise)")?;
        }
        Ok(())
    }
}

/// `deadlock: goroutine 12 -> mutex 0x55d0c8 -> goroutine 31 -> join -> goroutine 12`.
impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_certain {
            "deadlock: "
        } else {
            "probably a deadlock: "
        })?;
        for edge in &self.edges {
            write!(f, "{} -> {} -> ", edge.from, edge.on())?;
        }
        if let Some(first) = self.edges.first() {
            first.from.fmt(f)?;
        }
        match self.others {
            0 => Ok(()),
            1 => f.write_str("; 1 other waits for them"),
            others => write!(f, "; {others} others wait for them"),
        }
    }
}

impl fmt::Display for Holder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0, how_sure(self.1))
    }
}

fn how_sure(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Exact => " (exact)",
        _ => " (probable)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: u64, reason: WaitReason, object: usize, to: u64) -> Edge {
        let node = |id| Node {
            id,
            thread: 0,
            name: (id == 31).then(|| "flush".to_owned()),
        };
        Edge {
            from: node(from),
            reason,
            object,
            to: Some(node(to)),
            certainty: Certainty::Exact,
            has_way_out: false,
        }
    }

    #[test]
    fn a_ring_is_written_from_its_first_back_to_it() {
        let mut cycle = Cycle {
            edges: vec![
                edge(12, WaitReason::MutexLock, 0x55d0, 31),
                edge(31, WaitReason::Join, 0x7f00, 12),
            ],
            is_certain: true,
            others: 0,
        };
        assert_eq!(
            cycle.to_string(),
            "deadlock: goroutine 12 -> mutex 0x55d0 -> goroutine 31 \"flush\" -> join -> goroutine 12"
        );
        (cycle.is_certain, cycle.others) = (false, 2);
        let text = cycle.to_string();
        assert!(
            text.starts_with("probably a deadlock: goroutine 12"),
            "{text}"
        );
        assert!(text.ends_with("; 2 others wait for them"), "{text}");
    }

    #[test]
    fn an_edge_says_how_sure_it_is() {
        let mut edge = edge(1, WaitReason::RwLockRead, 16, 2);
        assert_eq!(
            edge.to_string(),
            "goroutine 1 -> rwlock 0x10 -> goroutine 2 (exact)"
        );
        (edge.to, edge.has_way_out) = (None, true);
        assert_eq!(
            edge.to_string(),
            "goroutine 1 -> rwlock 0x10 (may end otherwise)"
        );
    }

    #[test]
    fn what_leads_to_a_ring_is_counted_and_the_ring_is_in_order() {
        // 0 -> 3 -> 1 -> 0, 2 -> 4 -> 3, 5 -> 6
        let next =
            |place: usize| [Some(3), Some(0), Some(4), Some(1), Some(3), Some(6), None][place];
        let ring = in_order(&[3, 1, 0], next);
        assert_eq!(ring, [0, 3, 1]);
        let all = with_leading_to(&ring, 7, next);
        assert_eq!(all, HashSet::from([0, 1, 2, 3, 4]));
    }
}
