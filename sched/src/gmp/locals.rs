//! Goroutine-local values: where they lie, and how they end. Their keys: local_key.rs.
//!
//! ```text
//!   Locals                        values, each in a box of its own
//!  ┌────────┐   ┌──────────┐     ┌────────────────────────────┐
//!  │ slots ─┼──►│ of key 1 │────►│ Head: next, slot, what to do│
//!  │ doomed │   │ EMPTY    │     │ the value                  │
//!  └───┬────┘   │ GONE     │     └────────────────────────────┘
//!      │        │ of key 4 │──►      ▲
//!      └────────┴──────────┴─────────┘ those with a destructor, the youngest first
//! ```
//!
//! Each key has a number, given when it is first used, and a slot of that number in each goroutine that uses it.
//! A value stays where it is from its initialisation to its end, so references to it stay valid when others are made,
//! and when the goroutine resumes on another thread: it is the goroutine's, not a thread's.
//!
//! The end of a goroutine runs the destructors, the youngest value's first, on the goroutine's own stack and before
//! it counts as ended: they may park. A slot is GONE from the moment its destructor begins, and stays GONE. What
//! destructors initialise (slots that were EMPTY) is destroyed as well. Values without a destructor can be used until
//! the last code of the goroutine has run.

use std::{
    cell::{Cell, UnsafeCell},
    mem,
    ptr::{self, NonNull},
};

use crate::gmp::{g::GRef, identity::Identity};

/// A slot whose value was never made.
pub(crate) const EMPTY: *mut Head = ptr::null_mut();
/// A slot whose value was destroyed. No box has this address.
pub(crate) const GONE: *mut Head = ptr::without_provenance_mut(1);

pub(crate) struct Locals {
    pub(crate) slots: UnsafeCell<Vec<*mut Head>>,
    doomed: Cell<*mut Head>,
}

// SAFETY: only the goroutine or thread that owns them reaches them, and after its end the thread that frees its G;
// the G's way from one to the next orders that.
unsafe impl Sync for Locals {}
// SAFETY: the values go where their goroutine goes, as those on its stack do.
unsafe impl Send for Locals {}

/// What comes before each value.
pub(crate) struct Head {
    /// The next older one with a destructor.
    pub(crate) next: *mut Head,
    pub(crate) slot: usize,
    /// Drops the value in its place.
    pub(crate) destroy: unsafe fn(*mut Head),
    /// Frees the box and not the value.
    pub(crate) free: unsafe fn(*mut Head),
}

impl Locals {
    pub(crate) fn new() -> Locals {
        Locals {
            slots: UnsafeCell::new(Vec::new()),
            doomed: Cell::new(ptr::null_mut()),
        }
    }

    /// What is in `slot`. Only for the owner, as all methods below.
    pub(crate) fn get(&self, slot: usize) -> *mut Head {
        // SAFETY: only the owner calls this; the reference ends here.
        let head = unsafe { (&*self.slots.get()).get(slot).copied() };
        head.unwrap_or(EMPTY)
    }

    pub(crate) fn put(&self, head: *mut Head, slot: usize, has_destructor: bool) {
        self.set(slot, head);
        if has_destructor {
            // SAFETY: the head was just made, and is this goroutine's.
            unsafe { (*head).next = self.doomed.replace(head) };
        }
    }

    fn set(&self, slot: usize, head: *mut Head) {
        // SAFETY: only the owner calls this; the reference ends with this function, which calls no code of others.
        let slots = unsafe { &mut *self.slots.get() };
        if slots.len() <= slot {
            slots.resize(slot + 1, EMPTY);
        }
        slots[slot] = head;
    }

    /// Runs all destructors, also of values that these initialise.
    fn destroy_all(&self) {
        while let Some(head) = NonNull::new(self.doomed.get()) {
            let head = head.as_ptr();
            // SAFETY: a value on the list was made by a key, is alive, and is taken off the list here. Its slot does
            // not lead to it any more, and no `with` of it is running: the goroutine is here.
            unsafe {
                self.doomed.set((*head).next);
                self.set((*head).slot, GONE);
                ((*head).destroy)(head);
                ((*head).free)(head);
            }
        }
    }

    /// Frees what is left: values without destructors.
    ///
    /// # Safety
    ///
    /// The goroutine or thread has ended, and the caller frees its G.
    pub(crate) unsafe fn free(&self) {
        // SAFETY: the goroutine has ended, so there is no other reference to its slots.
        let slots = mem::take(unsafe { &mut *self.slots.get() });
        for head in slots {
            if head != EMPTY && head != GONE {
                // SAFETY: made by a key; all with a destructor have been destroyed, or are leaked with what
                // they hold.
                unsafe { ((*head).free)(head) };
            }
        }
        self.doomed.set(ptr::null_mut());
    }
}

/// The code of `g`, which runs here, has ended: so do its local values.
#[inline(always)]
pub(crate) fn end(g: GRef) {
    if let Some(identity) = g.get().identity.get() {
        end_slow(identity);
    }
}

#[cold]
#[inline(never)]
fn end_slow(identity: &Identity) {
    identity.locals().destroy_all();
    // SAFETY: the identity is the calling goroutine's, which is at its end.
    drop(unsafe { identity.replace_inherited(None) });
}
