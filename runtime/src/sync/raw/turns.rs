//! The waiters for a reader-writer lock, and which of them are next. All of it under the queues' lock.

use super::{
    rwword::{Access, Inside},
    sleeper::{Sleeper, Sleeps, take, wake_all},
    waiter::Waiter,
    waitq::Queue,
};

/// The waiters that were taken out of the queues.
#[must_use = "they would sleep for ever"]
pub(crate) enum Next {
    Nobody,
    Writer(Sleeper),
    /// So many.
    Readers(u64, Queue<Waiter>),
}

pub(crate) struct Waiting {
    readers: Queue<Waiter>,
    writers: Queue<Waiter>,
}

impl Waiting {
    pub(crate) const fn new() -> Waiting {
        Waiting {
            readers: Queue::new(),
            writers: Queue::new(),
        }
    }

    pub(crate) fn are_none(&self) -> bool {
        self.readers.is_empty() && self.writers.is_empty()
    }

    pub(crate) fn of(&mut self, access: Access) -> &mut Queue<Waiter> {
        match access {
            Access::Read => &mut self.readers,
            Access::Write => &mut self.writers,
        }
    }

    /// Takes out the waiters that can go in beside `inside`; if they are `served` they are inside from now on. The turn
    /// before was that of `last`, so the other side comes first. Also returns whether one of them starves.
    pub(crate) fn next(&mut self, inside: Inside, last: Access, served: bool) -> (Next, bool) {
        let next = match (inside, last) {
            (Inside::Writer, _) => None,
            // A turn of readers begins with those that are inside.
            (Inside::Readers, Access::Write) => self.readers(served),
            // Others join them only if that makes no writer wait for longer.
            (Inside::Readers, Access::Read) if self.writers.is_empty() => self.readers(served),
            (Inside::Readers, Access::Read) => None,
            (Inside::Nobody, Access::Write) => self.readers(served).or_else(|| self.writer(served)),
            (Inside::Nobody, Access::Read) => self.writer(served).or_else(|| self.readers(served)),
        };
        next.unwrap_or((Next::Nobody, false))
    }

    /// All readers, if there are any.
    fn readers(&mut self, served: bool) -> Option<(Next, bool)> {
        let mut all = Queue::new();
        let (mut count, mut starves) = (0, false);
        while let Some(reader) = take(&mut self.readers) {
            if served {
                reader.data.serve();
                // The first has waited for longest.
                starves = starves || count == 0 && reader.data.starves();
            }
            // SAFETY: it is in no queue any more, and stays until it is woken.
            unsafe { all.push_back(reader) };
            count += 1;
        }
        (count > 0).then_some((Next::Readers(count, all), starves))
    }

    /// The first writer.
    fn writer(&mut self, served: bool) -> Option<(Next, bool)> {
        let writer = &take(&mut self.writers)?.data;
        if served {
            writer.serve();
        }
        Some((Next::Writer(writer.sleeper()), served && writer.starves()))
    }
}

impl Next {
    /// Wakes them; without the queues' lock.
    ///
    /// # Safety
    ///
    /// If they were served they are inside, by the word; if not, the word says that some were woken.
    pub(crate) unsafe fn wake(self) {
        // SAFETY: they were taken out by `take`, and `self` is used up.
        unsafe {
            match self {
                Next::Nobody => {}
                Next::Writer(writer) => writer.wake(),
                Next::Readers(_, readers) => wake_all(readers),
            }
        }
    }
}
