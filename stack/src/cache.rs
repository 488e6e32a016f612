//! The stack cache of a P: a small LIFO list for each class, in front of the shared ones.
//!
//! The stack released last is the warmest, so it is the next one used: goroutines that never park all run on one hot
//! stack. A list holds up to [`BOUND`] windows, fewer of the large ones (see [`bound`]); beyond that the coldest quarter of
//! them moves to the shared list, and an empty list fetches as many. A fresh window gets its guards when it is used and not
//! when it is fetched.
//!
//! Stacks of goroutines that are known to need a later step can be kept there ([`Cache::release_at`]), with guard and memory
//! as they are, so that the next one of that kind neither faults nor costs a system call. They have a list of their own,
//! bounded by the memory that they may hold.
//!
//! Windows that lie in a cache are missing from the shared list. A cache therefore admits its bound with
//! [`reserve`] before it keeps any; where that is refused it keeps none and passes everything on.

use std::io;

use crate::arena;
use crate::class::{CLASSES, Class};
use crate::guard;
use crate::lifo::{BOUND, Lifo};
use crate::range::Range;
use crate::step::Step;
use crate::window::Stack;

/// Address space that a list may hold. It bounds the number of large windows, because each may keep a first step of memory.
const BOUND_BYTES: usize = 256 << 20;

/// Stacks at later steps that a list may hold, and the memory that they may hold together.
const KEPT: usize = 32;
const KEPT_BYTES: usize = 8 << 20;

/// How many windows of `class` a list may hold.
const fn bound(class: Class) -> usize {
    let windows = BOUND_BYTES / class.window();
    match windows {
        0..4 => 4,
        4..BOUND => windows,
        _ => BOUND,
    }
}

/// Windows of `class` that move at once between a cache and the shared list.
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
    /// At the default step.
    free: Lifo,
    /// At later steps.
    kept: Lifo<KEPT>,
    /// Claimed and not carved yet.
    fresh: Range,
    /// Windows this list may hold, carved or not: [`bound`] once admitted, 0 before and where that is refused.
    room: usize,
    /// Stacks that `free` may hold: the room that `kept` and `fresh` leave.
    limit: usize,
}

impl List {
    const fn new() -> List {
        List {
            free: Lifo::new(),
            kept: Lifo::new(),
            fresh: Range::EMPTY,
            room: 0,
            limit: 0,
        }
    }

    #[cold]
    fn acquire_slow(&mut self, class: Class) -> io::Result<Stack> {
        if self.fresh.len() == 0 {
            if !self.admit(class) {
                return arena::acquire(class);
            }
            self.fresh = arena::refill(class, batch(class), |stack| self.free.push(stack))?;
        }
        let stack = match self.free.pop() {
            Some(stack) => Ok(stack),
            None => self.fresh.carve(class),
        };
        self.share_room();
        stack
    }

    /// After a change of `kept` or `fresh`.
    fn share_room(&mut self) {
        self.limit = self.room.saturating_sub(self.kept.len() + self.fresh.len());
    }

    #[cold]
    fn acquire_kept(&mut self, class: Class, step: Step) -> io::Result<Stack> {
        let kept = (step > Step::DEFAULT).then(|| self.kept.pop()).flatten();
        let mut stack = match kept {
            Some(stack) => {
                self.share_room();
                stack
            }
            None => match self.free.pop() {
                Some(stack) => stack,
                None => self.acquire_slow(class)?,
            },
        };
        stack.restart(step);
        Ok(stack)
    }

    /// Takes a stack at a later step, if there is room for it as it is.
    fn keep(&mut self, stack: Stack) -> Result<(), Stack> {
        let class = stack.class();
        let bytes = stack.step().end(class).unwrap_or(class.window());
        let kept = self.kept.len();
        if kept == KEPT || (kept + 1) * bytes > KEPT_BYTES || !self.admit(class) {
            return Err(stack);
        }
        // An empty list must find room for what it fetches.
        if kept + batch(class) >= self.room {
            return Err(stack);
        }
        if kept + self.fresh.len() + self.free.len() >= self.room {
            arena::give_back(class, &mut self.free, batch(class), Range::EMPTY);
        }
        self.kept.push(stack);
        self.share_room();
        Ok(())
    }

    #[cold]
    fn release_slow(&mut self, mut stack: Stack) {
        if stack.has_moved() {
            stack.restart(Step::DEFAULT);
        }
        let class = stack.class();
        if !self.admit(class) {
            return arena::release(stack);
        }
        if self.free.len() >= self.limit {
            arena::give_back(class, &mut self.free, batch(class), Range::EMPTY);
        }
        // Fresh and kept windows may take all the room there is.
        match self.limit {
            0 => arena::release(stack),
            _ => self.free.push(stack),
        }
    }

    /// Whether windows may be kept here.
    fn admit(&mut self, class: Class) -> bool {
        if self.room == 0 && arena::reserve(class, bound(class)).is_ok() {
            self.room = bound(class);
            self.limit = bound(class);
        }
        self.room > 0
    }

    fn drain(&mut self, class: Class) {
        if self.room == 0 {
            return;
        }
        self.kept.take_coldest(KEPT, drop);
        let fresh = std::mem::replace(&mut self.fresh, Range::EMPTY);
        arena::give_back(class, &mut self.free, BOUND, fresh);
        self.limit = 0;
        arena::unreserve(class, std::mem::take(&mut self.room));
    }
}

impl Cache {
    /// An empty cache. It never allocates: its lists are part of it, half a kilobyte for each class.
    pub const fn new() -> Cache {
        Cache {
            lists: [const { List::new() }; CLASSES],
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

    /// [`acquire`](Cache::acquire), but the stack is at `step`, or at its last one if that comes first.
    ///
    /// # Errors
    ///
    /// Those of [`acquire`](crate::acquire).
    pub fn acquire_at(&mut self, class: Class, step: Step) -> io::Result<Stack> {
        self.lists[class.index()].acquire_kept(class, step)
    }

    /// Takes a stack back, at the default step.
    #[inline]
    pub fn release(&mut self, mut stack: Stack) {
        let (class, step) = stack.class_and_step();
        let list = &mut self.lists[class.index()];
        if step != Step::DEFAULT || list.free.len() >= list.limit {
            return list.release_slow(stack);
        }
        list.free.push(stack);
    }

    /// [`release`](Cache::release) of a stack whose likes start at `step`: if it is at that step it may be kept as it is,
    /// for [`acquire_at`](Cache::acquire_at).
    #[cold]
    pub fn release_at(&mut self, stack: Stack, step: Step) {
        let (class, now) = (stack.class(), stack.step());
        if now <= Step::DEFAULT || now != step.min(Step::last(class)) || !guard::has_steps() {
            return self.release(stack);
        }
        let list = &mut self.lists[class.index()];
        if let Err(stack) = list.keep(stack) {
            list.release_slow(stack);
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
        assert_eq!(bounds, [64, 64, 64, 32, 4, 4]);
    }

    #[test]
    fn a_cache_never_holds_more_than_it_admitted() {
        for &class in Class::ALL {
            waves(class);
        }
    }

    const LATER: Step = Step::from_number(3);

    fn waves(class: Class) {
        let mut cache = Cache::new();
        let mut held = Vec::new();
        for round in 0..200_usize {
            // Waves of growing size, so that refills of fresh windows meet lists that fill up.
            for _ in 0..round % 97 {
                held.push(match held.len() % 3 {
                    0 => cache.acquire_at(class, LATER).unwrap(),
                    _ => cache.acquire(class).unwrap(),
                });
                check(&cache, class);
            }
            while held.len() > round % 7 {
                cache.release_at(held.pop().unwrap(), LATER);
                check(&cache, class);
            }
            if round % 50 == 49 {
                cache.drain();
            }
        }
        held.into_iter().for_each(|stack| cache.release(stack));
        cache.drain();
        let list = &cache.lists[class.index()];
        assert_eq!(
            (
                list.free.len(),
                list.kept.len(),
                list.fresh.len(),
                list.room
            ),
            (0, 0, 0, 0)
        );
    }

    fn check(cache: &Cache, class: Class) {
        let list = &cache.lists[class.index()];
        assert!(list.free.len() + list.kept.len() + list.fresh.len() <= list.room);
    }
}
