//! Who waits for a reader-writer lock, and whose turn it is. All of it under the queues' lock.

use super::{
    sleeper::{Sleeper, take, take_all, wake_all},
    waitq::Queue,
};

/// More readers at a time are a mistake: guards that were forgotten. Those who wait may exceed it by
/// their number when they are let in; the word has room for that.
pub(crate) const MOST_READERS: u64 = u32::MAX as u64;

/// There is no room for one more reader.
#[derive(Debug)]
pub(crate) struct TooMany;

impl TooMany {
    #[cold]
    #[track_caller]
    pub(crate) fn panic(self, function: &str) -> ! {
        panic!(
            "goroutines: {function}: {MOST_READERS} readers hold the lock, there is no room for more; \
             drop the guards that are not needed"
        );
    }
}

/// How somebody wants to be inside, or was.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Who is inside.
#[derive(Clone, Copy)]
pub(crate) enum Inside {
    Nobody,
    Readers,
    Writer,
}

/// Who was taken out of the queues to go in.
#[must_use = "they would sleep for ever"]
pub(crate) enum Next {
    Nobody,
    Writer(Sleeper),
    /// So many.
    Readers(u64, Queue<Sleeper>),
}

pub(crate) struct Waiting {
    readers: Queue<Sleeper>,
    writers: Queue<Sleeper>,
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

    pub(crate) fn of(&mut self, access: Access) -> &mut Queue<Sleeper> {
        match access {
            Access::Read => &mut self.readers,
            Access::Write => &mut self.writers,
        }
    }

    /// Takes out who can go in beside `inside`. The turn before was that of `last`, so the other side
    /// comes first.
    pub(crate) fn next(&mut self, inside: Inside, last: Access) -> Next {
        let next = match (inside, last) {
            (Inside::Writer, _) => None,
            // A turn of readers begins with those who are inside.
            (Inside::Readers, Access::Write) => self.readers(),
            // Others join them only if that makes no writer wait for longer.
            (Inside::Readers, Access::Read) if self.writers.is_empty() => self.readers(),
            (Inside::Readers, Access::Read) => None,
            (Inside::Nobody, Access::Write) => self.readers().or_else(|| self.writer()),
            (Inside::Nobody, Access::Read) => self.writer().or_else(|| self.readers()),
        };
        next.unwrap_or(Next::Nobody)
    }

    /// All readers, if there are any.
    fn readers(&mut self) -> Option<Next> {
        let mut all = Queue::new();
        let count = take_all(&mut self.readers, &mut all);
        (count > 0).then_some(Next::Readers(count, all))
    }

    /// The first writer.
    fn writer(&mut self) -> Option<Next> {
        let writer = take(&mut self.writers)?;
        Some(Next::Writer(writer.data))
    }
}

impl Next {
    /// Wakes them; without the queues' lock.
    ///
    /// # Safety
    ///
    /// They are inside, by the word.
    pub(crate) unsafe fn wake(self) {
        // SAFETY: they were taken out by `take` and `take_all`, and `self` is used up.
        unsafe {
            match self {
                Next::Nobody => {}
                Next::Writer(writer) => writer.wake(),
                Next::Readers(_, readers) => wake_all(readers),
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn too_many_readers_are_told_what_to_do() {
        let text = std::panic::catch_unwind(|| TooMany.panic("RwLock::read")).unwrap_err();
        let text = text.downcast::<String>().expect("a text");
        assert_eq!(
            *text,
            "goroutines: RwLock::read: 4294967295 readers hold the lock, there is no room for more; \
             drop the guards that are not needed"
        );
    }
}
