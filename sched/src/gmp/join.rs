//! The end of a goroutine, its handle, and what a handle that waits leaves for the end. The word is in join_word.rs; here
//! it is told what its addresses are of.
//!
//! A waiter that others may wake as well (its time is up) cannot leave its G: the end could come when that G waits for
//! something else already. It leaves a counted reference to its ticket, which it takes back when its time is up; or finds
//! that the end has taken it, and then the result is there. A future leaves a cell (join_future.rs).

use std::{
    ptr::{self, NonNull},
    sync::Arc,
};

use crate::{
    gmp::{g::GRef, ticket::Ticket},
    protocol::join_word::{self, JoinWord, Waiter},
};

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

/// What the end claims a ticket with.
pub(crate) const JOINED: u32 = 0;

/// What will become of a goroutine's result.
pub(crate) enum Fate {
    /// The handle's.
    Joined,
    /// A future's, whose cell was just taken out, with the reference that the word had.
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

/// Who waits for the end of a goroutine, and whether it has come.
pub(crate) struct Join(JoinWord);

impl Join {
    pub(crate) fn new() -> Join {
        Join(JoinWord::new())
    }

    /// A new life. The caller owns the G.
    #[inline]
    pub(crate) fn reset(&self) {
        self.0.reset();
    }

    /// The goroutine's end, if its handle is to get the result.
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

    /// F2: the result is to go into `cell`; false if it is here already.
    pub(crate) fn expect(&self, cell: NonNull<Cell>) -> bool {
        self.0.wait(Waiter::Cell(cell.as_ptr().expose_provenance()))
    }

    /// F4: the result is not to go into `cell`; the goroutine is detached, or has its handle again. False if the
    /// end has taken the cell.
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

    /// Gives the G up to its end; false if that has come.
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

    /// Nobody waits any more. True if the end has come. `registered`: what [`Join::wait_shared`] said.
    pub(crate) fn withdraw(self, join: &Join, registered: bool) -> bool {
        if (!registered || join.0.give_up(self.0, false))
            && let Waiter::Ticket(word) = self.0
        {
            // SAFETY: the word is not there (any more), so its reference is ours.
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
