//! The *identity* of a goroutine: what outlives the goroutine, and what few goroutines have.
//!
//! ```text
//!   G                         Inner, counted references
//!  ┌──────────┐              ┌─────────────────────────────────────────────┐
//!  │ identity │─────────────►│ number, name      never change              │◄── Identity (a `Thread`)
//!  └──────────┘              │ token             park and unpark (park_token.rs)│◄── Identity
//!   null: not asked for yet  │ locals            of the goroutine alone    │
//!                            └─────────────────────────────────────────────┘
//! ```
//!
//! A G is used again after its goroutine has ended, and a thread may want to unpark a goroutine later than that. So
//! the identity lies in memory of its own, which the G and every [`Identity`] keep alive. It is made when a goroutine
//! has a name, when it is asked for, or with the first goroutine-local value; all other goroutines pay one null
//! pointer. The pointer is set once in a goroutine's life, by the first thread that needs it, and stays until the G
//! is freed: by its joiner, or by its own end. So a reference to it may be given out by a caller that keeps the G
//! from being freed.
//!
//! A plain OS thread has one as well, through the G that stands for it.
//!
//! Other things that one goroutine has, that few goroutines need, and that are not worth a word in every G belong
//! here.

use std::{
    any::Any,
    cell::UnsafeCell,
    fmt, mem,
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicPtr, AtomicU64, Ordering},
    },
    thread,
};

use crate::{
    gmp::{g::G, locals::Locals, ticket::Ticket},
    protocol::park_token::Token,
};

/// The bit in the number of an identity that marks an OS thread.
const THREAD: u64 = 1 << 63;

/// How many OS threads have an identity so far.
static THREADS: AtomicU64 = AtomicU64::new(0);

/// A value that a new goroutine inherits from its spawner.
pub type Inherited = Arc<dyn Any + Send + Sync>;

/// The place of an inherited value.
pub(crate) struct Place(pub(crate) UnsafeCell<Option<Inherited>>);

// SAFETY: only the goroutine or thread whose identity it is touches it, or the thread that is making that; and an
// inherited value is Send.
unsafe impl Sync for Place {}

pub(crate) struct Inner {
    number: u64,
    pub(super) name: Option<Box<str>>,
    token: Token<Ticket>,
    /// For the goroutine or thread itself, and after its end for the thread that frees its G.
    locals: Locals,
    /// As `locals` (see inherited.rs).
    inherited: Place,
}

/// The identity of a goroutine or a plain OS thread. May be kept after its end.
#[repr(transparent)]
pub struct Identity(NonNull<Inner>);

// SAFETY: a counted reference to an `Inner`, of which others touch what never changes, and the token, which is Sync;
// an inherited value is Send, wherever it is dropped.
unsafe impl Send for Identity {}
// SAFETY: others may read the number and the name, which never change, and use the token, which is Sync.
unsafe impl Sync for Identity {}

impl Identity {
    fn new(number: u64, name: Option<Box<str>>) -> Identity {
        let inner = Arc::new(Inner {
            number,
            name,
            token: Token::new(),
            locals: Locals::new(),
            inherited: Place(UnsafeCell::new(None)),
        });
        // SAFETY: an Arc's pointer is not null.
        Identity(unsafe { NonNull::new_unchecked(Arc::into_raw(inner).cast_mut()) })
    }

    /// A first identity for `g`. For a plain thread it is made on that thread, with the name that std knows.
    pub(crate) fn of(g: &G) -> Identity {
        match g.id.get() {
            0 => {
                // Relaxed: numbers only have to differ.
                let number = THREADS.fetch_add(1, Ordering::Relaxed) + 1;
                let name = thread::current().name().map(Box::from);
                Identity::new(THREAD | number, name)
            }
            number => Identity::new(number, None),
        }
    }

    /// The identity of a goroutine that is not ready yet.
    pub(crate) fn named(number: u64, name: Box<str>) -> Identity {
        Identity::new(number, Some(name))
    }

    fn inner(&self) -> &Inner {
        // SAFETY: this is a counted reference.
        unsafe { self.0.as_ref() }
    }

    /// The meaning of a [`number`](Identity::number): whether it is a goroutine's (or else an OS thread's), and its
    /// number among these.
    pub fn split(number: u64) -> (bool, u64) {
        (number & THREAD == 0, number & !THREAD)
    }

    /// Different for all goroutines and threads of the process, never 0.
    pub fn number(&self) -> u64 {
        self.inner().number
    }

    /// The name that its builder gave it.
    #[inline]
    pub fn name(&self) -> Option<&str> {
        self.inner().name.as_deref()
    }

    /// The token that ends the wait of its owner (task/unpark.rs).
    pub(crate) fn token(&self) -> &Token<Ticket> {
        &self.inner().token
    }

    pub(crate) fn locals(&self) -> &Locals {
        &self.inner().locals
    }

    /// # Safety
    ///
    /// Only for the goroutine or thread itself, or for the thread that is making it and has not shown it to others.
    #[inline(always)]
    pub(crate) unsafe fn has_inherited(&self) -> bool {
        // SAFETY: only the caller touches it; the reference ends here.
        unsafe { (*self.inner().inherited.0.get()).is_some() }
    }

    /// # Safety
    ///
    /// As for [`has_inherited`](Identity::has_inherited).
    pub(crate) unsafe fn inherited(&self) -> Option<Inherited> {
        // SAFETY: only the goroutine whose identity it is touches the place, and it is the caller; the reference ends
        // here.
        unsafe { (*self.inner().inherited.0.get()).clone() }
    }

    /// # Safety
    ///
    /// The goroutine whose identity it is does not run while the result lives.
    pub(crate) unsafe fn inherited_of_held(&self) -> Option<&(dyn Any + Send + Sync)> {
        // SAFETY: its goroutine alone changes the place, and does not run.
        unsafe { (*self.inner().inherited.0.get()).as_deref() }
    }

    /// # Safety
    ///
    /// As for [`has_inherited`](Identity::has_inherited).
    pub(crate) unsafe fn replace_inherited(&self, new: Option<Inherited>) -> Option<Inherited> {
        // SAFETY: only the goroutine whose identity it is touches the place, and it is the caller; the reference ends
        // here.
        unsafe { mem::replace(&mut *self.inner().inherited.0.get(), new) }
    }
}

impl Clone for Identity {
    fn clone(&self) -> Identity {
        // SAFETY: the pointer came from `Arc::into_raw`, and this reference is counted.
        unsafe { Arc::increment_strong_count(self.0.as_ptr()) };
        Identity(self.0)
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `Arc::into_raw`, and the count has this reference, which is gone after.
        unsafe { Arc::decrement_strong_count(self.0.as_ptr()) };
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("number", &self.number())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// Where a G keeps its identity.
pub(crate) struct IdentityCell(AtomicPtr<Inner>);

impl IdentityCell {
    pub(crate) const fn new() -> IdentityCell {
        IdentityCell(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// The identity, if there is one. For a caller that keeps the G from being freed. Async-signal-safe.
    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&Identity> {
        // Acquire: partner is the CAS in `get_or_make`.
        if self.0.load(Ordering::Acquire).is_null() {
            return None;
        }
        // SAFETY: an `AtomicPtr` has the layout of a pointer, and a pointer that is not null the layout of an
        // `Identity`. From here on the word does not change until the G is freed, which the caller prevents.
        Some(unsafe { &*self.0.as_ptr().cast::<Identity>() })
    }

    /// As [`get`](IdentityCell::get), or else the one of `make`. Several may call it at once.
    #[inline]
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> Identity) -> &Identity {
        match self.get() {
            Some(identity) => identity,
            None => self.make(make()),
        }
    }

    #[cold]
    fn make(&self, identity: Identity) -> &Identity {
        // null -> new. Release: partner is the Acquire in `get`. Relaxed on failure: `get` follows.
        let placed = self.0.compare_exchange(
            std::ptr::null_mut(),
            identity.0.as_ptr(),
            Ordering::Release,
            Ordering::Relaxed,
        );
        if placed.is_ok() {
            mem::forget(identity); // the cell's reference now
        }
        match self.get() {
            Some(identity) => identity,
            None => crate::sys::fatal::throw(format_args!("an identity vanished")),
        }
    }

    /// Removes the identity, and every local value.
    ///
    /// # Safety
    ///
    /// The goroutine or thread has ended, and the caller has the last reference to its G: no reference from `get` is
    /// left.
    #[inline(always)]
    pub(crate) unsafe fn clear(&self) {
        // Relaxed (both): no other thread uses the G.
        if !self.0.load(Ordering::Relaxed).is_null() {
            // SAFETY: the caller has the last reference to the G, whose goroutine has ended.
            unsafe { self.clear_slow() };
        }
    }

    /// # Safety
    ///
    /// As for [`clear`](IdentityCell::clear).
    #[cold]
    unsafe fn clear_slow(&self) {
        // Relaxed: no other thread uses the G.
        let inner = self.0.swap(std::ptr::null_mut(), Ordering::Relaxed);
        if let Some(inner) = NonNull::new(inner) {
            let identity = Identity(inner); // the cell's reference
            // SAFETY: the goroutine whose values these were has ended, and its G is about to be freed.
            unsafe { identity.locals().free() };
        }
    }
}
