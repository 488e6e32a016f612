//! Cells of a G that its owner writes and any thread may read at any time: `GRef` is `Copy`, and its safe methods may
//! be called on a G whose goroutine ends at the same time, or whose next one begins. Then the value that is read is
//! old, and nothing worse. Both cells cost what a plain cell costs.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// A number.
pub(crate) struct Number(AtomicU64);

impl Number {
    pub(crate) const fn new(number: u64) -> Number {
        Number(AtomicU64::new(number))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        // Relaxed: partner is the store in `set`; a caller that needs the number of one particular goroutine got the
        // G through a queue, a lock or a join word, which ordered that store before.
        self.0.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn set(&self, number: u64) {
        // Relaxed: partner is the load in `get`.
        self.0.store(number, Ordering::Relaxed);
    }
}

/// A reference to something that is never freed, or none.
pub(crate) struct Link<T: 'static>(AtomicPtr<T>);

impl<T: Sync> Link<T> {
    pub(crate) const fn none() -> Link<T> {
        Link(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// Returns whether there is one. For any thread.
    #[inline(always)]
    pub(crate) fn is_set(&self) -> bool {
        // Relaxed: partner is the store in `set`. Nothing is reached through the answer.
        !self.0.load(Ordering::Relaxed).is_null()
    }

    /// The referenced value. For the owner of the G, as for its plain cells.
    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&'static T> {
        // Relaxed: partner is the store in `set`, and the queue or lock that passed the G on to the caller has ordered it before.
        let pointer = self.0.load(Ordering::Relaxed);
        // SAFETY: null, or made of a `&'static T` in `set`.
        unsafe { pointer.as_ref() }
    }

    /// For the owner of the G.
    #[inline(always)]
    pub(crate) fn set(&self, target: Option<&'static T>) {
        let pointer = target.map_or(std::ptr::null_mut(), |target| {
            std::ptr::from_ref(target).cast_mut()
        });
        // Relaxed: partners are the loads in `get` and `is_set`.
        self.0.store(pointer, Ordering::Relaxed);
    }
}
