//! A list of waiters whose nodes lie where they wait.
//!
//! Nodes lie on the stacks of the waiters; the node of a goroutine whose stack is copied out, or of a future, is in a
//! box. They are touched under the lock of the line (io_line.rs) that has the list.

use std::{cell::Cell, marker::PhantomPinned, ptr};

/// A waiter.
pub(crate) struct Node<W> {
    waiter: W,
    next: Cell<*const Node<W>>,
    prev: Cell<*const Node<W>>,
    linked: Cell<bool>,
    _stays: PhantomPinned,
}

impl<W> Node<W> {
    pub(crate) fn new(waiter: W) -> Node<W> {
        Node {
            waiter,
            next: Cell::new(ptr::null()),
            prev: Cell::new(ptr::null()),
            linked: Cell::new(false),
            _stays: PhantomPinned,
        }
    }

    /// Returns whether it is in a list. Under the lock of its line.
    pub(super) fn is_linked(&self) -> bool {
        self.linked.get()
    }
}

/// The waiters, in the order in which they came.
pub(super) struct NodeList<W> {
    head: *const Node<W>,
    tail: *const Node<W>,
}

impl<W: Copy> NodeList<W> {
    pub(super) const fn new() -> NodeList<W> {
        NodeList {
            head: ptr::null(),
            tail: ptr::null(),
        }
    }

    /// # Safety
    ///
    /// The lock is held; `node` is in none, and stays until it is taken out.
    pub(super) unsafe fn push(&mut self, node: &Node<W>) {
        node.next.set(ptr::null());
        node.prev.set(self.tail);
        node.linked.set(true);
        // SAFETY: null, or a node in the list, which is alive.
        match unsafe { self.tail.as_ref() } {
            Some(last) => last.next.set(node),
            None => self.head = node,
        }
        self.tail = node;
    }

    /// Takes out the node that has waited longest.
    ///
    /// # Safety
    ///
    /// The lock is held.
    pub(super) unsafe fn pop(&mut self) -> Option<W> {
        // SAFETY: null, or a node in the list, which is alive.
        let node = unsafe { self.head.as_ref() }?;
        // SAFETY: the lock is held, and the node is in this list.
        unsafe { self.unlink(node) };
        Some(node.waiter)
    }

    /// # Safety
    ///
    /// The lock is held, and `node` is in this list.
    pub(super) unsafe fn unlink(&mut self, node: &Node<W>) {
        let (prev, next) = (node.prev.get(), node.next.get());
        // SAFETY: null, or a node in the list, which is alive.
        match unsafe { prev.as_ref() } {
            Some(prev) => prev.next.set(next),
            None => self.head = next,
        }
        // SAFETY: as for the one before it.
        match unsafe { next.as_ref() } {
            Some(next) => next.prev.set(prev),
            None => self.tail = prev,
        }
        node.linked.set(false);
    }
}
