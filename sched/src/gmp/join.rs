//! The end of a goroutine, its handle, and what a handle that waits leaves for the end. The word is in join_word.rs;
//! here its addresses get their types.
//!
//! A waiter that a timer may wake as well cannot leave its G in the word: the end could come when that G is already
//! in another wait. It leaves a counted reference to its ticket, and takes it back when its time is up. If the end
//! has taken the reference first, the result is there. A future leaves a cell (join_future.rs).

use std::{
    ptr::{self, NonNull},
    sync::Arc,
};

use crate::{
    gmp::{g::GRef, ticket::Ticket},
    protocol::join_word::{self, JoinWord, Waiter},
};

/// A cell without its type: the head of one of join_future.rs.
#[repr(align(16))]
pub(crate) struct Cell {
    /// Moves the outcome of the goroutine into the cell, and wakes the future.
    pub(crate) deliver: unsafe fn(NonNull<Cell>, GRef),
}

impl Cell {
    /// E3 and E4.
    ///
    /// # Safety
    ///
    /// `cell` was taken out of the join word of `g`, which runs here, has ended, and has its outcome in its payload.
    /// Afterwards the payload is empty.
    pub(crate) unsafe fn deliver(cell: NonNull<Cell>, g: GRef) {
        // SAFETY: the cell is alive, because the word had a counted reference, which is this caller's now; `g` runs
        // here, has ended and has its outcome, as `deliver` of the cell demands.
        unsafe { (cell.as_ref().deliver)(cell, g) };
    }
}

/// The outcome with which the end claims a ticket.
pub(crate) const JOINED: u32 = 0;

/// Which side gets a goroutine's result.
pub(crate) enum Fate {
    /// The handle's.
    Joined,
    /// A future's, whose cell was just taken out of the word, with the reference that the word had.
    Awaited(NonNull<Cell>),
    /// Dropped: there is no handle.
    Detached,
}

/// What the end of a goroutine found in the word.
pub(crate) enum End {
    /// The handle will come for the result.
    HandleOwns,
    /// The handle will come for the result; this G waits to be made ready.
    Wake(GRef),
    /// The handle will come for the result; it waits if the ticket can be claimed.
    Claim(Arc<Ticket>),
    /// There is no handle, or a future waits. Nothing was changed.
    Else,
}

/// The waiter for the end of a goroutine, and whether the end has come.
pub(crate) struct Join(JoinWord);

impl Join {
    pub(crate) fn new() -> Join {
        Join(JoinWord::new())
    }

    /// Begins a new life of the G, which the caller owns.
    #[inline]
    pub(crate) fn reset(&self) {
        self.0.reset();
    }

    /// By the goroutine's end, if its handle is to get the result.
    #[inline]
    pub(crate) fn finish(&self) -> End {
        match self.0.finish() {
            join_word::End::HandleOwns => End::HandleOwns,
            // SAFETY: `wait` alone leaves a G there, by its word.
            join_word::End::Wake(Waiter::G(word)) => End::Wake(unsafe { GRef::from_word(word) }),
            // SAFETY: `SharedWait` alone leaves a ticket there, and the reference has come with the word.
            join_word::End::Wake(Waiter::Ticket(word)) => End::Claim(unsafe { ticket_of(word) }),
            join_word::End::Wake(Waiter::Cell(_)) | join_word::End::Else => End::Else,
        }
    }

    /// E1 and E2 of join_future.rs. For the goroutine's end.
    #[inline]
    pub(crate) fn fate(&self) -> Fate {
        match self.0.fate() {
            join_word::Fate::Joined => Fate::Joined,
            join_word::Fate::Detached => Fate::Detached,
            join_word::Fate::Awaited(word) => NonNull::new(ptr::with_exposed_provenance_mut(word))
                .map_or(Fate::Detached, Fate::Awaited),
        }
    }

    /// F2: the result is to go into `cell`; false if the goroutine has ended.
    pub(crate) fn expect(&self, cell: NonNull<Cell>) -> bool {
        self.0.wait(Waiter::Cell(cell.as_ptr().expose_provenance()))
    }

    /// F4: the result is not to go into `cell`; the goroutine is detached, or has its handle again. False if the end
    /// has taken the cell.
    pub(crate) fn renounce(&self, cell: NonNull<Cell>, detach: bool) -> bool {
        self.0.give_up(Waiter::Cell(cell.as_ptr().addr()), detach)
    }

    /// Returns whether the result is there for the handle.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.0.is_done()
    }

    /// Registers `waiter` for the end; false if it has come.
    #[inline]
    pub(crate) fn wait(&self, waiter: GRef) -> bool {
        self.0.wait(Waiter::G(waiter.to_word()))
    }

    /// As [`wait`](Join::wait), until [`SharedWait::withdraw`].
    pub(crate) fn wait_shared(&self, wait: &SharedWait) -> bool {
        self.0.wait(wait.0)
    }

    /// Leaves the G to the goroutine's end; false if that has come.
    #[inline]
    pub(crate) fn detach(&self) -> bool {
        self.0.detach()
    }
}

/// A waiter with a ticket, and its reference for the word.
pub(crate) struct SharedWait(Waiter);

impl SharedWait {
    pub(crate) fn new(ticket: Ticket) -> SharedWait {
        let ticket = Arc::into_raw(Arc::new(ticket));
        SharedWait(Waiter::Ticket(ticket.expose_provenance()))
    }

    /// The waiter stops waiting. True if the end has come. `registered`: what [`Join::wait_shared`] returned.
    pub(crate) fn withdraw(self, join: &Join, registered: bool) -> bool {
        if (!registered || join.0.give_up(self.0, false))
            && let Waiter::Ticket(word) = self.0
        {
            // SAFETY: the word is not there or not there any more, so this caller owns its reference.
            drop(unsafe { ticket_of(word) });
        }
        join.is_done()
    }
}

/// # Safety
///
/// `word` is that of a [`SharedWait`], and its reference is the caller's.
unsafe fn ticket_of(word: usize) -> Arc<Ticket> {
    // SAFETY: it is what `into_raw` returned, and its provenance was exposed there.
    unsafe { Arc::from_raw(ptr::with_exposed_provenance(word)) }
}
