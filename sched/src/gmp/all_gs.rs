//! All Gs: those of goroutines that run, wait or are queued, and dead ones. Memory that was a G stays one, so the
//! list only grows.

use crate::{
    gmp::g::G,
    protocol::sync::{Mutex, MutexGuard, lock, try_lock},
};

pub(crate) struct AllGs {
    batches: Mutex<Vec<&'static [G]>>,
    /// See [`AllGs::right_to_words`].
    words: Mutex<()>,
}

impl AllGs {
    pub(crate) fn new() -> AllGs {
        AllGs {
            batches: Mutex::new(Vec::new()),
            words: Mutex::new(()),
        }
    }

    /// The right to use the words of shrink_word.rs: of the shrinker, or of one that reads stacks. It is held while some
    /// goroutines are worked on, and never while its owner waits for a goroutine.
    pub(crate) fn right_to_words(&self) -> MutexGuard<'_, ()> {
        lock(&self.words)
    }

    /// As [`AllGs::right_to_words`], if nobody has it now.
    pub(crate) fn try_right_to_words(&self) -> Option<MutexGuard<'_, ()>> {
        try_lock(&self.words)
    }

    /// The batch with this index, if there is one; `None` while the list is locked.
    pub(crate) fn try_batch(&self, index: usize) -> Option<Option<&'static [G]>> {
        Some(try_lock(&self.batches)?.get(index).copied())
    }

    /// Adds a batch of new Gs, which are dead. Returns how many batches there are.
    pub(crate) fn add(&self, new: &'static [G]) -> usize {
        let mut batches = lock(&self.batches);
        batches.push(new);
        batches.len()
    }

    /// Returns whether `is_it` is true of a G, dead ones included. The list is locked meanwhile.
    pub(crate) fn any(&self, is_it: impl Fn(&G) -> bool) -> bool {
        lock(&self.batches).iter().copied().flatten().any(is_it)
    }

    /// Every G, dead ones included. The list is locked for a moment between two batches and not while a batch is
    /// iterated; Gs that are added meanwhile are included.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static G> {
        (0..)
            .map_while(|index| lock(&self.batches).get(index).copied())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gmp::g::Kind;

    fn batch(len: usize) -> &'static [G] {
        Vec::leak((0..len).map(|_| G::new(Kind::Goroutine)).collect())
    }

    #[test]
    fn every_g_comes_once_and_in_order_also_one_that_is_added_meanwhile() {
        let (gs, first, second) = (AllGs::new(), batch(3), batch(2));
        assert_eq!(gs.add(first), 1);
        let mut all = gs.iter();
        assert!(
            all.next()
                .is_some_and(|g| std::ptr::eq(g, &raw const first[0]))
        );
        assert_eq!(gs.add(second), 2);
        let rest: Vec<*const G> = all.map(std::ptr::from_ref).collect();
        let expected: Vec<*const G> = first[1..]
            .iter()
            .chain(second)
            .map(std::ptr::from_ref)
            .collect();
        assert_eq!(rest, expected);
    }

    #[test]
    fn any_looks_at_every_batch() {
        let gs = AllGs::new();
        assert!(!gs.any(|_| true));
        let (first, second) = (batch(2), batch(2));
        gs.add(first);
        gs.add(second);
        second[1].set_last(128);
        assert!(gs.any(|g| g.last() == 128));
        assert!(!gs.any(|g| g.last() == 256));
    }
}
