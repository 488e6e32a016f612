//! How the end of a goroutine meets its handle.
//!
//! One word decides who owns the descriptor with the result in it. A waiter that others may wake as well (its time is
//! up) cannot leave its G there: the end could come when that G waits for something else already. It leaves a counted
//! reference to its ticket, which it takes back when its time is up; or finds that the end has taken it, and then the
//! result is there.

use std::{
    ptr::{self, NonNull},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::gmp::{g::GRef, ticket::Ticket};

/// A cell whose type is forgotten: the head of one of join_future.rs.
#[repr(align(16))]
pub(crate) struct Cell {
    /// Moves the outcome of the goroutine into the cell, and tells the future.
    pub(crate) deliver: unsafe fn(NonNull<Cell>, GRef),
}

impl Cell {
    /// E3 and E4.
    ///
    /// # Safety
    ///
    /// `cell` was taken out of the join word of `g`, which runs here, has ended, and has its outcome in its payload. It
    /// has not after.
    pub(crate) unsafe fn deliver(cell: NonNull<Cell>, g: GRef) {
        // SAFETY: the cell is alive, because the word had a counted reference, which is ours now; the rest is the
        // caller's contract.
        unsafe { (cell.as_ref().deliver)(cell, g) };
    }
}

/// Who waits for the end of a goroutine, and whether it has come.
///
/// ```text
///   RUNNING ──── join: CAS ───► waiter's word ──┐
///      │  │ ◄─── its time is up: CAS ──┘        ├── the end: CAS -> DONE
///      │  └───── detach: CAS ──► DETACHED ──┐   │
///      └────────────────────────────────────┴───┘
/// ```
///
/// A future leaves the address of a cell here, which the end never overwrites: see join_future.rs.
///
/// Whoever sees the other side's word last owns the descriptor: the handle after DONE, the
/// goroutine's end after DETACHED.
pub(crate) struct JoinWord(AtomicUsize);

/// The goroutine has not finished, its handle is there, nobody waits.
const RUNNING: usize = 0;
/// It finished; the handle owns descriptor and result.
const DONE: usize = 1;
/// The handle is gone; the goroutine's end owns descriptor and result.
const DETACHED: usize = 2;

/// What the end claims a ticket with.
pub(crate) const JOINED: u32 = 0;

/// In a word: it is a ticket's, not a G's. Both are aligned to more.
const SHARED: usize = 4;

/// In a word: it is a cell's.
const AWAITED: usize = 6;

/// Where a word says what it is.
const TAG: usize = 7;

/// What will become of a goroutine's result.
pub(crate) enum Fate {
    /// The handle's.
    Joined,
    /// A future's, whose cell was just taken out.
    Awaited(NonNull<Cell>),
    /// Nobody's.
    Detached,
}

/// What the end of a goroutine met.
pub(crate) enum End {
    /// The handle will come for the result.
    HandleOwns,
    /// As before, and this G waits to be made ready.
    Wake(GRef),
    /// As before, if the ticket can be claimed.
    Claim(Arc<Ticket>),
    /// Not the handle: nobody will come, or a future. Nothing was changed.
    Else,
}

impl JoinWord {
    pub(crate) fn new() -> JoinWord {
        JoinWord(AtomicUsize::new(DONE))
    }

    /// A new life. The caller owns the G.
    pub(crate) fn reset(&self) {
        // Relaxed: published with the G by the run queue and the handle.
        self.0.store(RUNNING, Ordering::Relaxed);
    }

    /// The goroutine's end, if its handle is to get the result.
    pub(crate) fn finish(&self) -> End {
        // Acquire: partners are the CASes in `wait`, `wait_shared`, `detach` and `expect`.
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            if word == DETACHED || word & TAG == AWAITED {
                return End::Else;
            }
            // RUNNING | waiter -> DONE. AcqRel: Release's partner is `is_done` and the failed CAS of `wait` and
            // `detach` (the result); Acquire, also on failure: as above.
            let done =
                self.0
                    .compare_exchange_weak(word, DONE, Ordering::AcqRel, Ordering::Acquire);
            match done {
                Ok(RUNNING) => return End::HandleOwns,
                // SAFETY: tagged words are those of `SharedWait`, whose reference goes with the word.
                Ok(word) if word & SHARED != 0 => return End::Claim(unsafe { ticket_of(word) }),
                // SAFETY: any other word was stored by `wait`, from a GRef.
                Ok(waiter) => return End::Wake(unsafe { GRef::from_word(waiter) }),
                Err(now) => word = now,
            }
        }
    }

    /// E1 and E2 of join_future.rs. For the goroutine's end.
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
        match taken.map(|word| NonNull::new(ptr::with_exposed_provenance_mut(word & !TAG))) {
            Ok(Some(cell)) => Fate::Awaited(cell),
            Ok(None) => Fate::Detached,
            Err(DETACHED) => Fate::Detached,
            Err(_) => Fate::Joined,
        }
    }

    /// F2: the result is to go into `cell`; false if it is here already.
    pub(crate) fn expect(&self, cell: NonNull<Cell>) -> bool {
        // RUNNING -> cell. AcqRel: partners are `finish` and `fate`, on both outcomes.
        self.0
            .compare_exchange(
                RUNNING,
                cell.as_ptr().expose_provenance() | AWAITED,
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_ok()
    }

    /// F4: the result is not to go into `cell`; the goroutine is detached, or has its handle again. False if the
    /// end has taken the cell.
    pub(crate) fn renounce(&self, cell: NonNull<Cell>, detach: bool) -> bool {
        let to = if detach { DETACHED } else { RUNNING };
        // cell -> DETACHED | RUNNING. Release: partner is `fate`. Relaxed on failure: nothing is read.
        self.0
            .compare_exchange(
                cell.as_ptr().addr() | AWAITED,
                to,
                Ordering::Release,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    /// Is the result there? Acquire: partner is `finish`.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.0.load(Ordering::Acquire) == DONE
    }

    /// Registers `waiter` for the end; false if it has come.
    pub(crate) fn wait(&self, waiter: GRef) -> bool {
        // RUNNING -> waiter. AcqRel: partner is the CAS in `finish`, on both outcomes.
        self.0
            .compare_exchange(
                RUNNING,
                waiter.to_word(),
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_ok()
    }

    /// As [`wait`](JoinWord::wait), until [`SharedWait::withdraw`].
    pub(crate) fn wait_shared(&self, wait: &SharedWait) -> bool {
        // RUNNING -> ticket. AcqRel: as in `wait`.
        self.0
            .compare_exchange(RUNNING, wait.word, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Gives the G up to its end; false if that has come.
    pub(crate) fn detach(&self) -> bool {
        // RUNNING -> DETACHED. AcqRel: partner is the CAS in `finish`, on both outcomes.
        self.0
            .compare_exchange(RUNNING, DETACHED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

/// A waiter with a ticket, and its reference for the word.
pub(crate) struct SharedWait {
    word: usize,
}

impl SharedWait {
    pub(crate) fn new(ticket: Ticket) -> SharedWait {
        let ticket = Arc::into_raw(Arc::new(ticket));
        SharedWait {
            word: ticket.expose_provenance() | SHARED,
        }
    }

    /// Nobody waits any more. True if the end has come. `registered`: what [`JoinWord::wait_shared`] said.
    pub(crate) fn withdraw(self, join: &JoinWord, registered: bool) -> bool {
        // ticket -> RUNNING. Release: as the CAS in `wait`. Acquire on failure: partner is the CAS in `finish`.
        let back = || {
            join.0
                .compare_exchange(self.word, RUNNING, Ordering::Release, Ordering::Acquire)
                .is_ok()
        };
        if !registered || back() {
            // SAFETY: the word is not there (any more), so its reference is ours.
            drop(unsafe { ticket_of(self.word) });
        }
        join.is_done()
    }
}

/// # Safety
///
/// `word` is a [`SharedWait`]'s, and its reference is the caller's.
unsafe fn ticket_of(word: usize) -> Arc<Ticket> {
    // SAFETY: without the tag it is what `into_raw` returned.
    unsafe { Arc::from_raw(std::ptr::with_exposed_provenance(word & !SHARED)) }
}
