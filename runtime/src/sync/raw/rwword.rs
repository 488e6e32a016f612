//! The word of a reader-writer lock: what is inside, and what may come in.
//!
//! ```text
//!   63            4    3      2      1       0
//!  ┌──────────────┬──────┬───────┬───────┬───────┐   readers: how many are inside
//!  │ readers      │PHASED│ WOKEN │WRITING│QUEUED │   WRITING: a writer is inside, then readers is 0
//!  └──────────────┴──────┴───────┴───────┴───────┘   QUEUED: there are waiters
//! ```
//!
//! WOKEN and PHASED are explained in rawrw.rs.

use super::door::WaitReason;

pub(crate) const QUEUED: u64 = 1;
pub(crate) const WRITING: u64 = 2;
pub(crate) const WOKEN: u64 = 4;
pub(crate) const PHASED: u64 = 8;
pub(crate) const READER: u64 = 16;

/// More readers at a time are a mistake: guards that were forgotten. Waiting readers may exceed it by
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

/// As a reader, or as the writer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Access {
    /// The reason of a wait for this access.
    pub(crate) fn wait_reason(self) -> WaitReason {
        match self {
            Access::Read => WaitReason::RwLockRead,
            Access::Write => WaitReason::RwLockWrite,
        }
    }
}

/// What is inside.
#[derive(Clone, Copy)]
pub(crate) enum Inside {
    Nobody,
    Readers,
    Writer,
}

#[inline(always)]
pub(crate) fn inside(word: u64) -> Inside {
    match word {
        _ if word & WRITING != 0 => Inside::Writer,
        _ if word >= READER => Inside::Readers,
        _ => Inside::Nobody,
    }
}

/// The word with one more inside. `Ok(None)`: the caller must wait. `was_woken`: it has waited, and was woken to try.
#[inline(always)]
pub(crate) fn entered(word: u64, access: Access, was_woken: bool) -> Result<Option<u64>, TooMany> {
    if word & (WRITING | PHASED) != 0 {
        return Ok(None);
    }
    match access {
        Access::Write => Ok((word < READER).then_some(word | WRITING)),
        // Readers that come one after the other would keep out a writer that waits for those inside.
        Access::Read if word >= READER && word & QUEUED != 0 && !was_woken => Ok(None),
        Access::Read if word >= MOST_READERS * READER => Err(TooMany),
        Access::Read => Ok(Some(word + READER)),
    }
}

#[cfg(all(test, not(goroutines_loom)))]
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

    #[test]
    fn which_callers_may_come_in() {
        let may = |word, access, was_woken| matches!(entered(word, access, was_woken), Ok(Some(_)));
        for was_woken in [false, true] {
            for access in [Access::Read, Access::Write] {
                assert!(may(0, access, was_woken));
                // It overtakes a woken waiter on its way, and the waiters.
                assert!(may(QUEUED | WOKEN, access, was_woken));
                assert!(!may(WRITING, access, was_woken));
                assert!(!may(QUEUED | PHASED, access, was_woken));
            }
            assert!(may(READER, Access::Read, was_woken));
            assert!(!may(READER, Access::Write, was_woken));
            assert_eq!(may(READER | QUEUED, Access::Read, was_woken), was_woken);
        }
    }
}
