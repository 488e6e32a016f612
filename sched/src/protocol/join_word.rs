//! How the end of a goroutine meets its handle: one word decides which side owns the descriptor with the result in
//! it.
//!
//! ```text
//!   RUNNING ──── the handle waits: CAS ──► its word ──┐
//!      │  │ ◄─── it gives up: CAS ───────────┘        ├── the end: CAS -> DONE
//!      │  └───── detach: CAS ──► DETACHED ──┐         │
//!      └────────────────────────────────────┴─────────┘
//! ```
//!
//! The side that changes the word last owns the descriptor: the handle after DONE, the goroutine's end after
//! DETACHED. The end overwrites the word of a G and that of a ticket. It never overwrites the word of a future's
//! cell: it takes the cell out (CAS cell -> DETACHED), and then owns the descriptor.
//!
//! The words are addresses, or stand for them. A side that leaves a counted reference in the word gets it back
//! together with the word; or the end takes it.

use crate::protocol::sync::{AtomicUsize, Ordering};

pub(crate) struct JoinWord(AtomicUsize);

/// The goroutine has not finished, its handle exists and does not wait.
const RUNNING: usize = 0;
/// It finished; the handle owns descriptor and result.
const DONE: usize = 1;
/// The handle is gone; the goroutine's end owns descriptor and result.
const DETACHED: usize = 2;

/// Tag of a word: it is a ticket's, not a G's.
const SHARED: usize = 4;

/// Tag of a word: it is a cell's.
const AWAITED: usize = 6;

/// The bits of the tag.
const TAG: usize = 7;

/// What a handle that waits leaves in the word. Each is an address with the bits of [`TAG`] free, and not 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waiter {
    /// A G that waits for the end and for nothing else.
    G(usize),
    /// A counted reference to the ticket of a wait that a timer may end as well.
    Ticket(usize),
    /// A counted reference to the cell of a future.
    Cell(usize),
}

impl Waiter {
    #[inline]
    fn word(self) -> usize {
        match self {
            Waiter::G(address) => address,
            Waiter::Ticket(address) => address | SHARED,
            Waiter::Cell(address) => address | AWAITED,
        }
    }
}

/// Which side gets a goroutine's result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// The handle gets it.
    Joined,
    /// A future gets it. Its cell was just taken out of the word.
    Awaited(usize),
    /// The result is dropped: there is no handle.
    Detached,
}

/// What the end of a goroutine found in the word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// The handle will come for the result.
    HandleOwns,
    /// The handle will come for the result, and waits for it: a G, or a ticket.
    Wake(Waiter),
    /// There is no handle, or a future waits. Nothing was changed.
    Else,
}

impl JoinWord {
    pub(crate) fn new() -> JoinWord {
        JoinWord(AtomicUsize::new(DONE))
    }

    /// Begins a new life of the G, which the caller owns.
    #[inline]
    pub(crate) fn reset(&self) {
        // Relaxed: published with the G by the run queue and the handle.
        self.0.store(RUNNING, Ordering::Relaxed);
    }

    /// By the goroutine's end, if its handle is to get the result.
    #[inline]
    pub(crate) fn finish(&self) -> End {
        // Acquire: partners are the CASes in `wait`, `give_up` and `detach`.
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            if word == DETACHED || word & TAG == AWAITED {
                return End::Else;
            }
            // RUNNING | waiter -> DONE. AcqRel: Release's partner is `is_done` and the failed CAS of `wait`, `give_up` and
            // `detach` (the result); Acquire, also on failure: as the load.
            let done =
                self.0
                    .compare_exchange_weak(word, DONE, Ordering::AcqRel, Ordering::Acquire);
            match done {
                Ok(RUNNING) => return End::HandleOwns,
                Ok(word) if word & TAG == SHARED => return End::Wake(Waiter::Ticket(word & !TAG)),
                Ok(word) => return End::Wake(Waiter::G(word)),
                Err(now) => word = now,
            }
        }
    }

    /// Which side gets the result, by the goroutine's end. A cell is taken out of the word.
    #[inline]
    pub(crate) fn fate(&self) -> Fate {
        // Acquire: as in `finish`.
        let word = self.0.load(Ordering::Acquire);
        if word == DETACHED {
            Fate::Detached
        } else if word & TAG == AWAITED {
            self.fate_of_cell(word)
        } else {
            Fate::Joined
        }
    }

    #[cold]
    fn fate_of_cell(&self, word: usize) -> Fate {
        // cell -> DETACHED. Acquire: as in `finish`; also on failure, where the future is gone, or a handle again.
        let taken = self
            .0
            .compare_exchange(word, DETACHED, Ordering::Acquire, Ordering::Acquire);
        match taken {
            Ok(word) => Fate::Awaited(word & !TAG),
            Err(DETACHED) => Fate::Detached,
            Err(_) => Fate::Joined,
        }
    }

    /// Leaves `waiter` in the word; false if the goroutine has ended.
    #[inline]
    pub(crate) fn wait(&self, waiter: Waiter) -> bool {
        // RUNNING -> waiter. AcqRel: partners are `finish` and `fate`, on both outcomes.
        self.0
            .compare_exchange(RUNNING, waiter.word(), Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Takes `waiter` back: the goroutine is detached, or has its handle again. False if the end has taken it.
    pub(crate) fn give_up(&self, waiter: Waiter, detach: bool) -> bool {
        let to = if detach { DETACHED } else { RUNNING };
        // waiter -> DETACHED | RUNNING. Release: partners are `finish` and `fate`. Acquire on failure: partner is the CAS
        // in `finish`.
        self.0
            .compare_exchange(waiter.word(), to, Ordering::Release, Ordering::Acquire)
            .is_ok()
    }

    /// Returns whether the result is there for the handle. Acquire: partner is `finish`.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.0.load(Ordering::Acquire) == DONE
    }

    /// Leaves the G to the goroutine's end; false if that has come.
    #[inline]
    pub(crate) fn detach(&self) -> bool {
        // RUNNING -> DETACHED. AcqRel: partner is the CAS in `finish`, on both outcomes.
        self.0
            .compare_exchange(RUNNING, DETACHED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}
