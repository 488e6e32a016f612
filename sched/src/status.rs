//! The status of a G, and who owns its stack in each.
//!
//! | status   | where the G is                         | who may touch its stack and context    |
//! |----------|----------------------------------------|----------------------------------------|
//! | Fresh    | a run queue, never ran, has no stack   | whoever takes it from the queue        |
//! | Runnable | a run queue                            | whoever takes it from the queue        |
//! | Running  | on an M                                | itself; its M's g0 while it commits    |
//! | Waiting  | the wait queue of what it waits for    | nobody, until somebody makes it ready  |
//! | Dead     | finished: its joiner's, or a free list | it has no stack any more               |
//!
//! The owner of the G stores it plainly: there is no compare-and-swap per change (three of them cost
//! as much as a switch). What decides races is the queue a G is in, never its status; the status is
//! for assertions and for people.

use crate::sync::{AtomicU8, Ordering};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Status {
    Fresh = 0,
    Runnable = 1,
    Running = 2,
    Waiting = 3,
    Dead = 4,
}

pub(crate) struct StatusCell(AtomicU8);

impl StatusCell {
    pub(crate) const fn new(status: Status) -> StatusCell {
        StatusCell(AtomicU8::new(status as u8))
    }

    #[inline(always)]
    pub(crate) fn set(&self, status: Status) {
        // Relaxed: nothing is published by it, the queues do that.
        self.0.store(status as u8, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Status {
        // Relaxed: as in `set`.
        match self.0.load(Ordering::Relaxed) {
            0 => Status::Fresh,
            1 => Status::Runnable,
            2 => Status::Running,
            3 => Status::Waiting,
            _ => Status::Dead,
        }
    }
}
