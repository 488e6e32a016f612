//! Permits of a semaphore: dropping one gives it back.

use std::{fmt, mem, ops::Deref, sync::Arc};

use super::Semaphore;

/// Permits of a [`Semaphore`], borrowed from it. Dropping it gives them back.
#[must_use = "dropping it gives the permits back at once"]
pub struct SemaphorePermit<'a>(Held<&'a Semaphore>);

/// Permits of a [`Semaphore`] that keep it alive: they can go to another goroutine. Dropping it gives
/// them back.
#[must_use = "dropping it gives the permits back at once"]
pub struct OwnedSemaphorePermit(Held<Arc<Semaphore>>);

/// What both are.
struct Held<S: Deref<Target = Semaphore>> {
    semaphore: S,
    permits: usize,
}

impl<S: Deref<Target = Semaphore> + Clone> Held<S> {
    fn split(&mut self, n: usize) -> Option<Held<S>> {
        self.permits = self.permits.checked_sub(n)?;
        Some(Held {
            semaphore: self.semaphore.clone(),
            permits: n,
        })
    }

    #[track_caller]
    fn merge(&mut self, mut other: Held<S>) {
        assert!(
            std::ptr::eq(&*self.semaphore, &*other.semaphore),
            "goroutines::sync: `merge` of permits of two semaphores: each gives back to its own"
        );
        self.permits += mem::take(&mut other.permits);
    }
}

impl<S: Deref<Target = Semaphore>> Drop for Held<S> {
    #[inline]
    fn drop(&mut self) {
        if self.permits > 0 {
            self.semaphore.give_back(self.permits);
        }
    }
}

impl<'a> SemaphorePermit<'a> {
    #[inline(always)]
    pub(super) fn new(semaphore: &'a Semaphore, permits: usize) -> SemaphorePermit<'a> {
        SemaphorePermit(Held { semaphore, permits })
    }

    /// Drops the permits without giving them back: the semaphore has so many fewer.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = goroutines::sync::Semaphore::new(3);
    /// semaphore.acquire_many(2).forget();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    pub fn forget(mut self) {
        self.0.permits = 0;
    }

    /// How many permits these are.
    pub fn num_permits(&self) -> usize {
        self.0.permits
    }

    /// Splits off `n` of these permits; `None` if there are fewer.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = goroutines::sync::Semaphore::new(3);
    /// let mut three = semaphore.acquire_many(3);
    /// let two = three.split(2).unwrap();
    /// assert!(three.split(2).is_none());
    /// drop(three);
    /// assert_eq!((two.num_permits(), semaphore.available_permits()), (2, 1));
    /// ```
    pub fn split(&mut self, n: usize) -> Option<SemaphorePermit<'a>> {
        self.0.split(n).map(SemaphorePermit)
    }

    /// Adds the permits of `other` to these.
    ///
    /// # Panics
    ///
    /// When `other` is of another semaphore; it is given back.
    #[track_caller]
    pub fn merge(&mut self, other: SemaphorePermit<'a>) {
        self.0.merge(other.0);
    }
}

impl OwnedSemaphorePermit {
    #[inline(always)]
    pub(super) fn new(semaphore: Arc<Semaphore>, permits: usize) -> OwnedSemaphorePermit {
        OwnedSemaphorePermit(Held { semaphore, permits })
    }

    /// Drops the permits without giving them back: the semaphore has so many fewer.
    pub fn forget(mut self) {
        self.0.permits = 0;
    }

    /// How many permits these are.
    pub fn num_permits(&self) -> usize {
        self.0.permits
    }

    /// Splits off `n` of these permits; `None` if there are fewer.
    pub fn split(&mut self, n: usize) -> Option<OwnedSemaphorePermit> {
        self.0.split(n).map(OwnedSemaphorePermit)
    }

    /// Adds the permits of `other` to these.
    ///
    /// # Panics
    ///
    /// When `other` is of another semaphore; it is given back.
    #[track_caller]
    pub fn merge(&mut self, other: OwnedSemaphorePermit) {
        self.0.merge(other.0);
    }

    /// The semaphore that these permits are of.
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.0.semaphore
    }
}

impl fmt::Debug for SemaphorePermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemaphorePermit")
            .field("permits", &self.0.permits)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for OwnedSemaphorePermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedSemaphorePermit")
            .field("permits", &self.0.permits)
            .finish_non_exhaustive()
    }
}
