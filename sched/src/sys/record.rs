//! std's record of a thread, to which each handle of `std::thread::current()` points; and who keeps such a handle.
//!
//! ```text
//!   handle ──► | references | weak ones | name, number, parker of the thread |
//! ```
//!
//! Code that keeps a handle waits for an `unpark` of this thread. It may keep it behind a pointer: `std::thread::scope`
//! has it in an allocation that it shares with its threads. The number of references says whether anything keeps one
//! at all; only then it is worth looking behind the pointers of a stack.

use std::{
    iter,
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    thread::{self, Thread},
};

use super::peek::{self, PLACES};

/// Two reference counts, and at least a name and a number of eight bytes: the least size of the record, in bytes.
const SIZE: usize = 4 * size_of::<usize>() + 8;

/// How many references there are while nobody keeps a handle: that of the thread itself, and the one in `Record`.
const OWN: usize = 2;

/// How much is read behind a pointer, in words: the head of an allocation.
const WORDS: usize = 16;

/// Pages are no smaller, in bytes: nothing ends between two multiples of it.
const PAGE: usize = 4096;

/// The addresses that programs have. With 32 bits the upper half may be theirs too.
const ADDRESSES: Range<usize> = PAGE..match usize::BITS {
    32 => usize::MAX - PAGE,
    _ => isize::MAX.cast_unsigned(),
};

/// The record of one thread.
#[derive(Debug)]
pub(crate) struct Record {
    /// Keeps the record in its place.
    _handle: Thread,
    /// The address of the record.
    start: usize,
}

impl Record {
    /// The record of the calling thread; `None` if std's handle does not look as assumed.
    pub(crate) fn here() -> Option<Record> {
        let handle = thread::current();
        if size_of::<Thread>() != size_of::<usize>() {
            return None;
        }
        // SAFETY: the handle is as large as a word, and has no padding then, as it can be moved to other threads and holds
        // a reference.
        let start = unsafe { std::mem::transmute_copy::<Thread, usize>(&handle) };
        (start != 0).then_some(Record {
            _handle: handle,
            start,
        })
    }

    /// Where it is: its first address, and its size in bytes.
    pub(crate) fn range(&self) -> (usize, usize) {
        (self.start, SIZE)
    }

    /// Returns whether anything else than the thread keeps a handle of it.
    fn is_kept(&self) -> bool {
        // SAFETY: std's handle is an `Arc`, whose counts lie before what it shares; `_handle` keeps both alive, and std
        // changes the count by atomic operations. The tests see that it is the count.
        let references = unsafe { AtomicUsize::from_ptr(self.start as *mut usize) };
        // Relaxed: who took the goroutine that keeps a handle from a queue sees what it did before.
        references.load(Ordering::Relaxed) > OWN
    }

    /// Returns whether a handle of the thread lies behind one of these words, or that cannot be told.
    pub(crate) fn is_behind(&self, words: &[usize]) -> bool {
        if !self.is_kept() {
            return false;
        }
        let ends = words.as_ptr_range();
        let here = ends.start.addr()..ends.end.addr();
        let mut pointers = words.iter().copied().filter(|word| {
            ADDRESSES.contains(word)
                && word.is_multiple_of(align_of::<usize>())
                && !here.contains(word)
        });
        iter::from_fn(|| {
            let mut batch = [0; PLACES];
            let count = batch
                .iter_mut()
                .zip(&mut pointers)
                .map(|(slot, word)| *slot = word)
                .count();
            (count > 0).then_some((batch, count))
        })
        .any(|(batch, count)| self.is_in_any(&batch[..count]))
    }

    /// Returns whether a handle lies at the head of what one of `places` points to, or that cannot be told.
    fn is_in_any(&self, mut places: &[usize]) -> bool {
        let mut found = [[0; WORDS]; PLACES];
        while !places.is_empty() {
            let whole = match peek::all(places, &mut found) {
                Ok(whole) => whole,
                Err(error) if error.raw_os_error() == Some(libc::EFAULT) => 0,
                // The system does not let the process read itself.
                Err(_) => return true,
            };
            if found[..whole].as_flattened().contains(&self.start) {
                return true;
            }
            // The next one was not read, or not whole: it is none, or lies at the end of what is mapped.
            let Some(next) = places.get(whole) else {
                return false;
            };
            let left = (PAGE - next % PAGE) / size_of::<usize>();
            let rest = (0..left.min(WORDS)).map(|word| next + word * size_of::<usize>());
            if left < WORDS && rest.filter_map(peek::word).any(|word| word == self.start) {
                return true;
            }
            places = &places[whole + 1..];
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::{
        hint::black_box,
        sync::{Arc, atomic::AtomicBool, mpsc},
    };

    use super::*;

    const WORD: usize = size_of::<usize>();

    /// Runs `body` on a thread whose starter has given up its handle.
    fn on_a_thread(body: impl FnOnce(Record) + Send + 'static) {
        let (tx, rx) = mpsc::channel();
        let is_dropped = Arc::new(AtomicBool::new(false));
        let go = Arc::clone(&is_dropped);
        drop(thread::spawn(move || {
            // Not a wait of std: those keep a handle for the next one.
            while !go.load(Ordering::Acquire) {
                thread::yield_now();
            }
            body(Record::here().expect("a handle is a word"));
            tx.send(()).expect("the test waits");
        }));
        is_dropped.store(true, Ordering::Release);
        rx.recv().expect("it does not panic");
    }

    #[test]
    fn a_handle_that_is_kept_is_counted() {
        on_a_thread(|record| {
            assert!(!record.is_kept(), "{record:?}");
            let kept = thread::current();
            assert!(record.is_kept(), "{record:?}");
            drop(kept);
            assert!(!record.is_kept(), "{record:?}");
        });
    }

    #[test]
    fn a_handle_behind_a_pointer_is_found_while_it_is_kept() {
        on_a_thread(|record| {
            let boxed = Box::new((1_usize, 2_usize, thread::current()));
            let nowhere = isize::MAX.cast_unsigned() & !(PAGE - 1);
            let words = [7, usize::MAX, 4096, nowhere, &raw const *boxed as usize, 0];
            assert!(record.is_behind(black_box(&words)));
            assert!(!record.is_behind(&words[..4]));
            assert!(!record.is_behind(&[]));
            drop(boxed);
            assert!(!record.is_behind(&[words.as_ptr() as usize; 100]));
        });
    }

    #[test]
    fn a_handle_of_another_thread_is_none() {
        on_a_thread(|record| {
            let other = thread::spawn(thread::current).join().expect("it ends");
            let (kept, boxed) = (thread::current(), Box::new(other));
            assert!(!record.is_behind(black_box(&[&raw const *boxed as usize])));
            drop(kept);
        });
    }

    #[test]
    fn words_that_point_nowhere_hide_none_of_those_behind_them() {
        on_a_thread(|record| {
            let boxed = Box::new(thread::current());
            for place in 0..100 {
                let mut words = [4096_usize; 100];
                words[place] = &raw const *boxed as usize;
                assert!(record.is_behind(black_box(&words)), "{place}");
            }
        });
    }

    #[test]
    fn the_last_words_that_are_mapped_are_read() {
        on_a_thread(|record| {
            let len = 2 * 65536;
            // SAFETY: a new mapping, at a place that the kernel chooses.
            let pages = unsafe {
                let protection = libc::PROT_READ | libc::PROT_WRITE;
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
                libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0)
            };
            assert_ne!(pages, libc::MAP_FAILED);
            let end = pages.addr() + len / 2;
            // SAFETY: the second half of the mapping, which nothing uses; then a word of the first half.
            unsafe {
                assert_eq!(libc::mprotect(end as *mut _, len / 2, libc::PROT_NONE), 0);
                ((end - WORD) as *mut usize).write(record.start);
            }
            let kept = thread::current();
            assert!(record.is_behind(black_box(&[end - 2 * WORD])));
            assert!(record.is_behind(black_box(&[end, end - WORD])));
            assert!(!record.is_behind(black_box(&[end])));
            drop(kept);
            // SAFETY: the mapping made above.
            assert_eq!(unsafe { libc::munmap(pages, len) }, 0);
        });
    }
}
