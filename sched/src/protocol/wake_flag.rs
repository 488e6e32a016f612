//! Wake flags: how wakers, which any thread may call at any time and often, wake an owner that waits in a loop.
//!
//! ```text
//!  owner                                            giver (a waker), any number of them
//!  O1 take: swap(EMPTY)                             G1 change what the owner will look at
//!  O2 look: there is nothing                        G2 give: swap(GIVEN)
//!  O3 park; the commit: CAS EMPTY -> PARKED(n)         PARKED(n) before: claim wait n; if that succeeds,
//!     GIVEN instead: it continues at once                  ready(owner)
//!  O4 woken, by a giver or by the timer: O1            EMPTY or GIVEN before: nothing to do
//! ```
//!
//! A wake that is given after O1 is found at O3; one given after O3 sees PARKED. So none is lost: the owner looks
//! again after the last one. Exactly one of several givers sees PARKED(n). It may be late: the timer was first, and
//! the owner is in another wait, or runs. Then its claim of wait n fails (see wait_seq.rs), and it wakes nothing. A
//! wake given when the owner no longer waits stays in the word and has no effect.

use crate::protocol::sync::{AtomicU64, Ordering};

const EMPTY: u64 = 0;
const GIVEN: u64 = 1;
/// Tag of the word: the owner is parked, in the wait whose number is above.
const PARKED: u64 = 2;
const NUMBER: u32 = 2;

pub(crate) struct WakeFlag {
    word: AtomicU64,
}

impl WakeFlag {
    pub(crate) fn new() -> WakeFlag {
        WakeFlag {
            word: AtomicU64::new(EMPTY),
        }
    }

    /// O1: clears the flag. Only for the owner.
    pub(crate) fn take(&self) {
        // * -> EMPTY. Acquire: partner is the swap in `give`, so that the owner sees what came before.
        self.word.swap(EMPTY, Ordering::Acquire);
    }

    /// Returns whether a wake was given since `take`. Only for the owner, and a hint: `park` decides.
    pub(crate) fn is_given(&self) -> bool {
        // Relaxed: `take` follows.
        self.word.load(Ordering::Relaxed) == GIVEN
    }

    /// O3, as the last step of the commit: true if the owner is to stay parked, in this wait.
    pub(crate) fn park(&self, episode: u32) -> bool {
        let parked = u64::from(episode) << NUMBER | PARKED;
        // EMPTY -> PARKED. Release: partner is the swap in `give`, whose caller makes the owner ready. Relaxed on
        // failure: `take` follows.
        self.word
            .compare_exchange(EMPTY, parked, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// G2. Returns the number of the wait to be claimed, if the owner is parked.
    pub(crate) fn give(&self) -> Option<u32> {
        // * -> GIVEN. AcqRel: Release's partner is `take`, Acquire's is `park`.
        let before = self.word.swap(GIVEN, Ordering::AcqRel);
        (before & PARKED != 0).then_some((before >> NUMBER) as u32)
    }
}
