//! Wait queues: intrusive FIFO lists of nodes that lie on the stacks of the waiters.
//!
//! ```text
//!   Queue                 stack of G 7          stack of G 3          stack of an OS thread
//!  ┌──────┐              ┌────────────┐        ┌────────────┐        ┌────────────┐
//!  │ head │─────────────►│ Node  next │───────►│ Node  next │───────►│ Node  next │──► none
//!  │ tail │──────────┐   │       prev │◄───────│       prev │◄───────│       prev │◄─┐
//!  └──────┘          │   │       data │        │       data │        │       data │  │
//!                    │   └────────────┘        └────────────┘        └────────────┘  │
//!                    └───────────────────────────────────────────────────────────────┘
//! ```
//!
//! Waiting allocates nothing, except for a goroutine whose stack is copied out meanwhile: its node lies
//! in a box ([`Place`]). A node is reached through shared references only, so everything that
//! changes in it is a cell; the byte lock of the object that owns the queue orders the accesses, and
//! from the moment a node was taken out until its owner is made ready, it is the taker's.

use std::{cell::Cell, marker::PhantomPinned, ops::Deref, ptr::NonNull};

use super::door::GRef;

/// The node of a waiter.
pub(crate) struct Node<D> {
    next: Cell<Option<NonNull<Node<D>>>>,
    prev: Cell<Option<NonNull<Node<D>>>>,
    linked: Cell<bool>,
    /// What the taker needs: at least the goroutine to make ready.
    pub(crate) data: D,
    _stays: PhantomPinned,
}

impl<D> Node<D> {
    /// A node that is in no queue.
    #[inline(always)]
    pub(crate) const fn new(data: D) -> Node<D> {
        Node {
            next: Cell::new(None),
            prev: Cell::new(None),
            linked: Cell::new(false),
            data,
            _stays: PhantomPinned,
        }
    }
}

/// Where a waiter keeps its node: on its stack, or, if that is copied out meanwhile, in a box.
pub(crate) enum Place<D> {
    Stack(Node<D>),
    Heap(Box<Node<D>>),
}

impl<D> Place<D> {
    /// For `g`, which is going to wait.
    #[inline(always)]
    pub(crate) fn of(g: GRef, data: D) -> Place<D> {
        if g.is_copied_out() {
            Place::Heap(Box::new(Node::new(data)))
        } else {
            Place::Stack(Node::new(data))
        }
    }
}

impl<D> Deref for Place<D> {
    type Target = Node<D>;

    #[inline(always)]
    fn deref(&self) -> &Node<D> {
        match self {
            Place::Stack(node) => node,
            Place::Heap(node) => node,
        }
    }
}

/// The waiters, in the order in which they came.
pub(crate) struct Queue<D> {
    head: Option<NonNull<Node<D>>>,
    tail: Option<NonNull<Node<D>>>,
}

// SAFETY: a queue is a list of addresses; they are dereferenced under the lock of the object that owns the
// queue only, and what a node carries is Send.
unsafe impl<D: Send> Send for Queue<D> {}

impl<D> Queue<D> {
    /// An empty queue.
    pub(crate) const fn new() -> Queue<D> {
        Queue {
            head: None,
            tail: None,
        }
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// What the first node carries.
    pub(crate) fn first(&self) -> Option<&D> {
        // SAFETY: nodes in the queue are alive: their `push` said so.
        self.head.map(|node| unsafe { &node.as_ref().data })
    }

    /// How many wait: for tests that need waiters in the queue.
    #[cfg(all(test, not(goroutines_loom)))]
    pub(crate) fn len(&self) -> usize {
        let (mut count, mut next) = (0, self.head);
        while let Some(node) = next {
            count += 1;
            // SAFETY: nodes in the queue are alive: their `push` said so.
            next = unsafe { node.as_ref() }.next.get();
        }
        count
    }

    /// Appends `node`.
    ///
    /// # Safety
    ///
    /// `node` is in no queue; it stays where it is, and alive, until it was taken out of this one.
    #[inline(always)]
    pub(crate) unsafe fn push_back(&mut self, node: &Node<D>) {
        let this = Some(NonNull::from(node));
        node.next.set(None);
        node.prev.set(self.tail);
        node.linked.set(true);
        match self.tail {
            // SAFETY: nodes in the queue are alive: their `push` said so.
            Some(last) => unsafe { last.as_ref() }.next.set(this),
            None => self.head = this,
        }
        self.tail = this;
    }

    /// Puts `node` before all others.
    ///
    /// # Safety
    ///
    /// As for [`Queue::push_back`].
    pub(crate) unsafe fn push_front(&mut self, node: &Node<D>) {
        let this = Some(NonNull::from(node));
        node.next.set(self.head);
        node.prev.set(None);
        node.linked.set(true);
        match self.head {
            // SAFETY: nodes in the queue are alive: their `push` said so.
            Some(first) => unsafe { first.as_ref() }.prev.set(this),
            None => self.tail = this,
        }
        self.head = this;
    }

    /// Takes the first node out. It is the caller's until its owner is made ready.
    #[inline(always)]
    pub(crate) fn pop_front(&mut self) -> Option<NonNull<Node<D>>> {
        let first = self.head?;
        // SAFETY: nodes in the queue are alive: their `push` said so.
        let node = unsafe { first.as_ref() };
        node.linked.set(false);
        self.head = node.next.get();
        match self.head {
            // SAFETY: nodes of the queue stay where they are until they are out of it, and `next` is one.
            Some(next) => unsafe { next.as_ref() }.prev.set(None),
            None => self.tail = None,
        }
        Some(first)
    }

    /// Returns whether `matches` is true of a node's data. Called in order, up to the first.
    pub(crate) fn any(&self, matches: impl FnMut(&D) -> bool) -> bool {
        self.find(matches).is_some()
    }

    /// The first node of whose data `matches` is true. It stays in.
    pub(crate) fn find(&self, mut matches: impl FnMut(&D) -> bool) -> Option<NonNull<Node<D>>> {
        let mut next = self.head;
        while let Some(at) = next {
            // SAFETY: nodes in the queue are alive: their `push` said so.
            let node = unsafe { at.as_ref() };
            if matches(&node.data) {
                return Some(at);
            }
            next = node.next.get();
        }
        None
    }

    /// Takes `node` out if it is still in; returns whether it was.
    ///
    /// # Safety
    ///
    /// `node` was put into this queue and into no other since.
    pub(crate) unsafe fn unlink(&mut self, node: &Node<D>) -> bool {
        if !node.linked.replace(false) {
            return false;
        }
        let (prev, next) = (node.prev.get(), node.next.get());
        match prev {
            // SAFETY: nodes in the queue are alive: their `push` said so.
            Some(prev) => unsafe { prev.as_ref() }.next.set(next),
            None => self.head = next,
        }
        match next {
            // SAFETY: nodes of the queue stay where they are until they are out of it, and `next` is one.
            Some(next) => unsafe { next.as_ref() }.prev.set(prev),
            None => self.tail = prev,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut Queue<u32>) -> Vec<u32> {
        // SAFETY: the nodes are the test's locals.
        std::iter::from_fn(|| queue.pop_front().map(|n| unsafe { n.as_ref() }.data)).collect()
    }

    #[test]
    fn first_in_first_out_and_front_goes_first() {
        let nodes: Vec<_> = (0..4).map(Node::new).collect();
        let mut queue = Queue::new();
        // SAFETY: the nodes stay in their Vec until the queue is drained.
        unsafe {
            queue.push_back(&nodes[1]);
            queue.push_back(&nodes[2]);
            queue.push_front(&nodes[0]);
            queue.push_back(&nodes[3]);
        }
        assert_eq!(queue.first(), Some(&0));
        assert_eq!(drain(&mut queue), [0, 1, 2, 3]);
        assert!(queue.is_empty() && queue.first().is_none());
    }

    #[test]
    fn unlink_takes_out_of_every_place_once() {
        for gone in 0..3 {
            let nodes: Vec<_> = (0..3).map(Node::new).collect();
            let mut queue = Queue::new();
            // SAFETY: the nodes stay in their Vec until the queue is drained.
            unsafe {
                nodes.iter().for_each(|node| queue.push_back(node));
                assert!(queue.unlink(&nodes[gone]));
                assert!(!queue.unlink(&nodes[gone]));
                queue.push_back(&nodes[gone]);
                assert!(queue.unlink(&nodes[gone]));
            }
            let rest: Vec<u32> = (0..3).filter(|&i| i as usize != gone).collect();
            assert_eq!(drain(&mut queue), rest);
        }
    }

    #[test]
    fn the_only_node_can_leave() {
        let node = Node::new(7);
        let mut queue = Queue::new();
        // SAFETY: the node outlives the queue's use of it.
        unsafe {
            queue.push_front(&node);
            assert!(queue.unlink(&node));
            assert!(queue.is_empty());
            assert!(!queue.any(|_| true));
            queue.push_back(&node);
        }
        assert!(queue.any(|&n| n == 7) && !queue.any(|&n| n == 8));
        assert_eq!(drain(&mut queue), [7]);
    }
}
