//! The status of a G, and who owns its stack in each.
//!
//! | status   | where the G is                         | who may touch its stack and context    |
//! |----------|----------------------------------------|----------------------------------------|
//! | Fresh    | a run queue, never ran, has no stack   | whoever takes it from the queue        |
//! | Runnable | a run queue                            | whoever takes it from the queue        |
//! | Running  | on an M                                | itself; its M's g0 while it commits    |
//! | Waiting  | the wait queue of what it waits for    | nobody, until somebody makes it ready  |
//! | Marked   | the same, and was there some time ago  | the same, and shrink.rs (see there)    |
//! | Shrunk   | the same, its stack has been shrunk    | as Waiting                             |
//! | Blocked  | the same, and blocks its thread        | itself: it has not left its stack      |
//! | Dead     | finished: its joiner's, or a free list | it has no stack any more               |
//!
//! The owner of the G stores it plainly: there is no compare-and-swap per change (three of them cost
//! as much as a switch). What decides races is the queue a G is in, never its status; the status is
//! for assertions and for people.

use crate::protocol::sync::{AtomicU8, Ordering};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Status {
    Fresh = 0,
    Runnable = 1,
    Running = 2,
    Waiting = 3,
    Dead = 4,
    Marked = 5,
    Shrunk = 6,
    Blocked = 7,
}

pub(crate) struct StatusCell(AtomicU8);

impl StatusCell {
    pub(crate) fn new(status: Status) -> StatusCell {
        StatusCell(AtomicU8::new(status as u8))
    }

    #[inline(always)]
    pub(crate) fn set(&self, status: Status) {
        // Relaxed: nothing is published by it, the queues do that.
        self.0.store(status as u8, Ordering::Relaxed);
    }

    /// The goroutine has left its stack; where to go on is written.
    #[inline(always)]
    pub(crate) fn set_waiting(&self) {
        // Release: partner is `change`, after which shrink.rs reads the context.
        self.0.store(Status::Waiting as u8, Ordering::Release);
    }

    /// Changes `from` to `to` for shrink.rs; false if it is another one.
    pub(crate) fn change(&self, from: Status, to: Status) -> bool {
        // Acquire: partner is `set_waiting`. Relaxed on failure: nothing is done then.
        self.0
            .compare_exchange(from as u8, to as u8, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Does it wait to be made ready?
    pub(crate) fn is_parked(&self) -> bool {
        matches!(
            self.get(),
            Status::Waiting | Status::Marked | Status::Shrunk | Status::Blocked
        )
    }

    pub(crate) fn get(&self) -> Status {
        // Relaxed: as in `set`.
        match self.0.load(Ordering::Relaxed) {
            0 => Status::Fresh,
            1 => Status::Runnable,
            2 => Status::Running,
            3 => Status::Waiting,
            4 => Status::Dead,
            5 => Status::Marked,
            6 => Status::Shrunk,
            _ => Status::Blocked,
        }
    }
}
