//! The strongly connected parts of a graph, by Tarjan's algorithm, without recursion.

/// The parts of the graph in which each node is reached from each other, of more than one node, or of one with an edge to
/// itself. Nodes are numbered from 0; `next` gives the nodes to which one has edges.
pub(crate) fn cycles(nodes: usize, next: impl Fn(usize) -> Vec<usize>) -> Vec<Vec<usize>> {
    let mut search = Search {
        reached: 0,
        index: vec![None; nodes],
        low: vec![0; nodes],
        is_open: vec![false; nodes],
        open: Vec::new(),
        found: Vec::new(),
    };
    for root in 0..nodes {
        if search.index[root].is_none() {
            search.from(root, &next);
        }
    }
    search.found
}

struct Search {
    reached: usize,
    /// In which order the nodes were reached.
    index: Vec<Option<usize>>,
    /// The first node that is reached from this one and is not in a finished part.
    low: Vec<usize>,
    /// Reached and in no finished part.
    is_open: Vec<bool>,
    open: Vec<usize>,
    found: Vec<Vec<usize>>,
}

impl Search {
    fn from(&mut self, root: usize, next: &impl Fn(usize) -> Vec<usize>) {
        // The path from the root, with what is left to do of each node's edges.
        let mut path = vec![(root, self.reach(root, next))];
        while let Some((node, rest)) = path.last_mut() {
            let node = *node;
            if let Some(to) = rest.pop() {
                match self.index[to] {
                    None => {
                        let edges = self.reach(to, next);
                        path.push((to, edges));
                    }
                    Some(index) if self.is_open[to] => self.low[node] = self.low[node].min(index),
                    Some(_) => {}
                }
                continue;
            }
            path.pop();
            if let Some(&(before, _)) = path.last() {
                self.low[before] = self.low[before].min(self.low[node]);
            }
            if self.index[node] == Some(self.low[node]) {
                self.finish(node, next);
            }
        }
    }

    fn reach(&mut self, node: usize, next: &impl Fn(usize) -> Vec<usize>) -> Vec<usize> {
        let index = self.reached;
        self.reached += 1;
        (self.index[node], self.low[node]) = (Some(index), index);
        self.is_open[node] = true;
        self.open.push(node);
        next(node)
    }

    /// All that was reached since `first` is a part.
    fn finish(&mut self, first: usize, next: &impl Fn(usize) -> Vec<usize>) {
        let from = self.open.iter().rposition(|&node| node == first);
        let part = self.open.split_off(from.unwrap_or(0));
        part.iter().for_each(|&node| self.is_open[node] = false);
        if part.len() > 1 || next(first).contains(&first) {
            self.found.push(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(edges: &[(usize, usize)], nodes: usize) -> Vec<Vec<usize>> {
        let next = |node| {
            edges
                .iter()
                .filter(|edge| edge.0 == node)
                .map(|edge| edge.1)
                .collect()
        };
        let mut parts = cycles(nodes, next);
        parts.iter_mut().for_each(|part| part.sort_unstable());
        parts.sort();
        parts
    }

    /// The same by trying every path.
    fn by_force(edges: &[(usize, usize)], nodes: usize) -> Vec<Vec<usize>> {
        let mut reaches = vec![vec![false; nodes]; nodes];
        edges
            .iter()
            .for_each(|&(from, to)| reaches[from][to] = true);
        for over in 0..nodes {
            for from in 0..nodes {
                for to in 0..nodes {
                    reaches[from][to] |= reaches[from][over] && reaches[over][to];
                }
            }
        }
        let part = |node: usize| -> Vec<usize> {
            (0..nodes)
                .filter(|&other| reaches[node][other] && reaches[other][node])
                .collect()
        };
        let mut parts: Vec<_> = (0..nodes)
            .map(part)
            .filter(|part| !part.is_empty())
            .collect();
        parts.sort();
        parts.dedup();
        parts
    }

    #[test]
    fn rings_are_found_and_what_leads_to_them_is_not() {
        let edges = [(0, 1), (1, 2), (2, 1), (3, 3), (4, 0), (5, 6)];
        assert_eq!(of(&edges, 7), [vec![1, 2], vec![3]]);
    }

    #[test]
    fn a_long_path_takes_no_stack() {
        let nodes = 200_000;
        let next = |node| vec![(node + 1) % nodes];
        assert_eq!(cycles(nodes, next)[0].len(), nodes);
    }

    proptest! {
        #[test]
        fn the_parts_are_those_that_trying_every_path_finds(
            edges in proptest::collection::vec((0..9_usize, 0..9_usize), 0..24),
        ) {
            prop_assert_eq!(of(&edges, 9), by_force(&edges, 9));
        }
    }
}
