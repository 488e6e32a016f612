//! A list of wakers of futures, from the pollers to the goroutine that calls them.
//!
//! A waker is user code, and a poller runs on g0 or inside a call of the user. So the poller lists the waker, and a service
//! goroutine calls it.
//!
//! ```text
//!  poller                                   service goroutine              future
//!  X1 queued: swap(true). It was: done      X4 head: swap(empty)           F1 the waker into the slot
//!  X2 the slot onto the list                X5 per slot: queued =          F2 the node into the line (io_line.rs)
//!  X3 wake the service goroutine               swap(false)
//!                                           X6 take the waker, call it
//! ```
//!
//! A slot that is listed is not listed again. X5 comes before X6, so X6 takes the waker that F1 stored before X1, or a later
//! one of the same future. A waker is called once. A future that is woken and finds nothing polls again, and waits.

use std::ptr::{self, NonNull};

use crate::protocol::sync::{AtomicBool, AtomicUsize, Mutex, Ordering, lock};

/// A place for a waker of type `T`, which can be listed.
pub(crate) struct WakerSlot<T> {
    queued: AtomicBool,
    /// The address of the next item on the list, 0 for none.
    next: AtomicUsize,
    waker: Mutex<Option<T>>,
}

/// What has a slot.
pub(crate) trait HasSlot {
    type Waker;

    fn slot(&self) -> &WakerSlot<Self::Waker>;
}

impl<T> WakerSlot<T> {
    pub(crate) fn new() -> WakerSlot<T> {
        WakerSlot {
            queued: AtomicBool::new(false),
            next: AtomicUsize::new(0),
            waker: Mutex::new(None),
        }
    }

    /// F1. `same` returns whether the stored waker is enough.
    pub(crate) fn set(&self, same: impl FnOnce(&T) -> bool, waker: impl FnOnce() -> T) {
        let fits = lock(&self.waker).as_ref().is_some_and(same);
        if !fits {
            // Cloning and dropping a waker runs user code: outside the lock.
            let new = waker();
            let old = lock(&self.waker).replace(new);
            drop(old);
        }
    }

    /// X6, or of a future that gives up.
    pub(crate) fn take(&self) -> Option<T> {
        lock(&self.waker).take()
    }
}

/// A list of items `I`, the last one first.
pub(crate) struct WakerList<I> {
    /// The address of the last item, 0 for none.
    head: AtomicUsize,
    of: std::marker::PhantomData<*const I>,
}

// SAFETY: the list holds addresses, changed by atomics; of an item, other threads use its atomics and its lock.
unsafe impl<I: Sync> Sync for WakerList<I> {}

impl<I: HasSlot> WakerList<I> {
    #[cfg(not(goroutines_loom))]
    pub(crate) const fn new() -> WakerList<I> {
        WakerList {
            head: AtomicUsize::new(0),
            of: std::marker::PhantomData,
        }
    }

    #[cfg(goroutines_loom)]
    pub(crate) fn new() -> WakerList<I> {
        WakerList {
            head: AtomicUsize::new(0),
            of: std::marker::PhantomData,
        }
    }

    /// X1 and X2. False: `item` is on the list already.
    ///
    /// # Safety
    ///
    /// If it returns true, `item` stays where it is until [`WakerList::run`] has handed it out.
    pub(crate) unsafe fn push(&self, item: NonNull<I>) -> bool {
        // SAFETY: the caller's count keeps the item.
        let slot = unsafe { item.as_ref() }.slot();
        // AcqRel: partner is the swap in `run`: the service goroutine sees the waker that was stored before this.
        if slot.queued.swap(true, Ordering::AcqRel) {
            return false;
        }
        // Relaxed: only the value for the first try.
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // Relaxed: published by the exchange.
            slot.next.store(head, Ordering::Relaxed);
            let new = item.as_ptr().expose_provenance();
            // Release: partner is the swap in `run`. Relaxed on failure: tried again.
            match self
                .head
                .compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => head = now,
            }
        }
    }

    /// X4 and X5: hands out all that is on the list, in the order in which it came.
    pub(crate) fn run(&self, mut f: impl FnMut(NonNull<I>)) {
        // Acquire: partner is the Release in `push`.
        let mut last = self.head.swap(0, Ordering::Acquire);
        let mut first = 0;
        while let Some(item) = at::<I>(last) {
            // SAFETY: the count of the list keeps the item.
            let slot = unsafe { item.as_ref() }.slot();
            // Relaxed (both): only the caller of `run` uses `next` of a listed slot.
            let before = slot.next.load(Ordering::Relaxed);
            slot.next.store(first, Ordering::Relaxed);
            first = last;
            last = before;
        }
        while let Some(item) = at::<I>(first) {
            // SAFETY: the count of the list keeps the item until it is handed out below.
            let slot = unsafe { item.as_ref() }.slot();
            // Relaxed: only the caller of `run` uses `next` of a listed slot.
            first = slot.next.load(Ordering::Relaxed);
            // AcqRel: partner is the swap in `push`.
            slot.queued.swap(false, Ordering::AcqRel);
            f(item);
        }
    }
}

fn at<I>(address: usize) -> Option<NonNull<I>> {
    NonNull::new(ptr::with_exposed_provenance_mut(address))
}
