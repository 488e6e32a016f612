//! The status of a G, and which thread owns its stack in each status.
//!
//! | status   | where the G is                         | owner of its stack and context           |
//! |----------|----------------------------------------|----------------------------------------|
//! | Fresh    | a run queue, never ran, has no stack   | the M that takes it from the queue       |
//! | Runnable | a run queue                            | the M that takes it from the queue       |
//! | Running  | on an M                                | itself; its M's g0 while it commits    |
//! | Waiting  | the wait queue of what it waits for    | no thread, until it is made ready       |
//! | Marked   | the same, and was there some time ago  | the same, and shrink.rs (see there)    |
//! | Shrunk   | the same, its stack has been shrunk    | as Waiting                             |
//! | Blocked  | the same, and blocks its thread        | itself: it has not left its stack      |
//! | Timed    | the same, until some moment at most    | itself                                 |
//! | Dead     | finished: its joiner's, or a free list | it has no stack any more               |
//!
//! The owner of the G stores the status plainly, without a compare-and-swap per change (three of them cost as much as
//! a switch). The queue that holds a G decides races, never its status. The status serves assertions and dumps.
//!
//! # The word
//!
//! The status shares a word with the reason of the wait, so that both change at once, and a reader never sees the
//! reason of an earlier wait:
//!
//! ```text
//!   bits 0 to 7    the status
//!   bits 8 to 15   the number of the WaitReason; 0: it does not wait
//! ```
//!
//! | step | by                                               | status     | reason                       |
//! |------|--------------------------------------------------|------------|------------------------------|
//! | ST-1 | a goroutine that is about to park                | Running    | is set                       |
//! | ST-2 | g0, when the goroutine has left its stack        | Waiting    | stays                        |
//! | ST-3 | shrink.rs                                        | Marked ... | stays                        |
//! | ST-4 | the waker; or g0, when it resumes it             | the new    | goes                         |
//!
//! A yield and the end of a goroutine skip ST-1, so there is no reason after ST-2. The word has four bytes and not
//! two: an instruction that stores a constant of two bytes is slow to decode on x86-64.

use crate::protocol::{
    sync::{AtomicU32, Ordering},
    wait_reason::WaitReason,
};

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
    Timed = 8,
}

/// The name of each, for debuggers, with commas between and a NUL at the end. What the shrinker has noted
/// is no news, nor a deadline.
#[cfg(not(goroutines_loom))]
pub(crate) const NAMES: &str =
    "fresh,runnable,running,waiting,dead,waiting,waiting,blocked,blocked\0";

/// What ST-2 adds: [`Status::Running`] becomes [`Status::Waiting`] by one bit.
const LEFT: u32 = 1;
const _: () = assert!(Status::Running as u32 | LEFT == Status::Waiting as u32);

/// The bits of the reason.
const REASON: u32 = 0xFF00;
const REASON_SHIFT: u32 = 8;

const fn word(status: Status, reason: Option<WaitReason>) -> u32 {
    let reason = match reason {
        Some(reason) => reason.number() as u32,
        None => 0,
    };
    status as u32 | reason << REASON_SHIFT
}

/// The status of a G, and the reason of its wait.
pub(crate) struct StatusCell(AtomicU32);

impl StatusCell {
    pub(crate) fn new(status: Status) -> StatusCell {
        StatusCell(AtomicU32::new(word(status, None)))
    }

    /// The G has this status from here on, and does not wait. For its owner.
    #[inline(always)]
    pub(crate) fn set(&self, status: Status) {
        self.set_with(status, None);
    }

    /// ST-1, or the same for a goroutine that keeps its thread. For the owner.
    #[inline(always)]
    pub(crate) fn set_with(&self, status: Status, reason: Option<WaitReason>) {
        // Relaxed: nothing is published by it, the queues do that.
        self.0.store(word(status, reason), Ordering::Relaxed);
    }

    /// ST-4, of a goroutine that goes into a run queue. For its waker, which owns it.
    #[inline(always)]
    pub(crate) fn set_runnable(&self) {
        // Release: partner is `is_off_stack`, after which hold.rs reads the context.
        self.0
            .store(word(Status::Runnable, None), Ordering::Release);
    }

    /// ST-2: the goroutine, which was Running, has left its stack; the context to resume is saved.
    #[inline(always)]
    pub(crate) fn set_waiting(&self) {
        // Relaxed: the owner reads what it has stored. Other threads change the word of a parked goroutine only.
        let running = self.0.load(Ordering::Relaxed);
        // Release: partners are `change` and `is_off_stack`, after which shrink.rs and hold.rs read the context.
        self.0.store(running | LEFT, Ordering::Release);
    }

    /// ST-3: changes `from` to `to` for shrink.rs; false if the status is not `from`.
    pub(crate) fn change(&self, from: Status, to: Status) -> bool {
        // Relaxed: the exchange checks it.
        let now = self.0.load(Ordering::Relaxed);
        if now & !REASON != from as u32 {
            return false;
        }
        let new = now & REASON | to as u32;
        // AcqRel: Acquire's partner is `set_waiting`, Release's is `is_marked`, after which reports read when. Relaxed on
        // failure: nothing is done then.
        self.0
            .compare_exchange(now, new, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Returns whether the goroutine is off its stack, in a wait queue or a run queue, so that its context is saved; it may
    /// be about to run.
    pub(crate) fn is_off_stack(&self) -> bool {
        // Acquire: partners are `set_waiting` and `set_runnable`.
        let word = self.0.load(Ordering::Acquire) & !REASON;
        [
            Status::Runnable,
            Status::Waiting,
            Status::Marked,
            Status::Shrunk,
        ]
        .iter()
        .any(|&status| word == status as u32)
    }

    /// Returns whether the goroutine has been parked since it was marked.
    #[cfg(not(goroutines_loom))]
    pub(crate) fn is_marked(&self) -> bool {
        // Acquire: partner is `change`.
        let word = self.0.load(Ordering::Acquire) & !REASON;
        word == Status::Marked as u32 || word == Status::Shrunk as u32
    }

    /// Returns whether the goroutine waits to be made ready.
    pub(crate) fn is_parked(&self) -> bool {
        matches!(
            self.get(),
            Status::Waiting | Status::Marked | Status::Shrunk | Status::Blocked | Status::Timed
        )
    }

    /// The reason of the wait; `None` where the G does not wait. For any thread.
    pub(crate) fn reason(&self) -> Option<WaitReason> {
        // Relaxed: as in `set_with`.
        let number = (self.0.load(Ordering::Relaxed) & REASON) >> REASON_SHIFT;
        WaitReason::from_number(number as u8)
    }

    pub(crate) fn get(&self) -> Status {
        // Relaxed: as in `set_with`.
        match self.0.load(Ordering::Relaxed) as u8 {
            0 => Status::Fresh,
            1 => Status::Runnable,
            2 => Status::Running,
            3 => Status::Waiting,
            4 => Status::Dead,
            5 => Status::Marked,
            6 => Status::Shrunk,
            7 => Status::Blocked,
            _ => Status::Timed,
        }
    }
}

#[cfg(all(test, not(goroutines_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_wait_lasts_from_the_park_until_the_goroutine_is_made_ready() {
        let cell = StatusCell::new(Status::Running);
        assert_eq!(cell.reason(), None);
        cell.set_with(Status::Running, Some(WaitReason::Join));
        cell.set_waiting();
        assert_eq!(cell.get(), Status::Waiting);
        for (from, to) in [
            (Status::Waiting, Status::Marked),
            (Status::Marked, Status::Shrunk),
        ] {
            assert!(cell.change(from, to));
            assert!(!cell.change(from, to), "it has changed");
            assert_eq!((cell.get(), cell.reason()), (to, Some(WaitReason::Join)));
            assert!(cell.is_parked());
        }
        cell.set(Status::Runnable);
        assert_eq!((cell.get(), cell.reason()), (Status::Runnable, None));
    }

    #[test]
    fn a_yield_has_no_reason() {
        let cell = StatusCell::new(Status::Fresh);
        cell.set(Status::Running);
        cell.set_waiting();
        assert_eq!((cell.get(), cell.reason()), (Status::Waiting, None));
    }
}
