//! Where a thread's thread-local storage lies.
//!
//! ```text
//!   variant II (x86, s390x)                       variant I (others)
//!   | blocks of the modules: libc, ..., program |  | thread descriptor  |
//!   +-------------------------------------------+  +--------------------+ ◄ thread pointer
//!   | thread descriptor                         |  | blocks: program, ..., libc
//!   ◄ thread pointer
//! ```
//!
//! The dynamic linker reports the blocks that exist (the block of a library that is loaded later does not exist yet),
//! and `pthread_self` is the descriptor, which lies beside the thread pointer. Its size is the C library's secret. In variant
//! I it ends where the nearest block begins. In variant II it lies at the end of a mapping, and is smaller than a page.
//! Blocks that lie close together form one range, so that there is usually one. A further range is std's record of the
//! thread (record.rs).

use std::{
    ffi::{c_int, c_void},
    slice,
};

use super::{asm::TLS_BELOW_THREAD_POINTER, record::Record};

/// Blocks no further apart than this, in bytes, form one range: the descriptor is larger than the distances between
/// blocks, and smaller than this.
const CLOSE: usize = 4096;

/// Addresses from `start` up to `start + len`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Range {
    start: usize,
    len: usize,
}

/// The thread-local storage of one thread.
#[derive(Debug)]
pub(crate) struct Tls {
    ranges: Box<[Range]>,
    record: Option<Record>,
}

impl Tls {
    /// No storage: nothing points into it.
    pub(crate) fn none() -> Tls {
        Tls {
            ranges: Box::default(),
            record: None,
        }
    }

    /// The storage of the calling thread.
    pub(crate) fn here() -> Tls {
        let mut blocks: Vec<Range> = Vec::new();
        // SAFETY: `note_block` is given the vector, which outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(note_block), (&raw mut blocks).cast()) };
        // SAFETY: takes nothing and only reads.
        let descriptor = unsafe { libc::pthread_self() } as usize;
        blocks.push(descriptor_range(descriptor, &blocks));
        let record = Record::here();
        let mut ranges = merged(blocks);
        // Not merged: what lies between is memory of others.
        ranges.extend(record.iter().map(|record| {
            let (start, len) = record.range();
            Range { start, len }
        }));
        Tls {
            ranges: ranges.into(),
            record,
        }
    }

    /// Returns whether a word from `low` up to `high` points into the storage, or to a handle of the thread.
    ///
    /// # Safety
    ///
    /// Both are aligned to words, everything between them is readable, and no thread writes to it.
    pub(crate) unsafe fn is_pointed_at(&self, low: *const u8, high: *const u8) -> bool {
        let count = (high.addr() - low.addr()) / size_of::<usize>();
        // SAFETY: both ends are aligned, and what is between them is readable while this looks at it; to the compiler
        // this is memory from elsewhere, all of it written.
        let words = unsafe { slice::from_raw_parts(low.cast::<usize>(), count) };
        let behind = |record: &Record| record.is_behind(words);
        self.ranges.iter().any(|range| range.is_in(words))
            || self.record.as_ref().is_some_and(behind)
    }
}

impl Range {
    /// Without a branch for each word, so that the compiler can compare several at a time.
    fn is_in(self, words: &[usize]) -> bool {
        words.chunks(32).any(|chunk| {
            let hits = chunk
                .iter()
                .map(|word| word.wrapping_sub(self.start) < self.len);
            hits.fold(false, |any, hit| any | hit)
        })
    }
}

/// Where the descriptor of a thread lies, which begins at `start`.
fn descriptor_range(start: usize, blocks: &[Range]) -> Range {
    let nearest = blocks.iter().map(|block| block.start);
    let nearest = nearest.filter(|block| !TLS_BELOW_THREAD_POINTER && *block > start);
    let end = match nearest.min() {
        Some(block) if block - start <= CLOSE => block,
        _ => (start + 1).next_multiple_of(CLOSE),
    };
    Range {
        start,
        len: end - start,
    }
}

/// In order, with neighbours that lie close together merged.
fn merged(mut blocks: Vec<Range>) -> Vec<Range> {
    blocks.sort_unstable_by_key(|block| block.start);
    let mut all: Vec<Range> = Vec::new();
    for block in blocks {
        match all.last_mut() {
            Some(last) if block.start <= last.start + last.len + CLOSE => {
                last.len = last.len.max(block.start + block.len - last.start);
            }
            _ => all.push(block),
        }
    }
    all
}

/// Called for each module of the program: notes its block for this thread, if it has one.
unsafe extern "C" fn note_block(
    info: *mut libc::dl_phdr_info,
    size: usize,
    blocks: *mut c_void,
) -> c_int {
    // SAFETY: the linker passes a record that is valid during the call, of `size` bytes, and the vector of `here`.
    let (info, blocks) = unsafe { (&*info, &mut *blocks.cast::<Vec<Range>>()) };
    if size < size_of::<libc::dl_phdr_info>() || info.dlpi_tls_data.is_null() {
        return 0;
    }
    // SAFETY: the record says where the module's program headers are, and how many.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    if let Some(tls) = headers.iter().find(|header| header.p_type == libc::PT_TLS) {
        blocks.push(Range {
            start: info.dlpi_tls_data.addr(),
            len: tls.p_memsz as usize,
        });
    }
    0
}

#[cfg(test)]
mod tests {
    use std::thread::{self, Thread};

    use super::*;

    /// Without a look behind the word: what lies there is chance.
    fn points_into(tls: &Tls, word: usize) -> bool {
        let words = [0, 1, usize::MAX, word, 7];
        tls.ranges.iter().any(|range| range.is_in(&words))
    }

    #[test]
    fn errno_and_the_descriptor_are_in_the_range_of_their_thread_only() {
        let addresses = || {
            // SAFETY: both only answer with an address.
            unsafe {
                [
                    libc::__errno_location().addr(),
                    libc::pthread_self() as usize,
                ]
            }
        };
        let here = Tls::here();
        let others = thread::spawn(addresses).join().unwrap();
        let on_stack = 0;
        for mine in addresses() {
            assert!(points_into(&here, mine), "{mine:#x} in {here:x?}");
        }
        for foreign in others
            .into_iter()
            .chain([std::ptr::from_ref(&on_stack).addr(), 0])
        {
            assert!(!points_into(&here, foreign), "{foreign:#x} in {here:x?}");
        }
    }

    #[test]
    fn a_thread_of_a_plain_program_has_one_range_and_the_one_of_its_handle() {
        let tls = thread::spawn(Tls::here).join().unwrap();
        assert_eq!(tls.ranges.len(), 2, "{tls:x?}");
    }

    #[test]
    fn a_handle_of_the_thread_is_seen_and_one_of_another_is_not() {
        let word = |handle: &Thread| {
            // SAFETY: a `Thread` is no smaller than a `usize`, which the call asserts, and holds a reference without padding.
            unsafe { std::mem::transmute_copy::<Thread, usize>(handle) }
        };
        let here = Tls::here();
        let other = thread::spawn(thread::current).join().unwrap();
        assert!(points_into(&here, word(&thread::current())));
        assert!(!points_into(&here, word(&other)));
    }

    #[test]
    fn a_descriptor_ends_at_the_block_behind_it_or_at_the_end_of_its_page() {
        let block = |start| Range { start, len: 8 };
        let len = |start, blocks: &[Range]| descriptor_range(start, blocks).len;
        assert_eq!(len(4096 + 3000, &[]), 1096);
        assert_eq!(len(4096 + 3000, &[block(100), block(90_000)]), 1096);
        let behind = if TLS_BELOW_THREAD_POINTER { 1096 } else { 2000 };
        let blocks = [block(10_000), block(4096 + 5000), block(5000)];
        assert_eq!(len(4096 + 3000, &blocks), behind);
    }

    #[test]
    fn every_word_is_looked_at() {
        let tls = Tls {
            ranges: Box::new([Range {
                start: 4096,
                len: 8,
            }]),
            record: None,
        };
        for place in 0..100 {
            let mut words = [4104_usize; 100];
            words[place] = 4103;
            let ends = words.as_ptr_range();
            // SAFETY: an array of words.
            assert!(unsafe { tls.is_pointed_at(ends.start.cast(), ends.end.cast()) });
        }
    }

    #[test]
    fn blocks_that_are_far_apart_stay_apart() {
        let block = |start, len| Range { start, len };
        let all = merged(vec![
            block(90_000, 10),
            block(100, 50),
            block(120, 10),
            block(1000, 1),
        ]);
        assert_eq!(all, [block(100, 901), block(90_000, 10)]);
    }
}
