//! Goroutine-local values: what `goroutine_local!` declares.
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
//! A value stays where it is from its initialisation to its end, so that references to it survive the making of
//! others, and wherever the goroutine runs meanwhile: it is the goroutine's, not a thread's.
//!
//! The end of a goroutine runs the destructors, the youngest value's first, on the goroutine's own stack and before
//! it counts as ended: they may park. A slot is GONE from the moment its destructor begins, and stays so. What
//! destructors initialise (slots that were EMPTY) is destroyed as well. Values without a destructor can be used until
//! nothing of the goroutine runs any more.

use std::{
    any,
    cell::{Cell, UnsafeCell},
    marker::PhantomData,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr::{self, NonNull},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    gmp::{g::GRef, identity::Identity},
    protocol::sync::lock,
    switch::current::current,
    sys::fatal,
};

/// A slot whose value was never made.
const EMPTY: *mut Head = ptr::null_mut();
/// A slot whose value was destroyed. No box has this address.
const GONE: *mut Head = ptr::without_provenance_mut(1);

/// How many keys have a number.
static KEYS: Mutex<usize> = Mutex::new(0);

pub(crate) struct Locals {
    slots: UnsafeCell<Vec<*mut Head>>,
    doomed: Cell<*mut Head>,
}

// SAFETY: only the goroutine or thread whose they are reaches them, and after its end who frees its G; the G's way
// from one to the next orders that.
unsafe impl Sync for Locals {}
// SAFETY: as above: the values go where their goroutine goes, as those on its stack do.
unsafe impl Send for Locals {}

/// What comes before each value.
struct Head {
    /// The next older one with a destructor.
    next: *mut Head,
    slot: usize,
    /// Drops the value in its place.
    destroy: unsafe fn(*mut Head),
    /// Frees the box and not the value.
    free: unsafe fn(*mut Head),
}

#[repr(C)]
struct Local<T> {
    head: Head,
    value: mem::MaybeUninit<T>,
}

/// Names one value of type `T` in each goroutine and each OS thread. To be a static.
pub struct LocalKey<T: 'static> {
    /// 0 while it has not been used; then its slot, counted from 1.
    number: AtomicUsize,
    _value: PhantomData<fn() -> T>,
}

/// The value is being destroyed, or was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LocalGone;

impl<T: 'static> LocalKey<T> {
    /// A key that names nothing yet.
    pub const fn new() -> LocalKey<T> {
        LocalKey {
            number: AtomicUsize::new(0),
            _value: PhantomData,
        }
    }

    /// Calls `f` with the caller's value. `init` makes it if it is not there; what `init` took out of `seed` it
    /// has used.
    ///
    /// # Errors
    ///
    /// The value has been destroyed: the goroutine or thread runs its destructors.
    #[inline(always)]
    pub fn with<R>(
        &'static self,
        init: impl FnOnce() -> T,
        f: impl FnOnce(&T) -> R,
    ) -> Result<R, LocalGone> {
        let value = match self.find() {
            Some(value) => value,
            None => self.make(init)?,
        };
        // SAFETY: the value was made, and it stays where it is until the caller ends, which is after `f`. Nobody
        // has it exclusively: `make` replaces only what an initialiser made that calls itself, before there are
        // references that could still be used.
        Ok(f(unsafe { value.as_ref() }))
    }

    /// The caller's value, if it is there.
    #[inline(always)]
    fn find(&'static self) -> Option<NonNull<T>> {
        let locals = current().get().identity.get()?.locals();
        // Relaxed: any thread's numbering is as good; who has a value for it has seen it.
        let number = self.number.load(Ordering::Relaxed);
        // SAFETY: these are the caller's own, and no reference to the slots lives longer than this statement.
        let head = unsafe { (&*locals.slots.get()).get(number.wrapping_sub(1)).copied() }?;
        // SAFETY: what is in this key's slot was made for a T.
        (head != EMPTY && head != GONE).then(|| unsafe { value_of(head) })
    }

    #[cold]
    fn make(&'static self, init: impl FnOnce() -> T) -> Result<NonNull<T>, LocalGone> {
        let slot = self.slot();
        if Identity::own().locals().get(slot) == GONE {
            return Err(LocalGone);
        }
        let value = init();
        // `init` may have used the key, and the caller may be on another thread.
        let locals = Identity::own().locals();
        let head = locals.get(slot);
        if head == GONE {
            return Err(LocalGone);
        }
        if head != EMPTY {
            // SAFETY: this key's slot, so a T; the references that `init` had to it are gone with `init`.
            let place = unsafe { value_of::<T>(head) };
            // SAFETY: as above.
            let old = unsafe { mem::replace(&mut *place.as_ptr(), value) };
            drop(old);
            return Ok(place);
        }
        let head = Box::into_raw(Box::new(Local {
            head: Head {
                next: ptr::null_mut(),
                slot,
                destroy: destroy::<T>,
                free: free::<T>,
            },
            value: mem::MaybeUninit::new(value),
        }))
        .cast::<Head>();
        locals.put(head, slot, mem::needs_drop::<T>());
        // SAFETY: just made for a T.
        Ok(unsafe { value_of(head) })
    }

    /// Its slot, counted from 0.
    fn slot(&self) -> usize {
        let mut keys = lock(&KEYS);
        // Relaxed (both): the lock orders them.
        if self.number.load(Ordering::Relaxed) == 0 {
            *keys += 1;
            self.number.store(*keys, Ordering::Relaxed);
        }
        self.number.load(Ordering::Relaxed) - 1
    }
}

impl<T: 'static> Default for LocalKey<T> {
    fn default() -> LocalKey<T> {
        LocalKey::new()
    }
}

impl<T: 'static> std::fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// # Safety
///
/// `head` is that of a `Local<T>`.
#[inline(always)]
unsafe fn value_of<T>(head: *mut Head) -> NonNull<T> {
    // SAFETY: says the caller; a field of a box has an address that is not null.
    unsafe { NonNull::new_unchecked((&raw mut (*head.cast::<Local<T>>()).value).cast()) }
}

/// # Safety
///
/// `head` is that of a `Local<T>` with a value, which nobody uses.
unsafe fn destroy<T>(head: *mut Head) {
    // SAFETY: says the caller.
    let dropped = catch_unwind(AssertUnwindSafe(|| unsafe {
        value_of::<T>(head).drop_in_place();
    }));
    if dropped.is_err() {
        fatal::fatal(format_args!(
            "a goroutine_local value of type {} panicked when it was dropped",
            any::type_name::<T>()
        ));
    }
}

/// # Safety
///
/// `head` is that of a `Local<T>`, and nobody uses it any more.
unsafe fn free<T>(head: *mut Head) {
    // SAFETY: `make` took it out of such a box. Dropping it drops no value.
    drop(unsafe { Box::from_raw(head.cast::<Local<T>>()) });
}

impl Locals {
    pub(crate) fn new() -> Locals {
        Locals {
            slots: UnsafeCell::new(Vec::new()),
            doomed: Cell::new(ptr::null_mut()),
        }
    }

    /// What is in `slot`. Only for whose these are, as all below.
    fn get(&self, slot: usize) -> *mut Head {
        // SAFETY: the caller's own; the reference ends here.
        let head = unsafe { (&*self.slots.get()).get(slot).copied() };
        head.unwrap_or(EMPTY)
    }

    fn put(&self, head: *mut Head, slot: usize, has_destructor: bool) {
        self.set(slot, head);
        if has_destructor {
            // SAFETY: the head was just made, and is this goroutine's.
            unsafe { (*head).next = self.doomed.replace(head) };
        }
    }

    fn set(&self, slot: usize, head: *mut Head) {
        // SAFETY: the caller's own; the reference ends with this function, which calls no code of others.
        let slots = unsafe { &mut *self.slots.get() };
        if slots.len() <= slot {
            slots.resize(slot + 1, EMPTY);
        }
        slots[slot] = head;
    }

    /// Runs all destructors, also of what these initialise.
    fn destroy_all(&self) {
        while let Some(head) = NonNull::new(self.doomed.get()) {
            let head = head.as_ptr();
            // SAFETY: what is on the list was made by `make`, is alive, and is taken off here. Its slot leads to it
            // no more, and no `with` of it is running: the goroutine is here.
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
    /// The goroutine or thread has ended, and the caller is the one who frees its G.
    pub(crate) unsafe fn free(&self) {
        // SAFETY: says the caller.
        let slots = mem::take(unsafe { &mut *self.slots.get() });
        for head in slots {
            if head != EMPTY && head != GONE {
                // SAFETY: made by `make`; all with a destructor have been destroyed, or are leaked with what
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
    // SAFETY: it is the caller's, who is at its end.
    drop(unsafe { identity.replace_heritage(None) });
}
