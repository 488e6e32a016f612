//! The spans that a goroutine, or a plain OS thread, has entered and not left.

use std::cell::RefCell;

use tracing::span::Id;

crate::goroutine_local! {
    static ENTERED: RefCell<Entered> = RefCell::new(Entered { spans: Vec::new() });
}

/// One entry of a span.
struct Entry {
    /// The registry that knows the span: ids of different registries are equal.
    registry: usize,
    id: Id,
    /// The span was entered before, and not left since.
    again: bool,
}

/// Spans in the order in which they were entered.
struct Entered {
    spans: Vec<Entry>,
}

impl Entered {
    fn push(&mut self, registry: usize, id: Id) {
        let again = self.of(registry).any(|entry| entry.id == id);
        self.spans.push(Entry {
            registry,
            id,
            again,
        });
    }

    /// Removes the latest entry of the span. It need not be the latest of all: guards are dropped in any order.
    fn remove(&mut self, registry: usize, id: &Id) {
        let is_it = |entry: &Entry| entry.registry == registry && entry.id == *id;
        if let Some(at) = self.spans.iter().rposition(is_it) {
            self.spans.remove(at);
        }
    }

    fn of(&self, registry: usize) -> impl DoubleEndedIterator<Item = &Entry> {
        self.spans
            .iter()
            .filter(move |entry| entry.registry == registry)
    }

    fn current(&self, registry: usize) -> Option<&Id> {
        let mut youngest = self.of(registry).rev();
        Some(&youngest.find(|entry| !entry.again)?.id)
    }
}

// At the end of a goroutine its local values are destroyed, this one perhaps before another whose destructor uses spans:
// then it is in no span.

/// The caller enters a span of `registry`.
pub(super) fn enter(registry: usize, id: Id) {
    let _ = ENTERED.try_with(|entered| entered.borrow_mut().push(registry, id));
}

/// The caller leaves a span of `registry`.
pub(super) fn exit(registry: usize, id: &Id) {
    let _ = ENTERED.try_with(|entered| entered.borrow_mut().remove(registry, id));
}

/// The span of `registry` that the caller is in.
pub(super) fn current(registry: usize) -> Option<Id> {
    let current = ENTERED.try_with(|entered| entered.borrow().current(registry).cloned());
    current.ok().flatten()
}

/// Makes `copy` the list of all spans of `registry` that the caller is in, the outermost first. `leave` is called for
/// each that it had, the last first, and `enter` for each that it has, unless it is that list already.
pub(super) fn copy_to(
    registry: usize,
    copy: &mut Vec<Id>,
    leave: impl FnMut(&Id),
    enter: impl FnMut(&Id),
) {
    let update = |entered: &RefCell<Entered>| {
        let entered = entered.borrow();
        let own = || entered.of(registry).map(|entry| &entry.id);
        if !own().eq(copy.iter()) {
            copy.iter().rev().for_each(leave);
            copy.clear();
            copy.extend(own().cloned());
            copy.iter().for_each(enter);
        }
    };
    let _ = ENTERED.try_with(update);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> Id {
        Id::from_u64(number)
    }

    #[test]
    fn the_current_span_is_the_latest_that_is_not_a_repetition() {
        let mut entered = Entered { spans: Vec::new() };
        assert_eq!(entered.current(1), None);
        entered.push(1, id(7));
        entered.push(1, id(8));
        entered.push(1, id(7));
        assert_eq!(entered.current(1), Some(&id(8)), "7 is further out already");
        entered.remove(1, &id(8));
        assert_eq!(entered.current(1), Some(&id(7)));
        entered.remove(1, &id(7));
        assert_eq!(entered.current(1), Some(&id(7)), "it was entered twice");
        entered.remove(1, &id(7));
        entered.remove(1, &id(7));
        assert_eq!(entered.current(1), None);
    }

    #[test]
    fn registries_do_not_see_each_others_spans() {
        let mut entered = Entered { spans: Vec::new() };
        entered.push(1, id(7));
        entered.push(2, id(7));
        entered.push(2, id(9));
        assert_eq!(entered.current(1), Some(&id(7)));
        entered.remove(1, &id(9));
        assert_eq!(entered.current(2), Some(&id(9)));
        entered.remove(1, &id(7));
        assert_eq!(
            (entered.current(1), entered.current(2)),
            (None, Some(&id(9)))
        );
    }

    #[test]
    fn a_copy_is_renewed_when_it_differs_and_only_then() {
        let mut copy = vec![id(3)];
        enter(77, id(5));
        enter(77, id(6));
        let (mut left, mut came) = (Vec::new(), Vec::new());
        let mut renew = |copy: &mut Vec<Id>| {
            copy_to(
                77,
                copy,
                |id| left.push(id.clone()),
                |id| came.push(id.clone()),
            );
        };
        renew(&mut copy);
        renew(&mut copy);
        exit(77, &id(6));
        renew(&mut copy);
        exit(77, &id(5));
        renew(&mut copy);
        assert_eq!(copy, []);
        assert_eq!(left, [id(3), id(6), id(5), id(5)]);
        assert_eq!(came, [id(5), id(6), id(5)]);
    }
}
