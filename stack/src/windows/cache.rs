//! The stack cache of a P: a small LIFO list for each class, in front of the shared ones.
//!
//! The stack released last is the warmest, so it is the next one used: goroutines that never park all run on one warm
//! stack. A list holds up to [`BOUND`] windows, fewer of the large ones (see [`bound`]); beyond that the coldest quarter of
//! them moves to the shared list, and an empty list fetches as many. Fresh windows get their guards when one is used and not
//! when they are fetched: the first few stacks one by one, then up to sixteen with one system call.
//!
//! Paged stacks keep the memory that was used on them, so that the next goroutine does not take the same page faults. What
//! is not needed goes back from the shared list after a while ([`give_back_idle`](crate::give_back_idle)). The scheduler
//! therefore calls [`shed`](Cache::shed) from time to time, which moves the colder stacks there.
//!
//! Windows that lie in a cache are missing from the shared list. A cache therefore admits its bound with
//! [`reserve`] before it keeps any. Where that is refused it keeps none, and windows come from and go to the shared list.

use std::io;

use crate::memory::class::{CLASSES, Class};
use crate::memory::step::{Step, default_start};
use crate::windows::admission::{reserve, unreserve};
use crate::windows::arena;
use crate::windows::chunk::Range;
use crate::windows::lifo::{BOUND, Lifo};
use crate::windows::shared;
use crate::windows::window::Stack;

/// Address space that a list may hold. It bounds the number of large windows, because all of it may be memory.
const BOUND_BYTES: usize = 256 << 20;

/// Address space that a list may hold when it has shed the rest.
const WARM_BYTES: usize = 4 << 20;

/// Returns how many windows of `class` a list may hold.
const fn bound(class: Class) -> usize {
    let windows = BOUND_BYTES / class.window();
    match windows {
        0..4 => 4,
        4..BOUND => windows,
        _ => BOUND,
    }
}

/// Returns how many stacks of `class` stay in a list that sheds the others.
const fn warm(class: Class) -> usize {
    let windows = WARM_BYTES / class.window();
    match windows {
        0..4 => windows,
        _ => 4,
    }
}

/// Returns how many windows of `class` move at once between a cache and the shared list.
const fn batch(class: Class) -> usize {
    bound(class) / 4
}

/// Stacks at hand for one P. Needs no lock: it has one owner.
///
/// ```
/// use goroutines_stack::{Cache, Class};
/// let mut cache = Cache::new();
/// let stack = cache.acquire(Class::DEFAULT)?;
/// let top = stack.top();
/// cache.release(stack);
/// assert_eq!(cache.acquire(Class::DEFAULT)?.top(), top);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Cache {
    lists: [List; CLASSES],
}

struct List {
    free: Lifo,
    /// Claimed and not carved yet.
    fresh: Range,
    /// Windows this list may hold, carved or not: [`bound`] once admitted, 0 before and where that is refused.
    room: usize,
    /// Stacks that `free` may hold: the room that `fresh` leaves.
    limit: usize,
}

impl List {
    const fn new() -> List {
        List {
            free: Lifo::new(),
            fresh: Range::EMPTY,
            room: 0,
            limit: 0,
        }
    }

    #[cold]
    fn acquire_slow(&mut self, class: Class) -> io::Result<Stack> {
        if self.fresh.len() == 0 {
            if !self.admit(class) {
                return shared::acquire(class);
            }
            self.fresh = shared::refill(class, batch(class), |stack| self.free.push(stack))?;
        }
        let mut carved = Ok(());
        if self.free.len() == 0 {
            let keep = |stack| self.free.push(stack);
            carved = arena::of(class).carve_some(&mut self.fresh, class, keep);
        }
        self.share_room();
        carved?;
        match self.free.pop() {
            Some(stack) => Ok(stack),
            None => unreachable!("goroutines: carving has made no stack, and no error"),
        }
    }

    /// Computes `limit` after a change of `fresh`.
    fn share_room(&mut self) {
        self.limit = self.room.saturating_sub(self.fresh.len());
    }

    /// Moves all but the warmest to the shared list.
    fn shed(&mut self, class: Class) {
        let cold = self.free.len().saturating_sub(warm(class));
        if cold > 0 {
            shared::give_back(class, &mut self.free, cold, Range::EMPTY);
        }
    }

    #[cold]
    fn release_slow(&mut self, mut stack: Stack) {
        stack.restart(default_start());
        let class = stack.class();
        if !self.admit(class) {
            return shared::release(stack);
        }
        if self.free.len() >= self.limit {
            shared::give_back(class, &mut self.free, batch(class), Range::EMPTY);
        }
        // Fresh windows may take all the room there is.
        match self.limit {
            0 => shared::release(stack),
            _ => self.free.push(stack),
        }
    }

    /// Returns whether windows may be kept here.
    fn admit(&mut self, class: Class) -> bool {
        if self.room == 0 && reserve(class, bound(class)).is_ok() {
            self.room = bound(class);
            self.limit = bound(class);
        }
        self.room > 0
    }

    fn drain(&mut self, class: Class) {
        if self.room == 0 {
            return;
        }
        let fresh = std::mem::replace(&mut self.fresh, Range::EMPTY);
        shared::give_back(class, &mut self.free, BOUND, fresh);
        self.limit = 0;
        unreserve(class, std::mem::take(&mut self.room));
    }
}

impl Cache {
    /// An empty cache. It never allocates: its lists are part of it, half a kilobyte for each class.
    pub const fn new() -> Cache {
        Cache {
            lists: [const { List::new() }; CLASSES],
        }
    }

    /// Makes an empty cache at `place`, list by list: a whole `Cache` on the stack is more than some stacks have left.
    ///
    /// # Safety
    ///
    /// `place` is valid for writes, and no other thread uses it meanwhile.
    pub unsafe fn make_at(place: *mut Cache) {
        for class in 0..CLASSES {
            // SAFETY: `place` is valid for writes and has `CLASSES` lists, and `class` is below that number.
            unsafe {
                (&raw mut (*place).lists)
                    .cast::<List>()
                    .add(class)
                    .write(List::new())
            };
        }
    }

    /// A stack of `class`: the one released here last, else one from the shared list, else a fresh window.
    ///
    /// # Errors
    ///
    /// Those of [`acquire`](crate::acquire).
    #[inline]
    pub fn acquire(&mut self, class: Class) -> io::Result<Stack> {
        let list = &mut self.lists[class.index()];
        match list.free.pop() {
            Some(stack) => Ok(stack),
            None => list.acquire_slow(class),
        }
    }

    /// [`acquire`](Cache::acquire), but the stack is at `step`, or paged where its class has no such step.
    ///
    /// # Errors
    ///
    /// Those of [`acquire`](crate::acquire).
    pub fn acquire_at(&mut self, class: Class, step: Step) -> io::Result<Stack> {
        let mut stack = self.acquire(class)?;
        stack.restart(step);
        Ok(stack)
    }

    /// Takes a stack back. A guarded one is brought back to where stacks start.
    #[inline]
    pub fn release(&mut self, mut stack: Stack) {
        let (class, step) = stack.class_and_step();
        let list = &mut self.lists[class.index()];
        if step != default_start() || list.free.len() >= list.limit {
            return list.release_slow(stack);
        }
        list.free.push(stack);
    }

    /// Moves all but the few warmest stacks to the shared lists. Other caches take them from there; the memory of those that
    /// none takes goes back to the kernel.
    #[cold]
    pub fn shed(&mut self) {
        for class in Class::ALL {
            self.lists[class.index()].shed(*class);
        }
    }

    /// Gives everything back to the shared lists, for a P that is no longer used.
    pub fn drain(&mut self) {
        for class in Class::ALL {
            self.lists[class.index()].drain(*class);
        }
    }
}

impl Default for Cache {
    fn default() -> Cache {
        Cache::new()
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.drain();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_windows_are_kept_in_small_numbers() {
        let bounds: Vec<usize> = Class::ALL.iter().map(|&class| bound(class)).collect();
        assert!([64, 64, 64, 32, 4, 4].starts_with(&bounds), "{bounds:?}");
    }

    #[test]
    fn a_cache_never_holds_more_than_it_admitted() {
        // Of the largest there would be more than an address space of 32 bits has room for.
        let classes = Class::usable().iter();
        for class in classes.filter(|class| class.window() <= usize::MAX / 8 / 200) {
            waves(*class);
        }
    }

    const GUARDED: Step = Step::from_number(1);

    fn waves(class: Class) {
        let mut cache = Cache::new();
        let mut held = Vec::new();
        for round in 0..200_usize {
            // Waves of growing size, so that refills of fresh windows meet lists that fill up.
            for _ in 0..round % 97 {
                held.push(match held.len() % 3 {
                    0 => cache.acquire_at(class, GUARDED).unwrap(),
                    _ => cache.acquire(class).unwrap(),
                });
                check(&cache, class);
            }
            while held.len() > round % 7 {
                cache.release(held.pop().unwrap());
                check(&cache, class);
            }
            match round % 50 {
                49 => cache.drain(),
                24 => cache.shed(),
                _ => {}
            }
            check(&cache, class);
        }
        held.into_iter().for_each(|stack| cache.release(stack));
        cache.drain();
        let list = &cache.lists[class.index()];
        assert_eq!((list.free.len(), list.fresh.len(), list.room), (0, 0, 0));
    }

    fn check(cache: &Cache, class: Class) {
        let list = &cache.lists[class.index()];
        assert!(list.free.len() + list.fresh.len() <= list.room);
    }
}
