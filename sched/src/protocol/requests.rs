//! A queue of requests for one thread, which sleeps while the queue is empty.
//!
//! ```text
//! requester (any thread)                       server
//! Q1 the request into the queue                V1 takes the first request out of the queue: served, V1 again
//! Q2 notify                                    V2 there is none: sleeps until notified, V1 again
//! ```
//!
//! A request that comes between V1 and V2 leaves the parker's token, and V2 returns at once. Requests are served in
//! the order in which they came. A requester never waits: the queue's lock is held for a push or a pop.

use std::collections::VecDeque;

use crate::protocol::{
    parker::Parker,
    sync::{Mutex, lock},
};

pub(crate) struct Requests<T> {
    queue: Mutex<VecDeque<T>>,
    parker: Parker,
}

impl<T> Requests<T> {
    pub(crate) fn new() -> Requests<T> {
        Requests {
            queue: Mutex::new(VecDeque::new()),
            parker: Parker::new(),
        }
    }

    /// Q1 and Q2.
    pub(crate) fn push(&self, request: T) {
        lock(&self.queue).push_back(request);
        self.parker.notify();
    }

    /// V1 and V2; only by the server.
    pub(crate) fn next(&self) -> T {
        loop {
            let first = lock(&self.queue).pop_front();
            match first {
                Some(request) => return request,
                None => {
                    self.parker.wait(|| None);
                }
            }
        }
    }
}
